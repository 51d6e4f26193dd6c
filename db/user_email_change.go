package db

import (
	"context"
	"database/sql"
	"time"

	"github.com/google/uuid"
)

const accountAddress = `SELECT id, email, email_canonical, email_verified_at, pending_email, pending_email_canonical,
  pending_shown
FROM users WHERE id = :user`

var lockedAccount = readsEach("lockedAccount", accountAddress+` FOR NO KEY UPDATE`, accountAddress)

// lockAccount reads the address of an account before a statement changes it, and locks the account. SQLite has one
// writer in any case.
func (d *DB) lockAccount(ctx context.Context, tx *sql.Tx, id UserID, was *User) error {
	_, err := d.queryRowIn(ctx, tx, lockedAccount, params{{"user", id}}, was)
	return err
}

var revertToken = reads("revertToken", `SELECT user_id, address_canonical FROM one_time_tokens
WHERE id = :token AND purpose = 'CANCEL_CHANGE'`)

// Following a revert link invalidates the revert links of every later address. An address is as old as its first link,
// also when a newer link replaced it: else whoever took an account over could make the owner's address the later one,
// by changing the address back and forth.
const cameAfter = `NOT EXISTS (
    SELECT 1 FROM one_time_tokens e WHERE e.user_id = :user AND e.purpose = 'CANCEL_CHANGE'
    AND e.address_canonical = k.address_canonical AND (e.created_at, e.id) < (
      SELECT f.created_at, f.id FROM one_time_tokens f WHERE f.user_id = :user AND f.purpose = 'CANCEL_CHANGE'
      AND f.address_canonical = (SELECT g.address_canonical FROM one_time_tokens g WHERE g.id = :token)
      ORDER BY f.created_at, f.id LIMIT 1))`

// redeemRevert redeems a revert link. It went to an address that was confirmed, and confirms that address again.
const redeemRevert = `UPDATE one_time_tokens SET invalidated_at = :now, redeemed = true
WHERE id = :token AND user_id = :user AND purpose = 'CANCEL_CHANGE' AND invalidated_at IS NULL AND expires_at > :now
AND EXISTS (SELECT 1 FROM users WHERE users.id = :user AND status = 'ACTIVE')`

// madeSince is the condition of API keys that were made, or got another secret or other scopes, since the address of
// the token was first replaced: by whoever replaced it, perhaps (OT-28).
const madeSince = `revoked_at IS NULL AND coalesce(rotated_at, created_at) >= (
    SELECT min(f.created_at) FROM one_time_tokens f WHERE f.user_id = :user AND f.purpose = 'CANCEL_CHANGE'
    AND f.address_canonical = :address)`

// provedSince is that a number was confirmed since then, as madeSince says it of API keys: it would open the account.
const provedSince = `phone_verified_at >= (
    SELECT min(f.created_at) FROM one_time_tokens f WHERE f.user_id = :user AND f.purpose = 'CANCEL_CHANGE'
    AND f.address_canonical = :address)`

// firstReplaced is when the address of the token was first replaced: by a thief, perhaps. Authenticator apps that came
// into force since then go, with recovery codes of that time; keepsFactor tells whether an app of before is left.
const (
	firstReplaced = `(SELECT min(f.created_at) FROM one_time_tokens f WHERE f.user_id = :user
    AND f.purpose = 'CANCEL_CHANGE' AND f.address_canonical = :address)`
	enrolledSince  = `confirmed_at >= ` + firstReplaced
	madeCodesSince = `created_at >= ` + firstReplaced
	keepsFactor    = `EXISTS (SELECT 1 FROM authenticators q WHERE q.user_id = :user
    AND q.confirmed_at < ` + firstReplaced + `)`
)

// An account takes its address back where another one replaced it, or is shown in its place. On SQLite, where the steps
// run one after the other, goesBack must run before the account has its address back.
const goesBack = `EXISTS (SELECT 1 FROM users b WHERE b.id = :user
  AND (b.email_canonical IS DISTINCT FROM :address OR b.pending_shown))`

