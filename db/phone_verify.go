package db

import (
	"context"
	"database/sql"
	"time"
)

// lockNumber locks an account with whoever proved a number, and then the number: see lockHolders.
var lockNumber = onPostgres("lockNumber", `WITH l AS MATERIALIZED (
  SELECT 1 FROM users WHERE id = :user OR (phone = :phone AND phone_verified_at IS NOT NULL)
  ORDER BY id FOR NO KEY UPDATE
) SELECT pg_advisory_xact_lock(hashtextextended(:phone, 1)) FROM (SELECT count(*) FROM l) n`)

// redeemPhoneCode ends within its EXISTS (…: a condition of sessions must follow and closes it.
const redeemPhoneCode = `UPDATE sms SET redeemed_at = :now
WHERE id = :sms AND user_id = :user AND purpose = 'VERIFY_PHONE' AND phone = :phone AND redeemed_at IS NULL
AND expires_at > :now AND EXISTS (SELECT 1 FROM users WHERE users.id = :user AND status = 'ACTIVE')
AND EXISTS (SELECT 1 FROM sessions WHERE sessions.id = :session AND user_id = :user AND `

// yieldNumber takes a number from the account that proved it before.
const (
	yieldNumber = `UPDATE users SET phone = NULL, phone_verified_at = NULL, updated_at = :now,
    auth_version = auth_version + 1
  WHERE phone = :phone AND phone_verified_at IS NOT NULL AND users.id <> :user`
	setNumber = `UPDATE users SET phone = :phone, phone_verified_at = :now, updated_at = :now,
    auth_version = auth_version + 1`
)

var verifyPhone = writes("verifyPhone",
	`WITH t AS (`+redeemPhoneCode+alivePostgres+`) RETURNING user_id
), y AS (`+yieldNumber+` AND EXISTS (SELECT 1 FROM t) RETURNING users.id
), u AS (`+setNumber+` WHERE id = (SELECT user_id FROM t) AND `+yielded+` RETURNING *
), a AS (`+insertEvent+` SELECT `+eventValues+` FROM u
) SELECT `+userColumns+` FROM u`,
	redeemPhoneCode+aliveSQLite+`)`,
	insertEvent+` SELECT `+eventValues+` WHERE changes() = 1`,
	yieldNumber+ifRecorded,
	setNumber+` WHERE id = :user`+ifRecorded,
	`SELECT `+userColumns+` FROM users u WHERE u.id = :user`+ifRecorded,
)

var numberHolder = reads("numberHolder", `SELECT `+userColumns+` FROM users u
WHERE u.phone = :phone AND u.phone_verified_at IS NOT NULL AND u.id <> :user`)

// PhoneMails makes the mails that report a number: to the account as it was, and to the one that had the number until
// now, nil for none.
type PhoneMails func(phone string, was, loser *User) []*Mail

// VerifyPhone redeems a code: the number is confirmed, and is that of the account. It belongs to whoever proved it
// last, so another account that had proved it has none then. The user is nil where the code is not good any more.
func (d *DB) VerifyPhone(ctx context.Context, by *Caller, m *SMS, mails PhoneMails, now time.Time) (*User, error) {
	e := Event{Action: ActionPhoneVerified, User: by.User.ID, Sess: by.Session.ID}
	holders := params{{"user", by.User.ID}, {"phone", m.Phone}}
	p := params{
		{"sms", m.ID}, {"session", by.Session.ID}, {"now", now},
	}.with(holders).with(eventParams(ctx, e, now))
	var row, was, loser struct {
		User User `bun:"embed:u_"`
	}
	read := func(tx *sql.Tx) error {
		if _, err := d.queryRowIn(ctx, tx, userByID, holders[:1], &was); err != nil {
			return err
		}
		_, err := d.queryRowIn(ctx, tx, numberHolder, holders, &loser)
		return err
	}
	written := func(tx *sql.Tx) error {
		before := &loser.User
		if before.ID.IsZero() {
			before = nil
		} else if err := d.recordIn(ctx, tx,
			Event{Action: ActionPhoneRemoved, Note: "proved_by_another", User: before.ID}, now); err != nil {
			return err
		}
		return d.queueIn(ctx, tx, mails(m.Phone, &was.User, before))
	}
	found, err := d.queryRow(ctx, verifyPhone, p, &row, locking(lockNumber, holders), before(read), after(written))
	if err != nil || !found {
		return nil, err
	}
	return &row.User, nil
}

const dropNumber = `UPDATE users SET phone = NULL, phone_verified_at = NULL, updated_at = :now,
    auth_version = auth_version + 1
WHERE id = :user AND phone IS NOT NULL AND EXISTS (
  SELECT 1 FROM sessions WHERE sessions.id = :session AND user_id = :user AND `

var removePhone = writes("removePhone",
	`WITH u AS (`+dropNumber+alivePostgres+`) RETURNING *
), a AS (`+insertEvent+` SELECT `+eventValues+` FROM u
) SELECT `+userColumns+` FROM u`,
	dropNumber+aliveSQLite+`)`,
	insertEvent+` SELECT `+eventValues+` WHERE changes() = 1`,
	`SELECT `+userColumns+` FROM users u WHERE u.id = :user`+ifRecorded,
)

// RemovePhone takes the number out of an account. The user is nil where there is none.
func (d *DB) RemovePhone(ctx context.Context, by *Caller, mails []*Mail, now time.Time) (*User, error) {
	e := Event{Action: ActionPhoneRemoved, User: by.User.ID, Sess: by.Session.ID}
	p := params{{"user", by.User.ID}, {"session", by.Session.ID}, {"now", now}}.with(eventParams(ctx, e, now))
	var row struct {
		User User `bun:"embed:u_"`
	}
	found, err := d.queryRow(ctx, removePhone, p, &row, after(d.mails(ctx, mails)))
	if err != nil || !found {
		return nil, err
	}
	return &row.User, nil
}
