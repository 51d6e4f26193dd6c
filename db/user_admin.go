package db

import (
	"context"
	"database/sql"
	"strings"
	"time"
)

// What administrators and operators do to accounts. Only a caller with all permissions of an administrator may change
// an administrator (AZ-07), and the last active administrator stays one (AZ-06).

// lockAdmins locks an account and all active administrators. Of several who stop being administrators at once, the last
// one sees that it is the last.
var lockAdmins = onPostgres("lockAdmins", `SELECT 1 FROM users
WHERE id = :user OR (role = 'admin' AND status = 'ACTIVE') ORDER BY id FOR NO KEY UPDATE`)

// notLastAdmin is the condition under which the account :user may stop being an active administrator.
const notLastAdmin = `(role <> 'admin' OR status <> 'ACTIVE'
  OR EXISTS (SELECT 1 FROM users o WHERE o.role = 'admin' AND o.status = 'ACTIVE' AND o.id <> :user))`

// Rejection says why the change of an administrator did not happen. At most one of its parts is set.
type Rejection struct {
	NotFound   bool // the account does not exist
	AdminsOnly bool // the account is an administrator, and the caller may less
	LastAdmin  bool // no administrator would be left
	Taken      Taken
}

// rejectionOf reads the answer of a statement that changed nothing. was is the role of the account, "" for no account.
func rejectionOf(was string, canManageAdmins bool) *Rejection {
	switch {
	case was == "":
		return &Rejection{NotFound: true}
	case was == RoleAdmin && !canManageAdmins:
		return &Rejection{AdminsOnly: true}
	}
	return &Rejection{LastAdmin: true}
}

const insertUser = `INSERT INTO users (id, number, email, email_canonical, email_verified_at, username,
  username_canonical, name,
  metadata, role, status, password_hash, created_at, updated_at, invited)
SELECT :user, :number, :email, :email_canonical, :email_verified_at, :username, :username_canonical, :name,
  :metadata, :role, :status, :password_hash, :now, :now, :invited WHERE true
ON CONFLICT DO NOTHING`

var createUser = writes("createUser",
	`WITH u AS (`+insertUser+` RETURNING id), a AS (`+insertEventWithActor+` SELECT `+eventWithActorValues+` FROM u
) SELECT count(*) AS n FROM u`,
	insertUser,
	insertEventWithActor+` SELECT `+eventWithActorValues+` WHERE changes() = 1`,
	`SELECT changes() AS n`,
)

// CreateUser makes the account of another person, with its event e, draws its number and queues the mails. When a name
// is taken it makes nothing, and the answer says which.
func (d *DB) CreateUser(ctx context.Context, u *User, e Event, mails ...*Mail) (*Taken, error) {
	e.User = u.ID
	for range numberDraws {
		u.Number = randomNumber()
		p := u.params().with(params{{"status", string(u.Status)}}).with(eventWithActorParams(ctx, e, u.CreatedAt))
		var made struct {
			N int `bun:"n"`
		}
		var queue txStep
		if len(mails) > 0 {
			queue = func(tx *sql.Tx) error {
				if made.N == 0 {
					return nil
				}
				return d.mailIn(ctx, tx, mails...)
			}
		}
		_, err := d.queryRow(ctx, createUser, p, &made, after(queue))
		if err != nil || made.N == 1 {
			return nil, err
		}
		taken, err := d.taken(ctx, u.ID, &u.EmailCanonical, u.UsernameCanonical)
		if err != nil || *taken != (Taken{}) {
			return taken, err
		}
	}
	return nil, errNoFreeNumber
}

// UserChange lists what changes of an account. Parts that are nil or not set stay.
type UserChange struct {
	Email, EmailCanonical *string // both or none; the new address counts as confirmed

	SetUsername                 bool
	Username, UsernameCanonical *string

	SetName bool
	Name    *string

	SetMetadata bool
	Metadata    JSONObject

	Role   *string
	Status *UserStatus // SUSPENDED ends the sessions too

	// Mails gives the mails to queue with a change of the address; was and is are the person before and after it. Nil
	// for none.
	Mails func(was, is *User) []*Mail
}

