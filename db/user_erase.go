package db

import (
	"context"
	"time"
)

// Sessions go before their user does, in the order in which everybody else locks them.
var eraseAccount = statement{
	postgres: `WITH o AS (
  SELECT u.id, role <> 'admin' OR EXISTS (
    SELECT 1 FROM users other WHERE other.role = 'admin' AND other.status = 'ACTIVE' AND other.id <> u.id
  ) AS may
  FROM users u WHERE u.id = $3 AND u.status = 'ACTIVE' AND EXISTS (SELECT 1 FROM sessions WHERE id = $1 AND user_id = u.id AND ` + alivePostgres + `)
), s AS (
  DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE user_id = (SELECT id FROM o WHERE may) ORDER BY id FOR UPDATE)
), t AS (
  DELETE FROM throttles WHERE subject = (SELECT id FROM o WHERE may) AND address IN (
    SELECT address FROM throttles WHERE subject = $3 ORDER BY address FOR UPDATE)
), u AS (
  DELETE FROM users WHERE id = (SELECT id FROM o WHERE may)
), a AS (` + insertEvent + ` SELECT $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16 FROM o WHERE may
) SELECT may FROM o`,
	sqlite: []string{
		insertEvent + ` SELECT ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16 FROM users u
WHERE u.id = ?3 AND u.status = 'ACTIVE' AND EXISTS (SELECT 1 FROM sessions WHERE id = ?1 AND user_id = u.id AND ` + aliveSQLite + `)
AND (role <> 'admin' OR EXISTS (SELECT 1 FROM users other WHERE other.role = 'admin' AND other.status = 'ACTIVE' AND other.id <> u.id))`,
		`DELETE FROM throttles WHERE subject = ?3 AND EXISTS (SELECT 1 FROM audit_events WHERE id = ?4)`,
		`DELETE FROM users WHERE id = ?3 AND EXISTS (SELECT 1 FROM audit_events WHERE id = ?4)`, // sessions and keys go with it
		`SELECT EXISTS (SELECT 1 FROM audit_events WHERE id = ?4) AS may WHERE EXISTS (SELECT 1 FROM audit_events WHERE id = ?4)
OR EXISTS (SELECT 1 FROM sessions WHERE id = ?1 AND user_id = ?3 AND ` + aliveSQLite + `)`,
	},
}

// EraseResult says what became of an account that its owner wants to erase.
type EraseResult int

// The ways in which EraseAccount ends.
const (
	EraseSessionOver EraseResult = iota // the session that asked is over
	EraseLastAdmin                      // nobody else is an administrator who can sign in: nothing changed (AZ-06)
	EraseDone
)

// EraseAccount deletes a person who asks for it by a session that is alive: the row and everything that hangs on it, which
// are sessions, keys and failures. Events stay; they hold nothing that the person typed.
func (d *DB) EraseAccount(ctx context.Context, by *Caller, now time.Time) (EraseResult, error) {
	e := Event{Action: "delete_account", User: by.User.ID, Sess: by.Session.ID}
	args := append([]any{by.Session.ID, now, by.User.ID}, eventArgs(ctx, e, now)...)
	var answer struct {
		May bool `bun:"may"`
	}
	found, err := d.getBehind(ctx, lockAdmins, by.User.ID, &eraseAccount, &answer, args...)
	switch {
	case err != nil || !found:
		return EraseSessionOver, err
	case !answer.May:
		return EraseLastAdmin, nil
	}
	return EraseDone, nil
}
