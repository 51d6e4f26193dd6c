package db

import (
	"context"
	"time"
)

// The condition of a session that is named by a refresh token of generation parameter 4, if any; parameter 5 is NotBefore.
const (
	inForcePostgres = ` AND (:generation::bigint IS NULL OR generation = :generation OR (generation = :generation + 1 AND rotated_at >= :not_before))`
	inForceSQLite   = ` AND (:generation IS NULL OR generation = :generation OR (generation = :generation + 1 AND rotated_at >= :not_before))`
)

var endSession = writes("endSession",
	`WITH s AS (
  UPDATE sessions SET revoked_at = :now, revoked_reason = :reason WHERE id = :session AND `+alivePostgres+inForcePostgres+`
  RETURNING user_id
), a AS (`+insertEvent+` SELECT :event_id, :event_at, :event_action, :event_outcome, :event_reason,
  coalesce(:event_user, user_id), :event_session, :event_key, :event_methods,
  :event_dialect, :event_ip, :event_user_agent, :event_request FROM s
) SELECT count(*) AS n FROM s`,
	`UPDATE sessions SET revoked_at = :now, revoked_reason = :reason WHERE id = :session AND `+aliveSQLite+inForceSQLite,
	insertEvent+` SELECT :event_id, :event_at, :event_action, :event_outcome, :event_reason,
  coalesce(:event_user, user_id), :event_session, :event_key, :event_methods,
  :event_dialect, :event_ip, :event_user_agent, :event_request
FROM sessions WHERE id = :session AND changes() = 1`,
	`SELECT changes() AS n`,
)

// LogoutTarget names the session to end. Where a refresh token names it, its generation counts as in a refresh: the one in
// force, or its predecessor from NotBefore on. Anything older ends nothing here: see Replay.
type LogoutTarget struct {
	Session    SessionID
	Generation *int64    // nil where an access or session token names the session
	NotBefore  time.Time // how long ago the predecessor may have been rotated
}

func (t LogoutTarget) params(reason Action, now time.Time) params {
	return params{
		{"session", t.Session}, {"now", now}, {"reason", reason.Done}, {"generation", t.Generation}, {"not_before", t.NotBefore},
	}
}

// Logout ends one session and tells whether it was alive. A failure of the database is an error and never a success
// (SE-06).
func (d *DB) Logout(ctx context.Context, end LogoutTarget, now time.Time) (bool, error) {
	e := Event{Action: ActionSessionEnded, Sess: end.Session}
	n, err := d.count(ctx, endSession, end.params(e.Action, now).with(eventParams(ctx, e, now)))
	return n == 1, err
}

var endSessionOf = writes("endSessionOf",
	`WITH s AS (
  UPDATE sessions SET revoked_at = :now, revoked_reason = 'session.revoked'
  WHERE user_id = :user AND (id = :session OR number = :number) AND `+alivePostgres+` RETURNING id
), a AS (`+insertEvent+` SELECT :event_id, :event_at, :event_action, :event_outcome, :event_reason, :event_user,
  coalesce(:event_session, id), :event_key, :event_methods,
  :event_dialect, :event_ip, :event_user_agent, :event_request FROM s
) SELECT id FROM s`,
	`UPDATE sessions SET revoked_at = :now, revoked_reason = 'session.revoked'
WHERE user_id = :user AND (id = :session OR number = :number) AND `+aliveSQLite,
	insertEvent+` SELECT :event_id, :event_at, :event_action, :event_outcome, :event_reason, :event_user,
  coalesce(:event_session, id), :event_key, :event_methods,
  :event_dialect, :event_ip, :event_user_agent, :event_request
FROM sessions WHERE user_id = :user AND (id = :session OR number = :number) AND changes() = 1`,
	`SELECT id FROM sessions WHERE user_id = :user AND (id = :session OR number = :number) AND changes() = 1`,
)

// RevokeSession ends one live session of a person, by id or by number, and gives its id. The one that is not meant is
// zero, which no session has. The zero id comes back when there is none, or when it is somebody else's (SE-18).
func (d *DB) RevokeSession(ctx context.Context, user UserID, id SessionID, number int, now time.Time) (SessionID, error) {
	var ended struct {
		ID SessionID `bun:"id"`
	}
	e := Event{Action: ActionSessionRevoked, User: user}
	p := params{{"user", user}, {"now", now}, {"session", id}, {"number", number}}
	_, err := d.queryRow(ctx, endSessionOf, p.with(eventParams(ctx, e, now)), &ended)
	return ended.ID, err
}

var endAll = writes("endAll",
	`WITH s AS (
  UPDATE sessions SET revoked_at = :now, revoked_reason = :reason
  WHERE id IN (
    SELECT id FROM sessions
    WHERE user_id = (SELECT user_id FROM sessions WHERE id = :session AND `+alivePostgres+inForcePostgres+`)
    AND (:spared::uuid IS NULL OR id <> :spared) AND `+alivePostgres+` ORDER BY id FOR UPDATE
  ) RETURNING user_id
), a AS (`+insertEvent+` SELECT :event_id, :event_at, :event_action, :event_outcome, :event_reason,
  coalesce(:event_user, user_id), :event_session, :event_key, :event_methods,
  :event_dialect, :event_ip, :event_user_agent, :event_request
  FROM s LIMIT 1
) SELECT count(*) AS n FROM s`,
	`UPDATE sessions SET revoked_at = :now, revoked_reason = :reason
WHERE user_id = (SELECT user_id FROM sessions WHERE id = :session AND `+aliveSQLite+inForceSQLite+`)
AND (:spared IS NULL OR id <> :spared) AND `+aliveSQLite,
	insertEvent+` SELECT :event_id, :event_at, :event_action, :event_outcome, :event_reason,
  coalesce(:event_user, user_id), :event_session, :event_key, :event_methods,
  :event_dialect, :event_ip, :event_user_agent, :event_request
FROM sessions WHERE id = :session AND changes() > 0`,
	`SELECT count(*) AS n FROM sessions WHERE changes() = 1
AND user_id = (SELECT user_id FROM sessions WHERE id = :session) AND revoked_at = :now AND revoked_reason = :reason`,
)

// LogoutEverywhere ends every session of the person behind a live session, that one with them, and counts them; none when
// that session is not alive.
func (d *DB) LogoutEverywhere(ctx context.Context, end LogoutTarget, now time.Time) (int, error) {
	return d.endAll(ctx, end, SessionID{}, ActionSessionAllEnded, now)
}

// LogoutOthers ends every session of the person behind a live session but that one, and counts them.
func (d *DB) LogoutOthers(ctx context.Context, id SessionID, now time.Time) (int, error) {
	return d.endAll(ctx, LogoutTarget{Session: id}, id, ActionSessionOthersRevoked, now)
}

func (d *DB) endAll(ctx context.Context, end LogoutTarget, spare SessionID, action Action, now time.Time) (int, error) {
	e := Event{Action: action, Sess: end.Session}
	p := end.params(action, now).with(params{{"spared", spare}})
	return d.count(ctx, endAll, p.with(eventParams(ctx, e, now)))
}
