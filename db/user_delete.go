package db

import (
	"context"
	"time"
)

// adminResult is the answer of the statements here.
type adminResult struct {
	N        int    `bun:"n"`
	Sessions int    `bun:"sessions"`
	Was      string `bun:"was"`
}

var deleteUser = statement{
	postgres: `WITH u AS (
  DELETE FROM users WHERE id = $1 AND ($2 OR role <> 'admin') AND ` + notLastAdminPostgres + ` RETURNING id
), l AS (
  SELECT id FROM sessions WHERE user_id = (SELECT id FROM u) ORDER BY id FOR UPDATE
), t AS (
  DELETE FROM throttles WHERE subject = (SELECT id FROM u) AND address IN (
    SELECT address FROM throttles WHERE subject = $1 ORDER BY address FOR UPDATE)
), a AS (` + insertEventWithActor + ` SELECT $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16 FROM u
) SELECT (SELECT count(*) FROM u) AS n, (SELECT count(*) FROM l) AS sessions,
coalesce((SELECT role FROM users WHERE id = $1), '') AS was`,
	sqlite: []string{
		insertEventWithActor + ` SELECT ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16
FROM users WHERE id = ?1 AND (?2 OR role <> 'admin') AND ` + notLastAdminSQLite,
		`DELETE FROM throttles WHERE subject = ?1 AND EXISTS (SELECT 1 FROM audit_events WHERE id = ?3)`,
		`DELETE FROM users WHERE id = ?1 AND EXISTS (SELECT 1 FROM audit_events WHERE id = ?3)`,
		`SELECT changes() AS n, 0 AS sessions, coalesce((SELECT role FROM users WHERE id = ?1), '') AS was`,
	},
}

// DeleteUser erases an account with its sessions, its API keys and its failures, with its event e. Events stay. The sessions
// are locked in the order in which everybody locks them before the cascade takes them. canManageAdmins is as in ChangeUser.
func (d *DB) DeleteUser(ctx context.Context, id UserID, canManageAdmins bool, e Event, now time.Time) (*Rejection, error) {
	e.User = id
	var row adminResult
	_, err := d.getBehind(ctx, lockAdmins, id, &deleteUser, &row, append([]any{id, canManageAdmins}, eventWithActorArgs(ctx, e, now)...)...)
	if err != nil || row.N == 1 {
		return nil, err
	}
	return rejectionOf(row.Was, canManageAdmins), nil
}

var revokeUserSessions = statement{
	postgres: `WITH u AS (
  SELECT id FROM users WHERE id = $1 AND ($3 OR role <> 'admin')
), l AS (
  SELECT id FROM sessions WHERE user_id = (SELECT id FROM u) AND ` + alivePostgres + ` ORDER BY id FOR UPDATE
), s AS (
  UPDATE sessions SET revoked_at = $2, revoked_reason = 'revoke_user_sessions' WHERE id IN (SELECT id FROM l) RETURNING id
), a AS (` + insertEventWithActor + ` SELECT $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17 FROM u
) SELECT (SELECT count(*) FROM u) AS n, (SELECT count(*) FROM s) AS sessions,
coalesce((SELECT role FROM users WHERE id = $1), '') AS was`,
	sqlite: []string{
		insertEventWithActor + ` SELECT ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17
FROM users WHERE id = ?1 AND (?3 OR role <> 'admin')`,
		`UPDATE sessions SET revoked_at = ?2, revoked_reason = 'revoke_user_sessions'
WHERE user_id = ?1 AND EXISTS (SELECT 1 FROM audit_events WHERE id = ?4) AND ` + aliveSQLite,
		`SELECT EXISTS (SELECT 1 FROM audit_events WHERE id = ?4) AS n, changes() AS sessions,
coalesce((SELECT role FROM users WHERE id = ?1), '') AS was`,
	},
}

// RevokeUserSessions ends every live session of an account, with its event e, and counts them. canManageAdmins is as in ChangeUser.
func (d *DB) RevokeUserSessions(ctx context.Context, id UserID, canManageAdmins bool, e Event, now time.Time) (int, *Rejection, error) {
	e.User = id
	var row adminResult
	_, err := d.getLocked(ctx, id, &revokeUserSessions, &row, append([]any{id, now, canManageAdmins}, eventWithActorArgs(ctx, e, now)...)...)
	if err != nil || row.N == 1 {
		return row.Sessions, nil, err
	}
	return 0, rejectionOf(row.Was, canManageAdmins), nil
}
