package db

import (
	"context"
	"database/sql"
	"time"

	"github.com/google/uuid"
)

var lockedAccount = readsEach("lockedAccount",
	`SELECT id, email, email_canonical, email_verified_at, pending_email, pending_email_canonical
FROM users WHERE id = :user FOR NO KEY UPDATE`,
	`SELECT id, email, email_canonical, email_verified_at, pending_email, pending_email_canonical
FROM users WHERE id = :user`,
)

// lockAccount reads the address of an account before a statement changes it, and locks the account. SQLite has one
// writer in any case.
func (d *DB) lockAccount(ctx context.Context, tx *sql.Tx, id UserID, was *User) error {
	_, err := d.queryRowIn(ctx, tx, lockedAccount, params{{"user", id}}, was)
	return err
}

var ownerOfToken = reads("ownerOfToken",
	`SELECT user_id FROM one_time_tokens WHERE id = :token AND purpose = 'CANCEL_CHANGE'`)

// Following a revert link invalidates the revert links of every later address. An address is as old as its first link,
// also when a newer link replaced it: else whoever took an account over could make the owner's address the later one,
// by changing the address back and forth.
const cameAfter = `NOT EXISTS (
    SELECT 1 FROM one_time_tokens e
    WHERE e.user_id = :user AND e.purpose = 'CANCEL_CHANGE'
      AND e.address_canonical = k.address_canonical AND (e.created_at, e.id) < (
      SELECT f.created_at, f.id FROM one_time_tokens f
      WHERE f.user_id = :user AND f.purpose = 'CANCEL_CHANGE'
        AND f.address_canonical = (SELECT g.address_canonical FROM one_time_tokens g WHERE g.id = :token)
      ORDER BY f.created_at, f.id LIMIT 1))`

var cancelEmailChange = writes("cancelEmailChange",
	`WITH t AS (
  UPDATE one_time_tokens SET invalidated_at = :now, redeemed = true
  WHERE id = :token AND user_id = :user AND purpose = 'CANCEL_CHANGE' AND invalidated_at IS NULL AND expires_at > :now
    AND EXISTS (SELECT 1 FROM users WHERE users.id = :user AND status = 'ACTIVE')
  RETURNING *
), o AS (
  SELECT u.id, u.email_canonical <> t.address_canonical AS back FROM users u JOIN t ON u.id = t.user_id
), u AS (
  UPDATE users SET updated_at = :now, pending_email = NULL, pending_email_canonical = NULL,
    email = CASE WHEN back THEN t.address ELSE email END, email_canonical = t.address_canonical,
    email_verified_at = CASE WHEN NOT back THEN email_verified_at WHEN t.confirmed THEN :now END
  FROM t, o WHERE users.id = t.user_id
  RETURNING users.*
), s AS (
  UPDATE sessions SET revoked_at = :now, revoked_reason = :reason WHERE id IN (
    SELECT id FROM sessions WHERE user_id = (SELECT id FROM o WHERE back) AND `+alivePostgres+` ORDER BY id FOR UPDATE
  )
), k AS (
  UPDATE one_time_tokens k SET invalidated_at = :now
  WHERE user_id = (SELECT id FROM o) AND id <> :token AND invalidated_at IS NULL
    AND (purpose = 'CONFIRM_CHANGE' OR ((SELECT back FROM o) AND (purpose <> 'CANCEL_CHANGE' OR `+cameAfter+`)))
), a AS (`+insertEvent+` SELECT `+eventValues+` FROM t
) SELECT `+userColumns+` FROM u`,
	`UPDATE one_time_tokens SET invalidated_at = :now, redeemed = true
WHERE id = :token AND user_id = :user AND purpose = 'CANCEL_CHANGE' AND invalidated_at IS NULL AND expires_at > :now
  AND EXISTS (SELECT 1 FROM users WHERE users.id = :user AND status = 'ACTIVE')`,
	insertEvent+` SELECT `+eventValues+` WHERE changes() = 1`,
	`UPDATE sessions SET revoked_at = :now, revoked_reason = :reason
WHERE user_id = :user AND `+aliveSQLite+` AND EXISTS (
  SELECT 1 FROM users u JOIN one_time_tokens t ON t.id = :token
  WHERE u.id = :user AND u.email_canonical <> t.address_canonical)`+ifRecorded,
	`UPDATE one_time_tokens AS k SET invalidated_at = :now
WHERE user_id = :user AND id <> :token AND invalidated_at IS NULL
  AND (purpose = 'CONFIRM_CHANGE' OR ((purpose <> 'CANCEL_CHANGE' OR `+cameAfter+`) AND EXISTS (
    SELECT 1 FROM users u JOIN one_time_tokens t ON t.id = :token
    WHERE u.id = :user AND u.email_canonical <> t.address_canonical)))`+ifRecorded,
	`UPDATE users SET updated_at = :now, pending_email = NULL, pending_email_canonical = NULL,
  email = CASE WHEN email_canonical <> t.address_canonical THEN t.address ELSE email END,
  email_canonical = t.address_canonical,
  email_verified_at = CASE WHEN email_canonical = t.address_canonical THEN email_verified_at
    WHEN t.confirmed THEN :now END
FROM one_time_tokens t WHERE t.id = :token AND users.id = :user`+ifRecorded,
	`SELECT `+userColumns+` FROM users u WHERE u.id = :user`+ifRecorded,
)

// CancelEmailChange redeems a token of PurposeCancelChange, and gives the person after it; nil when the token is not
// good any more. It drops the pending address. Where another address replaced the address of the token, the account
// gets the address of the token back: all sessions end, and other tokens are invalidated (OT-11). Where somebody else
// has that address meanwhile, nothing changes, and taken says so.
func (d *DB) CancelEmailChange(
	ctx context.Context, token uuid.UUID, now time.Time,
) (after *User, taken *Taken, err error) {
	id := TokenIDFrom(token)
	var owner struct {
		UserID UserID `bun:"user_id"`
	}
	if found, err := d.queryRow(ctx, ownerOfToken, params{{"token", id}}, &owner); err != nil || !found {
		return nil, nil, err
	}
	e := Event{Action: ActionEmailChangeCanceled, User: owner.UserID}
	p := params{
		{"token", id}, {"now", now}, {"user", owner.UserID}, {"reason", e.Action.Done},
	}.with(eventParams(ctx, e, now))
	var row struct {
		User User `bun:"embed:u_"`
	}
	found, err := d.queryRow(ctx, cancelEmailChange, p, &row, locking(lockUser, params{{"user", owner.UserID}}))
	if taken := takenBy(err); taken != nil {
		return nil, taken, nil
	}
	if err != nil || !found {
		return nil, nil, err
	}
	return &row.User, nil, nil
}
