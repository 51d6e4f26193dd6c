package db

import (
	"context"
	"time"
)

// What is redeemed is decided here and nowhere before: each statement spends its token under the condition that the token is
// still good, for this account and address, and that the account is what the resolver saw of it (OT-01, OT-02). Parameters of
// all: the token is 1, the time 2, the account 3, whether its address was never confirmed 4. The account is locked before its
// tokens, sessions and keys, as everywhere.
const (
	spendPostgres = `UPDATE one_time_tokens SET invalidated_at = :now, redeemed = true
  WHERE id = :token AND user_id = :user AND invalidated_at IS NULL AND expires_at > :now AND EXISTS (
    SELECT 1 FROM users WHERE users.id = :user AND status = 'ACTIVE' AND (email_verified_at IS NULL) = :unverified`
	spendSQLite = `UPDATE one_time_tokens SET invalidated_at = :now, redeemed = true
WHERE id = :token AND user_id = :user AND invalidated_at IS NULL AND expires_at > :now AND EXISTS (
  SELECT 1 FROM users WHERE users.id = :user AND status = 'ACTIVE' AND (email_verified_at IS NULL) = :unverified`

	ofAddress = ` AND email_canonical = one_time_tokens.address_canonical)`
	ofPending = ` AND pending_email_canonical = one_time_tokens.address_canonical)`

	// What else was mailed is worthless. A link to take a change of the address back outlives it: who came by the account must
	// not be able to rob its owner of it. Where nobody proved to own either address, the former and the present one, it goes too.
	othersPostgres = `UPDATE one_time_tokens SET invalidated_at = :now WHERE user_id = (SELECT id FROM u) AND id <> :token AND invalidated_at IS NULL
  AND (purpose <> 'CANCEL_CHANGE' OR (:unverified AND NOT confirmed))`
	othersSQLite = `UPDATE one_time_tokens SET invalidated_at = :now WHERE user_id = :user AND id <> :token AND invalidated_at IS NULL
AND (purpose <> 'CANCEL_CHANGE' OR (:unverified AND NOT confirmed)) AND EXISTS (SELECT 1 FROM audit_events WHERE audit_events.id = :event_id)`
)

// params are the values that every redemption takes.
func (m *TokenWithUser) params(now time.Time) params {
	return params{{"token", m.Token.ID}, {"now", now}, {"user", m.User.ID}, {"unverified", !m.User.EmailVerified()}}
}

// redeem runs a statement that redeems the token of m, and a step after it. It tells whether the token was still good.
func (d *DB) redeem(
	ctx context.Context, m *TokenWithUser, st *statement, p params, dest any, step txStep,
) (bool, error) {
	return d.queryRow(ctx, st, p, dest, locking(lockUser, params{{"user", m.User.ID}}), after(step))
}

// redeemed is the answer of the statements.
type redeemed struct {
	User     User `bun:"embed:u_"`
	Sessions int  `bun:"sessions"`
}

var confirmEmail = writes("confirmEmail",
	`WITH t AS (`+spendPostgres+ofAddress+` AND purpose = 'VERIFY_EMAIL' RETURNING user_id
), u AS (
  UPDATE users SET email_verified_at = coalesce(email_verified_at, :now), updated_at = :now WHERE id = (SELECT user_id FROM t) RETURNING *
), a AS (`+insertEvent+` SELECT `+eventValues+` FROM u
) SELECT `+userColumns+`, 0 AS sessions FROM u`,
	spendSQLite+ofAddress+` AND purpose = 'VERIFY_EMAIL'`,
	insertEvent+` SELECT `+eventValues+` WHERE changes() = 1`,
	`UPDATE users SET email_verified_at = coalesce(email_verified_at, :now), updated_at = :now
WHERE id = :user AND EXISTS (SELECT 1 FROM audit_events WHERE id = :event_id)`,
	`SELECT `+userColumns+`, 0 AS sessions FROM users u WHERE u.id = :user AND EXISTS (SELECT 1 FROM audit_events WHERE id = :event_id)`,
)

// ConfirmEmail marks the address of the token, and no other, as confirmed (OT-11). The user is nil when the token is not good
// any more or the account is not what m says.
func (d *DB) ConfirmEmail(ctx context.Context, m *TokenWithUser, now time.Time) (*User, error) {
	e := Event{Action: ActionEmailVerified, User: m.User.ID}
	var row redeemed
	found, err := d.redeem(ctx, m, confirmEmail, m.params(now).with(eventParams(ctx, e, now)), &row, nil)
	if err != nil || !found {
		return nil, err
	}
	return &row.User, nil
}

