package db

import (
	"context"
	"time"
)

// markTakeOver notes when the first proof of whose address it is came from somebody who may not be the one before: an
// export begins there (AU-08).
const markTakeOver = `taken_over_at = CASE WHEN :unverified THEN :now ELSE taken_over_at END`

// What the one before linked and enrolled would open and guard the account for them: conditions must follow.
const (
	dropIdentities = `DELETE FROM linked_identities`
	dropTOTP       = `DELETE FROM authenticators`
	dropCodes      = `DELETE FROM recovery_codes`
	dropRemembered = `DELETE FROM remembered_devices`
)

// noFactors is the part of a take-over that says that no second factor is left.
const noFactors = `mfa_enabled_at = CASE WHEN :unverified THEN NULL ELSE mfa_enabled_at END`

// clearProfile is the part of a take-over that removes what the one before said of themselves (OT-26). external_id
// stays: an operator set it, and the tables of the application know the account by it. A number that the one before
// proved is theirs in any case.
const clearProfile = `username = CASE WHEN :start_empty THEN NULL ELSE username END,
    username_canonical = CASE WHEN :start_empty THEN NULL ELSE username_canonical END,
    name = CASE WHEN :start_empty THEN NULL ELSE name END,
    metadata = CASE WHEN :start_empty THEN NULL ELSE metadata END,
    locale = CASE WHEN :start_empty THEN NULL ELSE locale END,
    phone = CASE WHEN :start_empty OR :unverified AND phone_verified_at IS NOT NULL THEN NULL ELSE phone END,
    phone_verified_at = CASE WHEN :unverified THEN NULL ELSE phone_verified_at END,
    app_metadata = CASE WHEN :start_empty THEN NULL ELSE app_metadata END`

var resetPassword = writes("resetPassword",
	`WITH t AS (`+redeemToken+ofAddress+` AND purpose = 'RESET_PASSWORD' RETURNING user_id
), `+provePostgres+`, u AS (
  UPDATE users SET password_hash = :password_hash, password_disabled_at = NULL, devices_cleared_at = :now,
    email_verified_at = coalesce(email_verified_at, :now), pending_email = NULL, pending_email_canonical = NULL,
    pending_shown = false, updated_at = :now, auth_version = auth_version + 1,
    `+noFactors+`, `+markTakeOver+`, `+clearProfile+`
  WHERE id = (SELECT user_id FROM t) AND `+yielded+` RETURNING *
), o AS (`+othersPostgres+`), s AS (
  UPDATE sessions SET revoked_at = :now, revoked_reason = 'password.reset' WHERE id IN (
    SELECT id FROM sessions WHERE user_id = (SELECT id FROM u) AND `+alivePostgres+` ORDER BY id FOR UPDATE
  )
), k AS (
  UPDATE api_keys SET revoked_at = :now
  WHERE (:unverified OR :end_keys) AND user_id = (SELECT id FROM u) AND revoked_at IS NULL
), f AS (
  DELETE FROM throttles WHERE account_key = (SELECT id FROM u) AND scope IN (
    SELECT scope FROM throttles WHERE account_key = :user ORDER BY scope FOR UPDATE)
), d AS (
  DELETE FROM known_devices WHERE user_id = (SELECT id FROM u)
), i AS (
  `+dropIdentities+` WHERE :unverified AND user_id = (SELECT id FROM u)
), q AS (
  `+dropTOTP+` WHERE :unverified AND user_id = (SELECT id FROM u)
), qc AS (
  `+dropCodes+` WHERE :unverified AND user_id = (SELECT id FROM u)
), qr AS (
  `+dropRemembered+` WHERE user_id = (SELECT id FROM u)
), a AS (`+insertEvent+` SELECT `+eventValues+` FROM u
) SELECT `+userColumns+`, 0 AS sessions FROM u`,
	redeemToken+ofAddress+` AND purpose = 'RESET_PASSWORD'`,
	insertEvent+` SELECT `+eventValues+` WHERE changes() = 1`,
	yieldAddress+ifRecorded,
	endWaits+ifRecorded,
	endRegistrations+ifRecorded,
	`UPDATE users SET password_hash = :password_hash, password_disabled_at = NULL, devices_cleared_at = :now,
  email_verified_at = coalesce(email_verified_at, :now), pending_email = NULL, pending_email_canonical = NULL,
  pending_shown = false, updated_at = :now, auth_version = auth_version + 1,
    `+noFactors+`, `+markTakeOver+`, `+clearProfile+`
WHERE id = :user`+ifRecorded,
	othersSQLite,
	`UPDATE sessions SET revoked_at = :now, revoked_reason = 'password.reset'
WHERE user_id = :user AND `+aliveSQLite+ifRecorded,
	`UPDATE api_keys SET revoked_at = :now
WHERE (:unverified OR :end_keys) AND user_id = :user AND revoked_at IS NULL`+ifRecorded,
	`DELETE FROM throttles WHERE account_key = :user`+ifRecorded,
	`DELETE FROM known_devices WHERE user_id = :user`+ifRecorded,
	dropIdentities+` WHERE :unverified AND user_id = :user`+ifRecorded,
	dropTOTP+` WHERE :unverified AND user_id = :user`+ifRecorded,
	dropCodes+` WHERE :unverified AND user_id = :user`+ifRecorded,
	dropRemembered+` WHERE user_id = :user`+ifRecorded,
	`SELECT `+userColumns+`, 0 AS sessions FROM users u WHERE u.id = :user`+ifRecorded,
)

// Reset is a reset of the password.
type Reset struct {
	Hash       string // of the new password
	StartEmpty bool   // whether a take-over removes what clearProfile names
	EndKeys    bool   // whether the API keys end; a take-over ends them in any case
	Note       string // of the event
	Mails      []*Mail
}

// ResetPassword gives the account another password and queues the mails that report it. Every session ends (SE-08),
// other tokens are invalidated (OT-03), the pending address is dropped, failures are forgotten (LG-12), and no device
// is known any more (OT-27). The address is confirmed: its mail arrived. An address that was never confirmed before
// makes it a take-over (OA-07): the API keys end too, since somebody else may have made them, and identities at other
// providers and the secret of an authenticator app are removed. The user is nil as in ConfirmEmail.
func (d *DB) ResetPassword(ctx context.Context, m *TokenWithUser, r *Reset, now time.Time) (*User, error) {
	e := Event{Action: ActionPasswordReset, Note: m.takeOverNote(r.Note), User: m.User.ID}
	p := m.params(now).with(params{
		{"password_hash", r.Hash}, {"start_empty", r.StartEmpty && m.TakesOver()}, {"end_keys", r.EndKeys},
	}).with(eventParams(ctx, e, now))
	var row redeemed
	found, err := d.redeem(ctx, m, resetPassword, p, &row, d.mails(ctx, r.Mails))
	if err != nil || !found {
		return nil, err
	}
	return &row.User, nil
}
