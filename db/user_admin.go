package db

import (
	"context"
	"database/sql"
	"strings"
	"time"
)

// What administrators and operators do to accounts. Actor says who may, and the last active administrator stays one
// (AZ-06).

// lockAdmins locks an account and all active administrators. Of several who stop being administrators at once, the last
// one sees that it is the last.
var lockAdmins = onPostgres("lockAdmins", `SELECT 1 FROM users
WHERE id = :user OR (`+holdsAll+` AND status = 'ACTIVE') ORDER BY id FOR NO KEY UPDATE`)

// notLastAdmin is the condition under which the account :user may stop being an active administrator.
const notLastAdmin = `(NOT ` + holdsAll + ` OR status <> 'ACTIVE'
  OR EXISTS (SELECT 1 FROM users o WHERE ` + holdsAll + ` AND o.status = 'ACTIVE' AND o.id <> :user))`

const insertUser = `INSERT INTO users (id, number, email, email_canonical, email_verified_at, username,
  username_canonical, name,
  metadata, role, status, password_hash, created_at, updated_at, invited)
SELECT :user, :number, :email, :email_canonical, :email_verified_at, :username, :username_canonical, :name,
  :metadata, :role, :status, :password_hash, :now, :now, :invited WHERE `

var createUser = writes("createUser",
	`WITH u AS (`+insertUser+verdictPostgres+` = 'ok'
  ON CONFLICT DO NOTHING RETURNING id
), a AS (`+insertEventWithActor+` SELECT `+eventWithActorValues+` FROM u
) SELECT (SELECT count(*) FROM u) AS n, `+verdictPostgres+` AS verdict`,
	insertUser+verdictSQLite+` = 'ok'
ON CONFLICT DO NOTHING`,
	insertEventWithActor+` SELECT `+eventWithActorValues+` WHERE changes() = 1`,
	`SELECT changes() AS n, `+verdictSQLite+` AS verdict`,
)

// CreateUser makes the account of another person, with its event e, draws its number and queues the mails. A Rejection
// means that nothing was made.
func (d *DB) CreateUser(ctx context.Context, by *Actor, u *User, e Event, mails ...*Mail) (*Rejection, error) {
	e = by.event(e)
	e.User = u.ID
	made := deed{needs: UsersWrite, makes: true, gives: u.BeyondUser(), vouches: u.EmailVerified()}
	for range numberDraws {
		u.Number = randomNumber()
		p := u.params().with(params{{"status", string(u.Status)}}, made.params(by, u.CreatedAt),
			eventWithActorParams(ctx, e, u.CreatedAt))
		var row struct {
			N       int    `bun:"n"`
			Verdict string `bun:"verdict"`
		}
		var queue txStep
		if len(mails) > 0 {
			queue = func(tx *sql.Tx) error {
				if row.N == 0 {
					return nil
				}
				return d.mailIn(ctx, tx, mails...)
			}
		}
		_, err := d.queryRow(ctx, createUser, p, &row, after(queue))
		switch {
		case err != nil || row.N == 1:
			return nil, err
		case row.Verdict != "ok":
			return rejection(row.Verdict), nil
		}
		taken, err := d.taken(ctx, u.ID, &u.EmailCanonical, u.UsernameCanonical)
		if err != nil || *taken != (Taken{}) {
			return &Rejection{Why: NameTaken, Taken: *taken}, err
		}
	}
	return nil, errNoFreeNumber
}

// UserChange lists what changes of an account. Parts that are nil or not set stay.
type UserChange struct {
	// Email and EmailCanonical are both set or none. A new address that somebody else gives ends whatever opened the
	// account before, and all its tokens, and is not confirmed; one that the person gives waits, as in ChangeAccount.
	Email, EmailCanonical *string
	EmailConfirmed        bool // the operator typed the address

	// KeepPassword is for a server that sends no mail: there nothing could set another password.
	KeepPassword bool

	SetUsername                 bool
	Username, UsernameCanonical *string

	SetName bool
	Name    *string

	SetMetadata bool
	Metadata    JSONObject

	Role   *string
	Status *UserStatus // SUSPENDED ends the sessions too

	// Mails gives the mails to queue with a change of the address; was and is are the person before and after it, and
	// taken tells whether the pending address is somebody else's. Nil for none.
	Mails func(was, is *User, taken bool) []*Mail
}

// deed is the change as the verdict sees it.
func (c *UserChange) deed() deed {
	d := deed{needs: UsersWrite, email: c.Email}
	if c.Role != nil {
		d.gives = (&User{Role: *c.Role}).BeyondUser()
	}
	return d
}

