package db

import (
	"context"
	"time"

	"github.com/dragoman-auth/dragoman/internal/visit"
)

var rotate = writes("rotate",
	`WITH s AS (
  UPDATE sessions SET generation = generation + 1, rotated_at = :now, last_used_at = :now,
    user_agent = :user_agent, ip = :ip
  WHERE id = :session AND generation = :generation AND `+alivePostgres+`
    AND EXISTS (SELECT 1 FROM users WHERE users.id = user_id AND status = 'ACTIVE')
  RETURNING *
), a AS (`+insertEvent+` SELECT :event_id, :event_at, :event_action, :event_outcome, :event_reason,
  coalesce(:event_user, user_id), :event_session, :event_key, :event_methods,
  :event_dialect, :event_ip, :event_user_agent, :event_request FROM s
) SELECT `+sessionColumns+`, `+userColumns+` FROM s JOIN users u ON u.id = s.user_id`,
	`UPDATE sessions SET generation = generation + 1, rotated_at = :now, last_used_at = :now,
  user_agent = :user_agent, ip = :ip
WHERE id = :session AND generation = :generation AND `+aliveSQLite+`
  AND EXISTS (SELECT 1 FROM users WHERE users.id = user_id AND status = 'ACTIVE')`,
	insertEvent+` SELECT :event_id, :event_at, :event_action, :event_outcome, :event_reason,
  coalesce(:event_user, user_id), :event_session, :event_key, :event_methods,
  :event_dialect, :event_ip, :event_user_agent, :event_request
FROM sessions WHERE id = :session AND changes() = 1`,
	`SELECT `+sessionColumns+`, `+userColumns+` FROM sessions s JOIN users u ON u.id = s.user_id
WHERE s.id = :session AND changes() = 1`,
)

// Rotate moves a session from one generation of its refresh token to the next. The statement is conditional: of many
// callers with the same token exactly one succeeds (SE-09). Nil when the session has another generation, or is not
// alive at now: see Replay.
func (d *DB) Rotate(ctx context.Context, id SessionID, generation int64, now time.Time) (*Caller, error) {
	v := visit.From(ctx)
	e := Event{Action: ActionSessionRefreshed, Sess: id}
	p := params{
		{"session", id}, {"now", now}, {"generation", generation}, {"user_agent", text(v.UserAgent)}, {"ip", ip(v)},
	}
	return d.caller(ctx, rotate, p.with(eventParams(ctx, e, now)))
}

// Replayed is a session to which somebody presented another refresh token than the one in force.
type Replayed struct {
	Caller
	Ended   bool `bun:"ended"`   // this use of the token ended the session
	Allowed bool `bun:"allowed"` // the token is the last predecessor, within its grace: give the successor again
}

// predecessor tells whether the token is the last one before the token in force, within its grace.
var replay = writes("replay",
	`WITH x AS (
  UPDATE sessions SET revoked_at = :now, revoked_reason = 'token_reused'
  WHERE id = :session AND `+alivePostgres+`
    AND generation <> :generation AND NOT (generation = :generation + 1 AND rotated_at >= :not_before)
  RETURNING id
), o AS (
  SELECT s.user_id, EXISTS (SELECT 1 FROM x) AS ended, NOT EXISTS (SELECT 1 FROM x) AND `+alivePostgres+`
    AND generation = :generation + 1 AND rotated_at >= :not_before AND status = 'ACTIVE' AS predecessor
  FROM sessions s JOIN users ON users.id = s.user_id WHERE s.id = :session
), a AS (`+insertEvent+` SELECT :event_id, :event_at,
  CASE WHEN predecessor AND NOT :single_use THEN :refreshed ELSE :event_action END,
  CASE WHEN predecessor AND NOT :single_use THEN 'ok' ELSE :event_outcome END,
  CASE WHEN ended THEN :event_reason
    WHEN predecessor AND :single_use THEN 'single_use'
    WHEN predecessor THEN 'within_grace'
    ELSE 'session_over' END,
  coalesce(:event_user, user_id), :event_session, :event_key, :event_methods,
  :event_dialect, :event_ip, :event_user_agent, :event_request
  FROM (SELECT 1) one LEFT JOIN o ON true
) SELECT `+sessionColumns+`, `+userColumns+`, o.ended, o.predecessor AND NOT :single_use AS allowed
FROM sessions s JOIN users u ON u.id = s.user_id CROSS JOIN o WHERE s.id = :session`,
	`UPDATE sessions SET revoked_at = :now, revoked_reason = 'token_reused'
WHERE id = :session AND `+aliveSQLite+`
  AND generation <> :generation AND NOT (generation = :generation + 1 AND rotated_at >= :not_before)`,
	insertEvent+` SELECT :event_id, :event_at,
  CASE WHEN predecessor AND NOT :single_use THEN :refreshed ELSE :event_action END,
  CASE WHEN predecessor AND NOT :single_use THEN 'ok' ELSE :event_outcome END,
  CASE WHEN changes() = 1 THEN :event_reason
    WHEN predecessor AND :single_use THEN 'single_use'
    WHEN predecessor THEN 'within_grace'
    ELSE 'session_over' END,
  coalesce(:event_user, user_id), :event_session, :event_key, :event_methods,
  :event_dialect, :event_ip, :event_user_agent, :event_request
FROM (SELECT 1) one LEFT JOIN (
  SELECT s.user_id, `+aliveSQLite+`
    AND generation = :generation + 1 AND rotated_at >= :not_before AND status = 'ACTIVE' AS predecessor
  FROM sessions s JOIN users ON users.id = s.user_id WHERE s.id = :session
) o ON true`,
	`SELECT `+sessionColumns+`, `+userColumns+`,
  (SELECT reason = 'token_reused' FROM audit_events WHERE id = :event_id) AS ended,
  `+aliveSQLite+` AND generation = :generation + 1 AND rotated_at >= :not_before AND status = 'ACTIVE'
    AND NOT :single_use AS allowed
FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.id = :session`,
)

// Replay judges a refresh token that Rotate refused, in one statement with its event. The immediate predecessor of the
// token in force changes nothing within grace of the rotation: the caller gets the same successor (SE-10), or nothing
// with singleUse. Any other generation of a live session ends the session (SE-11, SE-12). Nil for no session. A session
// that is over is neither Ended nor Allowed, and so is a live one with singleUse.
func (d *DB) Replay(
	ctx context.Context, id SessionID, generation int64, grace time.Duration, singleUse bool, now time.Time,
) (*Replayed, error) {
	var r Replayed
	p := params{
		{"session", id},
		{"now", now},
		{"generation", generation},
		{"not_before", now.Add(-grace)},
		{"single_use", singleUse},
		{"refreshed", ActionSessionRefreshed.Done},
	}
	e := Event{Action: ActionSessionRefreshed, Reason: "token_reused", Sess: id}
	found, err := d.queryRow(ctx, replay, p.with(eventParams(ctx, e, now)), &r)
	if err != nil || !found {
		return nil, err
	}
	return &r, nil
}
