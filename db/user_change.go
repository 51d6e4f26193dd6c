package db

import (
	"context"
	"database/sql"
	"time"
)

// Change is one step of a person on their own account: all of it happens or none.
type Change struct {
	By    *Caller  // who asks, by a session that has to be alive still
	Proof *Attempt // whose password was just found right; nil where none was asked for

	// To holds the new values, and the flags say which of them count.
	To                                                *User
	Name, Username, Metadata, Locale, Email, Password bool

	// AtOnce says that a new address counts from now on, unconfirmed. Else it waits as the pending one, in the place of any other
	// that does; only the spelling of the address in use changes without being confirmed.
	AtOnce bool

	EndOthers bool   // whether the other sessions end
	Action    string // of the event, and the reason that the ended sessions bear
	Note      string // of the event

	// Mails gives those to queue with the change: was is the person before it, and taken tells whether the pending address is
	// somebody else's. Nil for none.
	Mails func(was, is *User, taken bool) []*Mail
}

// proof gives the hash that has to be in force still, and the address of the bucket whose failures are forgotten.
func (c *Change) proof() (hash, address *string) {
	if c.Proof == nil {
		return nil, nil
	}
	return &c.Proof.User.PasswordHash, &c.Proof.bucket.address
}

// A new address that counts at once is not confirmed; the same one in another spelling stays what it was.
//
// What was mailed before is worth nothing after a change that it does not know of (OT-03, SE-08). Links to take an address back
// stay good: whoever took an account over would have them die by changing its password.
var changeAccount = statement{
	postgres: `WITH u AS (
  UPDATE users SET updated_at = $2, name = CASE WHEN $5 THEN $6 ELSE name END,
    username = CASE WHEN $7 THEN $8 ELSE username END, username_canonical = CASE WHEN $7 THEN $9 ELSE username_canonical END,
    metadata = CASE WHEN $10 THEN $11 ELSE metadata END, locale = CASE WHEN $20 THEN $21 ELSE locale END,
    email = CASE WHEN $12 AND ($22 OR email_canonical = $14) THEN $13 ELSE email END,
    email_canonical = CASE WHEN $12 AND $22 THEN $14 ELSE email_canonical END,
    email_verified_at = CASE WHEN $12 AND $22 AND email_canonical <> $14 THEN NULL ELSE email_verified_at END,
    pending_email = CASE WHEN $12 AND NOT $22 AND email_canonical <> $14 THEN $13 WHEN NOT $12 AND NOT $15 THEN pending_email END,
    pending_email_canonical = CASE WHEN $12 AND NOT $22 AND email_canonical <> $14 THEN $14
      WHEN NOT $12 AND NOT $15 THEN pending_email_canonical END,
    password_hash = CASE WHEN $15 THEN $16 ELSE password_hash END,
    password_disabled_at = CASE WHEN $15 THEN NULL ELSE password_disabled_at END
  WHERE id = $3 AND status = 'ACTIVE' AND ($4::text IS NULL OR password_hash = $4)
  AND EXISTS (SELECT 1 FROM sessions WHERE id = $1 AND user_id = $3 AND ` + alivePostgres + `) RETURNING *
), x AS (
  UPDATE sessions SET revoked_at = $2, revoked_reason = $18 WHERE id IN (
    SELECT id FROM sessions WHERE $17 AND user_id = (SELECT id FROM u) AND id <> $1 AND ` + alivePostgres + ` ORDER BY id FOR UPDATE
  )
), o AS (
  UPDATE one_time_tokens SET spent_at = $2 WHERE user_id = (SELECT id FROM u) AND spent_at IS NULL AND purpose <> 'CANCEL_CHANGE' AND (
    ($15 AND purpose <> 'VERIFY_EMAIL') OR ($12 AND purpose = 'CONFIRM_CHANGE') OR ($12 AND $22 AND address_canonical <> $14))
), t AS (
  DELETE FROM throttles WHERE subject = (SELECT id FROM u) AND address IN (
    SELECT address FROM throttles WHERE subject = $3 AND $19::text IS NOT NULL AND address IN ($19, '*') ORDER BY address FOR UPDATE)
), a AS (` + insertEvent + ` SELECT $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35 FROM u
) SELECT ` + userColumns + `, ` + sessionColumns + `,
EXISTS (SELECT 1 FROM users w WHERE w.email_canonical = u.pending_email_canonical AND w.id <> u.id) AS taken
FROM u JOIN sessions s ON s.id = $1`,
	sqlite: []string{
		`UPDATE users SET updated_at = ?2, name = CASE WHEN ?5 THEN ?6 ELSE name END,
  username = CASE WHEN ?7 THEN ?8 ELSE username END, username_canonical = CASE WHEN ?7 THEN ?9 ELSE username_canonical END,
  metadata = CASE WHEN ?10 THEN ?11 ELSE metadata END, locale = CASE WHEN ?20 THEN ?21 ELSE locale END,
  email = CASE WHEN ?12 AND (?22 OR email_canonical = ?14) THEN ?13 ELSE email END,
  email_canonical = CASE WHEN ?12 AND ?22 THEN ?14 ELSE email_canonical END,
  email_verified_at = CASE WHEN ?12 AND ?22 AND email_canonical <> ?14 THEN NULL ELSE email_verified_at END,
  pending_email = CASE WHEN ?12 AND NOT ?22 AND email_canonical <> ?14 THEN ?13 WHEN NOT ?12 AND NOT ?15 THEN pending_email END,
  pending_email_canonical = CASE WHEN ?12 AND NOT ?22 AND email_canonical <> ?14 THEN ?14
    WHEN NOT ?12 AND NOT ?15 THEN pending_email_canonical END,
  password_hash = CASE WHEN ?15 THEN ?16 ELSE password_hash END,
  password_disabled_at = CASE WHEN ?15 THEN NULL ELSE password_disabled_at END
WHERE id = ?3 AND status = 'ACTIVE' AND (?4 IS NULL OR password_hash = ?4)
AND EXISTS (SELECT 1 FROM sessions WHERE id = ?1 AND user_id = ?3 AND ` + aliveSQLite + `)`,
		insertEvent + ` SELECT ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30, ?31, ?32, ?33, ?34, ?35 FROM users WHERE id = ?3 AND changes() = 1`,
		`UPDATE sessions SET revoked_at = ?2, revoked_reason = ?18
WHERE ?17 AND user_id = ?3 AND id <> ?1 AND ` + aliveSQLite + ` AND EXISTS (SELECT 1 FROM audit_events WHERE id = ?23)`,
		`UPDATE one_time_tokens SET spent_at = ?2 WHERE user_id = ?3 AND spent_at IS NULL AND purpose <> 'CANCEL_CHANGE' AND (
  (?15 AND purpose <> 'VERIFY_EMAIL') OR (?12 AND purpose = 'CONFIRM_CHANGE') OR (?12 AND ?22 AND address_canonical <> ?14)
) AND EXISTS (SELECT 1 FROM audit_events WHERE id = ?23)`,
		`DELETE FROM throttles WHERE subject = ?3 AND ?19 IS NOT NULL AND address IN (?19, '*') AND EXISTS (SELECT 1 FROM audit_events WHERE id = ?23)`,
		`SELECT ` + userColumns + `, ` + sessionColumns + `,
EXISTS (SELECT 1 FROM users w WHERE w.email_canonical = u.pending_email_canonical AND w.id <> u.id) AS taken
FROM users u JOIN sessions s ON s.id = ?1 WHERE u.id = ?3 AND EXISTS (SELECT 1 FROM audit_events WHERE id = ?23)`,
	},
}

