package db

import (
	"context"
	"time"
)

// withoutFactor is the condition of sessions in which no second factor was shown.
const withoutFactor = `factor_at IS NULL AND user_id = :user AND `

var endWithoutFactor = writes("endWithoutFactor",
	`WITH l AS (
  SELECT id FROM sessions WHERE `+withoutFactor+alivePostgres+` ORDER BY id FOR UPDATE
), s AS (
  UPDATE sessions SET revoked_at = :now, revoked_reason = 'session.all_revoked' WHERE id IN (SELECT id FROM l)
  RETURNING 1
), a AS (`+insertEvent+` SELECT `+eventValues+` FROM (SELECT 1 FROM s LIMIT 1) one
) SELECT count(*) AS n FROM s`,
	insertEvent+` SELECT `+eventValues+` WHERE EXISTS (SELECT 1 FROM sessions WHERE `+withoutFactor+aliveSQLite+`)`,
	`UPDATE sessions SET revoked_at = :now, revoked_reason = 'session.all_revoked'
WHERE `+withoutFactor+aliveSQLite+ifRecorded,
	`SELECT changes() AS n`,
)

const accountsWithoutFactor = `SELECT DISTINCT user_id AS id FROM sessions JOIN users u ON u.id = sessions.user_id
WHERE factor_at IS NULL AND `

var toEndWithoutFactor = readsEach("toEndWithoutFactor",
	accountsWithoutFactor+alivePostgres+` AND (CAST(:user AS uuid) IS NULL OR user_id > :user)
  AND (:every OR CAST(:roles AS jsonb) @> to_jsonb(u.role))
ORDER BY user_id LIMIT 1`,
	accountsWithoutFactor+aliveSQLite+` AND (:user IS NULL OR user_id > :user)
  AND (:every OR u.role IN (SELECT value FROM json_each(:roles)))
ORDER BY user_id LIMIT 1`,
)

// EndSessionsWithoutFactor ends the sessions in which no second factor was shown, of accounts with one of roles, or of
// all for nil, and counts both. Each account has its event.
func (d *DB) EndSessionsWithoutFactor(
	ctx context.Context, roles []string, now time.Time,
) (accounts, sessions int, err error) {
	var last UserID
	for {
		var next struct {
			ID UserID `bun:"id"`
		}
		found, err := d.queryRow(ctx, toEndWithoutFactor, params{
			{"user", last}, {"now", now}, {"every", roles == nil}, {"roles", append(list[string]{}, roles...)},
		}, &next)
		if err != nil || !found {
			return accounts, sessions, err
		}
		last = next.ID
		e := Event{Action: ActionSessionAllRevoked, User: last, Note: "without_second_factor"}
		p := params{{"user", last}, {"now", now}}.with(eventParams(ctx, e, now))
		n, err := d.count(ctx, endWithoutFactor, p)
		if err != nil {
			return accounts, sessions, err
		}
		if n > 0 {
			accounts, sessions = accounts+1, sessions+n
		}
	}
}
