package db

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Change is one step of a person on their own account: all of it happens or none.
type Change struct {
	By    *Caller  // who asks, by a session that has to be alive still
	Proof *Attempt // whose password was just found right; nil where none was asked for

	// To holds the new values, and the flags say which of them count.
	To                                        *User
	Name, Username, Metadata, Email, Password bool

	EndOthers bool   // whether the other sessions end
	Action    string // of the event, and the reason that the ended sessions bear
	Note      string // of the event
}

// proof gives the hash that has to be in force still, and the address of the bucket whose failures are forgotten.
func (c *Change) proof() (hash, address *string) {
	if c.Proof == nil {
		return nil, nil
	}
	return &c.Proof.User.PasswordHash, &c.Proof.bucket.address
}

// A new address is not confirmed; the same one in another spelling stays what it was.
var changeAccount = statement{
	postgres: `WITH u AS (
  UPDATE users SET updated_at = $2, name = CASE WHEN $5 THEN $6 ELSE name END,
    username = CASE WHEN $7 THEN $8 ELSE username END, username_canonical = CASE WHEN $7 THEN $9 ELSE username_canonical END,
    metadata = CASE WHEN $10 THEN $11 ELSE metadata END,
    email = CASE WHEN $12 THEN $13 ELSE email END, email_canonical = CASE WHEN $12 THEN $14 ELSE email_canonical END,
    email_verified_at = CASE WHEN $12 AND email_canonical <> $14 THEN NULL ELSE email_verified_at END,
    password_hash = CASE WHEN $15 THEN $16 ELSE password_hash END
  WHERE id = $3 AND status = 'ACTIVE' AND ($4::text IS NULL OR password_hash = $4)
  AND EXISTS (SELECT 1 FROM sessions WHERE id = $1 AND user_id = $3 AND ` + alivePostgres + `) RETURNING *
), x AS (
  UPDATE sessions SET revoked_at = $2, revoked_reason = $18 WHERE id IN (
    SELECT id FROM sessions WHERE $17 AND user_id = (SELECT id FROM u) AND id <> $1 AND ` + alivePostgres + ` ORDER BY id FOR UPDATE
  )
), t AS (
  DELETE FROM throttles WHERE subject = (SELECT id FROM u) AND address = $19
), a AS (` + insertEvent + ` SELECT $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32 FROM u
) SELECT ` + userColumns + `, ` + sessionColumns + ` FROM u JOIN sessions s ON s.id = $1`,
	sqlite: []string{
		`UPDATE users SET updated_at = ?2, name = CASE WHEN ?5 THEN ?6 ELSE name END,
  username = CASE WHEN ?7 THEN ?8 ELSE username END, username_canonical = CASE WHEN ?7 THEN ?9 ELSE username_canonical END,
  metadata = CASE WHEN ?10 THEN ?11 ELSE metadata END,
  email = CASE WHEN ?12 THEN ?13 ELSE email END, email_canonical = CASE WHEN ?12 THEN ?14 ELSE email_canonical END,
  email_verified_at = CASE WHEN ?12 AND email_canonical <> ?14 THEN NULL ELSE email_verified_at END,
  password_hash = CASE WHEN ?15 THEN ?16 ELSE password_hash END
WHERE id = ?3 AND status = 'ACTIVE' AND (?4 IS NULL OR password_hash = ?4)
AND EXISTS (SELECT 1 FROM sessions WHERE id = ?1 AND user_id = ?3 AND ` + aliveSQLite + `)`,
		insertEvent + ` SELECT ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30, ?31, ?32 FROM users WHERE id = ?3 AND changes() = 1`,
		`UPDATE sessions SET revoked_at = ?2, revoked_reason = ?18
WHERE ?17 AND user_id = ?3 AND id <> ?1 AND ` + aliveSQLite + ` AND EXISTS (SELECT 1 FROM audit_events WHERE id = ?20)`,
		`DELETE FROM throttles WHERE subject = ?3 AND address = ?19 AND EXISTS (SELECT 1 FROM audit_events WHERE id = ?20)`,
		`SELECT ` + userColumns + `, ` + sessionColumns + ` FROM users u JOIN sessions s ON s.id = ?1
WHERE u.id = ?3 AND EXISTS (SELECT 1 FROM audit_events WHERE id = ?20)`,
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
		c.Email, to.Email, to.EmailCanonical, c.Password, to.PasswordHash, c.EndOthers, c.Action, address,
	}
	e := Event{Action: c.Action, Note: c.Note, User: c.By.User.ID, Sess: session}
	if c.Proof != nil {
		e.Methods = []AuthMethod{AuthPassword} // the factor that was shown (AU-01)
	}
	var changed Caller
	found, err := d.getLocked(ctx, c.By.User.ID, &changeAccount, &changed, append(args, eventArgs(ctx, e, now)...)...)
	if taken := takenBy(err); taken != nil {
		return nil, taken, nil
	}
	if err != nil || !found {
		return nil, nil, err
	}
	return &changed, nil, nil
}

// takenBy reads which unique name of an account stood in the way; nil for any other error and for none.
func takenBy(err error) *Taken {
	var what string
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok && pg.Code == "23505" {
		what = pg.ConstraintName
	}
	if lite, ok := errors.AsType[*sqlite.Error](err); ok && lite.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE {
		what = lite.Error()
	}
	t := Taken{Email: strings.Contains(what, "email_canonical"), Username: strings.Contains(what, "username_canonical")}
	if t == (Taken{}) {
		return nil
	}
	return &t
}

var sudo = statement{
	postgres: `WITH s AS (
  UPDATE sessions SET authenticated_at = $2 WHERE id = $1 AND user_id = $3 AND ` + alivePostgres + `
  AND EXISTS (SELECT 1 FROM users WHERE users.id = $3 AND status = 'ACTIVE' AND password_hash = $4) RETURNING user_id
), t AS (
  DELETE FROM throttles WHERE subject = (SELECT user_id FROM s) AND address = $5
), a AS (` + insertEvent + ` SELECT $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18 FROM s
) SELECT count(*) AS n FROM s`,
	sqlite: []string{
		`UPDATE sessions SET authenticated_at = ?2 WHERE id = ?1 AND user_id = ?3 AND ` + aliveSQLite + `
AND EXISTS (SELECT 1 FROM users WHERE users.id = ?3 AND status = 'ACTIVE' AND password_hash = ?4)`,
		insertEvent + ` SELECT ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18
FROM sessions WHERE id = ?1 AND changes() = 1`,
		`DELETE FROM throttles WHERE subject = ?3 AND address = ?5 AND EXISTS (SELECT 1 FROM audit_events WHERE id = ?6)`,
		`SELECT count(*) AS n FROM audit_events WHERE id = ?6`,
	},
}

// Sudo notes that the person behind a session just proved themselves by the password of a, and forgets the failures of its
// bucket. It tells whether the session is alive and the password in force still.
func (d *DB) Sudo(ctx context.Context, session SessionID, a *Attempt, now time.Time) (bool, error) {
	e := Event{Action: "sudo", User: a.User.ID, Sess: session, Methods: []AuthMethod{AuthPassword}}
	args := []any{session, now, a.User.ID, a.User.PasswordHash, a.bucket.address}
	n, err := d.count(ctx, &sudo, append(args, eventArgs(ctx, e, now)...)...)
	return n == 1, err
}
