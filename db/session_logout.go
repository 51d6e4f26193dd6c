package db

import (
	"context"
	"time"
)

// inForce is the condition of a session that a refresh token of :generation names, NULL for another token: the
// generation in force, or a predecessor that a refresh would give the successor.
const inForce = ` AND (CAST(:generation AS bigint) IS NULL OR generation = :generation OR ` + inGrace + `
  OR ` + answerLost + `)`

var endSession = writes("endSession",
	`WITH s AS (
  UPDATE sessions SET revoked_at = :now, revoked_reason = :reason WHERE id = :session AND `+alivePostgres+inForce+`
  RETURNING user_id
), a AS (`+insertEvent+` SELECT :event_id, :event_at, :event_action, :event_outcome, :event_reason,
  coalesce(:event_user, user_id), :event_session, :event_key, :event_methods,
  :event_dialect, :event_ip, :event_user_agent, :event_request FROM s
), k AS (
  UPDATE api_keys SET revoked_at = :now WHERE :end_keys AND user_id = (SELECT user_id FROM s) AND revoked_at IS NULL
) SELECT count(*) AS n FROM s`,
	`UPDATE sessions SET revoked_at = :now, revoked_reason = :reason WHERE id = :session AND `+aliveSQLite+inForce,
	insertEvent+` SELECT :event_id, :event_at, :event_action, :event_outcome, :event_reason,
  coalesce(:event_user, user_id), :event_session, :event_key, :event_methods,
  :event_dialect, :event_ip, :event_user_agent, :event_request
FROM sessions WHERE id = :session AND changes() = 1`,
	endKeysOfSession,
	`SELECT count(*) AS n FROM audit_events WHERE id = :event_id`,
)

// endKeysOfSession ends the API keys of the person behind a session, on SQLite.
const endKeysOfSession = `UPDATE api_keys SET revoked_at = :now
WHERE :end_keys AND user_id = (SELECT user_id FROM sessions WHERE id = :session) AND revoked_at IS NULL` + ifRecorded

// LogoutTarget names the session to end. Where a refresh token names it, its generation counts as in a refresh: the
// generation in force, or a predecessor to which Rules still give the successor. An older one ends nothing here: see
// Replay.
type LogoutTarget struct {
	Session    SessionID
	Generation *int64 // nil where an access or session token names the session
	Rules      RefreshRules
	EndKeys    bool // whether the API keys of the person end too
}

func (d *DB) logoutParams(t LogoutTarget, reason Action, now time.Time) params {
	generation := int64(NoRefresh)
	if t.Generation != nil {
		generation = *t.Generation
	}
	return d.predecessorParams(t.Session, generation, t.Rules, now).with(params{
		{"session", t.Session},
		{"now", now},
		{"reason", reason.Done},
		{"generation", t.Generation},
		{"end_keys", t.EndKeys},
	})
}

// note is the remark of the event.
func (t LogoutTarget) note() string {
	if t.EndKeys {
		return NoteKeysEnded
	}
	return ""
}

// NoteKeysEnded is the remark of an event that ended the API keys of the person too.
const NoteKeysEnded = "api_keys_ended"

// Logout ends one session and tells whether it was alive. A failure of the database is an error, never a success
// (SE-06).
func (d *DB) Logout(ctx context.Context, end LogoutTarget, now time.Time) (bool, error) {
	e := Event{Action: ActionSessionEnded, Note: end.note(), Sess: end.Session}
	n, err := d.end(ctx, endSession, end, d.logoutParams(end, e.Action, now).with(eventParams(ctx, e, now)))
	return n == 1, err
}

