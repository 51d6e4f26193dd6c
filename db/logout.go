package db

import (
	"context"
	"time"
)

var endSession = statement{
	postgres: `WITH s AS (
  UPDATE sessions SET revoked_at = $2, revoked_reason = $3 WHERE id = $1 AND ` + alivePostgres + ` RETURNING user_id
), a AS (` + insertEvent + ` SELECT $4, $5, $6, $7, $8, coalesce($9, user_id), $10, $11, $12, $13, $14, $15, $16 FROM s
) SELECT count(*) AS n FROM s`,
	sqlite: []string{
		`UPDATE sessions SET revoked_at = ?2, revoked_reason = ?3 WHERE id = ?1 AND ` + aliveSQLite,
		insertEvent + ` SELECT ?4, ?5, ?6, ?7, ?8, coalesce(?9, user_id), ?10, ?11, ?12, ?13, ?14, ?15, ?16
FROM sessions WHERE id = ?1 AND changes() = 1`,
		`SELECT changes() AS n`,
	},
}

// Logout ends one session and tells whether it was alive. A failure of the database is an error and never a success
// (SE-06).
func (d *DB) Logout(ctx context.Context, id SessionID, now time.Time) (bool, error) {
	args := []any{id, now, "logout"}
	e := Event{Action: "logout", Sess: id}
	n, err := d.count(ctx, &endSession, append(args, eventArgs(ctx, e, now)...)...)
	return n == 1, err
}

var endSessionOf = statement{
	postgres: `WITH s AS (
  UPDATE sessions SET revoked_at = $2, revoked_reason = 'revoked'
  WHERE user_id = $1 AND (id = $3 OR number = $4) AND ` + alivePostgres + ` RETURNING id
), a AS (` + insertEvent + ` SELECT $5, $6, $7, $8, $9, $10, coalesce($11, id), $12, $13, $14, $15, $16, $17 FROM s
) SELECT id FROM s`,
	sqlite: []string{
		`UPDATE sessions SET revoked_at = ?2, revoked_reason = 'revoked'
WHERE user_id = ?1 AND (id = ?3 OR number = ?4) AND ` + aliveSQLite,
		insertEvent + ` SELECT ?5, ?6, ?7, ?8, ?9, ?10, coalesce(?11, id), ?12, ?13, ?14, ?15, ?16, ?17
FROM sessions WHERE user_id = ?1 AND (id = ?3 OR number = ?4) AND changes() = 1`,
		`SELECT id FROM sessions WHERE user_id = ?1 AND (id = ?3 OR number = ?4) AND changes() = 1`,
	},
}

// RevokeSession ends one live session of a person, by id or by number, and gives its id. The one that is not meant is
// zero, which no session has. The zero id comes back when there is none, or when it is somebody else's (SE-18).
func (d *DB) RevokeSession(ctx context.Context, user UserID, id SessionID, number int, now time.Time) (SessionID, error) {
	var ended struct {
		ID SessionID `bun:"id"`
	}
	e := Event{Action: "revoke_session", User: user}
	args := []any{user, now, id, number}
	_, err := d.get(ctx, &endSessionOf, &ended, append(args, eventArgs(ctx, e, now)...)...)
	return ended.ID, err
}

var endAll = statement{
	postgres: `WITH s AS (
  UPDATE sessions SET revoked_at = $2, revoked_reason = $4
  WHERE user_id = (SELECT user_id FROM sessions WHERE id = $1 AND ` + alivePostgres + `)
  AND ($3::uuid IS NULL OR id <> $3) AND ` + alivePostgres + ` RETURNING user_id
), a AS (` + insertEvent + ` SELECT $5, $6, $7, $8, $9, coalesce($10, user_id), $11, $12, $13, $14, $15, $16, $17
  FROM s LIMIT 1
) SELECT count(*) AS n FROM s`,
	sqlite: []string{
		`UPDATE sessions SET revoked_at = ?2, revoked_reason = ?4
WHERE user_id = (SELECT user_id FROM sessions WHERE id = ?1 AND ` + aliveSQLite + `)
AND (?3 IS NULL OR id <> ?3) AND ` + aliveSQLite,
		insertEvent + ` SELECT ?5, ?6, ?7, ?8, ?9, coalesce(?10, user_id), ?11, ?12, ?13, ?14, ?15, ?16, ?17
FROM sessions WHERE id = ?1 AND changes() > 0`,
		`SELECT count(*) AS n FROM sessions
WHERE user_id = (SELECT user_id FROM sessions WHERE id = ?1) AND revoked_at = ?2 AND revoked_reason = ?4 AND changes() = 1`,
	},
}

// LogoutEverywhere ends every session of the person behind a live session, that one with them, and counts them; none when
// that session is not alive.
func (d *DB) LogoutEverywhere(ctx context.Context, id SessionID, now time.Time) (int, error) {
	return d.endAll(ctx, id, SessionID{}, "logout_everywhere", now)
}

// LogoutOthers ends every session of the person behind a live session but that one, and counts them.
func (d *DB) LogoutOthers(ctx context.Context, id SessionID, now time.Time) (int, error) {
	return d.endAll(ctx, id, id, "revoke_other_sessions", now)
}

func (d *DB) endAll(ctx context.Context, id, spare SessionID, action string, now time.Time) (int, error) {
	args := []any{id, now, spare, action}
	e := Event{Action: action, Sess: id}
	return d.count(ctx, &endAll, append(args, eventArgs(ctx, e, now)...)...)
}
