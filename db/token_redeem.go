package db

import (
	"context"
	"time"
)

// Each statement invalidates its token on condition that the token is still good, for this account and address, and
// that the account is as the resolver read it (OT-01, OT-02); nothing before it decides. The accounts are locked before
// their tokens, sessions and keys.
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
	// not rob its owner of them; but not where nobody proved the address: then it came from an administrator, who ended
	// the claims of all former addresses.
	otherTokens    = `id <> :token AND invalidated_at IS NULL AND (:unverified OR purpose <> 'CANCEL_CHANGE')`
	othersPostgres = `UPDATE one_time_tokens SET invalidated_at = :now
  WHERE user_id = (SELECT id FROM u) AND ` + otherTokens
	othersSQLite = `UPDATE one_time_tokens SET invalidated_at = :now
WHERE user_id = :user AND ` + otherTokens + ifRecorded

	// ifRecorded is the condition of the steps that follow the event on SQLite.
	ifRecorded = ` AND EXISTS (SELECT 1 FROM audit_events WHERE audit_events.id = :event_id)`
)

// An address belongs to the account that proved it last (OT-22). Whoever proves :address takes it from the accounts
// that have it without a proof, and ends the wait of others for it: their tokens are invalidated, and registrations are
// deleted. A pending address that is only shown in their own account stays there, so that nobody learns of the proof.
const (
	yieldAddress = `UPDATE users SET updated_at = :now,
    email = CASE WHEN email_canonical = :address THEN NULL ELSE email END,
    email_canonical = CASE WHEN email_canonical = :address THEN NULL ELSE email_canonical END,
    pending_shown = pending_shown AND pending_email_canonical <> :address
  WHERE users.id <> :user AND ((email_canonical = :address AND email_verified_at IS NULL)
    OR (pending_shown AND pending_email_canonical = :address))`
	endWaits = `UPDATE one_time_tokens SET invalidated_at = :now
  WHERE address_canonical = :address AND user_id IS DISTINCT FROM :user AND id <> :token AND invalidated_at IS NULL
    AND purpose <> 'CANCEL_CHANGE'`
	endRegistrations = `DELETE FROM registrations WHERE address_canonical = :address`

	// The parts follow t, which holds the redeemed token. The account takes the address after y: see yielded.
	provePostgres = `y AS (` + yieldAddress + ` AND EXISTS (SELECT 1 FROM t) RETURNING users.id
), w AS (` + endWaits + ` AND EXISTS (SELECT 1 FROM t)
), r AS (` + endRegistrations + ` AND EXISTS (SELECT 1 FROM t)
)`
	// yielded makes a part of a statement run after y: an address is unique.
	yielded = `(SELECT count(*) FROM y) >= 0`
)

// lockHolders locks an account with all that have an address or wait for it, and then the address itself: an account
// that has nothing to do with the address yet may be about to show it, and no row says so.
var lockHolders = onPostgres("lockHolders", `WITH l AS MATERIALIZED (
  SELECT 1 FROM users WHERE id = :user OR email_canonical = :address OR pending_email_canonical = :address
  ORDER BY id FOR NO KEY UPDATE
) SELECT pg_advisory_xact_lock(hashtextextended(:address, 0)) FROM (SELECT count(*) FROM l) n`)

// lockAddress is the second part of lockHolders, for an account that shows an address at once. It follows the lock of
// the account, as there.
var lockAddress = onPostgres("lockAddress", `SELECT pg_advisory_xact_lock(hashtextextended(:address, 0))`)

// params are the values that every redemption takes.
func (m *TokenWithUser) params(now time.Time) params {
	return params{
		{"token", m.Token.ID},
		{"now", now},
		{"user", m.User.ID},
		{"unverified", !m.User.EmailVerified()},
		{"address", m.Token.AddressCanonical},
	}
}

// redeem runs a statement that redeems the token of m, and a step after it. It tells whether the token was still good.
func (d *DB) redeem(
	ctx context.Context, m *TokenWithUser, st *statement, p params, dest any, step txStep,
) (bool, error) {
	holders := params{{"user", m.User.ID}, {"address", m.Token.AddressCanonical}}
	return d.queryRow(ctx, st, p, dest, locking(lockHolders, holders), after(step))
}

// redeemed is the answer of the statements.
type redeemed struct {
	User     User `bun:"embed:u_"`
	Sessions int  `bun:"sessions"`
}

// markApart is markTakeOver for a confirmation, which removes nothing: :owner is who is signed in. Whoever confirms an
// address without being signed in to the account may be another person than made it, and can reset the password next.
const markApart = `taken_over_at = CASE WHEN :unverified AND users.id IS DISTINCT FROM :owner THEN :now
      ELSE taken_over_at END`

