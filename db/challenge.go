package db

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/google/uuid"
)

// challengeReason is why a session ended that waits for its second factor. Whatever asks for a session that is alive
// finds none (MF-04, MF-13).
const challengeReason = "challenge"

// ChallengeTries is how many codes are compared for one challenge (MF-03).
const ChallengeTries = 5

// NewChallenge makes a new session wait for its second factor.
type NewChallenge struct {
	Until   time.Time
	Version int  // AuthVersion of the account: a change of it ends the challenge
	Enrols  bool // whether the account has to get its first second factor
}

// Challenge is a sign-in that waits for its second factor.
type Challenge struct {
	User    User      `bun:"embed:u_"`
	Session Session   `bun:"embed:s_"`
	Until   time.Time `bun:"challenge_until"`
	Version int       `bun:"challenge_version"`
	Tries   int       `bun:"challenge_tries"`
}

// Waits tells whether a right code still makes the challenge a session.
func (c *Challenge) Waits(now time.Time) bool {
	return c.Until.After(now) && c.Version == c.User.AuthVersion && c.User.Status == UserActive &&
		c.Tries < ChallengeTries
}

var challengeByID = reads("challengeByID",
	`SELECT `+userColumns+`, `+sessionColumns+`, s.challenge_until, s.challenge_version, s.challenge_tries
FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.id = :session AND s.revoked_reason = 'challenge'`)

// Challenge finds a sign-in that waits for its second factor, or did so until lately; nil for none.
func (d *DB) Challenge(ctx context.Context, id SessionID) (*Challenge, error) {
	var c Challenge
	found, err := d.queryRow(ctx, challengeByID, params{{"session", id}}, &c)
	if err != nil || !found {
		return nil, err
	}
	return &c, nil
}

// began is the action of a sign-in by its first factor.
func (s *Session) began() Action {
	if s.Challenge != nil {
		return ActionLoginChallenged
	}
	return ActionLoginSucceeded
}

// passChallenge makes a challenge the session that it waited to be.
var passChallenge = writes("passChallenge",
	`WITH s AS (
  UPDATE sessions SET revoked_at = NULL, revoked_reason = NULL, challenge_until = NULL, challenge_version = NULL,
    authenticated_at = :now, factor_at = :now, proved_by = :proved_by, last_used_at = :now, methods = :session_methods,
    user_agent = :session_user_agent, ip = :session_ip, expires_at = :session_expires_at,
    idle_seconds = :session_idle_seconds, generation = :session_generation
  WHERE id = :session AND `+challengeWaits+` RETURNING id
), u AS (
  UPDATE users SET last_login_at = :now WHERE id = :user AND EXISTS (SELECT 1 FROM s)
), e AS (
  UPDATE sessions SET revoked_at = :now, revoked_reason = 'session_limit' WHERE id IN (
    SELECT id FROM sessions
    WHERE EXISTS (SELECT 1 FROM s) AND user_id = :user AND id <> :session AND `+alivePostgres+`
    ORDER BY id DESC OFFSET :session_limit::bigint - 1 FOR UPDATE SKIP LOCKED
  )
), k AS (
  INSERT INTO known_devices (user_id, device, session_id, seen_at)
  SELECT :user, :device, :session, :now FROM s WHERE :device::bytea IS NOT NULL
  ON CONFLICT (user_id, device) DO UPDATE SET seen_at = :now WHERE known_devices.seen_at < :seen_before
  RETURNING session_id
), a AS (`+insertEvent+` SELECT `+eventValues+` FROM s
) SELECT (SELECT count(*) FROM s) AS n, EXISTS (SELECT 1 FROM k WHERE session_id = :session)
    AND EXISTS (SELECT 1 FROM known_devices WHERE user_id = :user AND device <> :device) AS new_device`,
	insertEvent+` SELECT `+eventValues+` FROM sessions WHERE id = :session AND `+challengeWaits,
	`UPDATE sessions SET revoked_at = NULL, revoked_reason = NULL, challenge_until = NULL, challenge_version = NULL,
  authenticated_at = :now, factor_at = :now, proved_by = :proved_by, last_used_at = :now, methods = :session_methods,
  user_agent = :session_user_agent, ip = :session_ip, expires_at = :session_expires_at,
  idle_seconds = :session_idle_seconds, generation = :session_generation
WHERE id = :session`+ifRecorded,
	`UPDATE users SET last_login_at = :now WHERE id = :user`+ifRecorded,
	`UPDATE sessions SET revoked_at = :now, revoked_reason = 'session_limit' WHERE id IN (
  SELECT id FROM sessions WHERE user_id = :user AND id <> :session AND `+aliveSQLite+`
  ORDER BY id DESC LIMIT -1 OFFSET :session_limit - 1
)`+ifRecorded,
	`INSERT INTO known_devices (user_id, device, session_id, seen_at)
SELECT :user, :device, :session, :now FROM sessions WHERE id = :session AND :device IS NOT NULL`+ifRecorded+`
ON CONFLICT (user_id, device) DO UPDATE SET seen_at = :now WHERE known_devices.seen_at < :seen_before`,
	`SELECT (SELECT count(*) FROM audit_events WHERE id = :event_id) AS n,
  EXISTS (SELECT 1 FROM known_devices WHERE user_id = :user AND device = :device AND session_id = :session)
    AND EXISTS (SELECT 1 FROM known_devices WHERE user_id = :user AND device <> :device) AS new_device`,
)

// challengeWaits is the condition of a challenge that a right code can answer at :now.
const challengeWaits = `user_id = :user AND revoked_reason = 'challenge' AND challenge_until > :now
    AND EXISTS (SELECT 1 FROM users WHERE users.id = :user AND users.status = 'ACTIVE'
      AND users.auth_version = sessions.challenge_version)`

