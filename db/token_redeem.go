package db

import (
	"context"
	"database/sql"
	"time"
)

// What is redeemed is decided here and nowhere before: each statement spends its token under the condition that the token is
// still good, for this account and address, and that the account is what the resolver saw of it (OT-01, OT-02). Parameters of
// all: the token is 1, the time 2, the account 3, whether its address was never confirmed 4. The account is locked before its
// tokens, sessions and keys, as everywhere.
const (
	spendPostgres = `UPDATE one_time_tokens SET spent_at = $2, redeemed = true
  WHERE id = $1 AND user_id = $3 AND spent_at IS NULL AND expires_at > $2 AND EXISTS (
    SELECT 1 FROM users WHERE users.id = $3 AND status = 'ACTIVE' AND (email_verified_at IS NULL) = $4`
	spendSQLite = `UPDATE one_time_tokens SET spent_at = ?2, redeemed = true
WHERE id = ?1 AND user_id = ?3 AND spent_at IS NULL AND expires_at > ?2 AND EXISTS (
  SELECT 1 FROM users WHERE users.id = ?3 AND status = 'ACTIVE' AND (email_verified_at IS NULL) = ?4`

	ofAddress = ` AND email_canonical = one_time_tokens.address_canonical)`
	ofPending = ` AND pending_email_canonical = one_time_tokens.address_canonical)`

	// What else was mailed is worthless. A link to take a change of the address back outlives it: who came by the account must
	// not be able to rob its owner of it. Where nobody proved to own either address, the former and the present one, it goes too.
	othersPostgres = `UPDATE one_time_tokens SET spent_at = $2 WHERE user_id = (SELECT id FROM u) AND id <> $1 AND spent_at IS NULL
  AND (purpose <> 'CANCEL_CHANGE' OR ($4 AND NOT confirmed))`
	othersSQLite = `UPDATE one_time_tokens SET spent_at = ?2 WHERE user_id = ?3 AND id <> ?1 AND spent_at IS NULL
AND (purpose <> 'CANCEL_CHANGE' OR (?4 AND NOT confirmed)) AND EXISTS (SELECT 1 FROM audit_events WHERE audit_events.id = ?6)`
)

// redeem runs a statement that spends the token of m, with the mails that tell of it. It tells whether the token was good still.
func (d *DB) redeem(ctx context.Context, m *TokenWithUser, st *statement, dest any, mails []*Mail, next then, args ...any) (bool, error) {
	lock := func(tx *sql.Tx) error {
		return lockBy(ctx, tx, `SELECT 1 FROM users WHERE id = $1 FOR NO KEY UPDATE`, m.User.ID)
	}
	queue := d.mails(ctx, mails)
	then := func(tx *sql.Tx) error {
		if next != nil {
			if err := next(tx); err != nil {
				return err
			}
		}
		if queue != nil {
			return queue(tx)
		}
		return nil
	}
	return d.getThen(ctx, lock, then, st, dest, args...)
}

// redeemed is the answer of the statements.
type redeemed struct {
	User     User `bun:"embed:u_"`
	Sessions int  `bun:"sessions"`
}

var confirmEmail = statement{
	postgres: `WITH t AS (` + spendPostgres + ofAddress + ` AND purpose = 'VERIFY_EMAIL' RETURNING user_id
), u AS (
  UPDATE users SET email_verified_at = coalesce(email_verified_at, $2), updated_at = $2 WHERE id = (SELECT user_id FROM t) RETURNING *
), a AS (` + insertEvent + ` SELECT $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17 FROM u
) SELECT ` + userColumns + `, 0 AS sessions FROM u`,
	sqlite: []string{
		spendSQLite + ofAddress + ` AND purpose = 'VERIFY_EMAIL'`,
		insertEvent + ` SELECT ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17 WHERE changes() = 1`,
		`UPDATE users SET email_verified_at = coalesce(email_verified_at, ?2), updated_at = ?2
WHERE id = ?3 AND EXISTS (SELECT 1 FROM audit_events WHERE id = ?5)`,
		`SELECT ` + userColumns + `, 0 AS sessions FROM users u WHERE u.id = ?3 AND EXISTS (SELECT 1 FROM audit_events WHERE id = ?5)`,
	},
}

// ConfirmEmail marks the address of the token, and no other, as confirmed (OT-11). The user is nil when the token is not good
// any more or the account is not what m says.
func (d *DB) ConfirmEmail(ctx context.Context, m *TokenWithUser, now time.Time) (*User, error) {
	e := Event{Action: "verify_email", User: m.User.ID}
	args := []any{m.Token.ID, now, m.User.ID, !m.User.EmailVerified()}
	var row redeemed
	found, err := d.redeem(ctx, m, &confirmEmail, &row, nil, nil, append(args, eventArgs(ctx, e, now)...)...)
	if err != nil || !found {
		return nil, err
	}
	return &row.User, nil
}