// addressGiven is the condition of another address, or another spelling of it; addressWaits that of one that waits,
// since the person gives it; addressMoves that of one that counts at once.
const (
	addressGiven = `(CAST(:email AS text) IS NOT NULL AND coalesce(email, '') <> :email)`
	addressWaits = `(` + addressGiven + ` AND :own AND email_canonical IS DISTINCT FROM :email_canonical)`
	addressMoves = `(` + addressGiven + ` AND NOT :own AND email_canonical IS DISTINCT FROM :email_canonical)`

	setUser = `UPDATE users SET updated_at = :now,
    email = CASE WHEN NOT ` + addressGiven + ` OR ` + addressWaits + ` THEN email ELSE :email END,
    email_canonical = CASE WHEN ` + addressMoves + ` THEN :email_canonical ELSE email_canonical END,
    email_verified_at = CASE WHEN ` + addressMoves + ` THEN CASE WHEN :email_confirmed THEN :now END
      WHEN :email_confirmed THEN coalesce(email_verified_at, :now) ELSE email_verified_at END,
    pending_email = CASE WHEN NOT ` + addressGiven + ` THEN pending_email WHEN ` + addressWaits + ` THEN :email END,
    pending_email_canonical = CASE WHEN NOT ` + addressGiven + ` THEN pending_email_canonical
      WHEN ` + addressWaits + ` THEN :email_canonical END,
    pending_shown = pending_shown AND NOT ` + addressGiven + `, invited = invited OR ` + addressMoves + `,
    password_hash = CASE WHEN ` + addressMoves + ` AND NOT :keep_password THEN NULL ELSE password_hash END,
    devices_cleared_at = CASE WHEN ` + addressMoves + ` THEN :now ELSE devices_cleared_at END,
    taken_over_at = CASE WHEN ` + addressMoves + ` THEN :now ELSE taken_over_at END,
    mfa_enabled_at = CASE WHEN ` + addressMoves + ` THEN NULL ELSE mfa_enabled_at END,
    auth_version = CASE WHEN ` + addressMoves + ` OR :status = 'SUSPENDED' THEN auth_version + 1 ELSE auth_version END,
    phone = CASE WHEN ` + addressMoves + ` AND phone_verified_at IS NOT NULL THEN NULL ELSE phone END,
    phone_verified_at = CASE WHEN ` + addressMoves + ` THEN NULL ELSE phone_verified_at END,
    username = CASE WHEN :set_username THEN :username ELSE username END,
    username_canonical = CASE WHEN :set_username THEN :username_canonical ELSE username_canonical END,
    name = CASE WHEN :set_name THEN :name ELSE name END,
    metadata = CASE WHEN :set_metadata THEN :metadata ELSE metadata END,
    role = coalesce(:role, role), status = coalesce(:status, status)
  WHERE id = :user`

	keepsAdmin = `((coalesce(:role, '` + RoleAdmin + `') = '` + RoleAdmin +
		`' AND coalesce(:status, 'ACTIVE') = 'ACTIVE')
  OR ` + notLastAdmin + `)`

	endedByChange = `CASE WHEN :status = 'SUSPENDED' THEN 'user.suspended' ELSE 'user.updated' END`

	afterUserChange = userColumns + `, ` + pendingTaken + ` AS taken`

	// Mails about earlier changes of the address, which were not sent yet, lose their links (AZ-20). A change that
	// waited is off, and is not told of any more.
	unlinkMails = `UPDATE mails SET ttl_seconds = 0, token_id = NULL WHERE kind = 'email-changed' AND state <> 'SENT'`
	dropMails   = `DELETE FROM mails WHERE kind = 'change-asked' AND state <> 'SENT'`

	// On SQLite the steps that end what was before run before the address changes.
	ifMovesSQLite = ` AND EXISTS (SELECT 1 FROM users WHERE id = :user AND ` + addressMoves + `)` + ifRecorded
	ofMoved       = ` AND user_id = (SELECT id FROM u) AND (SELECT moved FROM w)`
)

