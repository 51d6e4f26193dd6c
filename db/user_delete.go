package db

import (
	"context"
	"time"
)

// adminResult is the answer of these statements.
type adminResult struct {
	N        int    `bun:"n"`
	Sessions int    `bun:"sessions"`
	Verdict  string `bun:"verdict"`
}

var deleteUser = writes("deleteUser",
	`WITH u AS (
  DELETE FROM users WHERE id = :user AND `+verdictPostgres+` = 'ok' AND `+notLastAdmin+`
  RETURNING id
), l AS (
  SELECT id FROM sessions WHERE user_id = (SELECT id FROM u) ORDER BY id FOR UPDATE
), t AS (
  DELETE FROM throttles WHERE account_key = (SELECT id FROM u) AND scope IN (
    SELECT scope FROM throttles WHERE account_key = :user ORDER BY scope FOR UPDATE)
), w AS (
  DELETE FROM wrong_codes WHERE subject = (SELECT uuid_send(id) FROM u)
), e AS (`+insertEventWithActor+` SELECT `+eventWithActorValues+` FROM u
) SELECT (SELECT count(*) FROM u) AS n, (SELECT count(*) FROM l) AS sessions, `+verdictPostgres+` AS verdict`,
	insertEventWithActor+` SELECT `+eventWithActorValues+`
FROM users WHERE id = :user AND `+verdictSQLite+` = 'ok' AND `+notLastAdmin,
	`DELETE FROM throttles WHERE account_key = :user`+ifRecorded,
	`DELETE FROM wrong_codes WHERE subject = :user`+ifRecorded,
	`DELETE FROM users WHERE id = :user`+ifRecorded,
	`SELECT changes() AS n, 0 AS sessions, `+verdictSQLite+` AS verdict`,
)

// DeleteUser erases an account with its sessions, its API keys and its failures, with its event e. Events stay. It
// locks the sessions in the usual order before the cascade deletes them.
func (d *DB) DeleteUser(ctx context.Context, by *Actor, id UserID, e Event, now time.Time) (*Rejection, error) {
	e = by.event(e)
	e.User = id
	var row adminResult
	p := params{{"user", id}}.with(
		deed{needs: UsersWrite, erases: true}.params(by, now), eventWithActorParams(ctx, e, now),
	)
	_, err := d.queryRow(ctx, deleteUser, p, &row, locking(lockAdmins, params{{"user", id}}))
	if err != nil || row.N == 1 {
		return nil, err
	}
	return rejection(row.Verdict), nil
}

var revokeUserSessions = writes("revokeUserSessions",
	`WITH u AS (
  SELECT id FROM users WHERE id = :user AND `+verdictPostgres+` = 'ok'
), l AS (
  SELECT id FROM sessions WHERE user_id = (SELECT id FROM u) AND `+alivePostgres+` ORDER BY id FOR UPDATE
), s AS (
  UPDATE sessions SET revoked_at = :now, revoked_reason = 'session.all_revoked' WHERE id IN (SELECT id FROM l)
  RETURNING id
), w AS (
  UPDATE users SET auth_version = auth_version + 1 WHERE id = (SELECT id FROM u)
), r AS (`+dropRemembered+` WHERE user_id = (SELECT id FROM u)
), e AS (`+insertEventWithActor+` SELECT `+eventWithActorValues+` FROM u
) SELECT (SELECT count(*) FROM u) AS n, (SELECT count(*) FROM s) AS sessions, `+verdictPostgres+` AS verdict`,
	insertEventWithActor+` SELECT `+eventWithActorValues+`
FROM users WHERE id = :user AND `+verdictSQLite+` = 'ok'`,
	`UPDATE users SET auth_version = auth_version + 1 WHERE id = :user`+ifRecorded,
	dropRemembered+` WHERE user_id = :user`+ifRecorded,
	`UPDATE sessions SET revoked_at = :now, revoked_reason = 'session.all_revoked'
WHERE user_id = :user`+ifRecorded+` AND `+aliveSQLite,
	`SELECT EXISTS (SELECT 1 FROM audit_events WHERE id = :event_id) AS n, changes() AS sessions,
`+verdictSQLite+` AS verdict`,
)

// RevokeUserSessions ends every live session of an account, with its event e, and counts them. Sign-ins that wait for
// their second factor end too, and no device is remembered.
func (d *DB) RevokeUserSessions(
	ctx context.Context, by *Actor, id UserID, e Event, now time.Time,
) (int, *Rejection, error) {
	e = by.event(e)
	e.User = id
	var row adminResult
	p := params{{"user", id}}.with(
		deed{needs: SessionsWrite, signsOut: true}.params(by, now), eventWithActorParams(ctx, e, now),
	)
	_, err := d.queryRow(ctx, revokeUserSessions, p, &row, locking(lockUser, params{{"user", id}}))
	if err != nil || row.N == 1 {
		return row.Sessions, nil, err
	}
	return 0, rejection(row.Verdict), nil
}
