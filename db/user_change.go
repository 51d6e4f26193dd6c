package db

import (
	"context"
	"database/sql"
	"time"
)

// Change is one change of a person to their own account: all of it happens, or nothing.
type Change struct {
	By    *Caller  // who asks; their session has to be still alive
	Proof *Attempt // the password that was just found right; nil where none was asked for

	// To holds the new values, and the flags say which of them count.
	To                                                *User
	Name, Username, Metadata, Locale, Email, Password bool

	// AtOnce shows a new address now, unconfirmed. A confirmed one stays that of recovery meanwhile (OT-24). Else the
	// new address replaces the pending one; only another spelling of the address in use counts at once. An address that
	// another account has or shows without a proof waits too: see held.
	AtOnce bool
	NoMail bool // the server sends no mail: what waits could never be confirmed

	EndOthers bool   // whether the other sessions end
	EndKeys   bool   // whether the API keys end
	Action    Action // of the event, and the reason of the ended sessions
	Note      string // of the event

	// Mails gives the mails to queue with the change: was and is are the person before and after it, and taken tells
	// whether the pending address is somebody else's. Nil for none.
	Mails func(was, is *User, taken bool) []*Mail
}

// proof gives the hash that has to be still in force, and the scope of the failures to forget.
func (c *Change) proof() (hash, address *string) {
	if c.Proof == nil {
		return nil, nil
	}
	return &c.Proof.User.PasswordHash, &c.Proof.bucket.scope
}

// A confirmed address stays that of recovery until another one is confirmed. A new address that counts at once is
// shown meanwhile, and replaces an address only that was never confirmed. Another spelling of the address in use stays
// confirmed if it was. A change of the password drops an address that waits, and no one that is shown.
//
// Of an account that an administrator made, invited ends with what the person changes of it: only what the
// administrator gave is theirs (AZ-22).
//
// The change invalidates earlier tokens that do not match it any more (OT-03, SE-08). Revert links stay good: whoever
// took an account over could end them by changing its password.
const (
	// held is that another account has the new address or shows it, and did not prove it. That one keeps what it has,
	// and the proof decides whose address it is (OT-56).
	held = `(NOT :no_mail AND EXISTS (SELECT 1 FROM users w WHERE w.id <> :user AND w.email_canonical = :email_canonical
    AND w.email_verified_at IS NULL OR w.id <> :user AND w.pending_shown
    AND w.pending_email_canonical = :email_canonical))`
	atOnce = `(:at_once AND NOT ` + held + `)`

	sameAddress = `email_canonical IS NOT DISTINCT FROM :email_canonical`
	replaces    = `:set_email AND ` + atOnce + ` AND email_verified_at IS NULL`
	waits       = `:set_email AND NOT (` + sameAddress + `) AND NOT (` + replaces + `)`
	keepsWait   = `NOT :set_email AND (NOT :set_password OR pending_shown)`

	setAccount = `UPDATE users SET updated_at = :now, name = CASE WHEN :set_name THEN :name ELSE name END,
  username = CASE WHEN :set_username THEN :username ELSE username END,
  username_canonical = CASE WHEN :set_username THEN :username_canonical ELSE username_canonical END,
  metadata = CASE WHEN :set_metadata THEN :metadata ELSE metadata END,
  locale = CASE WHEN :set_locale THEN :locale ELSE locale END,
  email = CASE WHEN :set_email AND (` + replaces + ` OR ` + sameAddress + `) THEN :email ELSE email END,
  email_canonical = CASE WHEN ` + replaces + ` THEN :email_canonical ELSE email_canonical END,
  pending_email = CASE WHEN ` + waits + ` THEN :email WHEN ` + keepsWait + ` THEN pending_email END,
  pending_email_canonical = CASE WHEN ` + waits + ` THEN :email_canonical
    WHEN ` + keepsWait + ` THEN pending_email_canonical END,
  pending_shown = CASE WHEN ` + waits + ` THEN ` + atOnce + ` ELSE ` + keepsWait + ` AND pending_shown END,
  invited = invited AND NOT (:set_username OR :set_name OR :set_metadata
    OR (` + replaces + ` AND NOT (` + sameAddress + `))),
  password_hash = CASE WHEN :set_password THEN :password_hash ELSE password_hash END,
  password_disabled_at = CASE WHEN :set_password THEN NULL ELSE password_disabled_at END,
  auth_version = CASE WHEN :set_password THEN auth_version + 1 ELSE auth_version END
WHERE id = :user AND status = 'ACTIVE' AND (CAST(:proof_hash AS text) IS NULL OR password_hash = :proof_hash)
AND NOT (` + waits + ` AND :at_once AND EXISTS (SELECT 1 FROM users w WHERE w.email_canonical = :email_canonical
  AND (w.email_verified_at IS NOT NULL OR :no_mail)))
AND EXISTS (SELECT 1 FROM sessions WHERE id = :session AND user_id = :user AND `
)

// outdatedTokens is the condition of the tokens that the change invalidates.
const outdatedTokens = `invalidated_at IS NULL AND purpose <> 'CANCEL_CHANGE' AND (
    (:set_password AND purpose <> 'VERIFY_EMAIL') OR (:set_email AND purpose = 'CONFIRM_CHANGE')
    OR (:set_email AND ` + atOnce + ` AND address_canonical <> :email_canonical
      AND EXISTS (SELECT 1 FROM users WHERE id = :user AND email_verified_at IS NULL)))`

