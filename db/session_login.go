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

// Attempt is what a sign-in finds out before it checks the password: the account, if there is one, and how often this
// bucket of the account failed in a row.
type Attempt struct {
	User     User       `bun:"embed:u_"` // zero ID when no account matches
	Known    bool       `bun:"known"`    // whether a session of the account was used from this address
	Failures int        `bun:"failures"`
	FailedAt *time.Time `bun:"failed_at"`
	NotedAt  *time.Time `bun:"noted_at"` // when an attempt was last refused unseen

	InARow    int  `bun:"in_a_row"`   // failures of all buckets since the last success in any (LG-09)
	NewDevice bool `bun:"new_device"` // whether the account was signed in from other devices alone

	// Notices are queued with what they tell of.
	Notices Notices

	bucket bucket
	event  Event // what the events of its failures have in common
}

// Notices are the mails that the end of an attempt may give cause for.
type Notices struct {
	NewDevice, AfterFailures []*Mail // of a success
	Disabled                 []*Mail // of the failure that disables the password
}

// Failures in a row, whatever the bucket, after which the password is disabled until another one is chosen (LG-09); and from how
// many on one more may be that.
const (
	disablingFailures = 100
	nearlyDisabled    = 80
)

// NearlyDisabled tells whether a further failure may disable the password.
func (a *Attempt) NearlyDisabled() bool { return a.InARow >= nearlyDisabled }

// bucket is where failures are counted: by account and not by what was typed (LG-06), by a pseudonym for an account that
// does not exist (LG-08), and apart for a device that signed in before, so that nobody can lock the owner out. Beside these, the
// address * counts all failures of the subject since its last success.
type bucket struct {
	subject uuid.UUID
	address string
}

// Bucket names where failures are counted: an account or its pseudonym, and the address of a known device.
func (a *Attempt) Bucket() string { return a.bucket.subject.String() + " " + a.bucket.address }

// The statement of an attempt, up to and from the condition that finds the account.
const (
	attemptPostgres = `SELECT ` + userColumns + `, coalesce(known, false) AS known, coalesce(t.failures, 0) AS failures, t.failed_at, t.noted_at,
coalesce(c.failures, 0) AS in_a_row, EXISTS (SELECT 1 FROM known_devices d WHERE d.user_id = u.id AND $4::bytea IS NOT NULL)
  AND NOT EXISTS (SELECT 1 FROM known_devices d WHERE d.user_id = u.id AND d.device = $4) AS new_device
FROM (SELECT 1) one LEFT JOIN users u ON `
	attemptPostgresEnd = `
LEFT JOIN LATERAL (SELECT true AS known FROM sessions s WHERE s.user_id = u.id AND s.ip = $3 LIMIT 1) k ON true
LEFT JOIN throttles t ON t.subject = coalesce(u.id, $2) AND t.address = CASE WHEN known THEN $3 ELSE '' END
LEFT JOIN throttles c ON c.subject = coalesce(u.id, $2) AND c.address = '*'`

	attemptSQLite = `SELECT ` + userColumns + `, coalesce(u.known, 0) AS known, coalesce(t.failures, 0) AS failures, t.failed_at, t.noted_at,
coalesce(c.failures, 0) AS in_a_row, EXISTS (SELECT 1 FROM known_devices d WHERE d.user_id = u.id AND ?4 IS NOT NULL)
  AND NOT EXISTS (SELECT 1 FROM known_devices d WHERE d.user_id = u.id AND d.device = ?4) AS new_device
FROM (SELECT 1) one LEFT JOIN (
  SELECT *, EXISTS (SELECT 1 FROM sessions s WHERE s.user_id = users.id AND s.ip = ?3) AS known FROM users WHERE `
	attemptSQLiteEnd = `) u ON true
LEFT JOIN throttles t ON t.subject = coalesce(u.id, ?2) AND t.address = CASE WHEN u.known THEN ?3 ELSE '' END
LEFT JOIN throttles c ON c.subject = coalesce(u.id, ?2) AND c.address = '*'`
)

