package db

import (
	"context"
	"database/sql"
	"errors"
)

var errNumberTaken = errors.New("db: the number of a session is taken")

// The first parameters are those of every redemption, and 2 is when the session begins too.
var loginByMail = statement{
	postgres: `WITH t AS (` + spendPostgres + ofAddress + ` AND purpose = 'MAGIC_LINK' RETURNING user_id
), u AS (
  UPDATE users SET last_login_at = $2, email_verified_at = coalesce(email_verified_at, $2),
    updated_at = CASE WHEN $4 THEN $2 ELSE updated_at END, password_hash = CASE WHEN $4 THEN NULL ELSE password_hash END,
    pending_email = CASE WHEN $4 THEN NULL ELSE pending_email END,
    pending_email_canonical = CASE WHEN $4 THEN NULL ELSE pending_email_canonical END
  WHERE id = (SELECT user_id FROM t) RETURNING *
), o AS (
  UPDATE one_time_tokens SET spent_at = $2 WHERE $4 AND user_id = (SELECT id FROM u) AND id <> $1 AND spent_at IS NULL
  AND (purpose <> 'CANCEL_CHANGE' OR NOT confirmed)
), k AS (
  UPDATE api_keys SET revoked_at = $2 WHERE $4 AND user_id = (SELECT id FROM u) AND revoked_at IS NULL
), x AS (
  UPDATE sessions SET revoked_at = $2, revoked_reason = 'login_with_magic_link' WHERE id IN (
    SELECT id FROM sessions WHERE $4 AND user_id = (SELECT id FROM u) AND ` + alivePostgres + ` ORDER BY id FOR UPDATE
  )
), e AS (
  UPDATE sessions SET revoked_at = $2, revoked_reason = 'session_limit' WHERE id IN (
    SELECT id FROM sessions WHERE NOT $4 AND user_id = (SELECT id FROM u) AND ` + alivePostgres + `
    ORDER BY id DESC OFFSET $14::bigint - 1 FOR UPDATE SKIP LOCKED
  )
), s AS (` + insertSession + ` SELECT $5, $6, $3, $7, $8, $9, $10, $2, $2, $2, $11, $12, $13 FROM u
  ON CONFLICT (number) DO NOTHING RETURNING id
), a AS (` + insertEvent + ` SELECT $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27 FROM u
) SELECT ` + userColumns + `, (SELECT count(*) FROM s) AS sessions FROM u`,
	sqlite: []string{
		spendSQLite + ofAddress + ` AND purpose = 'MAGIC_LINK'`,
		insertEvent + ` SELECT ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27 WHERE changes() = 1`,
		`UPDATE users SET last_login_at = ?2, email_verified_at = coalesce(email_verified_at, ?2),
  updated_at = CASE WHEN ?4 THEN ?2 ELSE updated_at END, password_hash = CASE WHEN ?4 THEN NULL ELSE password_hash END,
  pending_email = CASE WHEN ?4 THEN NULL ELSE pending_email END,
  pending_email_canonical = CASE WHEN ?4 THEN NULL ELSE pending_email_canonical END
WHERE id = ?3 AND EXISTS (SELECT 1 FROM audit_events WHERE id = ?15)`,
		`UPDATE one_time_tokens SET spent_at = ?2 WHERE ?4 AND user_id = ?3 AND id <> ?1 AND spent_at IS NULL
AND (purpose <> 'CANCEL_CHANGE' OR NOT confirmed)
AND EXISTS (SELECT 1 FROM audit_events WHERE audit_events.id = ?15)`,
		`UPDATE api_keys SET revoked_at = ?2
WHERE ?4 AND user_id = ?3 AND revoked_at IS NULL AND EXISTS (SELECT 1 FROM audit_events WHERE id = ?15)`,
		`UPDATE sessions SET revoked_at = ?2, revoked_reason = CASE WHEN ?4 THEN 'login_with_magic_link' ELSE 'session_limit' END WHERE id IN (
  SELECT id FROM sessions WHERE user_id = ?3 AND ` + aliveSQLite + ` ORDER BY id DESC LIMIT -1 OFFSET CASE WHEN ?4 THEN 0 ELSE ?14 - 1 END
) AND EXISTS (SELECT 1 FROM audit_events WHERE id = ?15)`,
		insertSession + ` SELECT ?5, ?6, ?3, ?7, ?8, ?9, ?10, ?2, ?2, ?2, ?11, ?12, ?13 FROM audit_events WHERE id = ?15
ON CONFLICT (number) DO NOTHING`,
		`SELECT ` + userColumns + `, (SELECT count(*) FROM sessions WHERE id = ?5) AS sessions
FROM users u WHERE u.id = ?3 AND EXISTS (SELECT 1 FROM audit_events WHERE id = ?15)`,
	},
}

// LoginByMail starts the session of a person by the token of a mail. Of the sessions that the account has then, the newest limit
// stay alive (SE-21). Where the address was never confirmed this is the first proof of whose it is: it is confirmed, and what
// somebody else may have put there goes, which are the password, sessions, API keys, an address that waits and everything else
// that was mailed. The user is nil as in ConfirmEmail.
func (d *DB) LoginByMail(ctx context.Context, m *TokenWithUser, s *Session, limit int) (*User, error) {
	e := Event{Action: "login_with_magic_link", User: s.UserID, Sess: s.ID, Methods: s.Methods}
	first := !m.User.EmailVerified()
	if first {
		e.Note = "took_over"
	}
	var row redeemed
	begun := func(*sql.Tx) error {
		if row.Sessions == 0 {
			return errNumberTaken // all of it is undone, and the token good still
		}
		return nil
	}
	for range numberDraws {
		s.Number, row = randomNumber(), redeemed{}
		args := []any{
			m.Token.ID, s.CreatedAt, s.UserID, first, s.ID, s.Number, list[AuthMethod](s.Methods), s.UserAgent, s.IP, s.Dialect,
			s.AbsoluteEnd, s.IdleSeconds, s.Generation, limit,
		}
		found, err := d.redeem(ctx, m, &loginByMail, &row, nil, begun, append(args, eventArgs(ctx, e, s.CreatedAt)...)...)
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
