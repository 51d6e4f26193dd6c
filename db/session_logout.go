package db

import (
	"context"
	"time"
)

// The condition of a session that is named by a refresh token of generation parameter 4, if any; parameter 5 is NotBefore.
const (
	inForcePostgres = ` AND ($4::bigint IS NULL OR generation = $4 OR (generation = $4 + 1 AND rotated_at >= $5))`
	inForceSQLite   = ` AND (?4 IS NULL OR generation = ?4 OR (generation = ?4 + 1 AND rotated_at >= ?5))`
)

var endSession = statement{
	postgres: `WITH s AS (
  UPDATE sessions SET revoked_at = $2, revoked_reason = $3 WHERE id = $1 AND ` + alivePostgres + inForcePostgres + `
  RETURNING user_id
), a AS (` + insertEvent + ` SELECT $6, $7, $8, $9, $10, coalesce($11, user_id), $12, $13, $14, $15, $16, $17, $18 FROM s
) SELECT count(*) AS n FROM s`,
	sqlite: []string{
		`UPDATE sessions SET revoked_at = ?2, revoked_reason = ?3 WHERE id = ?1 AND ` + aliveSQLite + inForceSQLite,
		insertEvent + ` SELECT ?6, ?7, ?8, ?9, ?10, coalesce(?11, user_id), ?12, ?13, ?14, ?15, ?16, ?17, ?18
FROM sessions WHERE id = ?1 AND changes() = 1`,
		`SELECT changes() AS n`,
	},
}

// LogoutTarget names the session to end. Where a refresh token names it, its generation counts as in a refresh: the one in
// force, or its predecessor from NotBefore on. Anything older ends nothing here: see Replay.
type LogoutTarget struct {
	Session    SessionID
	Generation *int64    // nil where an access or session token names the session
	NotBefore  time.Time // how long ago the predecessor may have been rotated
}

// Logout ends one session and tells whether it was alive. A failure of the database is an error and never a success
// (SE-06).
func (d *DB) Logout(ctx context.Context, end LogoutTarget, now time.Time) (bool, error) {
	args := []any{end.Session, now, "logout", end.Generation, end.NotBefore}
	e := Event{Action: "logout", Sess: end.Session}
	n, err := d.count(ctx, &endSession, append(args, eventArgs(ctx, e, now)...)...)
	return n == 1, err
}

var endSessionOf = statement{
	postgres: `WITH s AS (
  UPDATE sessions SET revoked_at = $2, revoked_reason = 'revoke_session'
  WHERE user_id = $1 AND (id = $3 OR number = $4) AND ` + alivePostgres + ` RETURNING id
), a AS (` + insertEvent + ` SELECT $5, $6, $7, $8, $9, $10, coalesce($11, id), $12, $13, $14, $15, $16, $17 FROM s
) SELECT id FROM s`,
	sqlite: []string{
		`UPDATE sessions SET revoked_at = ?2, revoked_reason = 'revoke_session'
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
  UPDATE sessions SET revoked_at = $2, revoked_reason = $3
  WHERE id IN (
    SELECT id FROM sessions
    WHERE user_id = (SELECT user_id FROM sessions WHERE id = $1 AND ` + alivePostgres + inForcePostgres + `)
    AND ($6::uuid IS NULL OR id <> $6) AND ` + alivePostgres + ` ORDER BY id FOR UPDATE
  ) RETURNING user_id
), a AS (` + insertEvent + ` SELECT $7, $8, $9, $10, $11, coalesce($12, user_id), $13, $14, $15, $16, $17, $18, $19
  FROM s LIMIT 1
) SELECT count(*) AS n FROM s`,
	sqlite: []string{
		`UPDATE sessions SET revoked_at = ?2, revoked_reason = ?3
WHERE user_id = (SELECT user_id FROM sessions WHERE id = ?1 AND ` + aliveSQLite + inForceSQLite + `)
AND (?6 IS NULL OR id <> ?6) AND ` + aliveSQLite,
		insertEvent + ` SELECT ?7, ?8, ?9, ?10, ?11, coalesce(?12, user_id), ?13, ?14, ?15, ?16, ?17, ?18, ?19
FROM sessions WHERE id = ?1 AND changes() > 0`,
		`SELECT count(*) AS n FROM sessions WHERE changes() = 1
AND user_id = (SELECT user_id FROM sessions WHERE id = ?1) AND revoked_at = ?2 AND revoked_reason = ?3`,
	},
}

// LogoutEverywhere ends every session of the person behind a live session, that one with them, and counts them; none when
// that session is not alive.
func (d *DB) LogoutEverywhere(ctx context.Context, end LogoutTarget, now time.Time) (int, error) {
	return d.endAll(ctx, end, SessionID{}, "logout_everywhere", now)
}

// LogoutOthers ends every session of the person behind a live session but that one, and counts them.
func (d *DB) LogoutOthers(ctx context.Context, id SessionID, now time.Time) (int, error) {
	return d.endAll(ctx, LogoutTarget{Session: id}, id, "revoke_other_sessions", now)
}

func (d *DB) endAll(ctx context.Context, end LogoutTarget, spare SessionID, action string, now time.Time) (int, error) {
	args := []any{end.Session, now, action, end.Generation, end.NotBefore, spare}
	e := Event{Action: action, Sess: end.Session}
	return d.count(ctx, &endAll, append(args, eventArgs(ctx, e, now)...)...)
}
