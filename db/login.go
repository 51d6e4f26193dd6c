package db

import (
	"cmp"
	"context"
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

	bucket bucket
	event  Event // what the events of its failures have in common
}

// bucket is where failures are counted: by account and not by what was typed (LG-06), by a stand-in for an account that
// does not exist (LG-08), and apart for a device that signed in before, so that nobody can lock the owner out.
type bucket struct {
	subject uuid.UUID
	address string
}

// Bucket names where failures are counted: an account or its stand-in, and the address of a known device.
func (a *Attempt) Bucket() string { return a.bucket.subject.String() + " " + a.bucket.address }

// The statement of an attempt, up to and from the condition that finds the account.
const (
	attemptPostgres = `SELECT ` + userColumns + `, coalesce(known, false) AS known, coalesce(t.failures, 0) AS failures, t.failed_at, t.noted_at
FROM (SELECT 1) one LEFT JOIN users u ON `
	attemptPostgresEnd = `
LEFT JOIN LATERAL (SELECT true AS known FROM sessions s WHERE s.user_id = u.id AND s.ip = $3 LIMIT 1) k ON true
LEFT JOIN throttles t ON t.subject = coalesce(u.id, $2) AND t.address = CASE WHEN known THEN $3 ELSE '' END`

	attemptSQLite = `SELECT ` + userColumns + `, coalesce(u.known, 0) AS known, coalesce(t.failures, 0) AS failures, t.failed_at, t.noted_at
FROM (SELECT 1) one LEFT JOIN (
  SELECT *, EXISTS (SELECT 1 FROM sessions s WHERE s.user_id = users.id AND s.ip = ?3) AS known FROM users WHERE `
	attemptSQLiteEnd = `) u ON true
LEFT JOIN throttles t ON t.subject = coalesce(u.id, ?2) AND t.address = CASE WHEN u.known THEN ?3 ELSE '' END`
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
	StandIn   uuid.UUID // a keyed hash of what was typed; failures are counted for it where no account matches
	Address   string    // the client's address, "" when unknown
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
	if _, err := d.get(ctx, st, &a, name, who.StandIn[:], who.Address); err != nil {
		return nil, err
	}
	a.event.Action, a.event.User = cmp.Or(a.event.Action, "login"), a.User.ID
	a.bucket.subject = who.StandIn
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

var loginFailed = statement{
	postgres: `WITH t AS (
  INSERT INTO throttles (subject, address, failures, failed_at) SELECT $1, $2, 1, $3 WHERE $5
  ON CONFLICT (subject, address) DO UPDATE SET failed_at = $3,
    failures = CASE WHEN throttles.failed_at < $4 THEN 1 ELSE throttles.failures + 1 END
), a AS (` + insertEvent + ` VALUES ($6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
) SELECT 1 AS n`,
	sqlite: []string{
		`INSERT INTO throttles (subject, address, failures, failed_at) SELECT ?1, ?2, 1, ?3 WHERE ?5
ON CONFLICT (subject, address) DO UPDATE SET failed_at = ?3,
  failures = CASE WHEN throttles.failed_at < ?4 THEN 1 ELSE throttles.failures + 1 END`,
		insertEvent + ` VALUES (?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)`,
		`SELECT 1 AS n`,
	},
}

// LoginFailed writes the failure down: the event, and where counted is true one more for the bucket.
func (d *DB) LoginFailed(ctx context.Context, a *Attempt, reason string, counted bool, now time.Time) error {
	e := a.event
	e.Reason = reason
	args := []any{a.bucket.subject[:], a.bucket.address, now, now.Add(-forgetAfter), counted}
	_, err := d.count(ctx, &loginFailed, append(args, eventArgs(ctx, e, now)...)...)
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
  UPDATE users SET last_login_at = $8 WHERE id = $3 AND status = 'ACTIVE' AND password_hash = $12 RETURNING id
), s AS (` + insertSession + ` SELECT $1, $2, $3, $4, $5, $6, $7, $8, $8, $8, $9, $10, $11 FROM u
  ON CONFLICT (number) DO NOTHING RETURNING id
), t AS (
  DELETE FROM throttles WHERE subject = $3 AND address = $13 AND EXISTS (SELECT 1 FROM u)
), e AS (
  UPDATE sessions SET revoked_at = $8, revoked_reason = 'session_limit' WHERE id IN (
    SELECT id FROM sessions WHERE user_id = (SELECT id FROM u) AND revoked_at IS NULL AND expires_at > $8
    AND last_used_at + make_interval(secs => idle_seconds) > $8 ORDER BY id DESC OFFSET $14::bigint - 1 FOR UPDATE SKIP LOCKED
  )
), a AS (` + insertEvent + ` SELECT $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27 FROM s
) SELECT (SELECT count(*) FROM u) AS users, (SELECT count(*) FROM s) AS sessions`,
	sqlite: []string{
		`UPDATE users SET last_login_at = ?8 WHERE id = ?3 AND status = 'ACTIVE' AND password_hash = ?12`,
		insertSession + ` SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8, ?8, ?9, ?10, ?11 WHERE changes() = 1
ON CONFLICT (number) DO NOTHING`,
		`DELETE FROM throttles WHERE subject = ?3 AND address = ?13 AND EXISTS (SELECT 1 FROM sessions WHERE id = ?1)`,
		`UPDATE sessions SET revoked_at = ?8, revoked_reason = 'session_limit' WHERE id IN (
  SELECT id FROM sessions WHERE user_id = ?3 AND revoked_at IS NULL AND expires_at > ?8
  AND unixepoch(last_used_at, 'subsec') + idle_seconds > unixepoch(?8, 'subsec') ORDER BY id DESC LIMIT -1 OFFSET ?14
) AND EXISTS (SELECT 1 FROM sessions WHERE id = ?1)`,
		insertEvent + ` SELECT ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27 FROM sessions WHERE id = ?1`,
		`SELECT changes() AS sessions,
(SELECT count(*) FROM users WHERE id = ?3 AND status = 'ACTIVE' AND password_hash = ?12) AS users`,
	},
}

// Login starts the session of a person whose password was just found right, and forgets the failures of the bucket. It
// does nothing and tells so when the password or the account changed since the attempt was read. Of the sessions that the
// account has then, the newest limit stay alive (SE-21).
//
// The session's number is drawn here, and drawn again when it is taken.
func (d *DB) Login(ctx context.Context, a *Attempt, s *Session, limit int) (bool, error) {
	e := Event{Action: "login", User: s.UserID, Sess: s.ID, Methods: s.Methods}
	for range drawNumber {
		s.Number = randomNumber()
		args := append(s.args(), a.User.PasswordHash, a.bucket.address, limit)
		var made struct{ Users, Sessions int }
		_, err := d.get(ctx, &login, &made, append(args, eventArgs(ctx, e, s.CreatedAt)...)...)
		if err != nil || made.Sessions == 1 || made.Users == 0 {
			return made.Sessions == 1, err
		}
	}
	return false, errNumbers
}
