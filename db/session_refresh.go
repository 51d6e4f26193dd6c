package db

import (
	"context"
	"time"

	"github.com/dragoman-auth/dragoman/internal/visit"
)

var rotate = writes("rotate",
	`WITH s AS (
  UPDATE sessions SET generation = generation + 1, rotated_at = :now, retry_until = :retry_until, last_used_at = :now,
    user_agent = :user_agent, ip = :ip
  WHERE id = :session AND generation = :generation AND `+alivePostgres+`
    AND EXISTS (SELECT 1 FROM users WHERE users.id = user_id AND status = 'ACTIVE')
  RETURNING *
), a AS (`+insertEvent+` SELECT :event_id, :event_at, :event_action, :event_outcome, :event_reason,
  coalesce(:event_user, user_id), :event_session, :event_key, :event_methods,
  :event_dialect, :event_ip, :event_user_agent, :event_request FROM s
) SELECT `+sessionColumns+`, `+userColumns+` FROM s JOIN users u ON u.id = s.user_id`,
	`UPDATE sessions SET generation = generation + 1, rotated_at = :now, retry_until = :retry_until, last_used_at = :now,
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

// RefreshRules say how long a refresh token that was rotated still gives the same successor.
type RefreshRules struct {
	Grace     time.Duration // after the rotation, to callers at the same time
	Retry     time.Duration // after the rotation, to a caller whose answer was lost: see Retry; zero for never
	SingleUse bool          // never, also elsewhere; within the grace the token is refused and harms nothing
}

// Rotate moves a session from one generation of its refresh token to the next. The statement is conditional: of many
// callers with the same token exactly one succeeds (SE-09). Nil when the session has another generation, or is not
// alive at now: see Replay.
func (d *DB) Rotate(
	ctx context.Context, id SessionID, generation int64, rules RefreshRules, now time.Time,
) (*Caller, error) {
	v := visit.From(ctx)
	e := Event{Action: ActionSessionRefreshed, Sess: id}
	p := params{
		{"session", id},
		{"now", now},
		{"generation", generation},
		{"user_agent", text(v.UserAgent)},
		{"ip", ip(v)},
		{"retry_until", rules.retryUntil(now)},
	}
	return d.caller(ctx, rotate, p.with(eventParams(ctx, e, now)))
}

// retryUntil is nil for the rotation of a token that is good once: the predecessor gets nothing again, at no door. A
// rotation that no retry is possible after has its own time.
func (r RefreshRules) retryUntil(now time.Time) *time.Time {
	if r.SingleUse {
		return nil
	}
	end := now.Add(max(r.Retry, 0))
	return &end
}
