package db

import (
	"context"
	"database/sql"
	"strings"
	"time"
)

// What administrators and operators do to accounts. An account whose role is admin is out of canManageAdmins for a caller who may less
// than that role (AZ-07), and the last active administrator stays one (AZ-06).

// lockAdmins locks the account that is $1 and all active administrators, so that of several who are about to go at the same
// moment the last one sees that it is the last.
const lockAdmins = `SELECT 1 FROM users WHERE id = $1 OR (role = 'admin' AND status = 'ACTIVE') ORDER BY id FOR NO KEY UPDATE`

// The condition under which the account that is parameter 1 may stop being an active administrator.
const (
	notLastAdminPostgres = `(role <> 'admin' OR status <> 'ACTIVE'
  OR EXISTS (SELECT 1 FROM users o WHERE o.role = 'admin' AND o.status = 'ACTIVE' AND o.id <> $1))`
	notLastAdminSQLite = `(role <> 'admin' OR status <> 'ACTIVE'
  OR EXISTS (SELECT 1 FROM users o WHERE o.role = 'admin' AND o.status = 'ACTIVE' AND o.id <> ?1))`
)

// Rejection says why an administrator's change did not happen. At most one of its parts is set.
type Rejection struct {
	NotFound   bool // there is no such account
	AdminsOnly bool // its role allows more than the caller may
	LastAdmin  bool // nobody would be left who can administer
	Taken      Taken
}

// rejectionOf reads the answer of a statement that changed nothing. was is the role of the account, "" where there is none.
func rejectionOf(was string, canManageAdmins bool) *Rejection {
	switch {
	case was == "":
		return &Rejection{NotFound: true}
	case was == RoleAdmin && !canManageAdmins:
		return &Rejection{AdminsOnly: true}
	}
	return &Rejection{LastAdmin: true}
}

var createUser = statement{
	postgres: `WITH u AS (
  INSERT INTO users (id, number, email, email_canonical, email_verified_at, username, username_canonical, name, metadata, role,
    status, password_hash, created_at, updated_at)
  SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $13, $11, $12, $12
  ON CONFLICT DO NOTHING RETURNING id
), a AS (` + insertEventWithActor + ` SELECT $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27 FROM u
) SELECT count(*) AS n FROM u`,
	sqlite: []string{
		`INSERT INTO users (id, number, email, email_canonical, email_verified_at, username, username_canonical, name, metadata, role,
  status, password_hash, created_at, updated_at)
SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?13, ?11, ?12, ?12 WHERE true
ON CONFLICT DO NOTHING`,
		insertEventWithActor + ` SELECT ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27 WHERE changes() = 1`,
		`SELECT changes() AS n`,
	},
}

// CreateUser makes an account on behalf of a person, with its event e. When a name is taken nothing is made, and the answer
// says which. Its number is drawn here. The mails are queued with it.
func (d *DB) CreateUser(ctx context.Context, u *User, e Event, mails ...*Mail) (*Taken, error) {
	e.User = u.ID
	for range numberDraws {
		u.Number = randomNumber()
		args := []any{
			u.ID, u.Number, u.Email, u.EmailCanonical, u.EmailVerifiedAt, u.Username, u.UsernameCanonical, u.Name, u.Metadata, u.Role,
			text(u.PasswordHash), u.CreatedAt, string(u.Status),
		}
		var made struct {
			N int `bun:"n"`
		}
		queue := func(tx *sql.Tx) error {
			if made.N == 0 {
				return nil
			}
			return d.queueIn(ctx, tx, mails)
		}
		err := d.getMailing(ctx, len(mails) > 0, queue, &createUser, &made, append(args, eventWithActorArgs(ctx, e, u.CreatedAt)...)...)
		if err != nil || made.N == 1 {
			return nil, err
		}
		taken, err := d.taken(ctx, u)
		if err != nil || *taken != (Taken{}) {
			return taken, err
		}
	}
	return nil, errNoFreeNumber
}

