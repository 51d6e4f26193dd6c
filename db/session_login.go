package db

import (
	"cmp"
	"context"
	"database/sql"
	"math"
	"slices"
	"time"

	"github.com/google/uuid"
)

// Attempt is what a sign-in reads before it checks the password: the account, if there is one, and the consecutive
// failures of its bucket.
type Attempt struct {
	User     User       `bun:"embed:u_"` // zero ID when no account matches
	Known    bool       `bun:"known"`    // whether the device token of the request counts for the account
	Failures int        `bun:"failures"`
	FailedAt *time.Time `bun:"failed_at"`
	LoggedAt *time.Time `bun:"logged_at"` // when a throttled attempt last left an event

	InARow    int  `bun:"in_a_row"`   // failures in all buckets since the last success in any (LG-09)
	NewDevice bool `bun:"new_device"` // whether the account has known devices, and this one is none

	// Notices are queued with the success or the failure that they report.
	Notices Notices

	// NewHash takes the place of the password hash with the success; "" keeps it (PW-12).
	NewHash string

	Disabled bool // set by LoginFailed: this failure disabled the password

	bucket bucket
	event  Event // the common part of the events of its failures
}

// Action is the action of the events of its failures.
func (a *Attempt) Action() Action { return a.event.Action }

// FailuresWith counts the failures in a row of the bucket, with one more at now.
func (a *Attempt) FailuresWith(now time.Time) int {
	if a.FailedAt == nil || a.FailedAt.Before(now.Add(-forgetAfter)) {
		return 1
	}
	return a.Failures + 1
}

// Notices are the mails that may follow an attempt.
type Notices struct {
	NewDevice, AfterFailures []*Mail // of a success
	Disabled                 []*Mail // of the failure that disables the password
}

const (
	disablingFailures = 100 // consecutive failures in all buckets that disable the password (LG-09)
	nearlyDisabled    = 80  // from here on, concurrent failures may reach disablingFailures
)

// NearlyDisabled tells whether a further failure may disable the password.
func (a *Attempt) NearlyDisabled() bool { return a.InARow >= nearlyDisabled }

// bucket counts failures. A caller with a device token of the account has a bucket for the device (LG-21). All others
// share one bucket for each name by which the account can be called, apart from one another (LG-22); whoever is signed
// in has one for the session. An account that does not exist has a pseudonym for its key (LG-08). One more bucket, of
// the scope *, counts all failures of an account since its last success.
type bucket struct {
	accountKey uuid.UUID
	scope      string
}

// Bucket names the bucket: an account or its pseudonym, and whose failures are counted together.
func (a *Attempt) Bucket() string { return a.bucket.accountKey.String() + " " + a.bucket.scope }

// The statement of an attempt, before and after the condition that finds the account.
const (
	attemptPostgres = `SELECT ` + userColumns + `, coalesce(known, false) AS known,
  coalesce(t.failures, 0) AS failures, t.failed_at, t.logged_at, coalesce(c.failures, 0) AS in_a_row,
  EXISTS (SELECT 1 FROM known_devices d WHERE d.user_id = u.id AND :device::bytea IS NOT NULL)
    AND NOT EXISTS (SELECT 1 FROM known_devices d WHERE d.user_id = u.id AND d.device = :device) AS new_device
FROM (SELECT 1) one LEFT JOIN users u ON `
	attemptPostgresEnd = `
LEFT JOIN LATERAL (
  SELECT u.id = :shown_account AND coalesce(u.devices_cleared_at <= :shown_issued_at, true) AS known
) k ON true
LEFT JOIN throttles t ON t.account_key = coalesce(u.id, :pseudonym)
  AND t.scope = CASE WHEN known THEN :shown_scope ELSE :scope END
LEFT JOIN throttles c ON c.account_key = coalesce(u.id, :pseudonym) AND c.scope = '*'`

	attemptSQLite = `SELECT ` + userColumns + `, coalesce(u.known, 0) AS known,
  coalesce(t.failures, 0) AS failures, t.failed_at, t.logged_at, coalesce(c.failures, 0) AS in_a_row,
  EXISTS (SELECT 1 FROM known_devices d WHERE d.user_id = u.id AND :device IS NOT NULL)
    AND NOT EXISTS (SELECT 1 FROM known_devices d WHERE d.user_id = u.id AND d.device = :device) AS new_device
FROM (SELECT 1) one LEFT JOIN (
  SELECT *, id = :shown_account AND coalesce(devices_cleared_at <= :shown_issued_at, true) AS known
  FROM users WHERE `
	attemptSQLiteEnd = `) u ON true
LEFT JOIN throttles t ON t.account_key = coalesce(u.id, :pseudonym)
  AND t.scope = CASE WHEN u.known THEN :shown_scope ELSE :scope END
LEFT JOIN throttles c ON c.account_key = coalesce(u.id, :pseudonym) AND c.scope = '*'`
)

