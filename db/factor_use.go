package db

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// UsedFactor is a code that was just found right. Its use is a conditional statement: no code is good twice.
type UsedFactor struct {
	Try           *FactorTry // is given back
	Authenticator AuthenticatorID
	Step          int64    // of the code of an authenticator app, in units of 30 seconds since 1970
	Hashes        [][]byte // of a recovery code, under the present server secret and each former one

	Notice func(left int) []*Mail // tells the owner that a recovery code was used, and how many are left
}

const (
	setStep = `UPDATE authenticators SET last_step = :step, last_used_at = :now
WHERE id = :authenticator AND user_id = :user AND confirmed_at IS NOT NULL AND last_step < :step`
	setUsed = `UPDATE recovery_codes SET used_at = :now
WHERE user_id = :user AND used_at IS NULL AND hash = :hash`
	unusedCodes = `SELECT count(*) FROM recovery_codes WHERE user_id = :user AND used_at IS NULL`
)

var useStep = writes("useStep",
	`WITH f AS (`+setStep+` RETURNING 1) SELECT count(*) AS n FROM f`, setStep, `SELECT changes() AS n`)

var useRecoveryCode = writes("useRecoveryCode",
	`WITH f AS (`+setUsed+` RETURNING 1) SELECT count(*) AS n, (`+unusedCodes+`) - count(*) AS codes FROM f`,
	setUsed, `SELECT changes() AS n, (`+unusedCodes+`) AS codes`)

// useIn uses a code; errNotPassed where it was used before.
func (d *DB) useIn(ctx context.Context, tx *sql.Tx, user UserID, f *UsedFactor, now time.Time) error {
	var used struct{ N, Codes int }
	var err error
	if f.Authenticator.IsZero() {
		for _, hash := range f.Hashes {
			if used.N == 0 && err == nil {
				p := params{{"user", user}, {"hash", hash}, {"now", now}}
				_, err = d.queryRowIn(ctx, tx, useRecoveryCode, p, &used)
			}
		}
	} else {
		p := params{{"authenticator", f.Authenticator}, {"user", user}, {"step", f.Step}, {"now", now}}
		_, err = d.queryRowIn(ctx, tx, useStep, p, &used)
	}
	switch {
	case err != nil:
		return err
	case used.N == 0:
		return errNotPassed
	}
	if f.Notice != nil {
		if err := d.queueIn(ctx, tx, f.Notice(used.Codes)); err != nil {
			return err
		}
	}
	return d.giveBackIn(ctx, tx, f.Try, now)
}

var proveFactor = writes("proveFactor",
	`WITH s AS (
  UPDATE sessions SET authenticated_at = :now, factor_at = :now, proved_by = :proved_by
  WHERE id = :session AND user_id = :user AND `+alivePostgres+`
    AND EXISTS (SELECT 1 FROM users WHERE users.id = :user AND status = 'ACTIVE')
  RETURNING user_id
), a AS (`+insertEvent+` SELECT `+eventValues+` FROM s
) SELECT count(*) AS n FROM s`,
	`UPDATE sessions SET authenticated_at = :now, factor_at = :now, proved_by = :proved_by
WHERE id = :session AND user_id = :user AND `+aliveSQLite+`
  AND EXISTS (SELECT 1 FROM users WHERE users.id = :user AND status = 'ACTIVE')`,
	insertEvent+` SELECT `+eventValues+` FROM sessions WHERE id = :session AND changes() = 1`,
	`SELECT count(*) AS n FROM audit_events WHERE id = :event_id`,
)

// ProveFactor writes down that the person behind a session just proved themselves by a second factor. It gives false
// where the code was used before or the session is over.
func (d *DB) ProveFactor(
	ctx context.Context, user UserID, session SessionID, f *UsedFactor, method AuthMethod, now time.Time,
) (bool, error) {
	e := Event{Action: ActionSudoGranted, User: user, Sess: session, Methods: []AuthMethod{method}}
	p := params{
		{"session", session},
		{"user", user},
		{"now", now},
		{"proved_by", method},
	}.with(eventParams(ctx, e, now))
	use := func(tx *sql.Tx) error { return d.useIn(ctx, tx, user, f, now) }
	var row struct{ N int }
	alive := func(*sql.Tx) error {
		if row.N == 0 {
			return errNotPassed
		}
		return nil
	}
	_, err := d.queryRow(ctx, proveFactor, p, &row, locking(lockUser, params{{"user", user}}), before(use),
		after(alive))
	if errors.Is(err, errNotPassed) {
		return false, nil
	}
	return err == nil, err
}