// Pass is the answer to a challenge: the session as it begins, and what goes with it.
type Pass struct {
	Session    *Session
	Limit      int       // the newest sessions of the account that stay alive (SE-21)
	Remember   uuid.UUID // the device that is asked for no second factor until RememberedUntil; zero for none
	Remembered time.Time // until when
	NewDevice  []*Mail   // queued where the account was not used on this device before
}

var errNotPassed = errors.New("db: the code was used, or the challenge has ended")

// PassChallenge starts the session of a challenge whose code was just found right, and gives back the try that the code
// took. It gives false, and changes nothing, where the code was used before or the challenge has ended: of concurrent
// answers one succeeds.
func (d *DB) PassChallenge(ctx context.Context, c *Challenge, f *UsedFactor, p *Pass, now time.Time) (bool, error) {
	lock := locking(lockUser, params{{"user", c.User.ID}})
	var made passed
	use := func(tx *sql.Tx) error { return d.useIn(ctx, tx, c.User.ID, f, now) }
	rest := func(tx *sql.Tx) error { return d.passedIn(ctx, tx, c, p, &made, now) }
	_, err := d.queryRow(ctx, passChallenge, passParams(ctx, c, p, now), &made, lock, before(use), after(rest))
	if errors.Is(err, errNotPassed) {
		return false, nil
	}
	return err == nil, err
}

type passed struct {
	N         int  `bun:"n"`
	NewDevice bool `bun:"new_device"`
}

func passParams(ctx context.Context, c *Challenge, p *Pass, now time.Time) params {
	s := p.Session
	e := Event{Action: ActionLoginSucceeded, User: c.User.ID, Sess: s.ID, Methods: s.Methods}
	return params{
		{"session", s.ID},
		{"user", c.User.ID},
		{"now", now},
		{"session_methods", list[AuthMethod](s.Methods)},
		{"proved_by", s.ProvedBy},
		{"session_user_agent", s.UserAgent},
		{"session_ip", s.IP},
		{"session_expires_at", s.AbsoluteEnd},
		{"session_idle_seconds", s.IdleSeconds},
		{"session_generation", s.Generation},
		{"session_limit", p.Limit},
		{"device", s.Device},
		{"seen_before", now.Add(-deviceSeen)},
	}.with(eventParams(ctx, e, now))
}

// passedIn is what follows when a challenge became a session.
func (d *DB) passedIn(ctx context.Context, tx *sql.Tx, c *Challenge, p *Pass, made *passed, now time.Time) error {
	if made.N == 0 {
		return errNotPassed
	}
	if p.Remember != uuid.Nil {
		var n struct{ N int }
		_, err := d.queryRowIn(ctx, tx, rememberDevice, params{
			{"user", c.User.ID},
			{"device", p.Remember[:]},
			{"session", p.Session.ID},
			{"now", now},
			{"until", p.Remembered},
		}, &n)
		if err != nil {
			return err
		}
	}
	if !made.NewDevice {
		return nil
	}
	return d.queueIn(ctx, tx, p.NewDevice)
}

const insertRemembered = `INSERT INTO remembered_devices (user_id, device, session_id, created_at, expires_at)
SELECT :user, :device, :session, :now, :until WHERE true
ON CONFLICT (user_id, device) DO UPDATE SET session_id = :session, created_at = :now, expires_at = :until`

var rememberDevice = writes("rememberDevice",
	`WITH r AS (`+insertRemembered+`) SELECT 1 AS n`, insertRemembered, `SELECT 1 AS n`)

const moveRemembered = `UPDATE remembered_devices SET session_id = :session WHERE user_id = :user AND device = :device`

var followDevice = writes("followDevice",
	`WITH r AS (`+moveRemembered+` RETURNING 1) SELECT count(*) AS n FROM r`, moveRemembered, `SELECT changes() AS n`)

// followIn names the newest session of a remembered device: ending that one in the list ends the remembering.
func (d *DB) followIn(ctx context.Context, tx *sql.Tx, s *Session) error {
	if s.Remembered == uuid.Nil {
		return nil
	}
	var n struct{ N int }
	p := params{{"user", s.UserID}, {"device", s.Remembered[:]}, {"session", s.ID}}
	_, err := d.queryRowIn(ctx, tx, followDevice, p, &n)
	return err
}

var remembered = reads("remembered", `SELECT count(*) AS n FROM remembered_devices
WHERE user_id = :user AND device = :device AND expires_at > :now`)

// Remembered tells whether a device is asked for no second factor.
func (d *DB) Remembered(ctx context.Context, user UserID, device uuid.UUID, now time.Time) (bool, error) {
	n, err := d.count(ctx, remembered, params{{"user", user}, {"device", device[:]}, {"now", now}})
	return n > 0, err
}

var forgetDevices = writes("forgetDevices",
	`WITH r AS (`+dropRemembered+` WHERE user_id = :user RETURNING 1
), a AS (`+insertEvent+` VALUES (`+eventValues+`)) SELECT count(*) AS n FROM r`,
	dropRemembered+` WHERE user_id = :user`,
	insertEvent+` VALUES (`+eventValues+`)`,
	`SELECT 1 AS n`,
)

// ForgetDevices ends it that devices of a person are asked for no second factor.
func (d *DB) ForgetDevices(ctx context.Context, by *Caller, now time.Time) error {
	e := Event{Action: ActionDevicesForgotten, User: by.User.ID, Sess: by.Session.ID}
	_, err := d.count(ctx, forgetDevices, params{{"user", by.User.ID}}.with(eventParams(ctx, e, now)))
	return err
}