var attemptByEmail = statement{
	reads:    true,
	postgres: attemptPostgres + `u.email_canonical = $1` + attemptPostgresEnd,
	sqlite:   []string{attemptSQLite + `email_canonical = ?1` + attemptSQLiteEnd},
}

var attemptByUsername = statement{
	reads:    true,
	postgres: attemptPostgres + `u.username_canonical = $1` + attemptPostgresEnd,
	sqlite:   []string{attemptSQLite + `username_canonical = ?1` + attemptSQLiteEnd},
}

var attemptByID = statement{
	reads:    true,
	postgres: attemptPostgres + `u.id = $1` + attemptPostgresEnd,
	sqlite:   []string{attemptSQLite + `id = ?1` + attemptSQLiteEnd},
}

// Identifier says whose password is about to be checked.
type Identifier struct {
	Account UserID // the person who is signed in already; zero in a sign-in, where the next three say who
	Event   Event  // the action, user and session of the events of failures; login where it names no action

	Canonical string    // canonical email or username; "" for what can be nobody's
	Username  bool      // which of the two
	Pseudonym uuid.UUID // a keyed hash of what was typed; failures are counted for it where no account matches
	Address   string    // the client's address, "" when unknown
	Device    []byte    // what stands for the device in a sign-in; nil otherwise
}

// Attempt reads the account and its failures in one statement. It never fails for an account that does not exist.
func (d *DB) Attempt(ctx context.Context, who Identifier) (*Attempt, error) {
	st, name := &attemptByEmail, any(who.Canonical)
	switch {
	case !who.Account.IsZero():
		st, name = &attemptByID, who.Account
	case who.Username:
		st = &attemptByUsername
	}
	a := Attempt{event: who.Event}
	if _, err := d.get(ctx, st, &a, name, who.Pseudonym[:], who.Address, who.Device); err != nil {
		return nil, err
	}
	a.event.Action, a.event.User = cmp.Or(a.event.Action, "login"), a.User.ID
	a.bucket.subject = who.Pseudonym
	if !a.User.ID.IsZero() {
		a.bucket.subject = a.User.ID.UUID
	}
	if a.Known {
		a.bucket.address = who.Address
	}
	return &a, nil
}

// forgetAfter is how long a row of failures stays without a further one.
const forgetAfter = 24 * time.Hour

// Rows are taken in the order of their addresses, here and by whoever deletes them: nobody waits in a circle.
var loginFailed = statement{
	postgres: `WITH t AS (
  INSERT INTO throttles (subject, address, failures, failed_at)
  SELECT $1, v.address, 1, $3 FROM (VALUES ($2::text), ('*')) v (address) WHERE $5 ORDER BY v.address
  ON CONFLICT (subject, address) DO UPDATE SET failed_at = $3,
    failures = CASE WHEN throttles.failed_at < $4 THEN 1 ELSE throttles.failures + 1 END RETURNING address, failures
), d AS (
  UPDATE users SET password_disabled_at = $3
  WHERE id = $1 AND password_disabled_at IS NULL AND EXISTS (SELECT 1 FROM t WHERE address = '*' AND failures >= $6) RETURNING id
), a AS (` + insertEvent + ` VALUES ($7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
) SELECT count(*) AS n FROM d`,
	sqlite: []string{
		`INSERT INTO throttles (subject, address, failures, failed_at)
SELECT ?1, v.address, 1, ?3 FROM (SELECT ?2 AS address UNION ALL SELECT '*') v WHERE ?5
ON CONFLICT (subject, address) DO UPDATE SET failed_at = ?3,
  failures = CASE WHEN throttles.failed_at < ?4 THEN 1 ELSE throttles.failures + 1 END`,
		insertEvent + ` VALUES (?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)`,
		`UPDATE users SET password_disabled_at = ?3 WHERE id = ?1 AND password_disabled_at IS NULL AND ?5
AND EXISTS (SELECT 1 FROM throttles WHERE subject = ?1 AND address = '*' AND failures >= ?6)`,
		`SELECT changes() AS n`,
	},
}

