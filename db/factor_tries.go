package db

import (
	"context"
	"database/sql"
	"time"

	"github.com/google/uuid"
)

// The budget of guesses (MF-14): this many wrong codes in a year from devices that are not known, over all challenges,
// sessions and dialects together. A code of six digits is good in three steps of 30 seconds, so a year of guesses hits
// with a probability of 300 * 3 / 1,000,000, which is less than one in a thousand. A success resets nothing.
const (
	FactorBudget     = 300
	FactorBudgetDays = 365
)

// unlimited is the budget of codes that nobody guesses, such as recovery codes of 80 bits or more.
const unlimited = 1 << 30

// FactorTry is a code that is about to be compared.
type FactorTry struct {
	User    UserID
	Session SessionID // of the challenge; zero without one
	Device  uuid.UUID // whose token counts for the account; zero for an unknown one
	Free    bool      // whether the code is one that nobody guesses
	Cost    int       // how many codes it is compared with
}

// scope is whose tries are counted together.
func (t *FactorTry) scope() string {
	switch {
	case t.Free:
		return "recovery"
	case t.Device != uuid.Nil:
		return "device " + t.Device.String()
	}
	return ""
}

func (t *FactorTry) params(now time.Time) params {
	return params{
		{"user", t.User}, {"scope", t.scope()}, {"day", now.UTC().Format(time.DateOnly)}, {"cost", max(1, t.Cost)},
	}
}

const (
	spentTries = `(SELECT coalesce(sum(tries), 0) FROM factor_tries
    WHERE user_id = :user AND scope = :scope AND day > :since)`
	countChallenge = `UPDATE sessions SET challenge_tries = challenge_tries + 1
  WHERE id = :session AND ` + challengeWaits + ` AND challenge_tries < :most AND ` + spentTries + ` + :cost <= :budget`
)

var takeFactorTry = writes("takeFactorTry",
	`WITH c AS (`+countChallenge+` RETURNING id
), t AS (
  INSERT INTO factor_tries (user_id, scope, day, tries) SELECT :user, :scope, :day, :cost
  WHERE (:session::uuid IS NULL OR EXISTS (SELECT 1 FROM c)) AND `+spentTries+` + :cost <= :budget
  ON CONFLICT (user_id, scope, day) DO UPDATE SET tries = factor_tries.tries + :cost RETURNING 1
) SELECT (SELECT count(*) FROM t) AS taken, `+spentTries+` AS spent,
  coalesce((SELECT challenge_tries FROM sessions WHERE id = :session), 0) AS tries`,
	countChallenge,
	`INSERT INTO factor_tries (user_id, scope, day, tries) SELECT :user, :scope, :day, :cost
WHERE (:session IS NULL OR changes() = 1) AND `+spentTries+` + :cost <= :budget
ON CONFLICT (user_id, scope, day) DO UPDATE SET tries = tries + :cost`,
	`SELECT changes() AS taken, `+spentTries+` AS spent,
  coalesce((SELECT challenge_tries FROM sessions WHERE id = :session), 0) AS tries`,
)

// TriesLeft is what is left once a code was counted, or could not be.
type TriesLeft struct {
	Challenge int // tries of the challenge; 0 without one
	Budget    int // of the budget of a year
}

// TakeFactorTry counts a code before it is compared: of concurrent ones no more are compared than may be. It gives
// false where the challenge has had its tries or has ended, or the budget is spent.
func (d *DB) TakeFactorTry(ctx context.Context, t *FactorTry, now time.Time) (taken bool, left TriesLeft, err error) {
	budget := FactorBudget
	if t.Free {
		budget = unlimited
	}
	p := t.params(now).with(params{
		{"session", t.Session},
		{"now", now},
		{"most", ChallengeTries},
		{"budget", budget},
		{"since", now.UTC().AddDate(0, 0, -FactorBudgetDays).Format(time.DateOnly)},
	})
	var row struct{ Taken, Spent, Tries int }
	_, err = d.queryRow(ctx, takeFactorTry, p, &row, locking(lockUser, params{{"user", t.User}}))
	if taken = err == nil && row.Taken == 1; taken && d.Postgres() { // it sees the rows as they were before it
		row.Spent += max(1, t.Cost)
		row.Tries++
	}
	return taken, TriesLeft{Challenge: max(0, ChallengeTries-row.Tries), Budget: max(0, budget-row.Spent)}, err
}

const giveBack = `UPDATE factor_tries SET tries = tries - :cost
WHERE user_id = :user AND scope = :scope AND day = :day AND tries >= :cost`

var returnFactorTry = writes("returnFactorTry",
	`WITH t AS (`+giveBack+` RETURNING 1) SELECT count(*) AS n FROM t`, giveBack, `SELECT changes() AS n`)

// giveBackIn uncounts a try whose code was right.
func (d *DB) giveBackIn(ctx context.Context, tx *sql.Tx, t *FactorTry, now time.Time) error {
	var n struct{ N int }
	_, err := d.queryRowIn(ctx, tx, returnFactorTry, t.params(now), &n)
	return err
}

// FactorTriesLeft gives what is left of the budget of devices that are not known.
func (d *DB) FactorTriesLeft(ctx context.Context, user UserID, now time.Time) (int, error) {
	p := params{
		{"user", user},
		{"scope", ""},
		{"since", now.UTC().AddDate(0, 0, -FactorBudgetDays).Format(time.DateOnly)},
	}
	n, err := d.count(ctx, spentFactorTries, p)
	return max(0, FactorBudget-n), err
}

var spentFactorTries = reads("spentFactorTries", `SELECT `+spentTries+` AS n`)
