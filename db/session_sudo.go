package db

import (
	"context"
	"time"
)

var sudo = statement{
	postgres: `WITH s AS (
  UPDATE sessions SET authenticated_at = $2 WHERE id = $1 AND user_id = $3 AND ` + alivePostgres + `
  AND EXISTS (SELECT 1 FROM users WHERE users.id = $3 AND status = 'ACTIVE' AND password_hash = $4 AND password_disabled_at IS NULL) RETURNING user_id
), t AS (
  DELETE FROM throttles WHERE subject = (SELECT user_id FROM s) AND address IN (
    SELECT address FROM throttles WHERE subject = $3 AND address IN ($5, '*') ORDER BY address FOR UPDATE)
), a AS (` + insertEvent + ` SELECT $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18 FROM s
) SELECT count(*) AS n FROM s`,
	sqlite: []string{
		`UPDATE sessions SET authenticated_at = ?2 WHERE id = ?1 AND user_id = ?3 AND ` + aliveSQLite + `
AND EXISTS (SELECT 1 FROM users WHERE users.id = ?3 AND status = 'ACTIVE' AND password_hash = ?4 AND password_disabled_at IS NULL)`,
		insertEvent + ` SELECT ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18
FROM sessions WHERE id = ?1 AND changes() = 1`,
		`DELETE FROM throttles WHERE subject = ?3 AND address IN (?5, '*') AND EXISTS (SELECT 1 FROM audit_events WHERE id = ?6)`,
		`SELECT count(*) AS n FROM audit_events WHERE id = ?6`,
	},
}

// Sudo notes that the person behind a session just proved themselves by the password of a, and forgets the failures of its
// bucket. It tells whether the session is alive and the password in force still.
func (d *DB) Sudo(ctx context.Context, session SessionID, a *Attempt, now time.Time) (bool, error) {
	e := Event{Action: "sudo", User: a.User.ID, Sess: session, Methods: []AuthMethod{AuthPassword}}
	args := []any{session, now, a.User.ID, a.User.PasswordHash, a.bucket.address}
	n, err := d.count(ctx, &sudo, append(args, eventArgs(ctx, e, now)...)...)
	return n == 1, err
}
