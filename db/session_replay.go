package db

import (
	"context"
	"time"
)

// Verdict is what Replay finds out about a refresh token that is not in force. It is the reason of the event.
type Verdict string

// The verdicts.
const (
	VerdictWithinGrace Verdict = "within_grace" // the predecessor, at the same time: give the successor again
	VerdictAnswerLost  Verdict = "answer_lost"  // the predecessor, of which nothing was used: see Retry
	VerdictSingleUse   Verdict = "single_use"   // the predecessor within the grace, and it is good once where it was shown or swapped
	VerdictReused      Verdict = "token_reused" // this use of the token ended the session
	VerdictOver        Verdict = "session_over" // the session is not alive
)

// The conditions of a session whose refresh token in force is the successor of the token of :generation.
const (
	// inGrace is that the rotation, or the last retry, is at most the grace ago. Several tabs retry at once too.
	inGrace = `generation = :generation + 1 AND (rotated_at >= :not_before
  OR retried_generation = generation AND retried_at >= :not_before)`

	// answerLost is that nothing of the present generation was used, and that there were neither three retries of it
	// nor retries in the three generations before it (SE-26, SE-28). :used is what this process knows and has not
	// written.
	answerLost = `generation = :generation + 1 AND coalesce(retry_until > :now, false) AND NOT :single_use
  AND used_generation < generation AND NOT :used AND CASE WHEN retried_generation = generation THEN retries < 3
    ELSE retried_generation < generation - 1 OR generation - retried_since < 3 END`

	// verdict is the verdict about a session that is alive and that this use of the token does not end. Without
	// retry_until the token was swapped where each is good once, and so at no other door again (SE-30).
	verdict = `CASE WHEN status <> 'ACTIVE' THEN 'session_over' WHEN ` + inGrace + ` THEN
    CASE WHEN :single_use OR retry_until IS NULL THEN 'single_use' ELSE 'within_grace' END
  WHEN ` + answerLost + ` THEN 'answer_lost' ELSE 'session_over' END`
)

// A token of which the answer was lost leaves no event here: Retry writes it.
var replay = writes("replay",
	`WITH x AS (
  UPDATE sessions SET revoked_at = :now, revoked_reason = 'token_reused' WHERE id = :session AND `+alivePostgres+`
  AND generation <> :generation AND NOT (`+inGrace+`) AND NOT (`+answerLost+`) RETURNING id
), o AS (
  SELECT s.user_id, CASE WHEN EXISTS (SELECT 1 FROM x) THEN 'token_reused' WHEN `+alivePostgres+` THEN `+verdict+`
    ELSE 'session_over' END AS verdict
  FROM sessions s JOIN users ON users.id = s.user_id WHERE s.id = :session
), a AS (`+insertEvent+` SELECT :event_id, :event_at,
  CASE WHEN verdict = 'within_grace' THEN :refreshed ELSE :event_action END,
  CASE WHEN verdict = 'within_grace' THEN 'ok' ELSE :event_outcome END,
  coalesce(verdict, :event_reason), coalesce(:event_user, user_id), :event_session, :event_key, :event_methods,
  :event_dialect, :event_ip, :event_user_agent, :event_request
  FROM (SELECT 1) one LEFT JOIN o ON true WHERE coalesce(verdict, '') <> 'answer_lost'
) SELECT `+sessionColumns+`, `+userColumns+`, o.verdict
FROM sessions s JOIN users u ON u.id = s.user_id CROSS JOIN o WHERE s.id = :session`,
	`UPDATE sessions SET revoked_at = :now, revoked_reason = 'token_reused' WHERE id = :session AND `+aliveSQLite+`
AND generation <> :generation AND NOT (`+inGrace+`) AND NOT (`+answerLost+`)`,
	insertEvent+` SELECT :event_id, :event_at,
  CASE WHEN verdict = 'within_grace' THEN :refreshed ELSE :event_action END,
  CASE WHEN verdict = 'within_grace' THEN 'ok' ELSE :event_outcome END,
  CASE WHEN changes() = 1 THEN 'token_reused' ELSE coalesce(verdict, :event_reason) END,
  coalesce(:event_user, user_id), :event_session, :event_key, :event_methods,
  :event_dialect, :event_ip, :event_user_agent, :event_request
FROM (SELECT 1) one LEFT JOIN (
  SELECT s.user_id, CASE WHEN `+aliveSQLite+` THEN `+verdict+` ELSE 'session_over' END AS verdict
  FROM sessions s JOIN users ON users.id = s.user_id WHERE s.id = :session
) o ON true WHERE coalesce(verdict, '') <> 'answer_lost'`,
	`SELECT `+sessionColumns+`, `+userColumns+`,
coalesce((SELECT reason FROM audit_events WHERE id = :event_id), 'answer_lost') AS verdict
FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.id = :session`,
)

