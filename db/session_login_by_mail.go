package db

import (
	"context"
	"database/sql"
	"errors"
)

var (
	errNumberTaken = errors.New("db: the number of a session is taken")
	errAuthChanged = errors.New("db: what signs in to an account changed")
)

var loginByMail = writes("loginByMail",
	`WITH t AS (`+redeemToken+ofAddress+` AND purpose = 'MAGIC_LINK' RETURNING user_id
), `+provePostgres+`, u AS (
  UPDATE users SET last_login_at = CASE WHEN :pending THEN last_login_at ELSE :now END, `+noFactors+`,
    auth_version = CASE WHEN :unverified THEN auth_version + 1 ELSE auth_version END,
    email_verified_at = coalesce(email_verified_at, :now),
    updated_at = CASE WHEN :unverified THEN :now ELSE updated_at END,
    password_hash = CASE WHEN :unverified THEN NULL ELSE password_hash END,
    password_disabled_at = CASE WHEN :unverified THEN NULL ELSE password_disabled_at END,
    devices_cleared_at = CASE WHEN :unverified THEN :now ELSE devices_cleared_at END, `+markTakeOver+`,
    pending_email = CASE WHEN :unverified THEN NULL ELSE pending_email END,
    pending_email_canonical = CASE WHEN :unverified THEN NULL ELSE pending_email_canonical END,
    pending_shown = pending_shown AND NOT :unverified, `+clearProfile+`
  WHERE id = (SELECT user_id FROM t) AND `+yielded+` RETURNING *
), o AS (
  UPDATE one_time_tokens SET invalidated_at = :now
  WHERE :unverified AND user_id = (SELECT id FROM u) AND `+otherTokens+`
), k AS (
  UPDATE api_keys SET revoked_at = :now WHERE :unverified AND user_id = (SELECT id FROM u) AND revoked_at IS NULL
), d AS (
  DELETE FROM known_devices WHERE :unverified AND user_id = (SELECT id FROM u)
), i AS (
  `+dropIdentities+` WHERE :unverified AND user_id = (SELECT id FROM u)
), q AS (
  `+dropTOTP+` WHERE :unverified AND user_id = (SELECT id FROM u)
), qc AS (
  `+dropCodes+` WHERE :unverified AND user_id = (SELECT id FROM u)
), qr AS (
  `+dropRemembered+` WHERE :unverified AND user_id = (SELECT id FROM u)
), f AS (
  DELETE FROM throttles WHERE account_key = (SELECT id FROM u) AND scope IN (
    SELECT scope FROM throttles WHERE :unverified AND account_key = :user ORDER BY scope FOR UPDATE)
), x AS (
  UPDATE sessions SET revoked_at = :now, revoked_reason = 'login.succeeded' WHERE id IN (
    SELECT id FROM sessions WHERE :unverified AND user_id = (SELECT id FROM u) AND `+alivePostgres+`
    ORDER BY id FOR UPDATE
  )
), e AS (
  UPDATE sessions SET revoked_at = :now, revoked_reason = 'session_limit' WHERE id IN (
    SELECT id FROM sessions
    WHERE NOT :unverified AND NOT :pending AND user_id = (SELECT id FROM u) AND `+alivePostgres+`
    ORDER BY id DESC OFFSET :session_limit::bigint - 1 FOR UPDATE SKIP LOCKED
  )
), s AS (`+insertSession+` SELECT `+sessionValues+` FROM u
  ON CONFLICT (number) DO NOTHING RETURNING id
), a AS (`+insertEvent+` SELECT `+eventValues+` FROM u
) SELECT `+userColumns+`, (SELECT count(*) FROM s) AS sessions FROM u`,
	redeemToken+ofAddress+` AND purpose = 'MAGIC_LINK'`,
	insertEvent+` SELECT `+eventValues+` WHERE changes() = 1`,
	yieldAddress+ifRecorded,
	endWaits+ifRecorded,
	endRegistrations+ifRecorded,
	`UPDATE users SET last_login_at = CASE WHEN :pending THEN last_login_at ELSE :now END, `+noFactors+`,
    auth_version = CASE WHEN :unverified THEN auth_version + 1 ELSE auth_version END,
    email_verified_at = coalesce(email_verified_at, :now),
  updated_at = CASE WHEN :unverified THEN :now ELSE updated_at END,
  password_hash = CASE WHEN :unverified THEN NULL ELSE password_hash END,
  password_disabled_at = CASE WHEN :unverified THEN NULL ELSE password_disabled_at END,
  devices_cleared_at = CASE WHEN :unverified THEN :now ELSE devices_cleared_at END, `+markTakeOver+`,
  pending_email = CASE WHEN :unverified THEN NULL ELSE pending_email END,
  pending_email_canonical = CASE WHEN :unverified THEN NULL ELSE pending_email_canonical END,
  pending_shown = pending_shown AND NOT :unverified, `+clearProfile+`
WHERE id = :user`+ifRecorded,
	`UPDATE one_time_tokens SET invalidated_at = :now
WHERE :unverified AND user_id = :user AND `+otherTokens+ifRecorded,
	`UPDATE api_keys SET revoked_at = :now
WHERE :unverified AND user_id = :user AND revoked_at IS NULL`+ifRecorded,
	`DELETE FROM known_devices WHERE :unverified AND user_id = :user`+ifRecorded,
	dropIdentities+` WHERE :unverified AND user_id = :user`+ifRecorded,
	dropTOTP+` WHERE :unverified AND user_id = :user`+ifRecorded,
	dropCodes+` WHERE :unverified AND user_id = :user`+ifRecorded,
	dropRemembered+` WHERE :unverified AND user_id = :user`+ifRecorded,
	`DELETE FROM throttles WHERE :unverified AND account_key = :user`+ifRecorded,
	`UPDATE sessions SET revoked_at = :now,
  revoked_reason = CASE WHEN :unverified THEN 'login.succeeded' ELSE 'session_limit' END
WHERE (:unverified OR NOT :pending) AND id IN (
  SELECT id FROM sessions WHERE user_id = :user AND `+aliveSQLite+`
  ORDER BY id DESC LIMIT -1 OFFSET CASE WHEN :unverified THEN 0 ELSE :session_limit - 1 END
)`+ifRecorded,
	insertSession+` SELECT `+sessionValues+` FROM audit_events WHERE id = :event_id
ON CONFLICT (number) DO NOTHING`,
	`SELECT `+userColumns+`, (SELECT count(*) FROM sessions WHERE id = :session) AS sessions
FROM users u WHERE u.id = :user`+ifRecorded,
)

