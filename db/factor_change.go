package db

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"time"
)

// FactorChange is a change of the second factors of an account. Every change ends sign-ins that wait for a code, and
// makes every device be asked again.
type FactorChange struct {
	User    UserID
	Session SessionID // of the person; zero for an operator
	Version int       // AuthVersion that the person was read with: another one means that something ended meanwhile
	Keep    bool      // whether the last factor of the account stays
	Actor   *Actor    // who does this to the account of somebody else; nil for the person
	Codes   [][]byte  // hashes of new recovery codes
	Short   bool      // whether the codes are of eight digits
	Mails   []*Mail   // that report it
	Note    string    // of the event
}

func (c *FactorChange) params(ctx context.Context, action Action, now time.Time) params {
	e := Event{Action: action, User: c.User, Sess: c.Session, Note: c.Note}
	if c.Actor != nil {
		e = c.Actor.event(e)
	}
	return params{{"user", c.User}}.with(eventWithActorParams(ctx, e, now))
}

// byPerson are the params of a change that a person makes themselves.
func (c *FactorChange) byPerson(ctx context.Context, action Action, now time.Time) params {
	return c.params(ctx, action, now).with(params{{"now", now}, {"session", c.Session}, {"version", c.Version}})
}

// The condition of what a person changes themselves: their session is alive, and nothing ended since they were read.
// So a reset of the password wins over a change that somebody else began before it.
const (
	byThemselves = `EXISTS (SELECT 1 FROM users v WHERE v.id = :user AND v.status = 'ACTIVE'
    AND v.auth_version = :version)
  AND EXISTS (SELECT 1 FROM sessions WHERE sessions.id = :session AND sessions.user_id = :user AND `
	byThemselvesPostgres = byThemselves + alivePostgres + `)`
	byThemselvesSQLite   = byThemselves + aliveSQLite + `)`
)

const (
	confirmStep = `UPDATE authenticators SET confirmed_at = :now, last_step = :step, last_used_at = :now
WHERE id = :authenticator AND user_id = :user AND confirmed_at IS NULL AND created_at > :waits_since`
	enableMfa = `UPDATE users SET mfa_enabled_at = coalesce(mfa_enabled_at, :now), auth_version = auth_version + 1,
  updated_at = :now WHERE id = :user`
	raiseSession = `UPDATE sessions SET authenticated_at = :now, factor_at = :now, proved_by = 'TOTP'
WHERE id = :session AND user_id = :user`
)

var confirmAuthenticator = writes("confirmAuthenticator",
	`WITH t AS (`+confirmStep+` AND `+byThemselvesPostgres+` RETURNING id
), u AS (`+enableMfa+` AND EXISTS (SELECT 1 FROM t)
), s AS (`+raiseSession+` AND `+alivePostgres+` AND EXISTS (SELECT 1 FROM t)
), r AS (`+dropRemembered+` WHERE user_id = :user AND EXISTS (SELECT 1 FROM t)
), a AS (`+insertEventWithActor+` SELECT `+eventWithActorValues+` FROM t
) SELECT count(*) AS n FROM t`,
	confirmStep+` AND `+byThemselvesSQLite,
	insertEventWithActor+` SELECT `+eventWithActorValues+` WHERE changes() = 1`,
	enableMfa+ifRecorded,
	raiseSession+` AND `+aliveSQLite+ifRecorded,
	dropRemembered+` WHERE user_id = :user`+ifRecorded,
	`SELECT count(*) AS n FROM audit_events WHERE id = :event_id`,
)

// Enrolment is the first right code of an authenticator app.
type Enrolment struct {
	FactorChange
	Authenticator AuthenticatorID
	Step          int64
	Challenge     *Challenge // that waits for an account to enrol; nil for a person who is signed in
	Pass          *Pass      // with it
}

// ConfirmAuthenticator puts an authenticator app into force by its first right code, and stores the recovery codes
// where the account has none. The session of the person counts as proved by a second factor; a challenge becomes a
// session. It gives false where the app was confirmed meanwhile, waited for too long, or the challenge has ended;
// withCodes tells whether the recovery codes were stored.
func (d *DB) ConfirmAuthenticator(ctx context.Context, c *Enrolment, now time.Time) (done, withCodes bool, err error) {
	var row struct{ N int }
	var made passed
	pass := func(tx *sql.Tx) error {
		if c.Challenge == nil {
			return nil
		}
		if _, err := d.queryRowIn(ctx, tx, passChallenge, passParams(ctx, c.Challenge, c.Pass, now),
			&made); err != nil {
			return err
		}
		return d.passedIn(ctx, tx, c.Challenge, c.Pass, &made, now)
	}
	rest := func(tx *sql.Tx) (err error) {
		if row.N == 0 {
			return errNotPassed
		}
		if withCodes, err = d.firstCodesIn(ctx, tx, &c.FactorChange, now); err != nil {
			return err
		}
		return d.queueIn(ctx, tx, c.Mails)
	}
	p := c.byPerson(ctx, ActionMfaAdded, now).with(params{
		{"authenticator", c.Authenticator},
		{"step", c.Step},
		{"waits_since", now.Add(-EnrolmentLives)},
	})
	_, err = d.queryRow(ctx, confirmAuthenticator, p, &row, locking(lockUser, params{{"user", c.User}}),
		before(pass), after(rest))
	if errors.Is(err, errNotPassed) {
		return false, false, nil
	}
	return err == nil, withCodes, err
}

