package db

import (
	"context"
	"database/sql"
	"errors"
)

// redeemLoginCode redeems a code to sign in, where the account still has the number as its own.
const redeemLoginCode = `UPDATE sms SET redeemed_at = :now
WHERE id = :sms AND user_id = :user AND purpose = 'LOGIN' AND redeemed_at IS NULL AND expires_at > :now AND EXISTS (
  SELECT 1 FROM users WHERE users.id = :user AND status = 'ACTIVE' AND users.phone = sms.phone
  AND phone_verified_at IS NOT NULL AND auth_version = :auth_version)`

var loginBySMS = writes("loginBySMS",
	`WITH t AS (`+redeemLoginCode+` RETURNING user_id
), u AS (
  UPDATE users SET last_login_at = CASE WHEN :pending THEN last_login_at ELSE :now END
  WHERE id = (SELECT user_id FROM t) RETURNING *
), e AS (
  UPDATE sessions SET revoked_at = :now, revoked_reason = 'session_limit' WHERE id IN (
    SELECT id FROM sessions WHERE NOT :pending AND user_id = (SELECT id FROM u) AND `+alivePostgres+`
    ORDER BY id DESC OFFSET :session_limit::bigint - 1 FOR UPDATE SKIP LOCKED
  )
), s AS (`+insertSession+` SELECT `+sessionValues+` FROM u
  ON CONFLICT (number) DO NOTHING RETURNING id
), k AS (
  INSERT INTO known_devices (user_id, device, session_id, seen_at) SELECT :user, :device, :session, :now FROM s
  WHERE :device::bytea IS NOT NULL ON CONFLICT (user_id, device) DO UPDATE SET seen_at = :now RETURNING session_id
), a AS (`+insertEvent+` SELECT `+eventValues+` FROM u
) SELECT `+userColumns+`, (SELECT count(*) FROM s) AS sessions,
  EXISTS (SELECT 1 FROM k WHERE session_id = :session) AS new_device FROM u`,
	redeemLoginCode,
	insertEvent+` SELECT `+eventValues+` WHERE changes() = 1`,
	`UPDATE users SET last_login_at = CASE WHEN :pending THEN last_login_at ELSE :now END WHERE id = :user`+ifRecorded,
	`UPDATE sessions SET revoked_at = :now, revoked_reason = 'session_limit' WHERE id IN (
  SELECT id FROM sessions WHERE NOT :pending AND user_id = :user AND `+aliveSQLite+` ORDER BY id DESC LIMIT -1 OFFSET :session_limit - 1
)`+ifRecorded,
	insertSession+` SELECT `+sessionValues+` FROM audit_events WHERE id = :event_id
ON CONFLICT (number) DO NOTHING`,
	`INSERT INTO known_devices (user_id, device, session_id, seen_at)
SELECT :user, :device, :session, :now FROM sessions WHERE id = :session AND :device IS NOT NULL
ON CONFLICT (user_id, device) DO UPDATE SET seen_at = :now`,
	`SELECT `+userColumns+`, (SELECT count(*) FROM sessions WHERE id = :session) AS sessions,
  EXISTS (SELECT 1 FROM known_devices WHERE user_id = :user AND device = :device AND session_id = :session) AS `+
		`new_device
FROM users u WHERE u.id = :user`+ifRecorded,
)

// LoginBySMS starts the session of a person by the code of a message to a phone that they proved before. newDevice are
// the mails of a sign-in from a device that was not seen before. u is the account as it was read. The user is nil
// where the code, the number or the account is not good any more.
func (d *DB) LoginBySMS(
	ctx context.Context, m *SMS, u *User, s *Session, limit int, newDevice []*Mail,
) (*User, error) {
	e := Event{Action: s.began(), User: s.UserID, Sess: s.ID, Methods: s.Methods}
	var row struct {
		User      User `bun:"embed:u_"`
		Sessions  int  `bun:"sessions"`
		NewDevice bool `bun:"new_device"`
	}
	begun := func(tx *sql.Tx) error {
		if row.Sessions == 0 {
			return errNumberTaken // undoes all of it; the code stays good
		}
		if err := d.followIn(ctx, tx, s); err != nil || !row.NewDevice {
			return err
		}
		return d.queueIn(ctx, tx, newDevice)
	}
	for range numberDraws {
		s.Number, row.Sessions = randomNumber(), 0
		p := s.params().with(params{
			{"sms", m.ID}, {"auth_version", u.AuthVersion}, {"session_limit", limit}, {"device", s.Device},
		}).with(eventParams(ctx, e, s.CreatedAt))
		found, err := d.queryRow(ctx, loginBySMS, p, &row, locking(lockUser, params{{"user", s.UserID}}), after(begun))
		switch {
		case errors.Is(err, errNumberTaken):
			continue
		case err != nil || !found:
			return nil, err
		}
		return &row.User, nil
	}
	return nil, errNoFreeNumber
}