// byEmail finds the account of an address: whoever has it, else whoever shows it.
const byEmail = `coalesce((SELECT id FROM users WHERE email_canonical = :name),
  (SELECT id FROM users WHERE pending_shown AND pending_email_canonical = :name))`

var attemptByEmail = readsEach("attemptByEmail",
	attemptPostgres+`u.id = `+byEmail+attemptPostgresEnd,
	attemptSQLite+`id = `+byEmail+attemptSQLiteEnd,
)

var attemptByUsername = readsEach("attemptByUsername",
	attemptPostgres+`u.username_canonical = :name`+attemptPostgresEnd,
	attemptSQLite+`username_canonical = :name`+attemptSQLiteEnd,
)

var attemptByID = readsEach("attemptByID",
	attemptPostgres+`u.id = :name`+attemptPostgresEnd,
	attemptSQLite+`id = :name`+attemptSQLiteEnd,
)

// Identifier names the account whose password is about to be checked.
type Identifier struct {
	Account UserID // the person who is signed in already; zero in a sign-in
	Event   Event  // the action, user and session of the events of failures; the action defaults to login

	Canonical string    // canonical email or username; "" for one that nobody can have
	Username  bool      // whether Canonical is a username
	Pseudonym uuid.UUID // a keyed hash of what was typed; stands for an account that does not exist
	Session   SessionID // the session of a person who is signed in; zero in a sign-in
	Shown     Shown     // the device token of the request; zero for none
	Device    []byte    // the keyed hash of the device in a sign-in; nil otherwise
}

// Shown is what a valid device token says.
type Shown struct {
	Device   uuid.UUID
	Account  UserID
	IssuedAt time.Time
}

// Counts tells whether the token counts for the account: it is the account's, and no older than the last time that the
// devices of the account were cleared.
func (s Shown) Counts(u *User) bool {
	return !s.Account.IsZero() && s.Account == u.ID &&
		(u.DevicesClearedAt == nil || !s.IssuedAt.Before(*u.DevicesClearedAt))
}

// scope is the scope of the failures that show the token.
func (s Shown) scope() string { return "device " + s.Device.String() }

// scope is the scope of the failures of callers without a device token.
func (who *Identifier) scope() string {
	if !who.Session.IsZero() {
		return "session " + who.Session.UUID.String()
	}
	return "name " + who.Pseudonym.String()
}

// Attempt reads the account and its failures in one statement. An account that does not exist is no error.
func (d *DB) Attempt(ctx context.Context, who Identifier) (*Attempt, error) {
	st, name := attemptByEmail, any(who.Canonical)
	switch {
	case !who.Account.IsZero():
		st, name = attemptByID, who.Account
	case who.Username:
		st = attemptByUsername
	}
	a := Attempt{event: who.Event}
	p := params{
		{"name", name},
		{"pseudonym", who.Pseudonym[:]},
		{"scope", who.scope()},
		{"shown_account", who.Shown.Account},
		{"shown_issued_at", who.Shown.IssuedAt},
		{"shown_scope", who.Shown.scope()},
		{"device", who.Device},
	}
	if _, err := d.queryRow(ctx, st, p, &a); err != nil {
		return nil, err
	}
	a.event.Action, a.event.User = cmp.Or(a.event.Action, ActionLoginSucceeded), a.User.ID
	a.bucket.accountKey = who.Pseudonym
	if !a.User.ID.IsZero() {
		a.bucket.accountKey = a.User.ID.UUID
	}
	if a.bucket.scope = who.scope(); a.Known {
		a.bucket.scope = who.Shown.scope()
	}
	return &a, nil
}