// Replayed is a session to which somebody presented another refresh token than the one in force.
type Replayed struct {
	Caller
	Verdict Verdict `bun:"verdict"`
}

// Replay judges a refresh token that Rotate refused, in one statement with its event. The immediate predecessor of the
// token in force changes nothing within the grace: the caller gets the same successor (SE-10), or nothing with
// SingleUse. After the grace it may be a retry of a caller whose answer was lost: this is left to Retry, which may find
// that it is none any more. Any other generation of a live session ends the session (SE-11, SE-12). Nil for no session.
func (d *DB) Replay(
	ctx context.Context, id SessionID, generation int64, rules RefreshRules, now time.Time,
) (*Replayed, error) {
	var r Replayed
	p := d.predecessorParams(id, generation, rules, now).with(params{
		{"session", id},
		{"now", now},
		{"generation", generation},
		{"refreshed", ActionSessionRefreshed.Done},
	})
	e := Event{Action: ActionSessionRefreshed, Reason: string(VerdictOver), Sess: id}
	found, err := d.queryRow(ctx, replay, p.with(eventParams(ctx, e, now)), &r)
	if err != nil || !found {
		return nil, err
	}
	return &r, nil
}

// predecessorParams are the values of inGrace and answerLost but for the token itself and the time.
func (d *DB) predecessorParams(id SessionID, generation int64, rules RefreshRules, now time.Time) params {
	return params{
		{"not_before", now.Add(-rules.Grace)},
		{"single_use", rules.SingleUse},
		{"used", d.touches.used(id, generation+1)},
	}
}

var retry = writes("retry",
	`WITH s AS (
  UPDATE sessions SET retries = CASE WHEN retried_generation = generation THEN retries + 1 ELSE 1 END,
    retried_since = CASE WHEN retried_generation >= generation - 1 THEN retried_since ELSE generation END,
    retried_generation = generation, retried_at = :now
  WHERE id = :session AND `+alivePostgres+` AND NOT (`+inGrace+`) AND `+answerLost+`
  AND EXISTS (SELECT 1 FROM users WHERE users.id = user_id AND status = 'ACTIVE') RETURNING *
), a AS (`+insertEvent+` SELECT :event_id, :event_at, :event_action, :event_outcome, :event_reason,
  coalesce(:event_user, user_id), :event_session, :event_key, :event_methods,
  :event_dialect, :event_ip, :event_user_agent, :event_request FROM s
) SELECT `+sessionColumns+`, `+userColumns+` FROM s JOIN users u ON u.id = s.user_id`,
	`UPDATE sessions SET retries = CASE WHEN retried_generation = generation THEN retries + 1 ELSE 1 END,
  retried_since = CASE WHEN retried_generation >= generation - 1 THEN retried_since ELSE generation END,
  retried_generation = generation, retried_at = :now
WHERE id = :session AND `+aliveSQLite+` AND NOT (`+inGrace+`) AND `+answerLost+`
AND EXISTS (SELECT 1 FROM users WHERE users.id = user_id AND status = 'ACTIVE')`,
	insertEvent+` SELECT :event_id, :event_at, :event_action, :event_outcome, :event_reason,
  coalesce(:event_user, user_id), :event_session, :event_key, :event_methods,
  :event_dialect, :event_ip, :event_user_agent, :event_request
FROM sessions WHERE id = :session AND changes() = 1`,
	`SELECT `+sessionColumns+`, `+userColumns+` FROM sessions s JOIN users u ON u.id = s.user_id
WHERE s.id = :session AND changes() = 1`,
)

// Retry counts that a caller whose answer was lost asks again for the successor of a refresh token, and queues mails
// with that. The statement is conditional, so of many callers at once one counts, and the others are in its grace. Nil
// when it is no such retry: ask Replay again.
func (d *DB) Retry(
	ctx context.Context, id SessionID, generation int64, rules RefreshRules, now time.Time, mails ...*Mail,
) (*Caller, error) {
	var c Caller
	p := d.predecessorParams(id, generation, rules, now).with(params{
		{"session", id},
		{"now", now},
		{"generation", generation},
	})
	e := Event{Action: ActionSessionRefreshed, Note: string(VerdictAnswerLost), Sess: id}
	found, err := d.queryRow(ctx, retry, p.with(eventParams(ctx, e, now)), &c, after(d.mails(ctx, mails)))
	if err != nil || !found {
		return nil, err
	}
	return &c, nil
}