var confirmChange = statement{
	postgres: `WITH t AS (` + spendPostgres + ofPending + ` AND purpose = 'CONFIRM_CHANGE'
  AND EXISTS (SELECT 1 FROM users WHERE users.id = $3 AND email_canonical = $5) RETURNING user_id, address, address_canonical
), u AS (
  UPDATE users SET email = t.address, email_canonical = t.address_canonical, email_verified_at = $2, pending_email = NULL,
    pending_email_canonical = NULL, updated_at = $2 FROM t WHERE users.id = t.user_id RETURNING users.*
), o AS (` + othersPostgres + `), a AS (` + insertEvent + ` SELECT $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18 FROM u
) SELECT ` + userColumns + `, 0 AS sessions FROM u`,
	sqlite: []string{
		spendSQLite + ofPending + ` AND purpose = 'CONFIRM_CHANGE' AND EXISTS (SELECT 1 FROM users WHERE users.id = ?3 AND email_canonical = ?5)`,
		insertEvent + ` SELECT ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18 WHERE changes() = 1`,
		`UPDATE users SET email = t.address, email_canonical = t.address_canonical, email_verified_at = ?2, pending_email = NULL,
  pending_email_canonical = NULL, updated_at = ?2 FROM one_time_tokens t
WHERE users.id = ?3 AND t.id = ?1 AND EXISTS (SELECT 1 FROM audit_events WHERE audit_events.id = ?6)`,
		othersSQLite,
		`SELECT ` + userColumns + `, 0 AS sessions FROM users u WHERE u.id = ?3 AND EXISTS (SELECT 1 FROM audit_events WHERE id = ?6)`,
	},
}

// ConfirmChange makes the address that waits that of the account, confirmed, and queues the mails that tell of it. What was
// mailed for the account before is worthless, but for what takes a change back (OT-03). When somebody else took the address
// meanwhile nothing changes, and taken says so. The user is nil as in ConfirmEmail.
func (d *DB) ConfirmChange(ctx context.Context, m *TokenWithUser, now time.Time, mails ...*Mail) (u *User, taken *Taken, err error) {
	e := Event{Action: "verify_email", Note: "email_changed", User: m.User.ID}
	args := []any{m.Token.ID, now, m.User.ID, !m.User.EmailVerified(), m.User.EmailCanonical}
	var row redeemed
	found, err := d.redeem(ctx, m, &confirmChange, &row, mails, nil, append(args, eventArgs(ctx, e, now)...)...)
	if taken := takenBy(err); taken != nil {
		return nil, taken, nil
	}
	if err != nil || !found {
		return nil, nil, err
	}
	return &row.User, nil, nil
}

var resetPassword = statement{
	postgres: `WITH t AS (` + spendPostgres + ofAddress + ` AND purpose = 'RESET_PASSWORD' RETURNING user_id
), u AS (
  UPDATE users SET password_hash = $5, password_disabled_at = NULL, email_verified_at = coalesce(email_verified_at, $2),
    pending_email = NULL, pending_email_canonical = NULL, updated_at = $2 WHERE id = (SELECT user_id FROM t) RETURNING *
), o AS (` + othersPostgres + `), s AS (
  UPDATE sessions SET revoked_at = $2, revoked_reason = 'reset_password' WHERE id IN (
    SELECT id FROM sessions WHERE user_id = (SELECT id FROM u) AND ` + alivePostgres + ` ORDER BY id FOR UPDATE
  )
), k AS (
  UPDATE api_keys SET revoked_at = $2 WHERE $4 AND user_id = (SELECT id FROM u) AND revoked_at IS NULL
), f AS (
  DELETE FROM throttles WHERE subject = (SELECT id FROM u) AND address IN (
    SELECT address FROM throttles WHERE subject = $3 ORDER BY address FOR UPDATE)
), a AS (` + insertEvent + ` SELECT $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18 FROM u
) SELECT ` + userColumns + `, 0 AS sessions FROM u`,
	sqlite: []string{
		spendSQLite + ofAddress + ` AND purpose = 'RESET_PASSWORD'`,
		insertEvent + ` SELECT ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18 WHERE changes() = 1`,
		`UPDATE users SET password_hash = ?5, password_disabled_at = NULL, email_verified_at = coalesce(email_verified_at, ?2),
  pending_email = NULL, pending_email_canonical = NULL, updated_at = ?2
WHERE id = ?3 AND EXISTS (SELECT 1 FROM audit_events WHERE id = ?6)`,
		othersSQLite,
		`UPDATE sessions SET revoked_at = ?2, revoked_reason = 'reset_password'
WHERE user_id = ?3 AND ` + aliveSQLite + ` AND EXISTS (SELECT 1 FROM audit_events WHERE id = ?6)`,
		`UPDATE api_keys SET revoked_at = ?2
WHERE ?4 AND user_id = ?3 AND revoked_at IS NULL AND EXISTS (SELECT 1 FROM audit_events WHERE id = ?6)`,
		`DELETE FROM throttles WHERE subject = ?3 AND EXISTS (SELECT 1 FROM audit_events WHERE id = ?6)`,
		`SELECT ` + userColumns + `, 0 AS sessions FROM users u WHERE u.id = ?3 AND EXISTS (SELECT 1 FROM audit_events WHERE id = ?6)`,
	},
}

// ResetPassword gives the account another password and queues the mails that tell of it. Every session ends (SE-08), other
// one-time tokens are worthless (OT-03), an address that waits is dropped, failures are forgotten (LG-12), and the address is
// confirmed, since its mail arrived. Where it never was before, API keys end too: whoever made them may not be its owner. The
// user is nil as in ConfirmEmail.
func (d *DB) ResetPassword(ctx context.Context, m *TokenWithUser, hash, note string, now time.Time, mails ...*Mail) (*User, error) {
	e := Event{Action: "reset_password", Note: note, User: m.User.ID}
	args := []any{m.Token.ID, now, m.User.ID, !m.User.EmailVerified(), hash}
	var row redeemed
	found, err := d.redeem(ctx, m, &resetPassword, &row, mails, nil, append(args, eventArgs(ctx, e, now)...)...)
	if err != nil || !found {
		return nil, err
	}
	return &row.User, nil
}