// UserChange says what of an account changes. Parts that are nil or not set stay.
type UserChange struct {
	Email, EmailCanonical *string // together; the address then counts as confirmed

	SetUsername                 bool
	Username, UsernameCanonical *string

	SetName bool
	Name    *string

	SetMetadata bool
	Metadata    JSONObject

	Role   *string
	Status *UserStatus // SUSPENDED ends the sessions too

	// Mails gives those to queue with a change of the address: was and is are the person before and after it. Nil for none.
	Mails func(was, is *User) []*Mail
}

var changeUser = statement{
	postgres: `WITH u AS (
  UPDATE users SET updated_at = $2, email = coalesce($4, email), email_canonical = coalesce($5, email_canonical),
    email_verified_at = CASE WHEN $5 IS NULL THEN email_verified_at ELSE $2 END,
    pending_email = CASE WHEN $5 IS NULL THEN pending_email END,
    pending_email_canonical = CASE WHEN $5 IS NULL THEN pending_email_canonical END,
    username = CASE WHEN $6 THEN $7 ELSE username END, username_canonical = CASE WHEN $6 THEN $8 ELSE username_canonical END,
    name = CASE WHEN $9 THEN $10 ELSE name END, metadata = CASE WHEN $11 THEN $12 ELSE metadata END,
    role = coalesce($13, role), status = coalesce($14, status)
  WHERE id = $1 AND ($3 OR role <> 'admin')
  AND ((coalesce($13, 'admin') = 'admin' AND coalesce($14, 'ACTIVE') = 'ACTIVE') OR ` + notLastAdminPostgres + `) RETURNING *
), l AS (
  SELECT id FROM sessions WHERE $14 = 'SUSPENDED' AND user_id = (SELECT id FROM u) AND revoked_at IS NULL ORDER BY id FOR UPDATE
), s AS (
  UPDATE sessions SET revoked_at = $2, revoked_reason = 'suspended' WHERE id IN (SELECT id FROM l)
), o AS (
  UPDATE one_time_tokens SET spent_at = $2 WHERE user_id = (SELECT id FROM u WHERE $5 IS NOT NULL) AND spent_at IS NULL
), a AS (` + insertEventWithActor + ` SELECT $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28 FROM u
) SELECT ` + userColumns + `, coalesce(x.role, '') AS was
FROM (SELECT 1) one LEFT JOIN u ON true LEFT JOIN users x ON x.id = $1`,
	sqlite: []string{
		`UPDATE users SET updated_at = ?2, email = coalesce(?4, email), email_canonical = coalesce(?5, email_canonical),
  email_verified_at = CASE WHEN ?5 IS NULL THEN email_verified_at ELSE ?2 END,
  pending_email = CASE WHEN ?5 IS NULL THEN pending_email END,
  pending_email_canonical = CASE WHEN ?5 IS NULL THEN pending_email_canonical END,
  username = CASE WHEN ?6 THEN ?7 ELSE username END, username_canonical = CASE WHEN ?6 THEN ?8 ELSE username_canonical END,
  name = CASE WHEN ?9 THEN ?10 ELSE name END, metadata = CASE WHEN ?11 THEN ?12 ELSE metadata END,
  role = coalesce(?13, role), status = coalesce(?14, status)
WHERE id = ?1 AND (?3 OR role <> 'admin')
AND ((coalesce(?13, 'admin') = 'admin' AND coalesce(?14, 'ACTIVE') = 'ACTIVE') OR ` + notLastAdminSQLite + `)`,
		insertEventWithActor + ` SELECT ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28 WHERE changes() = 1`,
		`UPDATE sessions SET revoked_at = ?2, revoked_reason = 'suspended'
WHERE ?14 = 'SUSPENDED' AND user_id = ?1 AND revoked_at IS NULL AND EXISTS (SELECT 1 FROM audit_events WHERE id = ?15)`,
		`UPDATE one_time_tokens SET spent_at = ?2
WHERE ?5 IS NOT NULL AND user_id = ?1 AND spent_at IS NULL AND EXISTS (SELECT 1 FROM audit_events WHERE id = ?15)`,
		`SELECT ` + userColumns + `, coalesce(x.role, '') AS was FROM (SELECT 1) one LEFT JOIN users x ON x.id = ?1
LEFT JOIN users u ON u.id = ?1 AND EXISTS (SELECT 1 FROM audit_events WHERE id = ?15)`,
	},
}