const setUser = `UPDATE users SET updated_at = :now,
    email = coalesce(:email, email), email_canonical = coalesce(:email_canonical, email_canonical),
    email_verified_at = CASE WHEN :email_canonical IS NULL THEN email_verified_at ELSE :now END,
    pending_email = CASE WHEN :email_canonical IS NULL THEN pending_email END,
    pending_email_canonical = CASE WHEN :email_canonical IS NULL THEN pending_email_canonical END,
    pending_shown = pending_shown AND :email_canonical IS NULL,
    username = CASE WHEN :set_username THEN :username ELSE username END,
    username_canonical = CASE WHEN :set_username THEN :username_canonical ELSE username_canonical END,
    name = CASE WHEN :set_name THEN :name ELSE name END,
    metadata = CASE WHEN :set_metadata THEN :metadata ELSE metadata END,
    role = coalesce(:role, role), status = coalesce(:status, status)
  WHERE id = :user AND (:can_manage_admins OR role <> 'admin')
    AND ((coalesce(:role, 'admin') = 'admin' AND coalesce(:status, 'ACTIVE') = 'ACTIVE') OR ` + notLastAdmin + `)`

var changeUser = writes("changeUser",
	`WITH u AS (`+setUser+` RETURNING *
), l AS (
  SELECT id FROM sessions WHERE :status = 'SUSPENDED' AND user_id = (SELECT id FROM u) AND revoked_at IS NULL
  ORDER BY id FOR UPDATE
), s AS (
  UPDATE sessions SET revoked_at = :now, revoked_reason = 'user.suspended' WHERE id IN (SELECT id FROM l)
), o AS (
  UPDATE one_time_tokens SET invalidated_at = :now
  WHERE user_id = (SELECT id FROM u WHERE :email_canonical IS NOT NULL) AND invalidated_at IS NULL
), a AS (`+insertEventWithActor+` SELECT `+eventWithActorValues+` FROM u
) SELECT `+userColumns+`, coalesce(x.role, '') AS was
FROM (SELECT 1) one LEFT JOIN u ON true LEFT JOIN users x ON x.id = :user`,
	setUser,
	insertEventWithActor+` SELECT `+eventWithActorValues+` WHERE changes() = 1`,
	`UPDATE sessions SET revoked_at = :now, revoked_reason = 'user.suspended'
WHERE :status = 'SUSPENDED' AND user_id = :user AND revoked_at IS NULL`+ifRecorded,
	`UPDATE one_time_tokens SET invalidated_at = :now
WHERE :email_canonical IS NOT NULL AND user_id = :user AND invalidated_at IS NULL`+ifRecorded,
	`SELECT `+userColumns+`, coalesce(x.role, '') AS was
FROM (SELECT 1) one LEFT JOIN users x ON x.id = :user LEFT JOIN users u ON u.id = :user`+ifRecorded,
)

// ChangeUser changes an account, with its event e, and gives the account after the change. canManageAdmins tells
// whether the caller may all that administrators may. A Rejection means that nothing changed. A new address invalidates
// all earlier tokens, revert links too: the administrator decides whose account it is.
func (d *DB) ChangeUser(
	ctx context.Context, id UserID, c *UserChange, canManageAdmins bool, e Event, now time.Time,
) (*User, *Rejection, error) {
	e.User = id
	p := params{
		{"user", id},
		{"now", now},
		{"can_manage_admins", canManageAdmins},
		{"email", c.Email},
		{"email_canonical", c.EmailCanonical},
		{"set_username", c.SetUsername},
		{"username", c.Username},
		{"username_canonical", c.UsernameCanonical},
		{"set_name", c.SetName},
		{"name", c.Name},
		{"set_metadata", c.SetMetadata},
		{"metadata", c.Metadata},
		{"role", c.Role},
		{"status", (*string)(c.Status)},
	}.with(eventWithActorParams(ctx, e, now))
	var row struct {
		User User   `bun:"embed:u_"`
		Was  string `bun:"was"`
	}
	var was User
	read := func(tx *sql.Tx) error {
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
	lock := locking(lockAdmins, params{{"user", id}})
	_, err := d.queryRow(ctx, changeUser, p, &row, lock, before(read), after(queue))
	blocked := takenBy(err)
	switch {
	case blocked != nil:
		taken, err := d.taken(ctx, id, c.EmailCanonical, c.UsernameCanonical)
		if *taken == (Taken{}) {
			taken = blocked // the other account gave the name up meanwhile
		}
		return nil, &Rejection{Taken: *taken}, err
	case err != nil:
		return nil, nil, err
	case row.User.ID.IsZero():
		return nil, rejectionOf(row.Was, canManageAdmins), nil
	}
	return &row.User, nil, nil
}

// Note lists what changes of the account, one word each, for the audit log.
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