const disableMfa = `UPDATE users SET auth_version = auth_version + 1, updated_at = :now,
  mfa_enabled_at = CASE WHEN :all OR NOT EXISTS (SELECT 1 FROM authenticators t
    WHERE t.user_id = :user AND t.confirmed_at IS NOT NULL AND t.id <> :authenticator) THEN NULL ELSE mfa_enabled_at END
WHERE id = :user`

// lastFactor is the condition of what goes with the last factor of an account.
const lastFactor = `(:all OR NOT EXISTS (SELECT 1 FROM authenticators t
  WHERE t.user_id = :user AND t.confirmed_at IS NOT NULL AND t.id <> :authenticator))`

const (
	deleteAuthenticator = `DELETE FROM authenticators
WHERE user_id = :user AND (:all OR (id = :authenticator AND confirmed_at IS NOT NULL))`
	lowerSessions = `UPDATE sessions SET factor_at = NULL WHERE user_id = :user AND factor_at IS NOT NULL`
)

// What goes with factors that are removed, on Postgres; and the event, which decides on SQLite: conditions must follow.
const (
	restGoesPostgres = `), u AS (` + disableMfa + ` AND EXISTS (SELECT 1 FROM t) RETURNING id
), c AS (` + dropCodes + ` WHERE user_id = :user AND EXISTS (SELECT 1 FROM t) AND ` + lastFactor + `
), r AS (` + dropRemembered + ` WHERE user_id = :user AND EXISTS (SELECT 1 FROM t)
), s AS (` + lowerSessions + ` AND EXISTS (SELECT 1 FROM t) AND ` + lastFactor + `
), a AS (` + insertEventWithActor + ` SELECT ` + eventWithActorValues + ` FROM u
) SELECT count(*) AS n, `
	recordRemoval = insertEventWithActor + ` SELECT ` + eventWithActorValues + ` WHERE EXISTS (
  SELECT 1 FROM authenticators WHERE user_id = :user AND (:all OR (id = :authenticator AND confirmed_at IS NOT NULL)))
AND `
	mayGo = ` AND NOT (:keep AND ` + lastFactor + `)`
)

var removeAuthenticator = writes("removeAuthenticator",
	`WITH t AS (`+deleteAuthenticator+` AND `+byThemselvesPostgres+mayGo+` RETURNING id
`+restGoesPostgres+`'ok' AS verdict FROM u`,
	recordRemoval+byThemselvesSQLite+mayGo,
	disableMfa+ifRecorded,
	dropCodes+` WHERE user_id = :user AND `+lastFactor+ifRecorded,
	dropRemembered+` WHERE user_id = :user`+ifRecorded,
	lowerSessions+` AND `+lastFactor+ifRecorded,
	deleteAuthenticator+ifRecorded,
	`SELECT count(*) AS n, 'ok' AS verdict FROM audit_events WHERE id = :event_id`,
)

var resetFactors = writes("resetFactors",
	`WITH t AS (`+deleteAuthenticator+` AND `+verdictPostgres+` = 'ok' RETURNING id
`+restGoesPostgres+verdictPostgres+` AS verdict FROM u`,
	recordRemoval+verdictSQLite+` = 'ok'`,
	disableMfa+ifRecorded,
	dropCodes+` WHERE user_id = :user AND `+lastFactor+ifRecorded,
	dropRemembered+` WHERE user_id = :user`+ifRecorded,
	lowerSessions+` AND `+lastFactor+ifRecorded,
	deleteAuthenticator+ifRecorded,
	`SELECT count(*) AS n, `+verdictSQLite+` AS verdict FROM audit_events WHERE id = :event_id`,
)

// RemoveAuthenticator removes an authenticator app of an account; with the last one recovery codes go, and no session
// counts as proved by a second factor any more (SE-22). It gives false where there is none, where it is the last one of
// an account that keeps one, and where the session is over or something ended the account's sign-ins meanwhile.
func (d *DB) RemoveAuthenticator(
	ctx context.Context, c *FactorChange, id AuthenticatorID, now time.Time,
) (bool, error) {
	p := c.byPerson(ctx, ActionMfaRemoved, now).with(params{{"authenticator", id}, {"all", false}, {"keep", c.Keep}})
	n, _, err := d.removeFactors(ctx, removeAuthenticator, c, p)
	return n > 0, err
}