// forgetAfter is how long failures count without a further failure.
const forgetAfter = 24 * time.Hour

// Every statement locks rows of throttles in the order of their scopes: this prevents deadlocks.
var loginFailed = writes("loginFailed",
	`WITH t AS (
  INSERT INTO throttles (account_key, scope, failures, failed_at)
  SELECT :account_key, v.scope, 1, :now FROM (VALUES (:scope::text), ('*')) v (scope) WHERE :counted ORDER BY v.scope
  ON CONFLICT (account_key, scope) DO UPDATE SET failed_at = :now,
    failures = CASE WHEN throttles.failed_at < :forget_before THEN 1 ELSE throttles.failures + 1 END
  RETURNING scope, failures
), d AS (
  UPDATE users SET password_disabled_at = :now
  WHERE id = :account_key AND password_disabled_at IS NULL
    AND EXISTS (SELECT 1 FROM t WHERE scope = '*' AND failures >= :disabling_failures)
  RETURNING id
), a AS (`+insertEvent+` VALUES (`+eventValues+`)
) SELECT count(*) AS n FROM d`,
	`INSERT INTO throttles (account_key, scope, failures, failed_at)
SELECT :account_key, v.scope, 1, :now FROM (SELECT :scope AS scope UNION ALL SELECT '*') v WHERE :counted
ON CONFLICT (account_key, scope) DO UPDATE SET failed_at = :now,
  failures = CASE WHEN throttles.failed_at < :forget_before THEN 1 ELSE throttles.failures + 1 END`,
	insertEvent+` VALUES (`+eventValues+`)`,
	`UPDATE users SET password_disabled_at = :now
WHERE id = :account_key AND password_disabled_at IS NULL AND :counted AND EXISTS (
  SELECT 1 FROM throttles WHERE account_key = :account_key AND scope = '*' AND failures >= :disabling_failures)`,
	`SELECT changes() AS n`,
)

// LoginFailed writes the event of a failure, and with counted adds one to the counts of the bucket and of the account.
// The hundredth consecutive failure disables the password, where a mail can tell the owner (LG-09).
func (d *DB) LoginFailed(ctx context.Context, a *Attempt, reason string, counted bool, now time.Time) error {
	e := a.event
	e.Reason = reason
	disabling := disablingFailures
	if len(a.Notices.Disabled) == 0 {
		// No failure of this attempt may disable the password. Either the count is below nearlyDisabled, or there is no
		// mail: then nobody would learn of it, and nobody could choose another password.
		disabling = math.MaxInt32
	}
	p := params{
		{"account_key", a.bucket.accountKey[:]},
		{"scope", a.bucket.scope},
		{"now", now},
		{"forget_before", now.Add(-forgetAfter)},
		{"counted", counted},
		{"disabling_failures", disabling},
	}.with(eventParams(ctx, e, now))
	var answer struct {
		N int `bun:"n"` // 1 when the password was disabled now
	}
	if !counted || !a.NearlyDisabled() || len(a.Notices.Disabled) == 0 {
		_, err := d.queryRow(ctx, loginFailed, p, &answer)
		return err
	}
	mails := func(tx *sql.Tx) error {
		if answer.N == 0 {
			return nil
		}
		return d.mailIn(ctx, tx, a.Notices.Disabled...)
	}
	_, err := d.queryRow(ctx, loginFailed, p, &answer, locking(lockUser, params{{"user", a.User.ID}}), after(mails))
	a.Disabled = err == nil && answer.N == 1
	return err
}