var changeUser = writes("changeUser",
	`WITH w AS (
  SELECT `+addressGiven+` AS given, `+addressMoves+` AS moved FROM users WHERE id = :user
), u AS (`+setUser+` AND `+verdictPostgres+` = 'ok' AND `+keepsAdmin+` RETURNING *
), l AS (
  SELECT id FROM sessions
  WHERE (:status = 'SUSPENDED' OR (SELECT moved FROM w)) AND user_id = (SELECT id FROM u) AND revoked_at IS NULL
  ORDER BY id FOR UPDATE
), s AS (
  UPDATE sessions SET revoked_at = :now, revoked_reason = `+endedByChange+` WHERE id IN (SELECT id FROM l)
), o AS (
  UPDATE one_time_tokens SET invalidated_at = :now
  WHERE user_id = (SELECT id FROM u) AND invalidated_at IS NULL
    AND ((SELECT moved FROM w) OR ((SELECT given FROM w) AND purpose = 'CONFIRM_CHANGE'))
), k AS (
  UPDATE api_keys SET revoked_at = :now WHERE revoked_at IS NULL`+ofMoved+`
), d AS (
  DELETE FROM known_devices WHERE true`+ofMoved+`
), i AS (
  `+dropIdentities+` WHERE true`+ofMoved+`
), q AS (
  `+dropTOTP+` WHERE true`+ofMoved+`
), qc AS (
  `+dropCodes+` WHERE true`+ofMoved+`
), qr AS (
  `+dropRemembered+` WHERE true`+ofMoved+`
), m AS (`+unlinkMails+ofMoved+`), c AS (`+dropMails+ofMoved+`
), e AS (`+insertEventWithActor+` SELECT `+eventWithActorValues+` FROM u
) SELECT `+afterUserChange+`, `+verdictPostgres+` AS verdict
FROM (SELECT 1) one LEFT JOIN u ON true`,
	insertEventWithActor+` SELECT `+eventWithActorValues+`
FROM users WHERE id = :user AND `+verdictSQLite+` = 'ok' AND `+keepsAdmin,
	`UPDATE api_keys SET revoked_at = :now WHERE user_id = :user AND revoked_at IS NULL`+ifMovesSQLite,
	`DELETE FROM known_devices WHERE user_id = :user`+ifMovesSQLite,
	dropIdentities+` WHERE user_id = :user`+ifMovesSQLite,
	dropTOTP+` WHERE user_id = :user`+ifMovesSQLite,
	dropCodes+` WHERE user_id = :user`+ifMovesSQLite,
	dropRemembered+` WHERE user_id = :user`+ifMovesSQLite,
	unlinkMails+` AND user_id = :user`+ifMovesSQLite,
	dropMails+` AND user_id = :user`+ifMovesSQLite,
	`UPDATE sessions SET revoked_at = :now, revoked_reason = `+endedByChange+`
WHERE user_id = :user AND revoked_at IS NULL
  AND (:status = 'SUSPENDED' OR EXISTS (SELECT 1 FROM users WHERE id = :user AND `+addressMoves+`))`+ifRecorded,
	`UPDATE one_time_tokens SET invalidated_at = :now
WHERE user_id = :user AND invalidated_at IS NULL AND EXISTS (
  SELECT 1 FROM users WHERE id = :user AND (`+addressMoves+` OR (`+addressGiven+` AND purpose = 'CONFIRM_CHANGE')))`+
		ifRecorded,
	setUser+ifRecorded,
	`SELECT `+afterUserChange+`, `+verdictSQLite+` AS verdict
FROM (SELECT 1) one LEFT JOIN users u ON u.id = :user`+ifRecorded,
)

// ChangeUser changes an account, with its event e, and gives the account after the change. A Rejection means that
// nothing changed. An address that somebody else gives invalidates all earlier tokens, revert links too, and ends the
// password, sessions, API keys, known devices, identities at other providers and the secret of an authenticator app:
// the administrator decides whose account it is (AZ-20, AZ-21). The mails that waited for the account to be active are
// sent once it is.
func (d *DB) ChangeUser(
	ctx context.Context, by *Actor, id UserID, c *UserChange, e Event, now time.Time,
) (*User, *Rejection, error) {
	e = by.event(e)
	e.User = id
	var row struct {
		User    User   `bun:"embed:u_"`
		Taken   bool   `bun:"taken"` // the pending address, by somebody else
		Verdict string `bun:"verdict"`
	}
	var was User
	read := func(tx *sql.Tx) error {
		if c.Mails == nil {
			return nil
		}
		return d.lockAccount(ctx, tx, id, &was)
	}
	queue := func(tx *sql.Tx) error {
		if row.User.ID.IsZero() {
			return nil
		}
		if c.Status != nil && *c.Status == UserActive {
			if err := d.wakeMails(ctx, tx, id); err != nil {
				return err
			}
		}
		if c.Mails == nil {
			return nil
		}
		return d.queueIn(ctx, tx, c.Mails(&was, &row.User, row.Taken))
	}
	p := c.params(by, id).with(c.deed().params(by, now), eventWithActorParams(ctx, e, now))
	lock := locking(lockAdmins, params{{"user", id}})
	_, err := d.queryRow(ctx, changeUser, p, &row, lock, before(read), after(queue))
	blocked := takenBy(err)
	switch {
	case blocked != nil:
		taken, err := d.taken(ctx, id, c.EmailCanonical, c.UsernameCanonical)
		if *taken == (Taken{}) {
			taken = blocked // the other account gave the name up meanwhile
		}
		return nil, &Rejection{Why: NameTaken, Taken: *taken}, err
	case err != nil:
		return nil, nil, err
	case row.User.ID.IsZero():
		return nil, rejection(row.Verdict), nil
	}
	return &row.User, nil, nil
}

// params are the new values.
func (c *UserChange) params(by *Actor, id UserID) params {
	return params{
		{"user", id},
		{"own", by.User == id},
		{"email", c.Email},
		{"email_canonical", c.EmailCanonical},
		{"email_confirmed", c.EmailConfirmed},
		{"keep_password", c.KeepPassword},
		{"set_username", c.SetUsername},
		{"username", c.Username},
		{"username_canonical", c.UsernameCanonical},
		{"set_name", c.SetName},
		{"name", c.Name},
		{"set_metadata", c.SetMetadata},
		{"metadata", c.Metadata},
		{"role", c.Role},
		{"status", (*string)(c.Status)},
	}
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
