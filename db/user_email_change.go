package db

import (
	"context"
	"database/sql"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// lockAccount reads the address of an account as it is before a statement changes it, and holds the account for that. Nobody
// else does so meanwhile; SQLite has one writer in any case.
func (d *DB) lockAccount(ctx context.Context, tx *sql.Tx, id UserID, was *User) error {
	text, args := lockedAccountSQLite, []any{id}
	if d.Postgres() {
		text, args = lockedAccountPostgres, []any{pgx.QueryExecModeCacheStatement, id}
	}
	rows, err := tx.QueryContext(ctx, text, args...)
	if err != nil {
		return err
	}
	_, err = d.scanRow(ctx, rows, was)
	return err
}

const (
	lockedAccountPostgres = `SELECT id, email, email_canonical, email_verified_at, pending_email, pending_email_canonical
FROM users WHERE id = $1 FOR NO KEY UPDATE`
	lockedAccountSQLite = `SELECT id, email, email_canonical, email_verified_at, pending_email, pending_email_canonical
FROM users WHERE id = ?1`
)

var ownerOfToken = statement{
	reads:    true,
	postgres: `SELECT user_id FROM one_time_tokens WHERE id = $1 AND purpose = 'CANCEL_CHANGE'`,
	sqlite:   []string{`SELECT user_id FROM one_time_tokens WHERE id = ?1 AND purpose = 'CANCEL_CHANGE'`},
}

// Of the links to take an address back those die that went to an address which came after that of the link which was followed.
// An address is as old as its first link, also when a newer one replaced it: else whoever took an account over could make that of
// its owner the younger one, by changing the address to and fro.
const (
	cameAfterPostgres = `NOT EXISTS (
    SELECT 1 FROM one_time_tokens e WHERE e.user_id = $3 AND e.purpose = 'CANCEL_CHANGE' AND e.address_canonical = k.address_canonical
    AND (e.created_at, e.id) < (
      SELECT f.created_at, f.id FROM one_time_tokens f WHERE f.user_id = $3 AND f.purpose = 'CANCEL_CHANGE'
      AND f.address_canonical = (SELECT address_canonical FROM t) ORDER BY f.created_at, f.id LIMIT 1))`
	cameAfterSQLite = `NOT EXISTS (
    SELECT 1 FROM one_time_tokens e WHERE e.user_id = ?3 AND e.purpose = 'CANCEL_CHANGE' AND e.address_canonical = k.address_canonical
    AND (e.created_at, e.id) < (
      SELECT f.created_at, f.id FROM one_time_tokens f WHERE f.user_id = ?3 AND f.purpose = 'CANCEL_CHANGE'
      AND f.address_canonical = (SELECT t.address_canonical FROM one_time_tokens t WHERE t.id = ?1) ORDER BY f.created_at, f.id LIMIT 1))`
)

var cancelEmailChange = statement{
	postgres: `WITH t AS (
  UPDATE one_time_tokens SET spent_at = $2, redeemed = true
  WHERE id = $1 AND user_id = $3 AND purpose = 'CANCEL_CHANGE' AND spent_at IS NULL AND expires_at > $2
  AND EXISTS (SELECT 1 FROM users WHERE users.id = $3 AND status = 'ACTIVE') RETURNING *
), o AS (
  SELECT u.id, u.email_canonical <> t.address_canonical AS back FROM users u JOIN t ON u.id = t.user_id
), u AS (
  UPDATE users SET updated_at = $2, pending_email = NULL, pending_email_canonical = NULL,
    email = CASE WHEN back THEN t.address ELSE email END, email_canonical = t.address_canonical,
    email_verified_at = CASE WHEN NOT back THEN email_verified_at WHEN t.confirmed THEN $2 END
  FROM t, o WHERE users.id = t.user_id RETURNING users.*
), s AS (
  UPDATE sessions SET revoked_at = $2, revoked_reason = $4 WHERE id IN (
    SELECT id FROM sessions WHERE user_id = (SELECT id FROM o WHERE back) AND ` + alivePostgres + ` ORDER BY id FOR UPDATE
  )
), k AS (
  UPDATE one_time_tokens k SET spent_at = $2 WHERE user_id = (SELECT id FROM o) AND id <> $1 AND spent_at IS NULL
  AND (purpose = 'CONFIRM_CHANGE' OR ((SELECT back FROM o) AND (purpose <> 'CANCEL_CHANGE' OR ` + cameAfterPostgres + `)))
), a AS (` + insertEvent + ` SELECT $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17 FROM t
) SELECT ` + userColumns + ` FROM u`,
	sqlite: []string{
		`UPDATE one_time_tokens SET spent_at = ?2, redeemed = true
WHERE id = ?1 AND user_id = ?3 AND purpose = 'CANCEL_CHANGE' AND spent_at IS NULL AND expires_at > ?2
AND EXISTS (SELECT 1 FROM users WHERE users.id = ?3 AND status = 'ACTIVE')`,
		insertEvent + ` SELECT ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17 WHERE changes() = 1`,
		`UPDATE sessions SET revoked_at = ?2, revoked_reason = ?4 WHERE user_id = ?3 AND ` + aliveSQLite + `
AND EXISTS (SELECT 1 FROM users u JOIN one_time_tokens t ON t.id = ?1 WHERE u.id = ?3 AND u.email_canonical <> t.address_canonical)
AND EXISTS (SELECT 1 FROM audit_events WHERE id = ?5)`,
		`UPDATE one_time_tokens AS k SET spent_at = ?2 WHERE user_id = ?3 AND id <> ?1 AND spent_at IS NULL
AND (purpose = 'CONFIRM_CHANGE' OR ((purpose <> 'CANCEL_CHANGE' OR ` + cameAfterSQLite + `)
  AND EXISTS (SELECT 1 FROM users u JOIN one_time_tokens t ON t.id = ?1 WHERE u.id = ?3 AND u.email_canonical <> t.address_canonical)))
AND EXISTS (SELECT 1 FROM audit_events WHERE id = ?5)`,
		`UPDATE users SET updated_at = ?2, pending_email = NULL, pending_email_canonical = NULL,
  email = CASE WHEN email_canonical <> t.address_canonical THEN t.address ELSE email END, email_canonical = t.address_canonical,
  email_verified_at = CASE WHEN email_canonical = t.address_canonical THEN email_verified_at WHEN t.confirmed THEN ?2 END
FROM one_time_tokens t WHERE t.id = ?1 AND users.id = ?3 AND EXISTS (SELECT 1 FROM audit_events WHERE id = ?5)`,
		`SELECT ` + userColumns + ` FROM users u WHERE u.id = ?3 AND EXISTS (SELECT 1 FROM audit_events WHERE id = ?5)`,
	},
}

// CancelEmailChange takes a token of PurposeCancelChange and gives the person as they are then; nil when it is not good for
// anything any more. What waits to be confirmed is dropped. An address that took the place of that of the token gives it back:
// then all sessions end, and what else was mailed is worth nothing (OT-11). When somebody else has it meanwhile nothing changes,
// and taken says so.
func (d *DB) CancelEmailChange(ctx context.Context, token uuid.UUID, now time.Time) (after *User, taken *Taken, err error) {
	id := TokenIDFrom(token)
	var owner struct {
		UserID UserID `bun:"user_id"`
	}
	if found, err := d.get(ctx, &ownerOfToken, &owner, id); err != nil || !found {
		return nil, nil, err
	}
	e := Event{Action: "cancel_email_change", User: owner.UserID}
	args := append([]any{id, now, owner.UserID, e.Action}, eventArgs(ctx, e, now)...)
	var row struct {
		User User `bun:"embed:u_"`
	}
	found, err := d.getLocked(ctx, owner.UserID, &cancelEmailChange, &row, args...)
	if taken := takenBy(err); taken != nil {
		return nil, taken, nil
	}
	if err != nil || !found {
		return nil, nil, err
	}
	return &row.User, nil, nil
}