// pendingTaken tells whether somebody else proved to own the pending address.
const pendingTaken = `EXISTS (SELECT 1 FROM users w WHERE w.email_canonical = u.pending_email_canonical
  AND w.email_verified_at IS NOT NULL AND w.id <> u.id)`

var changeAccount = writes("changeAccount",
	`WITH u AS (`+setAccount+alivePostgres+`) RETURNING *
), x AS (
  UPDATE sessions SET revoked_at = :now, revoked_reason = :reason WHERE id IN (
    SELECT id FROM sessions WHERE :end_others AND user_id = (SELECT id FROM u) AND id <> :session AND `+alivePostgres+`
    ORDER BY id FOR UPDATE
  )
), o AS (
  UPDATE one_time_tokens SET invalidated_at = :now WHERE user_id = (SELECT id FROM u) AND `+outdatedTokens+`
), k AS (
  UPDATE api_keys SET revoked_at = :now WHERE :end_keys AND user_id = (SELECT id FROM u) AND revoked_at IS NULL
), r AS (
  `+dropRemembered+` WHERE :end_others AND user_id = (SELECT id FROM u) AND session_id <> :session
), t AS (
  DELETE FROM throttles WHERE account_key = (SELECT id FROM u) AND scope IN (
    SELECT scope FROM throttles WHERE account_key = :user AND :scope::text IS NOT NULL AND scope IN (:scope, '*')
    ORDER BY scope FOR UPDATE)
), a AS (`+insertEvent+` SELECT `+eventValues+` FROM u
) SELECT `+userColumns+`, `+sessionColumns+`,
`+pendingTaken+` AS taken
FROM u JOIN sessions s ON s.id = :session`,
	setAccount+aliveSQLite+`)`,
	insertEvent+` SELECT `+eventValues+` FROM users WHERE id = :user AND changes() = 1`,
	`UPDATE sessions SET revoked_at = :now, revoked_reason = :reason
WHERE :end_others AND user_id = :user AND id <> :session AND `+aliveSQLite+ifRecorded,
	`UPDATE one_time_tokens SET invalidated_at = :now WHERE user_id = :user AND `+outdatedTokens+ifRecorded,
	`UPDATE api_keys SET revoked_at = :now WHERE :end_keys AND user_id = :user AND revoked_at IS NULL`+ifRecorded,
	dropRemembered+` WHERE :end_others AND user_id = :user AND session_id <> :session`+ifRecorded,
	`DELETE FROM throttles WHERE account_key = :user AND :scope IS NOT NULL AND scope IN (:scope, '*')`+ifRecorded,
	`SELECT `+userColumns+`, `+sessionColumns+`,
`+pendingTaken+` AS taken
FROM users u JOIN sessions s ON s.id = :session WHERE u.id = :user`+ifRecorded,
)

// ChangeAccount makes the change, and gives the person and the session after it. The answer is nil when the session is
// over, or the password of the proof is not in force any more. When somebody else has a name, nothing changes, and
// taken says which (ID-02).
//
// It waits for concurrent sign-ins and changes of the account, so that a session that starts meanwhile by the old
// password ends too.
func (d *DB) ChangeAccount(ctx context.Context, c *Change, now time.Time) (changed *Caller, taken *Taken, err error) {
	hash, scope := c.proof()
	to, session := c.To, c.By.Session.ID
	e := Event{Action: c.Action, Note: c.Note, User: c.By.User.ID, Sess: session}
	if c.Proof != nil {
		e.Methods = []AuthMethod{AuthPassword} // the factor that was shown (AU-01)
	}
	p := params{
		{"session", session},
		{"now", now},
		{"user", c.By.User.ID},
		{"proof_hash", hash},
		{"set_name", c.Name},
		{"name", to.Name},
		{"set_username", c.Username},
		{"username", to.Username},
		{"username_canonical", to.UsernameCanonical},
		{"set_metadata", c.Metadata},
		{"metadata", to.Metadata},
		{"set_locale", c.Locale},
		{"locale", to.Locale},
		{"set_email", c.Email},
		{"email", to.Email},
		{"email_canonical", to.EmailCanonical},
		{"at_once", c.AtOnce},
		{"no_mail", c.NoMail},
		{"set_password", c.Password},
		{"password_hash", to.PasswordHash},
		{"end_others", c.EndOthers},
		{"end_keys", c.EndKeys},
		{"reason", c.Action.Done},
		{"scope", scope},
	}.with(eventParams(ctx, e, now))
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
	read := func(tx *sql.Tx) error { return d.lockForChange(ctx, tx, c, &was) }
	found, err := d.queryRow(ctx, changeAccount, p, &is, before(read), after(mails))
	if taken := takenBy(err); taken != nil {
		return nil, taken, nil
	}
	if err == nil && !found && c.Email && c.AtOnce {
		if taken, err = d.taken(ctx, c.By.User.ID, &to.EmailCanonical, nil); err == nil && taken.Email {
			return nil, taken, nil
		}
	}
	if err != nil || !found {
		return nil, nil, err
	}
	return &Caller{User: is.User, Session: is.Session}, nil, nil
}

// lockForChange reads the address of the account before the change, and locks the account, and then an address that it
// shows at once: see lockHolders.
func (d *DB) lockForChange(ctx context.Context, tx *sql.Tx, c *Change, was *User) error {
	if err := d.lockAccount(ctx, tx, c.By.User.ID, was); err != nil || !c.Email || !c.AtOnce || !d.Postgres() {
		return err
	}
	return lockIn(ctx, tx, lockAddress, params{{"address", c.To.EmailCanonical}})
}
