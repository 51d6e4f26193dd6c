package db

import (
	"context"
	"time"
)

var sudo = writes("sudo",
	`WITH s AS (
  UPDATE sessions SET authenticated_at = :now, proved_by = 'PASSWORD'
  WHERE id = :session AND user_id = :user AND `+alivePostgres+` AND EXISTS (
    SELECT 1 FROM users WHERE users.id = :user AND status = 'ACTIVE' AND password_hash = :password_hash
      AND password_disabled_at IS NULL)
  RETURNING user_id
), t AS (
  DELETE FROM throttles WHERE account_key = (SELECT user_id FROM s) AND scope IN (
    SELECT scope FROM throttles WHERE account_key = :user AND scope IN (:scope, '*') ORDER BY scope FOR UPDATE)
), a AS (`+insertEvent+` SELECT `+eventValues+` FROM s
) SELECT count(*) AS n FROM s`,
	`UPDATE sessions SET authenticated_at = :now, proved_by = 'PASSWORD'
WHERE id = :session AND user_id = :user AND `+aliveSQLite+` AND EXISTS (
  SELECT 1 FROM users WHERE users.id = :user AND status = 'ACTIVE' AND password_hash = :password_hash
    AND password_disabled_at IS NULL)`,
	insertEvent+` SELECT `+eventValues+`
FROM sessions WHERE id = :session AND changes() = 1`,
	`DELETE FROM throttles WHERE account_key = :user AND scope IN (:scope, '*')`+ifRecorded,
	`SELECT count(*) AS n FROM audit_events WHERE id = :event_id`,
)

// Sudo writes down that the person behind a session just proved themselves by the password of a, and forgets the
// failures of its bucket. It tells whether the session is still alive and the password still in force.
func (d *DB) Sudo(ctx context.Context, session SessionID, a *Attempt, now time.Time) (bool, error) {
	e := Event{Action: ActionSudoGranted, User: a.User.ID, Sess: session, Methods: []AuthMethod{AuthPassword}}
	p := params{
		{"session", session},
		{"now", now},
		{"user", a.User.ID},
		{"password_hash", a.User.PasswordHash},
		{"scope", a.bucket.scope},
	}
	n, err := d.count(ctx, sudo, p.with(eventParams(ctx, e, now)))
	return n == 1, err
}
