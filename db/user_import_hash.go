package db

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"
)

// takesHash is the condition of an account u for the password hash of a row r. It was imported without one, nobody
// chose or lost a password here and no administrator changed the account since, and it is the person of the file: it
// has the address of the row, or neither has one and the username is the same. An address that was proved here, and by
// the file not there, may be another person's than the one who chose the password there.
const takesHash = `u.password_hash IS NULL AND u.password_disabled_at IS NULL AND u.taken_over_at IS NULL
  AND u.email_canonical IS NOT DISTINCT FROM r.email_canonical
  AND (u.email_canonical IS NOT NULL OR u.username_canonical = r.username_canonical)
  AND EXISTS (SELECT 1 FROM audit_events a WHERE a.user_id = u.id AND a.action = 'user.imported'
    AND (u.email_verified_at IS NULL OR r.email_verified_at IS NOT NULL OR u.email_verified_at <= a.at))
  AND NOT EXISTS (SELECT 1 FROM audit_events a WHERE a.user_id = u.id AND a.outcome = 'ok'
    AND a.action IN ('password.changed', 'password.reset', 'user.updated'))`

var lockImported = onPostgres("lockImported", `SELECT 1 FROM users
WHERE id IN (SELECT r.id FROM `+importRowsPostgres+`) ORDER BY id FOR NO KEY UPDATE`)

// On SQLite the events decide which rows count, as in importUsers.
var importHashes = writes("importHashes",
	`WITH r AS (SELECT * FROM `+importRowsPostgres+`),
h AS (
  UPDATE users u SET password_hash = r.password_hash, updated_at = :event_at FROM r
  WHERE u.id = r.id AND `+takesHash+` RETURNING r.n
), a AS (`+importEvent+`r JOIN h USING (n)
) SELECT coalesce(jsonb_agg(n), '[]')::text AS taken FROM h`,
	importEvent+importRowsSQLite+` JOIN users u ON u.id = r.id WHERE `+takesHash,
	`UPDATE users SET updated_at = :event_at,
  password_hash = (SELECT r.password_hash FROM `+importRowsSQLite+` WHERE r.id = users.id)
WHERE id IN (SELECT r.id FROM `+importRowsSQLite+` JOIN audit_events a ON a.id = r.event)`,
	`SELECT json_group_array(r.n) AS taken FROM `+importRowsSQLite+` JOIN audit_events a ON a.id = r.event`,
)

// importHashes gives the hashes of a batch to those accounts whose result says HashTaken, with an event for each. A
// result is corrected where the account changed meanwhile.
func (d *DB) importHashes(ctx context.Context, batch []*ImportedUser, results []ImportResult, now time.Time) error {
	var due []*ImportedUser
	var at []int // in batch
	for i, u := range batch {
		if results[i].HashTaken {
			there := *u
			there.ID = results[i].account
			due, at = append(due, &there), append(at, i)
		}
	}
	if len(due) == 0 {
		return nil
	}
	rows, err := importRows(due)
	if err != nil {
		return err
	}
	e := importEventParams(ctx, Event{Action: ActionPasswordImported}, now)
	var answer struct {
		Taken string `bun:"taken"`
	}
	var taken []int
	kinds := func(tx *sql.Tx) error {
		if err := json.Unmarshal([]byte(answer.Taken), &taken); err != nil {
			return wrap(err, importHashes.name)
		}
		var hashed []*ImportedUser
		for _, n := range taken {
			hashed = append(hashed, due[n])
		}
		return d.addForeignHashes(ctx, tx, hashed)
	}
	p := params{{"rows", rows}}
	if _, err = d.queryRow(ctx, importHashes, p.with(e), &answer, locking(lockImported, p), after(kinds)); err != nil {
		return err
	}
	for _, i := range at {
		results[i].HashTaken, results[i].HashLeft = false, true
	}
	for _, n := range taken {
		results[at[n]].HashTaken, results[at[n]].HashLeft = true, false
	}
	return nil
}