var confirmChange = writes("confirmChange",
	`WITH t AS (`+spendPostgres+ofPending+` AND purpose = 'CONFIRM_CHANGE'
  AND EXISTS (SELECT 1 FROM users WHERE users.id = :user AND email_canonical = :email_canonical) RETURNING user_id, address, address_canonical
), u AS (
  UPDATE users SET email = t.address, email_canonical = t.address_canonical, email_verified_at = :now, pending_email = NULL,
    pending_email_canonical = NULL, updated_at = :now FROM t WHERE users.id = t.user_id RETURNING users.*
), o AS (`+othersPostgres+`), a AS (`+insertEvent+` SELECT `+eventValues+` FROM u
) SELECT `+userColumns+`, 0 AS sessions FROM u`,
	spendSQLite+ofPending+` AND purpose = 'CONFIRM_CHANGE' AND EXISTS (SELECT 1 FROM users WHERE users.id = :user AND email_canonical = :email_canonical)`,
	insertEvent+` SELECT `+eventValues+` WHERE changes() = 1`,
	`UPDATE users SET email = t.address, email_canonical = t.address_canonical, email_verified_at = :now, pending_email = NULL,
  pending_email_canonical = NULL, updated_at = :now FROM one_time_tokens t
WHERE users.id = :user AND t.id = :token AND EXISTS (SELECT 1 FROM audit_events WHERE audit_events.id = :event_id)`,
	othersSQLite,
	`SELECT `+userColumns+`, 0 AS sessions FROM users u WHERE u.id = :user AND EXISTS (SELECT 1 FROM audit_events WHERE id = :event_id)`,
)

// ConfirmChange makes the address that waits that of the account, confirmed, and queues the mails that tell of it. What was
// mailed for the account before is worthless, but for what takes a change back (OT-03). When somebody else took the address
// meanwhile nothing changes, and taken says so. The user is nil as in ConfirmEmail.
func (d *DB) ConfirmChange(ctx context.Context, m *TokenWithUser, now time.Time, mails ...*Mail) (u *User, taken *Taken, err error) {
	e := Event{Action: ActionEmailVerified, Note: "email_changed", User: m.User.ID}
	p := m.params(now).with(params{{"email_canonical", m.User.EmailCanonical}}).with(eventParams(ctx, e, now))
	var row redeemed
	found, err := d.redeem(ctx, m, confirmChange, p, &row, d.mails(ctx, mails))
	if taken := takenBy(err); taken != nil {
		return nil, taken, nil
	}
	if err != nil || !found {
		return nil, nil, err
	}
	return &row.User, nil, nil
}

var resetPassword = writes("resetPassword",
	`WITH t AS (`+spendPostgres+ofAddress+` AND purpose = 'RESET_PASSWORD' RETURNING user_id
), u AS (
  UPDATE users SET password_hash = :password_hash, password_disabled_at = NULL, email_verified_at = coalesce(email_verified_at, :now),
    pending_email = NULL, pending_email_canonical = NULL, updated_at = :now WHERE id = (SELECT user_id FROM t) RETURNING *
), o AS (`+othersPostgres+`), s AS (
  UPDATE sessions SET revoked_at = :now, revoked_reason = 'password.reset' WHERE id IN (
    SELECT id FROM sessions WHERE user_id = (SELECT id FROM u) AND `+alivePostgres+` ORDER BY id FOR UPDATE
  )
), k AS (
  UPDATE api_keys SET revoked_at = :now WHERE :unverified AND user_id = (SELECT id FROM u) AND revoked_at IS NULL
), f AS (
  DELETE FROM throttles WHERE account_key = (SELECT id FROM u) AND scope IN (
    SELECT scope FROM throttles WHERE account_key = :user ORDER BY scope FOR UPDATE)
), a AS (`+insertEvent+` SELECT `+eventValues+` FROM u
) SELECT `+userColumns+`, 0 AS sessions FROM u`,
	spendSQLite+ofAddress+` AND purpose = 'RESET_PASSWORD'`,
	insertEvent+` SELECT `+eventValues+` WHERE changes() = 1`,
	`UPDATE users SET password_hash = :password_hash, password_disabled_at = NULL, email_verified_at = coalesce(email_verified_at, :now),
  pending_email = NULL, pending_email_canonical = NULL, updated_at = :now
WHERE id = :user AND EXISTS (SELECT 1 FROM audit_events WHERE id = :event_id)`,
	othersSQLite,
	`UPDATE sessions SET revoked_at = :now, revoked_reason = 'password.reset'
WHERE user_id = :user AND `+aliveSQLite+` AND EXISTS (SELECT 1 FROM audit_events WHERE id = :event_id)`,
	`UPDATE api_keys SET revoked_at = :now
WHERE :unverified AND user_id = :user AND revoked_at IS NULL AND EXISTS (SELECT 1 FROM audit_events WHERE id = :event_id)`,
	`DELETE FROM throttles WHERE account_key = :user AND EXISTS (SELECT 1 FROM audit_events WHERE id = :event_id)`,
	`SELECT `+userColumns+`, 0 AS sessions FROM users u WHERE u.id = :user AND EXISTS (SELECT 1 FROM audit_events WHERE id = :event_id)`,
)

// ResetPassword gives the account another password and queues the mails that tell of it. Every session ends (SE-08), other
// one-time tokens are worthless (OT-03), an address that waits is dropped, failures are forgotten (LG-12), and the address is
// confirmed, since its mail arrived. Where it never was before, API keys end too: whoever made them may not be its owner. The
// user is nil as in ConfirmEmail.
func (d *DB) ResetPassword(ctx context.Context, m *TokenWithUser, hash, note string, now time.Time, mails ...*Mail) (*User, error) {
	e := Event{Action: ActionPasswordReset, Note: note, User: m.User.ID}
	p := m.params(now).with(params{{"password_hash", hash}}).with(eventParams(ctx, e, now))
	var row redeemed
	found, err := d.redeem(ctx, m, resetPassword, p, &row, d.mails(ctx, mails))
	if err != nil || !found {
		return nil, err
	}
	return &row.User, nil
}