// ChangeUser changes an account, with its event e, and gives the account after the change. canManageAdmins tells whether the caller may
// all that administrators may. Nothing changes where the answer is a Rejection. A new address makes everything worthless that was
// mailed before, links to take another one back as well: it is the administrator who knows whose account it is.
func (d *DB) ChangeUser(ctx context.Context, id UserID, c *UserChange, canManageAdmins bool, e Event, now time.Time) (*User, *Rejection, error) {
	e.User = id
	args := []any{
		id, now, canManageAdmins, c.Email, c.EmailCanonical, c.SetUsername, c.Username, c.UsernameCanonical, c.SetName, c.Name,
		c.SetMetadata, c.Metadata, c.Role, (*string)(c.Status),
	}
	var row struct {
		User User   `bun:"embed:u_"`
		Was  string `bun:"was"`
	}
	var was User
	before := func(tx *sql.Tx) error {
		if d.Postgres() {
			if err := lockBy(ctx, tx, lockAdmins, id); err != nil {
				return err
			}
		}
		if c.Mails == nil {
			return nil
		}
		return d.lockAccount(ctx, tx, id, &was)
	}
	queue := func(tx *sql.Tx) error {
		if c.Mails == nil || row.User.ID.IsZero() {
			return nil
		}
		return d.queueIn(ctx, tx, c.Mails(&was, &row.User))
	}
	_, err := d.getAfter(ctx, before, queue, &changeUser, &row, append(args, eventWithActorArgs(ctx, e, now)...)...)
	switch {
	case isTaken(err):
		taken, err := d.takenByOthers(ctx, id, c)
		return nil, &Rejection{Taken: *taken}, err
	case err != nil:
		return nil, nil, err
	case row.User.ID.IsZero():
		return nil, rejectionOf(row.Was, canManageAdmins), nil
	}
	return &row.User, nil, nil
}

var takenByOthers = statement{
	reads: true,
	postgres: `SELECT EXISTS (SELECT 1 FROM users WHERE email_canonical = $2 AND id <> $1) AS email,
EXISTS (SELECT 1 FROM users WHERE username_canonical = $3 AND id <> $1) AS username`,
	sqlite: []string{`SELECT EXISTS (SELECT 1 FROM users WHERE email_canonical = ?2 AND id <> ?1) AS email,
EXISTS (SELECT 1 FROM users WHERE username_canonical = ?3 AND id <> ?1) AS username`},
}

// takenByOthers says which of the new names is taken: the email where neither is any more.
func (d *DB) takenByOthers(ctx context.Context, id UserID, c *UserChange) (*Taken, error) {
	var t Taken
	_, err := d.get(ctx, &takenByOthers, &t, id, c.EmailCanonical, c.UsernameCanonical)
	if t == (Taken{}) {
		t = Taken{Email: c.EmailCanonical != nil, Username: c.EmailCanonical == nil}
	}
	return &t, err
}

// Note says in one word each what of the account changes, for the audit log.
func (c *UserChange) Note() string {
	var words []string
	for _, part := range []struct {
		word string
		set  bool
	}{
		{"email", c.Email != nil},
		{"username", c.SetUsername},
		{"name", c.SetName},
		{"metadata", c.SetMetadata},
	} {
		if part.set {
			words = append(words, part.word)
		}
	}
	if c.Role != nil {
		words = append(words, "role_"+*c.Role)
	}
	if c.Status != nil {
		words = append(words, strings.ToLower(string(*c.Status)))
	}
	return strings.Join(words, " ")
}