// ChangeAccount takes the step and gives the person and the session as they are then. Both are nil when the session is over
// or the password that was shown is not in force any more. When a name is somebody else's nothing changes, and taken says
// which one it is (ID-02).
//
// It waits for others who sign in to the account or change it, so that a session that begins beside it by the old password
// is one of those that end.
func (d *DB) ChangeAccount(ctx context.Context, c *Change, now time.Time) (after *Caller, taken *Taken, err error) {
	hash, address := c.proof()
	to, session := c.To, c.By.Session.ID
	args := []any{
		session, now, c.By.User.ID, hash, c.Name, to.Name, c.Username, to.Username, to.UsernameCanonical, c.Metadata, to.Metadata,
		c.Email, to.Email, to.EmailCanonical, c.Password, to.PasswordHash, c.EndOthers, c.Action, address, c.Locale, to.Locale, c.AtOnce,
	}
	e := Event{Action: c.Action, Note: c.Note, User: c.By.User.ID, Sess: session}
	if c.Proof != nil {
		e.Methods = []AuthMethod{AuthPassword} // the factor that was shown (AU-01)
	}
	var was User
	var is struct {
		User    User    `bun:"embed:u_"`
		Session Session `bun:"embed:s_"`
		Taken   bool    `bun:"taken"` // the pending address, by somebody else
	}
	mails := func(tx *sql.Tx) error {
		if c.Mails == nil {
			return nil
		}
		return d.queueIn(ctx, tx, c.Mails(&was, &is.User, is.Taken))
	}
	before := func(tx *sql.Tx) error { return d.lockAccount(ctx, tx, c.By.User.ID, &was) }
	found, err := d.getAfter(ctx, before, mails, &changeAccount, &is, append(args, eventArgs(ctx, e, now)...)...)
	if taken := takenBy(err); taken != nil {
		return nil, taken, nil
	}
	if err != nil || !found {
		return nil, nil, err
	}
	return &Caller{User: is.User, Session: is.Session}, nil, nil
}
