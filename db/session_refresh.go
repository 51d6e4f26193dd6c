package db

import (
	"context"
	"time"

	"github.com/dragoman-auth/dragoman/internal/visit"
)

var rotate = statement{
	postgres: `WITH s AS (
  UPDATE sessions SET generation = generation + 1, rotated_at = $2, last_used_at = $2, user_agent = $4, ip = $5
  WHERE id = $1 AND generation = $3 AND ` + alivePostgres + `
  AND EXISTS (SELECT 1 FROM users WHERE users.id = user_id AND status = 'ACTIVE') RETURNING *
), a AS (` + insertEvent + ` SELECT $6, $7, $8, $9, $10, coalesce($11, user_id), $12, $13, $14, $15, $16, $17, $18 FROM s
) SELECT ` + sessionColumns + `, ` + userColumns + ` FROM s JOIN users u ON u.id = s.user_id`,
	sqlite: []string{
		`UPDATE sessions SET generation = generation + 1, rotated_at = ?2, last_used_at = ?2, user_agent = ?4, ip = ?5
WHERE id = ?1 AND generation = ?3 AND ` + aliveSQLite + `
AND EXISTS (SELECT 1 FROM users WHERE users.id = user_id AND status = 'ACTIVE')`,
		insertEvent + ` SELECT ?6, ?7, ?8, ?9, ?10, coalesce(?11, user_id), ?12, ?13, ?14, ?15, ?16, ?17, ?18
FROM sessions WHERE id = ?1 AND changes() = 1`,
		`SELECT ` + sessionColumns + `, ` + userColumns + ` FROM sessions s JOIN users u ON u.id = s.user_id
WHERE s.id = ?1 AND changes() = 1`,
	},
}

// Rotate moves a session from one generation of its refresh token to the next: one conditional statement, so that of
// many callers with the same token exactly one gets through (SE-09). Nil when the session is not at that generation,
// or not alive at now: see Replay.
func (d *DB) Rotate(ctx context.Context, id SessionID, generation int64, now time.Time) (*Caller, error) {
	v := visit.From(ctx)
	args := []any{id, now, generation, text(v.UserAgent), ip(v)}
	e := Event{Action: "refresh", Sess: id}
	return d.caller(ctx, &rotate, append(args, eventArgs(ctx, e, now)...)...)
}

// Replayed is a session as a refresh token found it that is not the one in force.
type Replayed struct {
	Caller
	Ended   bool `bun:"ended"`   // this use of the token ended the session
	Allowed bool `bun:"allowed"` // the token is the last predecessor, within its grace: the successor may be given again
}

// Predecessor tells below whether the token is the last one before that in force, within its grace.
var replay = statement{
	postgres: `WITH x AS (
  UPDATE sessions SET revoked_at = $2, revoked_reason = 'token_reused' WHERE id = $1 AND ` + alivePostgres + `
  AND generation <> $3 AND NOT (generation = $3 + 1 AND rotated_at >= $4) RETURNING id
), o AS (
  SELECT s.user_id, EXISTS (SELECT 1 FROM x) AS ended, NOT EXISTS (SELECT 1 FROM x) AND ` + alivePostgres + `
    AND generation = $3 + 1 AND rotated_at >= $4 AND status = 'ACTIVE' AS predecessor
  FROM sessions s JOIN users ON users.id = s.user_id WHERE s.id = $1
), a AS (` + insertEvent + ` SELECT $6, $7, $8, CASE WHEN predecessor AND NOT $5 THEN 'ok' ELSE $9 END,
  CASE WHEN ended THEN $10 WHEN predecessor AND $5 THEN 'single_use' WHEN predecessor THEN 'within_grace'
    ELSE 'session_over' END,
  coalesce($11, user_id), $12, $13, $14, $15, $16, $17, $18 FROM (SELECT 1) one LEFT JOIN o ON true
) SELECT ` + sessionColumns + `, ` + userColumns + `, o.ended, o.predecessor AND NOT $5 AS allowed
FROM sessions s JOIN users u ON u.id = s.user_id CROSS JOIN o WHERE s.id = $1`,
	sqlite: []string{
		`UPDATE sessions SET revoked_at = ?2, revoked_reason = 'token_reused' WHERE id = ?1 AND ` + aliveSQLite + `
AND generation <> ?3 AND NOT (generation = ?3 + 1 AND rotated_at >= ?4)`,
		insertEvent + ` SELECT ?6, ?7, ?8, CASE WHEN predecessor AND NOT ?5 THEN 'ok' ELSE ?9 END,
CASE WHEN changes() = 1 THEN ?10 WHEN predecessor AND ?5 THEN 'single_use' WHEN predecessor THEN 'within_grace'
  ELSE 'session_over' END,
coalesce(?11, user_id), ?12, ?13, ?14, ?15, ?16, ?17, ?18
FROM (SELECT 1) one LEFT JOIN (SELECT s.user_id, ` + aliveSQLite + `
  AND generation = ?3 + 1 AND rotated_at >= ?4 AND status = 'ACTIVE' AS predecessor
  FROM sessions s JOIN users ON users.id = s.user_id WHERE s.id = ?1) o ON true`,
		`SELECT ` + sessionColumns + `, ` + userColumns + `,
(SELECT reason = 'token_reused' FROM audit_events WHERE id = ?6) AS ended,
` + aliveSQLite + ` AND generation = ?3 + 1 AND rotated_at >= ?4 AND status = 'ACTIVE' AND NOT ?5 AS allowed
FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.id = ?1`,
	},
}

// Replay judges a refresh token that Rotate did not take, in one statement with its event. The immediate predecessor of the
// token in force, used again within grace of the rotation, changes nothing: the caller gets the same successor (SE-10),
// or nothing where singleUse says so. Any other generation of a live session ends that session (SE-11, SE-12). Nil when
// there is no such session; one that is over comes back neither Ended nor Allowed, and so does a live one whose
// predecessor singleUse refused.
func (d *DB) Replay(
	ctx context.Context, id SessionID, generation int64, grace time.Duration, singleUse bool, now time.Time,
) (*Replayed, error) {
	var r Replayed
	args := []any{id, now, generation, now.Add(-grace), singleUse}
	e := Event{Action: "refresh", Reason: "token_reused", Sess: id}
	found, err := d.get(ctx, &replay, &r, append(args, eventArgs(ctx, e, now)...)...)
	if err != nil || !found {
		return nil, err
	}
	return &r, nil
}