// LoginFailed writes the failure down: the event, and where counted is true one more for the bucket and for the account. The
// hundredth in a row disables the password, once, where a mail tells of it (LG-09).
func (d *DB) LoginFailed(ctx context.Context, a *Attempt, reason string, counted bool, now time.Time) error {
	e := a.event
	e.Reason = reason
	disabling := disablingFailures
	if len(a.Notices.Disabled) == 0 {
		disabling = math.MaxInt32 // nobody would be told, and where there is no mail none brings another password
	}
	args := []any{a.bucket.subject[:], a.bucket.address, now, now.Add(-forgetAfter), counted, disabling}
	args = append(args, eventArgs(ctx, e, now)...)
	var answer struct {
		N int `bun:"n"` // whether it disabled the password
	}
	if !counted || !a.NearlyDisabled() || len(a.Notices.Disabled) == 0 {
		_, err := d.get(ctx, &loginFailed, &answer, args...)
		return err
	}
	before := func(tx *sql.Tx) error {
		return lockBy(ctx, tx, `SELECT 1 FROM users WHERE id = $1 FOR NO KEY UPDATE`, a.User.ID)
	}
	_, err := d.getThen(ctx, before, func(tx *sql.Tx) error {
		if answer.N == 0 {
			return nil
		}
		return d.mailIn(ctx, tx, a.Notices.Disabled...)
	}, &loginFailed, &answer, args...)
	return err
}

var loginThrottled = statement{
	postgres: `WITH t AS (
  UPDATE throttles SET noted_at = greatest($3, failed_at) WHERE subject = $1 AND address = $2 AND (noted_at IS NULL OR noted_at < failed_at) RETURNING 1
), a AS (` + insertEvent + ` SELECT $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16 FROM t
) SELECT count(*) AS n FROM t`,
	sqlite: []string{
		`UPDATE throttles SET noted_at = max(?3, failed_at) WHERE subject = ?1 AND address = ?2 AND (noted_at IS NULL OR noted_at < failed_at)`,
		insertEvent + ` SELECT ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16 WHERE changes() = 1`,
		`SELECT changes() AS n`,
	},
}

// LoginThrottled notes that an attempt was refused unseen. One event stands for all attempts until the next failure: who
// hammers at an account can not fill the log with it.
func (d *DB) LoginThrottled(ctx context.Context, a *Attempt, now time.Time) error {
	if a.NotedAt != nil && !a.NotedAt.Before(*a.FailedAt) {
		return nil
	}
	e := a.event
	e.Reason = "throttled"
	_, err := d.count(ctx, &loginThrottled, append([]any{a.bucket.subject[:], a.bucket.address, now}, eventArgs(ctx, e, now)...)...)
	return err
}