// MailLogin is a sign-in by the token of a mail.
type MailLogin struct {
	Session    *Session
	Limit      int     // the newest sessions of the account that stay alive (SE-21)
	StartEmpty bool    // as in Reset
	Mails      []*Mail // that report a take-over
}

// LoginByMail starts the session of a person by the token of a mail. An address that was never confirmed is confirmed
// now. This is the first proof of whose address it is, so LoginByMail removes what somebody else may have made
// (OA-07): the password and its failures, sessions, API keys, known devices, identities at other providers, the secret
// of an authenticator app, a pending address and all other tokens.
// The user is nil as in ConfirmEmail.
func (d *DB) LoginByMail(ctx context.Context, m *TokenWithUser, l *MailLogin) (*User, error) {
	s := l.Session
	e := Event{
		Action: s.began(), Note: m.takeOverNote(), User: s.UserID, Sess: s.ID, Methods: s.Methods,
	}
	var row redeemed
	begun := func(tx *sql.Tx) error {
		switch {
		case row.Sessions == 0:
			return errNumberTaken // undoes all of it; the token stays good
		case !m.TakesOver() && row.User.AuthVersion != m.User.AuthVersion:
			return errAuthChanged // as well: the session was made for another state of the account
		}
		if err := d.followIn(ctx, tx, s); err != nil {
			return err
		}
		return d.queueIn(ctx, tx, l.Mails)
	}
	for range numberDraws {
		s.Number, row = randomNumber(), redeemed{}
		p := m.params(s.CreatedAt).with(s.params()).with(params{
			{"session_limit", l.Limit}, {"start_empty", l.StartEmpty && m.TakesOver()},
		}).with(eventParams(ctx, e, s.CreatedAt))
		found, err := d.redeem(ctx, m, loginByMail, p, &row, begun)
		switch {
		case errors.Is(err, errNumberTaken):
			continue
		case errors.Is(err, errAuthChanged):
			return nil, nil
		case err != nil || !found:
			return nil, err
		}
		return &row.User, nil
	}
	return nil, errNoFreeNumber
}
