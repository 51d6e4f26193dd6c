package db

import (
	"context"
	"database/sql"
	"errors"
)

var errNumberTaken = errors.New("db: the number of a session is taken")

var loginByMail = writes("loginByMail",
	`WITH t AS (`+redeemToken+ofAddress+` AND purpose = 'MAGIC_LINK' RETURNING user_id
), u AS (
  UPDATE users SET last_login_at = :now, email_verified_at = coalesce(email_verified_at, :now),
    updated_at = CASE WHEN :unverified THEN :now ELSE updated_at END,
    password_hash = CASE WHEN :unverified THEN NULL ELSE password_hash END,
    pending_email = CASE WHEN :unverified THEN NULL ELSE pending_email END,
    pending_email_canonical = CASE WHEN :unverified THEN NULL ELSE pending_email_canonical END
  WHERE id = (SELECT user_id FROM t) RETURNING *
), o AS (
  UPDATE one_time_tokens SET invalidated_at = :now
  WHERE :unverified AND user_id = (SELECT id FROM u) AND id <> :token AND invalidated_at IS NULL
    AND (purpose <> 'CANCEL_CHANGE' OR NOT confirmed)
), k AS (
  UPDATE api_keys SET revoked_at = :now WHERE :unverified AND user_id = (SELECT id FROM u) AND revoked_at IS NULL
), x AS (
  UPDATE sessions SET revoked_at = :now, revoked_reason = 'login.succeeded' WHERE id IN (
    SELECT id FROM sessions WHERE :unverified AND user_id = (SELECT id FROM u) AND `+alivePostgres+`
    ORDER BY id FOR UPDATE
  )
), e AS (
  UPDATE sessions SET revoked_at = :now, revoked_reason = 'session_limit' WHERE id IN (
    SELECT id FROM sessions WHERE NOT :unverified AND user_id = (SELECT id FROM u) AND `+alivePostgres+`
    ORDER BY id DESC OFFSET :session_limit::bigint - 1 FOR UPDATE SKIP LOCKED
  )
), s AS (`+insertSession+` SELECT `+sessionValues+` FROM u
  ON CONFLICT (number) DO NOTHING RETURNING id
), a AS (`+insertEvent+` SELECT `+eventValues+` FROM u
) SELECT `+userColumns+`, (SELECT count(*) FROM s) AS sessions FROM u`,
	redeemToken+ofAddress+` AND purpose = 'MAGIC_LINK'`,
	insertEvent+` SELECT `+eventValues+` WHERE changes() = 1`,
	`UPDATE users SET last_login_at = :now, email_verified_at = coalesce(email_verified_at, :now),
  updated_at = CASE WHEN :unverified THEN :now ELSE updated_at END,
  password_hash = CASE WHEN :unverified THEN NULL ELSE password_hash END,
  pending_email = CASE WHEN :unverified THEN NULL ELSE pending_email END,
  pending_email_canonical = CASE WHEN :unverified THEN NULL ELSE pending_email_canonical END
WHERE id = :user`+ifRecorded,
	`UPDATE one_time_tokens SET invalidated_at = :now
WHERE :unverified AND user_id = :user AND id <> :token AND invalidated_at IS NULL
  AND (purpose <> 'CANCEL_CHANGE' OR NOT confirmed)`+ifRecorded,
	`UPDATE api_keys SET revoked_at = :now
WHERE :unverified AND user_id = :user AND revoked_at IS NULL`+ifRecorded,
	`UPDATE sessions SET revoked_at = :now,
  revoked_reason = CASE WHEN :unverified THEN 'login.succeeded' ELSE 'session_limit' END
WHERE id IN (
  SELECT id FROM sessions WHERE user_id = :user AND `+aliveSQLite+`
  ORDER BY id DESC LIMIT -1 OFFSET CASE WHEN :unverified THEN 0 ELSE :session_limit - 1 END
)`+ifRecorded,
	insertSession+` SELECT `+sessionValues+` FROM audit_events WHERE id = :event_id
ON CONFLICT (number) DO NOTHING`,
	`SELECT `+userColumns+`, (SELECT count(*) FROM sessions WHERE id = :session) AS sessions
FROM users u WHERE u.id = :user`+ifRecorded,
)

// LoginByMail starts the session of a person by the token of a mail. The newest limit sessions of the account stay
// alive (SE-21). An address that was never confirmed is confirmed now. This is the first proof of whose address it is,
// so LoginByMail removes what somebody else may have made: the password, sessions, API keys, a pending address and all
// other tokens. The user is nil as in ConfirmEmail.
func (d *DB) LoginByMail(ctx context.Context, m *TokenWithUser, s *Session, limit int) (*User, error) {
	e := Event{Action: ActionLoginSucceeded, User: s.UserID, Sess: s.ID, Methods: s.Methods}
	first := !m.User.EmailVerified()
	if first {
		e.Note = "took_over"
	}
	var row redeemed
	begun := func(*sql.Tx) error {
		if row.Sessions == 0 {
			return errNumberTaken // undoes all of it; the token stays good
		}
		return nil
	}
	for range numberDraws {
		s.Number, row = randomNumber(), redeemed{}
		p := m.params(s.CreatedAt).with(s.params()).with(params{
			{"session_limit", limit},
		}).with(eventParams(ctx, e, s.CreatedAt))
		found, err := d.redeem(ctx, m, loginByMail, p, &row, begun)
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
