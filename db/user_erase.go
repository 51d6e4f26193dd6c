package db

import (
	"context"
	"time"
)

// Sessions are deleted before their user, in the order in which every statement locks them.
var eraseAccount = writes("eraseAccount",
	`WITH o AS (
  SELECT u.id, NOT `+holdsAll+` OR EXISTS (
    SELECT 1 FROM users other WHERE `+holdsAll+` AND other.status = 'ACTIVE' AND other.id <> u.id
  ) AS may
  FROM users u WHERE u.id = :user AND u.status = 'ACTIVE' AND EXISTS (
    SELECT 1 FROM sessions WHERE id = :session AND user_id = u.id AND `+alivePostgres+`)
), s AS (
  DELETE FROM sessions WHERE id IN (
    SELECT id FROM sessions WHERE user_id = (SELECT id FROM o WHERE may) ORDER BY id FOR UPDATE)
), t AS (
  DELETE FROM throttles WHERE account_key = (SELECT id FROM o WHERE may) AND scope IN (
    SELECT scope FROM throttles WHERE account_key = :user ORDER BY scope FOR UPDATE)
), w AS (
  DELETE FROM wrong_codes WHERE subject = (SELECT uuid_send(id) FROM o WHERE may)
), u AS (
  DELETE FROM users WHERE id = (SELECT id FROM o WHERE may)
), a AS (`+insertEvent+` SELECT `+eventValues+` FROM o WHERE may
) SELECT may FROM o`,
	insertEvent+` SELECT `+eventValues+` FROM users u
WHERE u.id = :user AND u.status = 'ACTIVE'
  AND EXISTS (SELECT 1 FROM sessions WHERE id = :session AND user_id = u.id AND `+aliveSQLite+`)
  AND (NOT `+holdsAll+` OR EXISTS (
    SELECT 1 FROM users other WHERE `+holdsAll+` AND other.status = 'ACTIVE' AND other.id <> u.id))`,
	`DELETE FROM throttles WHERE account_key = :user`+ifRecorded,
	`DELETE FROM wrong_codes WHERE subject = :user`+ifRecorded,
	`DELETE FROM users WHERE id = :user`+ifRecorded, // sessions and keys go with it
	`SELECT EXISTS (SELECT 1 FROM audit_events WHERE id = :event_id) AS may
WHERE EXISTS (SELECT 1 FROM audit_events WHERE id = :event_id)
  OR EXISTS (SELECT 1 FROM sessions WHERE id = :session AND user_id = :user AND `+aliveSQLite+`)`,
)

// EraseResult is how EraseAccount ended.
type EraseResult int

// The results of EraseAccount.
const (
	EraseSessionOver EraseResult = iota // the session of the caller is over: nothing changed
	EraseLastAdmin                      // no other administrator can sign in: nothing changed (AZ-06)
	EraseDone
)

// EraseAccount deletes the account of the caller, with sessions, keys and failures, if their session is alive. Events
// stay: they hold nothing that the person typed.
func (d *DB) EraseAccount(ctx context.Context, by *Caller, now time.Time) (EraseResult, error) {
	e := Event{Action: ActionUserDeleted, User: by.User.ID, Sess: by.Session.ID}
	p := params{{"session", by.Session.ID}, {"now", now}, {"user", by.User.ID}}.with(eventParams(ctx, e, now))
	var answer struct {
		May bool `bun:"may"`
	}
	found, err := d.queryRow(ctx, eraseAccount, p, &answer, locking(lockAdmins, params{{"user", by.User.ID}}))
	switch {
	case err != nil || !found:
		return EraseSessionOver, err
	case !answer.May:
		return EraseLastAdmin, nil
	}
	return EraseDone, nil
}