var cancelEmailChange = writes("cancelEmailChange",
	`WITH t AS (`+redeemRevert+` RETURNING *
), o AS (
  SELECT t.user_id AS id, `+goesBack+` AS back FROM t
), `+provePostgres+`, u AS (
  UPDATE users SET updated_at = :now, pending_email = NULL, pending_email_canonical = NULL, pending_shown = false,
    email = CASE WHEN email_canonical = :address THEN email ELSE t.address END, email_canonical = :address,
    email_verified_at = CASE WHEN email_canonical = :address THEN email_verified_at ELSE :now END,
    devices_cleared_at = CASE WHEN back THEN :now ELSE devices_cleared_at END,
    auth_version = CASE WHEN back THEN auth_version + 1 ELSE auth_version END,
    mfa_enabled_at = CASE WHEN back AND NOT `+keepsFactor+` THEN NULL ELSE mfa_enabled_at END,
    phone = CASE WHEN back AND `+provedSince+` THEN NULL ELSE phone END,
    phone_verified_at = CASE WHEN back AND `+provedSince+` THEN NULL ELSE phone_verified_at END
  FROM t, o WHERE users.id = t.user_id AND `+yielded+` RETURNING users.*
), s AS (
  UPDATE sessions SET revoked_at = :now, revoked_reason = :reason WHERE id IN (
    SELECT id FROM sessions WHERE user_id = (SELECT id FROM o WHERE back) AND `+alivePostgres+` ORDER BY id FOR UPDATE
  )
), p AS (
  UPDATE api_keys SET revoked_at = :now WHERE user_id = (SELECT id FROM o WHERE back) AND `+madeSince+`
), d AS (
  DELETE FROM known_devices WHERE user_id = (SELECT id FROM o WHERE back)
), qr AS (
  `+dropRemembered+` WHERE user_id = (SELECT id FROM o WHERE back)
), q AS (
  `+dropTOTP+` WHERE user_id = (SELECT id FROM o WHERE back) AND `+enrolledSince+`
), qc AS (
  `+dropCodes+` WHERE user_id = (SELECT id FROM o WHERE back) AND (NOT `+keepsFactor+` OR `+madeCodesSince+`)
), k AS (
  UPDATE one_time_tokens k SET invalidated_at = :now
  WHERE user_id = (SELECT id FROM o) AND id <> :token AND invalidated_at IS NULL
  AND (purpose = 'CONFIRM_CHANGE' OR ((SELECT back FROM o) AND (purpose <> 'CANCEL_CHANGE' OR `+cameAfter+`)))
), a AS (`+insertEvent+` SELECT `+eventValues+` FROM t
) SELECT `+userColumns+` FROM u`,
	redeemRevert,
	insertEvent+` SELECT `+eventValues+` WHERE changes() = 1`,
	`UPDATE sessions SET revoked_at = :now, revoked_reason = :reason
WHERE user_id = :user AND `+aliveSQLite+` AND `+goesBack+ifRecorded,
	`UPDATE api_keys SET revoked_at = :now WHERE user_id = :user AND `+madeSince+` AND `+goesBack+ifRecorded,
	`DELETE FROM known_devices WHERE user_id = :user AND `+goesBack+ifRecorded,
	dropRemembered+` WHERE user_id = :user AND `+goesBack+ifRecorded,
	dropCodes+` WHERE user_id = :user AND `+goesBack+` AND (NOT `+keepsFactor+` OR `+madeCodesSince+`)`+ifRecorded,
	dropTOTP+` WHERE user_id = :user AND `+goesBack+` AND `+enrolledSince+ifRecorded,
	`UPDATE one_time_tokens AS k SET invalidated_at = :now
WHERE user_id = :user AND id <> :token AND invalidated_at IS NULL
AND (purpose = 'CONFIRM_CHANGE' OR (`+goesBack+` AND (purpose <> 'CANCEL_CHANGE' OR `+cameAfter+`)))`+ifRecorded,
	yieldAddress+ifRecorded,
	endWaits+ifRecorded,
	`UPDATE users SET updated_at = :now,
  devices_cleared_at = CASE WHEN email_canonical IS DISTINCT FROM :address OR pending_shown THEN :now
    ELSE devices_cleared_at END,
  auth_version = CASE WHEN email_canonical IS DISTINCT FROM :address OR pending_shown THEN auth_version + 1
    ELSE auth_version END,
  mfa_enabled_at = CASE WHEN (email_canonical IS DISTINCT FROM :address OR pending_shown)
    AND NOT EXISTS (SELECT 1 FROM authenticators q WHERE q.user_id = :user AND q.confirmed_at IS NOT NULL)
    THEN NULL ELSE mfa_enabled_at END,
  phone = CASE WHEN (email_canonical IS DISTINCT FROM :address OR pending_shown) AND `+provedSince+` THEN NULL
    ELSE phone END,
  phone_verified_at = CASE WHEN (email_canonical IS DISTINCT FROM :address OR pending_shown) AND `+provedSince+
		` THEN NULL
    ELSE phone_verified_at END,
  pending_email = NULL, pending_email_canonical = NULL, pending_shown = false,
  email = CASE WHEN email_canonical = :address THEN email ELSE t.address END, email_canonical = :address,
  email_verified_at = CASE WHEN email_canonical = :address THEN email_verified_at ELSE :now END
FROM one_time_tokens t WHERE t.id = :token AND users.id = :user`+ifRecorded,
	`SELECT `+userColumns+` FROM users u WHERE u.id = :user`+ifRecorded,
)

// CancelEmailChange redeems a token of PurposeCancelChange, and gives the person after it; nil when the token is not
// good any more. It drops the pending address. Where another address replaced the address of the token, or is shown in
// its place, the account gets the address of the token back: all sessions end, and with them the API keys of since then
// and other tokens (OT-11). Where somebody else proved to own that address meanwhile, nothing changes, and taken says
// so.
func (d *DB) CancelEmailChange(
	ctx context.Context, token uuid.UUID, now time.Time,
) (after *User, taken *Taken, err error) {
	id := TokenIDFrom(token)
	var t struct {
		UserID  UserID `bun:"user_id"`
		Address string `bun:"address_canonical"`
	}
	if found, err := d.queryRow(ctx, revertToken, params{{"token", id}}, &t); err != nil || !found {
		return nil, nil, err
	}
	e := Event{Action: ActionEmailChangeCanceled, User: t.UserID}
	holders := params{{"user", t.UserID}, {"address", t.Address}}
	p := params{
		{"token", id}, {"now", now}, {"reason", e.Action.Done},
	}.with(holders).with(eventParams(ctx, e, now))
	var row struct {
		User User `bun:"embed:u_"`
	}
	found, err := d.queryRow(ctx, cancelEmailChange, p, &row, locking(lockHolders, holders))
	if taken := takenBy(err); taken != nil {
		return nil, taken, nil
	}
	if err != nil || !found {
		return nil, nil, err
	}
	return &row.User, nil, nil
}