// ResetFactors removes every second factor of an account, and tells whether there was one. A Rejection means that the
// actor may not: nothing changed (MF-17).
func (d *DB) ResetFactors(ctx context.Context, c *FactorChange, now time.Time) (bool, *Rejection, error) {
	p := c.params(ctx, ActionMfaReset, now).with(
		params{{"authenticator", AuthenticatorID{}}, {"all", true}},
		deed{needs: UsersWrite, erases: true}.params(c.Actor, now),
	)
	n, verdict, err := d.removeFactors(ctx, resetFactors, c, p)
	if err == nil && n == 0 && verdict != "ok" {
		return false, rejection(verdict), nil
	}
	return n > 0, nil, err
}

func (d *DB) removeFactors(ctx context.Context, st *statement, c *FactorChange, p params) (int, string, error) {
	var row struct {
		N       int
		Verdict string
	}
	mails := func(tx *sql.Tx) error {
		if row.N == 0 {
			return nil
		}
		return d.queueIn(ctx, tx, c.Mails)
	}
	_, err := d.queryRow(ctx, st, p, &row, locking(lockUser, params{{"user", c.User}}), after(mails))
	return row.N, row.Verdict, err
}

// The hashes of codes come as a JSON list in hex.
const (
	insertCodes = `INSERT INTO recovery_codes (user_id, hash, short, created_at) SELECT :user, `
	isEnabled   = `EXISTS (SELECT 1 FROM users WHERE users.id = :user AND users.mfa_enabled_at IS NOT NULL)`
)

var addCodes = writes("addCodes",
	`WITH c AS (`+insertCodes+`decode(v, 'hex'), :short, :now FROM jsonb_array_elements_text(:codes::jsonb) v
  WHERE NOT EXISTS (SELECT 1 FROM recovery_codes WHERE user_id = :user) AND `+isEnabled+` RETURNING 1
) SELECT count(*) AS n FROM c`,
	insertCodes+`unhex(value), :short, :now FROM json_each(:codes)
WHERE NOT EXISTS (SELECT 1 FROM recovery_codes WHERE user_id = :user) AND `+isEnabled,
	`SELECT changes() AS n`,
)

// firstCodesIn stores recovery codes where the account has none.
func (d *DB) firstCodesIn(ctx context.Context, tx *sql.Tx, c *FactorChange, now time.Time) (bool, error) {
	p, err := c.codes(now)
	if err != nil {
		return false, err
	}
	var row struct{ N int }
	_, err = d.queryRowIn(ctx, tx, addCodes, p, &row)
	return row.N > 0, err
}

func (c *FactorChange) codes(now time.Time) (params, error) {
	hashes := []string{}
	for _, h := range c.Codes {
		hashes = append(hashes, hex.EncodeToString(h))
	}
	text, err := jsonText(hashes)
	return params{{"user", c.User}, {"codes", text}, {"short", c.Short}, {"now", now}}, err
}

var dropOldCodes = writes("dropOldCodes",
	`WITH c AS (`+dropCodes+` WHERE user_id = :user AND `+isEnabled+` AND `+byThemselvesPostgres+`
), a AS (`+insertEventWithActor+` SELECT `+eventWithActorValues+` WHERE `+isEnabled+` AND `+byThemselvesPostgres+`
  RETURNING 1
) SELECT count(*) AS n FROM a`,
	insertEventWithActor+` SELECT `+eventWithActorValues+` WHERE `+isEnabled+` AND `+byThemselvesSQLite,
	dropCodes+` WHERE user_id = :user`+ifRecorded,
	`SELECT count(*) AS n FROM audit_events WHERE id = :event_id`,
)

// ReplaceRecoveryCodes ends the recovery codes of an account and stores others. It gives false for an account without a
// second factor, and where the session is over or something ended the account's sign-ins meanwhile.
func (d *DB) ReplaceRecoveryCodes(ctx context.Context, c *FactorChange, now time.Time) (bool, error) {
	var row struct{ N int }
	rest := func(tx *sql.Tx) error {
		if row.N == 0 {
			return nil
		}
		if _, err := d.firstCodesIn(ctx, tx, c, now); err != nil {
			return err
		}
		return d.queueIn(ctx, tx, c.Mails)
	}
	_, err := d.queryRow(ctx, dropOldCodes, c.byPerson(ctx, ActionRecoveryCodesReplaced, now), &row,
		locking(lockUser, params{{"user", c.User}}), after(rest))
	return row.N == 1, err
}

var countCodes = reads("countCodes", `SELECT (`+unusedCodes+`) AS n`)

// RecoveryCodesLeft counts the recovery codes of an account that were not used yet.
func (d *DB) RecoveryCodesLeft(ctx context.Context, user UserID) (int, error) {
	return d.count(ctx, countCodes, params{{"user", user}})
}