// Remembered devices go before sessions, as in every statement that changes both: this prevents deadlocks.
var endSessionOf = writes("endSessionOf",
	`WITH r AS (`+dropRemembered+` WHERE session_id IN (
    SELECT id FROM sessions WHERE user_id = :user AND (id = :session OR number = :number) AND `+alivePostgres+`)
  RETURNING 1
), s AS (
  UPDATE sessions SET revoked_at = :now, revoked_reason = 'session.revoked'
  WHERE user_id = :user AND (id = :session OR number = :number) AND `+alivePostgres+`
    AND (SELECT count(*) FROM r) >= 0 RETURNING id
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
	dropRemembered+` WHERE session_id IN (
  SELECT id FROM sessions WHERE user_id = :user AND (id = :session OR number = :number))`+ifRecorded,
	`SELECT id FROM sessions WHERE user_id = :user AND (id = :session OR number = :number)`+ifRecorded,
)

// RevokeSession ends one live session of a person and gives its id. Either id or number names it; the other one is
// zero, which no session has. The answer is the zero id for a session that is not theirs (SE-18).
func (d *DB) RevokeSession(
	ctx context.Context, user UserID, id SessionID, number int, now time.Time,
) (SessionID, error) {
	var ended struct {
		ID SessionID `bun:"id"`
	}
	e := Event{Action: ActionSessionRevoked, User: user}
	p := params{{"user", user}, {"now", now}, {"session", id}, {"number", number}}
	_, err := d.queryRow(ctx, endSessionOf, p.with(eventParams(ctx, e, now)), &ended)
	return ended.ID, err
}

// The account goes first, then remembered devices, then sessions: this prevents deadlocks. Sign-ins that wait for their
// second factor end with the sessions.
var endAll = writes("endAll",
	`WITH o AS (
  SELECT user_id FROM sessions WHERE id = :session AND `+alivePostgres+inForce+`
), w AS (
  UPDATE users SET auth_version = auth_version + 1 WHERE id = (SELECT user_id FROM o) RETURNING id
), r AS (`+dropRemembered+` WHERE user_id = (SELECT id FROM w)
    AND (:spared::uuid IS NULL OR session_id <> :spared) RETURNING 1
), s AS (
  UPDATE sessions SET revoked_at = :now, revoked_reason = :reason
  WHERE id IN (
    SELECT id FROM sessions
    WHERE user_id = (SELECT id FROM w) AND (SELECT count(*) FROM r) >= 0
      AND (:spared::uuid IS NULL OR id <> :spared) AND `+alivePostgres+`
    ORDER BY id FOR UPDATE
  )
  RETURNING user_id
), a AS (`+insertEvent+` SELECT :event_id, :event_at, :event_action, :event_outcome, :event_reason,
  coalesce(:event_user, user_id), :event_session, :event_key, :event_methods,
  :event_dialect, :event_ip, :event_user_agent, :event_request
  FROM o
), k AS (
  UPDATE api_keys SET revoked_at = :now
  WHERE :end_keys AND user_id = (SELECT user_id FROM o) AND revoked_at IS NULL
) SELECT count(*) AS n FROM s`,
	insertEvent+` SELECT :event_id, :event_at, :event_action, :event_outcome, :event_reason,
  coalesce(:event_user, user_id), :event_session, :event_key, :event_methods,
  :event_dialect, :event_ip, :event_user_agent, :event_request
FROM sessions WHERE id = :session AND `+aliveSQLite+inForce,
	endKeysOfSession,
	`UPDATE users SET auth_version = auth_version + 1
WHERE id = (SELECT user_id FROM sessions WHERE id = :session)`+ifRecorded,
	dropRemembered+` WHERE user_id = (SELECT user_id FROM sessions WHERE id = :session)
  AND (:spared IS NULL OR session_id <> :spared)`+ifRecorded,
	`UPDATE sessions SET revoked_at = :now, revoked_reason = :reason
WHERE user_id = (SELECT user_id FROM sessions WHERE id = :session)
  AND (:spared IS NULL OR id <> :spared) AND `+aliveSQLite+ifRecorded,
	`SELECT changes() AS n`,
)

// LogoutEverywhere ends every session of the person behind a live session, this one included, and counts them: none
// when this session is not alive.
func (d *DB) LogoutEverywhere(ctx context.Context, end LogoutTarget, now time.Time) (int, error) {
	return d.endAll(ctx, end, SessionID{}, ActionSessionAllEnded, now)
}

// LogoutOthers ends every other session of the person behind a live session, and counts them.
func (d *DB) LogoutOthers(ctx context.Context, id SessionID, now time.Time) (int, error) {
	return d.endAll(ctx, LogoutTarget{Session: id}, id, ActionSessionOthersRevoked, now)
}

func (d *DB) endAll(ctx context.Context, end LogoutTarget, spare SessionID, action Action, now time.Time) (int, error) {
	e := Event{Action: action, Note: end.note(), Sess: end.Session}
	p := d.logoutParams(end, action, now).with(params{{"spared", spare}})
	return d.end(ctx, endAll, end, p.with(eventParams(ctx, e, now)))
}

// lockUserOfSession locks the account of a session.
var lockUserOfSession = onPostgres("lockUserOfSession", `SELECT 1 FROM users
WHERE id = (SELECT user_id FROM sessions WHERE id = :session) FOR NO KEY UPDATE`)

// end runs a statement that ends sessions, and counts them. Where the API keys end too it waits for keys that are being
// made: else one of them would outlive the session that made it.
func (d *DB) end(ctx context.Context, st *statement, end LogoutTarget, p params) (int, error) {
	var options []option
	if end.EndKeys {
		options = append(options, locking(lockUserOfSession, params{{"session", end.Session}}))
	}
	var answer struct {
		N int `bun:"n"`
	}
	_, err := d.queryRow(ctx, st, p, &answer, options...)
	return answer.N, err
}
