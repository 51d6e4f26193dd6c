package db

import (
	"context"
	"time"
)

// Each statement invalidates its token on condition that the token is still good, for this account and address, and
// that the account is as the resolver read it (OT-01, OT-02); nothing before it decides. The account is locked before
// its tokens, sessions and keys.
//
// redeemToken ends within its EXISTS (…: ofAddress or ofPending must follow and closes it. :unverified is whether the
// address was unconfirmed when the resolver read the account: if that changed, nothing is redeemed.
const (
	redeemToken = `UPDATE one_time_tokens SET invalidated_at = :now, redeemed = true
WHERE id = :token AND user_id = :user AND invalidated_at IS NULL AND expires_at > :now AND EXISTS (
  SELECT 1 FROM users WHERE users.id = :user AND status = 'ACTIVE' AND (email_verified_at IS NULL) = :unverified`

	ofAddress = ` AND email_canonical = one_time_tokens.address_canonical)`
	ofPending = ` AND pending_email_canonical = one_time_tokens.address_canonical)`

	// Every other token of the account is invalidated. Revert links stay good, so that whoever took an account over can
	// not rob its owner of them. A revert link ends too where nobody ever proved to own either address, the former or
	// the present one.
	otherTokens = `id <> :token AND invalidated_at IS NULL
  AND (purpose <> 'CANCEL_CHANGE' OR (:unverified AND NOT confirmed))`
	othersPostgres = `UPDATE one_time_tokens SET invalidated_at = :now WHERE user_id = (SELECT id FROM u)
  AND ` + otherTokens
	othersSQLite = `UPDATE one_time_tokens SET invalidated_at = :now WHERE user_id = :user
  AND ` + otherTokens + ifRecorded

	// ifRecorded is the condition of the steps that follow the event on SQLite.
	ifRecorded = ` AND EXISTS (SELECT 1 FROM audit_events WHERE audit_events.id = :event_id)`
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
	`WITH t AS (`+redeemToken+ofAddress+` AND purpose = 'VERIFY_EMAIL' RETURNING user_id
), u AS (
  UPDATE users SET email_verified_at = coalesce(email_verified_at, :now), updated_at = :now
  WHERE id = (SELECT user_id FROM t)
  RETURNING *
), a AS (`+insertEvent+` SELECT `+eventValues+` FROM u
) SELECT `+userColumns+`, 0 AS sessions FROM u`,
	redeemToken+ofAddress+` AND purpose = 'VERIFY_EMAIL'`,
	insertEvent+` SELECT `+eventValues+` WHERE changes() = 1`,
	`UPDATE users SET email_verified_at = coalesce(email_verified_at, :now), updated_at = :now
WHERE id = :user`+ifRecorded,
	`SELECT `+userColumns+`, 0 AS sessions FROM users u WHERE u.id = :user`+ifRecorded,
)

// ConfirmEmail confirms the address of the token, and no other (OT-11). The user is nil when the token is not good any
// more, or the account changed since m was read.
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
	`WITH t AS (`+redeemToken+ofPending+` AND purpose = 'CONFIRM_CHANGE'
  AND EXISTS (SELECT 1 FROM users WHERE users.id = :user AND email_canonical = :email_canonical)
  RETURNING user_id, address, address_canonical
), u AS (
  UPDATE users SET email = t.address, email_canonical = t.address_canonical, email_verified_at = :now,
    pending_email = NULL, pending_email_canonical = NULL, updated_at = :now
  FROM t WHERE users.id = t.user_id
  RETURNING users.*
), o AS (`+othersPostgres+`), a AS (`+insertEvent+` SELECT `+eventValues+` FROM u
) SELECT `+userColumns+`, 0 AS sessions FROM u`,
	redeemToken+ofPending+` AND purpose = 'CONFIRM_CHANGE'
  AND EXISTS (SELECT 1 FROM users WHERE users.id = :user AND email_canonical = :email_canonical)`,
	insertEvent+` SELECT `+eventValues+` WHERE changes() = 1`,
	`UPDATE users SET email = t.address, email_canonical = t.address_canonical, email_verified_at = :now,
  pending_email = NULL, pending_email_canonical = NULL, updated_at = :now
FROM one_time_tokens t
WHERE users.id = :user AND t.id = :token`+ifRecorded,
	othersSQLite,
	`SELECT `+userColumns+`, 0 AS sessions FROM users u WHERE u.id = :user`+ifRecorded,
)

// ConfirmChange gives the account its pending address, confirmed, and queues the mails that report it. It invalidates
// all other tokens but revert links (OT-03). Where somebody else took the address meanwhile, nothing changes, and taken
// says so. The user is nil as in ConfirmEmail.
func (d *DB) ConfirmChange(
	ctx context.Context, m *TokenWithUser, now time.Time, mails ...*Mail,
) (u *User, taken *Taken, err error) {
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
	`WITH t AS (`+redeemToken+ofAddress+` AND purpose = 'RESET_PASSWORD' RETURNING user_id
), u AS (
  UPDATE users SET password_hash = :password_hash, password_disabled_at = NULL,
    email_verified_at = coalesce(email_verified_at, :now),
    pending_email = NULL, pending_email_canonical = NULL, updated_at = :now
  WHERE id = (SELECT user_id FROM t)
  RETURNING *
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
	redeemToken+ofAddress+` AND purpose = 'RESET_PASSWORD'`,
	insertEvent+` SELECT `+eventValues+` WHERE changes() = 1`,
	`UPDATE users SET password_hash = :password_hash, password_disabled_at = NULL,
  email_verified_at = coalesce(email_verified_at, :now),
  pending_email = NULL, pending_email_canonical = NULL, updated_at = :now
WHERE id = :user`+ifRecorded,
	othersSQLite,
	`UPDATE sessions SET revoked_at = :now, revoked_reason = 'password.reset'
WHERE user_id = :user AND `+aliveSQLite+ifRecorded,
	`UPDATE api_keys SET revoked_at = :now
WHERE :unverified AND user_id = :user AND revoked_at IS NULL`+ifRecorded,
	`DELETE FROM throttles WHERE account_key = :user`+ifRecorded,
	`SELECT `+userColumns+`, 0 AS sessions FROM users u WHERE u.id = :user`+ifRecorded,
)

// ResetPassword gives the account another password and queues the mails that report it. Every session ends (SE-08),
// other tokens are invalidated (OT-03), the pending address is dropped, and failures are forgotten (LG-12). The address
// is confirmed: its mail arrived. An address that was never confirmed before ends the API keys too: somebody else may
// have made them. The user is nil as in ConfirmEmail.
func (d *DB) ResetPassword(
	ctx context.Context, m *TokenWithUser, hash, note string, now time.Time, mails ...*Mail,
) (*User, error) {
	e := Event{Action: ActionPasswordReset, Note: note, User: m.User.ID}
	p := m.params(now).with(params{{"password_hash", hash}}).with(eventParams(ctx, e, now))
	var row redeemed
	found, err := d.redeem(ctx, m, resetPassword, p, &row, d.mails(ctx, mails))
	if err != nil || !found {
		return nil, err
	}
	return &row.User, nil
}
