package db

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// Redemption makes an account of a registration.
type Redemption struct {
	User *User  // the account, without its dates and its number; its id is that of the registration
	Note string // of the event

	// Apart is for who shows nothing of the person who registered: an export begins with the account then (AU-08).
	Apart bool

	// Alone demands that no other registration waited for the address since the token was made: a program that shows
	// nothing but the token gets the password of a registration then (OT-45).
	Alone bool

	Mails []*Mail
}

// Of concurrent redemptions for an address the first makes the account (OT-44). No account may have proved the address
// meanwhile. The registration is as it was read: its row does
// not change but for its end.
const redeemRegistrationToken = `UPDATE one_time_tokens SET invalidated_at = :now, redeemed = true
WHERE id = :token AND user_id IS NULL AND invalidated_at IS NULL AND expires_at > :now
  AND EXISTS (SELECT 1 FROM registrations g
    WHERE g.id = :user AND g.address_canonical = one_time_tokens.address_canonical AND g.expires_at > :now)
  AND (NOT :alone OR (SELECT count(*) FROM registrations g
    WHERE g.address_canonical = one_time_tokens.address_canonical AND g.expires_at > one_time_tokens.created_at) = 1)
  AND NOT EXISTS (SELECT 1 FROM users
    WHERE users.email_canonical = one_time_tokens.address_canonical AND email_verified_at IS NOT NULL)`

const insertProved = `INSERT INTO users (id, number, email, email_canonical, email_verified_at, username,
  username_canonical, name, phone, metadata, role, status, password_hash, created_at, updated_at, locale, ` +
	`devices_cleared_at,
  invited, taken_over_at)
SELECT :user, :number, :email, :email_canonical, :email_verified_at,
  CASE WHEN ` + usernameFree + ` THEN :username END, CASE WHEN ` + usernameFree + ` THEN :username_canonical END,
  :name, :phone, :metadata, :role, 'ACTIVE', :password_hash, :now, :now, :locale, :devices_cleared_at, :invited,
  CASE WHEN :apart THEN :now END`

const usernameFree = `NOT EXISTS (SELECT 1 FROM users h WHERE h.username_canonical = :username_canonical)`

var redeemRegistration = writes("redeemRegistration",
	`WITH t AS (`+redeemRegistrationToken+` RETURNING id
), `+provePostgres+`, u AS (`+insertProved+` FROM t WHERE `+yielded+`
  ON CONFLICT DO NOTHING RETURNING *
), a AS (`+insertEvent+` SELECT `+eventValues+` FROM u
) SELECT (SELECT count(*) FROM t) AS redeemed, `+userColumns+` FROM (SELECT 1) one LEFT JOIN u ON true`,
	redeemRegistrationToken,
	insertEvent+` SELECT `+eventValues+` WHERE changes() = 1`,
	yieldAddress+ifRecorded,
	endWaits+ifRecorded,
	endRegistrations+ifRecorded,
	insertProved+` WHERE true`+ifRecorded+`
ON CONFLICT DO NOTHING`,
	`SELECT EXISTS (SELECT 1 FROM audit_events WHERE id = :event_id) AS redeemed, `+userColumns+`
FROM (SELECT 1) one LEFT JOIN users u ON u.id = :user`+ifRecorded,
)

// lockRegistrations locks the registrations of an address, after its accounts.
var lockRegistrations = onPostgres("lockRegistrations",
	`SELECT 1 FROM registrations WHERE address_canonical = :address ORDER BY id FOR UPDATE`)

// adoptTokens gives the account what was mailed before there was one: it is deleted with the account.
var adoptTokens = writes("adoptTokens",
	`WITH t AS (
  UPDATE one_time_tokens SET user_id = :user WHERE address_canonical = :address AND user_id IS NULL
), m AS (
  UPDATE mails SET user_id = :user
  WHERE address_canonical = :address AND registration_id IS NOT NULL AND user_id IS NULL
) SELECT 1 AS n`,
	`UPDATE one_time_tokens SET user_id = :user WHERE address_canonical = :address AND user_id IS NULL`,
	`UPDATE mails SET user_id = :user
WHERE address_canonical = :address AND registration_id IS NOT NULL AND user_id IS NULL`,
	`SELECT 1 AS n`,
)

// errNotMade undoes a redemption: the number of the account, or its username, was taken meanwhile. The token stays
// good.
var errNotMade = errors.New("db: a number or a name of the account is taken")

// RedeemRegistration makes the account of a registration, confirmed, and queues its mails. The other registrations of
// the address end, and accounts that have it without a proof, or wait for it, lose it (OT-22). The account gets the
// username if it is free. The user is nil as in ConfirmEmail.
func (d *DB) RedeemRegistration(ctx context.Context, m *TokenWithUser, r *Redemption, now time.Time) (*User, error) {
	u, address := r.User, params{{"address", m.Token.AddressCanonical}}
	u.EmailVerifiedAt, u.CreatedAt, u.UpdatedAt = &now, now, now
	var row struct {
		User     User `bun:"embed:u_"`
		Redeemed bool `bun:"redeemed"`
	}
	lock := func(tx *sql.Tx) error {
		if !d.Postgres() {
			return nil
		}
		return lockIn(ctx, tx, lockRegistrations, address)
	}
	made := func(tx *sql.Tx) error {
		switch {
		case !row.Redeemed:
			return nil
		case row.User.ID.IsZero():
			return errNotMade
		}
		verified := Event{Action: ActionEmailVerified, User: u.ID}
		if err := d.recordIn(ctx, tx, verified, now); err != nil {
			return err
		}
		var n struct{ N int }
		if _, err := d.queryRowIn(ctx, tx, adoptTokens, address.with(params{{"user", u.ID}}), &n); err != nil {
			return err
		}
		return d.queueIn(ctx, tx, r.Mails)
	}
	e := Event{Action: ActionUserCreated, Note: r.Note, User: u.ID}
	for range numberDraws {
		u.Number = randomNumber()
		row.User, row.Redeemed = User{}, false
		p := u.params().with(params{
			{"token", m.Token.ID},
			{"address", m.Token.AddressCanonical},
			{"alone", r.Alone},
			{"apart", r.Apart},
			{"locale", u.Locale},
			{"phone", u.Phone},
			{"devices_cleared_at", u.DevicesClearedAt},
		}).with(eventParams(ctx, e, now))
		holders := params{{"user", u.ID}, {"address", m.Token.AddressCanonical}}
		_, err := d.queryRow(ctx, redeemRegistration, p, &row, locking(lockHolders, holders), before(lock), after(made))
		switch {
		case errors.Is(err, errNotMade):
			continue
		case err != nil || !row.Redeemed:
			return nil, err
		}
		return &row.User, nil
	}
	return nil, errNoFreeNumber
}