var loginThrottled = writes("loginThrottled",
	`WITH t AS (
  UPDATE throttles SET logged_at = greatest(:now, failed_at)
  WHERE account_key = :account_key AND scope = :scope AND (logged_at IS NULL OR logged_at < failed_at)
  RETURNING 1
), a AS (`+insertEvent+` SELECT `+eventValues+` FROM t
) SELECT count(*) AS n FROM t`,
	`UPDATE throttles SET logged_at = max(:now, failed_at)
WHERE account_key = :account_key AND scope = :scope AND (logged_at IS NULL OR logged_at < failed_at)`,
	insertEvent+` SELECT `+eventValues+` WHERE changes() = 1`,
	`SELECT changes() AS n`,
)

// LoginThrottled writes the event of an attempt that was refused unseen. One event stands for all attempts until the
// next failure: an attacker can not flood the log. It tells whether it wrote one.
func (d *DB) LoginThrottled(ctx context.Context, a *Attempt, now time.Time) (bool, error) {
	if a.LoggedAt != nil && !a.LoggedAt.Before(*a.FailedAt) {
		return false, nil
	}
	e := a.event
	e.Reason = "throttled"
	p := params{{"account_key", a.bucket.accountKey[:]}, {"scope", a.bucket.scope}, {"now", now}}
	n, err := d.count(ctx, loginThrottled, p.with(eventParams(ctx, e, now)))
	return n == 1, err
}

// A draw of a number that was taken leaves the new hash behind, which then stands for the old one.
//
// On Postgres all parts of the statement see the rows as they were before it, so the new session is not among those
// that the limit counts, and one fewer stays; a step of SQLite sees it. A session that is locked at that moment is
// passed over: the next sign-in ends it.
var login = writes("login",
	`WITH u AS (
  UPDATE users SET last_login_at = CASE WHEN :pending THEN last_login_at ELSE :now END, password_hash = :new_hash
  WHERE id = :user AND status = 'ACTIVE' AND password_hash IN (:password_hash, :new_hash)
    AND password_disabled_at IS NULL AND auth_version = :auth_version
  RETURNING id
), s AS (`+insertSession+` SELECT `+sessionValues+` FROM u
  ON CONFLICT (number) DO NOTHING RETURNING id
), t AS (
  DELETE FROM throttles WHERE account_key = :user AND scope IN (
    SELECT scope FROM throttles WHERE account_key = :user AND scope IN (:scope, '*') ORDER BY scope FOR UPDATE
  ) AND EXISTS (SELECT 1 FROM u)
), e AS (
  UPDATE sessions SET revoked_at = :now, revoked_reason = 'session_limit' WHERE id IN (
    SELECT id FROM sessions
    WHERE NOT :pending AND user_id = (SELECT id FROM u) AND revoked_at IS NULL AND expires_at > :now
      AND last_used_at + make_interval(secs => idle_seconds) > :now
    ORDER BY id DESC OFFSET :session_limit::bigint - 1 FOR UPDATE SKIP LOCKED
  )
), k AS (
  INSERT INTO known_devices (user_id, device, session_id, seen_at)
  SELECT :user, :device, :session, :now FROM s WHERE :device::bytea IS NOT NULL
  ON CONFLICT (user_id, device) DO UPDATE SET seen_at = :now WHERE known_devices.seen_at < :seen_before
  RETURNING session_id
), a AS (`+insertEvent+` SELECT `+eventValues+` FROM s
) SELECT (SELECT count(*) FROM u) AS users, (SELECT count(*) FROM s) AS sessions,
  EXISTS (SELECT 1 FROM k WHERE session_id = :session)
    AND EXISTS (SELECT 1 FROM known_devices WHERE user_id = :user AND device <> :device) AS new_device`,
	`UPDATE users SET last_login_at = CASE WHEN :pending THEN last_login_at ELSE :now END, password_hash = :new_hash
WHERE id = :user AND status = 'ACTIVE' AND password_hash IN (:password_hash, :new_hash)
  AND password_disabled_at IS NULL AND auth_version = :auth_version`,
	insertSession+` SELECT `+sessionValues+` WHERE changes() = 1
ON CONFLICT (number) DO NOTHING`,
	`DELETE FROM throttles WHERE account_key = :user AND scope IN (:scope, '*')
  AND EXISTS (SELECT 1 FROM sessions WHERE id = :session)`,
	`UPDATE sessions SET revoked_at = :now, revoked_reason = 'session_limit' WHERE id IN (
  SELECT id FROM sessions
  WHERE NOT :pending AND user_id = :user AND revoked_at IS NULL AND expires_at > :now
    AND unixepoch(last_used_at, 'subsec') + idle_seconds > unixepoch(:now, 'subsec')
  ORDER BY id DESC LIMIT -1 OFFSET :session_limit
) AND EXISTS (SELECT 1 FROM sessions WHERE id = :session)`,
	`INSERT INTO known_devices (user_id, device, session_id, seen_at)
SELECT :user, :device, :session, :now FROM sessions WHERE id = :session AND :device IS NOT NULL
ON CONFLICT (user_id, device) DO UPDATE SET seen_at = :now WHERE known_devices.seen_at < :seen_before`,
	insertEvent+` SELECT `+eventValues+` FROM sessions WHERE id = :session`,
	`SELECT changes() AS sessions, (
  SELECT count(*) FROM users
  WHERE id = :user AND status = 'ACTIVE' AND password_hash = :new_hash AND password_disabled_at IS NULL
    AND auth_version = :auth_version
) AS users,
  EXISTS (SELECT 1 FROM known_devices WHERE user_id = :user AND device = :device AND session_id = :session)
    AND EXISTS (SELECT 1 FROM known_devices WHERE user_id = :user AND device <> :device) AS new_device`,
)