var login = statement{
	postgres: `WITH u AS (
  UPDATE users SET last_login_at = $8 WHERE id = $3 AND status = 'ACTIVE' AND password_hash = $12 AND password_disabled_at IS NULL
  RETURNING id
), s AS (` + insertSession + ` SELECT $1, $2, $3, $4, $5, $6, $7, $8, $8, $8, $9, $10, $11 FROM u
  ON CONFLICT (number) DO NOTHING RETURNING id
), t AS (
  DELETE FROM throttles WHERE subject = $3 AND address IN (
    SELECT address FROM throttles WHERE subject = $3 AND address IN ($13, '*') ORDER BY address FOR UPDATE
  ) AND EXISTS (SELECT 1 FROM u)
), e AS (
  UPDATE sessions SET revoked_at = $8, revoked_reason = 'session_limit' WHERE id IN (
    SELECT id FROM sessions WHERE user_id = (SELECT id FROM u) AND revoked_at IS NULL AND expires_at > $8
    AND last_used_at + make_interval(secs => idle_seconds) > $8 ORDER BY id DESC OFFSET $14::bigint - 1 FOR UPDATE SKIP LOCKED
  )
), k AS (
  INSERT INTO known_devices (user_id, device, session_id, seen_at) SELECT $3, $15, $1, $8 FROM s WHERE $15::bytea IS NOT NULL
  ON CONFLICT (user_id, device) DO UPDATE SET seen_at = $8 WHERE known_devices.seen_at < $16 RETURNING session_id
), a AS (` + insertEvent + ` SELECT $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29 FROM s
) SELECT (SELECT count(*) FROM u) AS users, (SELECT count(*) FROM s) AS sessions,
EXISTS (SELECT 1 FROM k WHERE session_id = $1) AND EXISTS (SELECT 1 FROM known_devices WHERE user_id = $3 AND device <> $15) AS new_device`,
	sqlite: []string{
		`UPDATE users SET last_login_at = ?8 WHERE id = ?3 AND status = 'ACTIVE' AND password_hash = ?12 AND password_disabled_at IS NULL`,
		insertSession + ` SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8, ?8, ?9, ?10, ?11 WHERE changes() = 1
ON CONFLICT (number) DO NOTHING`,
		`DELETE FROM throttles WHERE subject = ?3 AND address IN (?13, '*') AND EXISTS (SELECT 1 FROM sessions WHERE id = ?1)`,
		`UPDATE sessions SET revoked_at = ?8, revoked_reason = 'session_limit' WHERE id IN (
  SELECT id FROM sessions WHERE user_id = ?3 AND revoked_at IS NULL AND expires_at > ?8
  AND unixepoch(last_used_at, 'subsec') + idle_seconds > unixepoch(?8, 'subsec') ORDER BY id DESC LIMIT -1 OFFSET ?14
) AND EXISTS (SELECT 1 FROM sessions WHERE id = ?1)`,
		`INSERT INTO known_devices (user_id, device, session_id, seen_at) SELECT ?3, ?15, ?1, ?8 FROM sessions WHERE id = ?1 AND ?15 IS NOT NULL
ON CONFLICT (user_id, device) DO UPDATE SET seen_at = ?8 WHERE known_devices.seen_at < ?16`,
		insertEvent + ` SELECT ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29 FROM sessions WHERE id = ?1`,
		`SELECT changes() AS sessions,
(SELECT count(*) FROM users WHERE id = ?3 AND status = 'ACTIVE' AND password_hash = ?12 AND password_disabled_at IS NULL) AS users,
EXISTS (SELECT 1 FROM known_devices WHERE user_id = ?3 AND device = ?15 AND session_id = ?1)
AND EXISTS (SELECT 1 FROM known_devices WHERE user_id = ?3 AND device <> ?15) AS new_device`,
	},
}

// deviceSeen is how exact the last time of a device is.
const deviceSeen = 24 * time.Hour

// Login starts the session of a person whose password was just found right, and forgets the failures of the bucket. It
// does nothing and tells so when the password or the account changed since the attempt was read. Of the sessions that the
// account has then, the newest limit stay alive (SE-21).
//
// The session's number is drawn here, and drawn again when it is taken.
func (d *DB) Login(ctx context.Context, a *Attempt, s *Session, limit int) (bool, error) {
	e := Event{Action: "login", User: s.UserID, Sess: s.ID, Methods: s.Methods}
	for range numberDraws {
		s.Number = randomNumber()
		args := append(s.args(), a.User.PasswordHash, a.bucket.address, limit, s.Device, s.CreatedAt.Add(-deviceSeen))
		var made struct {
			Users, Sessions int
			NewDevice       bool
		}
		queue := func(tx *sql.Tx) error {
			if made.Sessions == 0 {
				return nil
			}
			return d.queueIn(ctx, tx, a.Notices.ofSuccess(made.NewDevice))
		}
		may := len(a.Notices.NewDevice)+len(a.Notices.AfterFailures) > 0
		err := d.getMailing(ctx, may, queue, &login, &made, append(args, eventArgs(ctx, e, s.CreatedAt)...)...)
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