var confirmEmail = writes("confirmEmail",
	`WITH t AS (`+redeemToken+ofAddress+` AND purpose = 'VERIFY_EMAIL' RETURNING user_id
), `+provePostgres+`, u AS (
  UPDATE users SET email_verified_at = coalesce(email_verified_at, :now), updated_at = :now, `+markApart+`
  WHERE id = (SELECT user_id FROM t) AND `+yielded+` RETURNING *
), a AS (`+insertEvent+` SELECT `+eventValues+` FROM u
) SELECT `+userColumns+`, 0 AS sessions FROM u`,
	redeemToken+ofAddress+` AND purpose = 'VERIFY_EMAIL'`,
	insertEvent+` SELECT `+eventValues+` WHERE changes() = 1`,
	yieldAddress+ifRecorded,
	endWaits+ifRecorded,
	endRegistrations+ifRecorded,
	`UPDATE users SET email_verified_at = coalesce(email_verified_at, :now), updated_at = :now, `+markApart+`
WHERE id = :user`+ifRecorded,
	`SELECT `+userColumns+`, 0 AS sessions FROM users u WHERE u.id = :user`+ifRecorded,
)

// ConfirmEmail confirms the address of the token, and no other (OT-11). owner is who is signed in, zero for nobody. The
// user is nil when the token is not good any more, or the account changed since m was read.
func (d *DB) ConfirmEmail(ctx context.Context, m *TokenWithUser, owner UserID, now time.Time) (*User, error) {
	e := Event{Action: ActionEmailVerified, User: m.User.ID}
	var row redeemed
	p := m.params(now).with(params{{"owner", owner}}).with(eventParams(ctx, e, now))
	found, err := d.redeem(ctx, m, confirmEmail, p, &row, nil)
	if err != nil || !found {
		return nil, err
	}
	return &row.User, nil
}

// The token of a change is redeemed while the account has the address that the resolver read, none included. An account
// beyond `user` takes the new address only in a session of its own within the sudo window (AZ-11). The condition of a
// live session, and two parentheses, must follow.
const redeemChange = redeemToken + ofPending + ` AND purpose = 'CONFIRM_CHANGE' AND EXISTS (
  SELECT 1 FROM users WHERE users.id = :user AND email_canonical IS NOT DISTINCT FROM :email_canonical
  AND (NOT (` + beyondUser + `) OR EXISTS (SELECT 1 FROM sessions WHERE sessions.id = :by_session
    AND sessions.user_id = :user AND authenticated_at > :proved_from AND authenticated_at <= :proved_until AND `

var confirmChange = writes("confirmChange",
	`WITH t AS (`+redeemChange+alivePostgres+`))) RETURNING user_id, address, address_canonical
), `+provePostgres+`, u AS (
  UPDATE users SET email = t.address, email_canonical = t.address_canonical, email_verified_at = :now,
    pending_email = NULL, pending_email_canonical = NULL, pending_shown = false, updated_at = :now, `+markApart+`
  FROM t WHERE users.id = t.user_id AND `+yielded+` RETURNING users.*
), o AS (`+othersPostgres+`), a AS (`+insertEvent+` SELECT `+eventValues+` FROM u
) SELECT `+userColumns+`, 0 AS sessions FROM u`,
	redeemChange+aliveSQLite+`)))`,
	insertEvent+` SELECT `+eventValues+` WHERE changes() = 1`,
	yieldAddress+ifRecorded,
	endWaits+ifRecorded,
	endRegistrations+ifRecorded,
	`UPDATE users SET email = t.address, email_canonical = t.address_canonical, email_verified_at = :now,
  pending_email = NULL, pending_email_canonical = NULL, pending_shown = false, updated_at = :now, `+markApart+`
FROM one_time_tokens t WHERE users.id = :user AND t.id = :token`+ifRecorded,
	othersSQLite,
	`SELECT `+userColumns+`, 0 AS sessions FROM users u WHERE u.id = :user`+ifRecorded,
)

// ConfirmChange gives the account its pending address, confirmed, and queues the mails that report it. It invalidates
// all other tokens but revert links (OT-03). Where somebody else proved to own the address meanwhile, nothing changes,
// and taken says so. by is who shows the token: see redeemChange. The user is nil as in ConfirmEmail.
func (d *DB) ConfirmChange(
	ctx context.Context, m *TokenWithUser, by *Actor, now time.Time, mails ...*Mail,
) (u *User, taken *Taken, err error) {
	e := Event{Action: ActionEmailVerified, Note: "email_changed", User: m.User.ID}
	owner := by.User
	if !by.Key.IsZero() {
		owner = UserID{}
	}
	p := m.params(now).with(params{
		{"email_canonical", text(m.User.EmailCanonical)},
		{"by_session", by.Session},
		{"owner", owner},
		{"proved_from", by.ProvedFrom},
		{"proved_until", by.ProvedUntil},
	}).with(eventParams(ctx, e, now))
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