// deviceSeen is how exact the last use of a device is.
const deviceSeen = 24 * time.Hour

// Login starts the session of a person whose password was just found right, and forgets the failures of the bucket. It
// gives false, and changes nothing, when the password or the account changed since the attempt was read. The newest
// limit sessions of the account stay alive (SE-21). Of concurrent ones with a new hash one makes a session; the others
// give false, and succeed with another attempt.
//
// Login draws the number of the session, and draws again when the number is taken.
func (d *DB) Login(ctx context.Context, a *Attempt, s *Session, limit int) (bool, error) {
	e := Event{Action: s.began(), User: s.UserID, Sess: s.ID, Methods: s.Methods}
	for range numberDraws {
		s.Number = randomNumber()
		p := s.params().with(params{
			{"password_hash", a.User.PasswordHash},
			{"new_hash", cmp.Or(a.NewHash, a.User.PasswordHash)},
			{"scope", a.bucket.scope},
			{"auth_version", a.User.AuthVersion},
			{"session_limit", limit},
			{"device", s.Device},
			{"seen_before", s.CreatedAt.Add(-deviceSeen)},
		}).with(eventParams(ctx, e, s.CreatedAt))
		var made struct {
			Users, Sessions int
			NewDevice       bool
		}
		var queue txStep
		if len(a.Notices.NewDevice)+len(a.Notices.AfterFailures) > 0 || s.Remembered != uuid.Nil {
			queue = func(tx *sql.Tx) error {
				if made.Sessions == 0 {
					return nil
				}
				if err := d.followIn(ctx, tx, s); err != nil {
					return err
				}
				return d.queueIn(ctx, tx, a.Notices.ofSuccess(made.NewDevice))
			}
		}
		_, err := d.queryRow(ctx, login, p, &made, after(queue))
		if err != nil || made.Sessions == 1 || made.Users == 0 {
			return made.Sessions == 1, err
		}
	}
	return false, errNoFreeNumber
}

func (n Notices) ofSuccess(newDevice bool) []*Mail {
	if newDevice {
		return slices.Concat(n.NewDevice, n.AfterFailures)
	}
	return n.AfterFailures
}
