package db

import (
	"context"
	"database/sql"
	"strings"
	"time"
)

// CodeLives is how long a code is good (OT-01): shorter than most tokens.
const CodeLives = 10 * time.Minute

// Wrong codes within codeTriesFor, of an address and what they are for: more are not compared (OT-16, OT-29).
const (
	codeTries    = 5
	codeTriesFor = time.Hour
)

// newestCode finds the newest token that was mailed to an address: the code belongs to it. A code that moves an account
// to a new address counts for the person who is signed in to that account alone, :owner (OT-25). Nobody who is signed
// in means a registration.
const newestCode = `SELECT id FROM one_time_tokens
  WHERE address_canonical = :address AND purpose IN (:purpose, :other_purpose)
  AND (purpose <> 'CONFIRM_CHANGE' OR user_id = :owner) AND (user_id IS NOT NULL OR :owner IS NULL)
  AND invalidated_at IS NULL AND expires_at > :now AND created_at > :created_after
  ORDER BY mail_id DESC LIMIT 1`

// A try counts before it is compared: of concurrent tries no more than codeTries are.
const countTry = `INSERT INTO code_tries AS c (address, tries, first_at) VALUES (:tries_key, 1, :now)
ON CONFLICT (address) DO UPDATE SET
  tries = CASE WHEN c.first_at <= :count_after THEN 1 ELSE least(c.tries, :tries) + 1 END,
  first_at = CASE WHEN c.first_at <= :count_after THEN :now ELSE c.first_at END`

var tryCode = writes("tryCode",
	`WITH c AS (`+countTry+` RETURNING tries
), t AS (
  SELECT id, user_id FROM one_time_tokens o WHERE id = (`+newestCode+`) AND (SELECT tries FROM c) <= :tries
    AND (NOT :opens OR `+codesOpenPostgres+`)
) SELECT t.id, t.user_id FROM c LEFT JOIN t ON true`,
	strings.Replace(countTry, "least(", "min(", 1),
	`SELECT o.id, o.user_id FROM code_tries c LEFT JOIN one_time_tokens o
  ON c.tries <= :tries AND o.id = (`+newestCode+`) AND (NOT :opens OR `+codesOpenSQLite+`)
WHERE c.address = :tries_key`,
)

// CodeTry is a code that somebody typed beside an address, for one of up to two purposes.
type CodeTry struct {
	Address  string // canonical
	Key      []byte // the keyed hash of the address and the purposes, by which wrong codes are counted
	Purposes []Purpose
	Owner    UserID // who is signed in; zero for nobody
	Right    func(TokenID) bool
	Action   Action // of the event of a wrong code

	Shown  Shown       // the device token of the request
	Closed ClosedMails // tell the owner that wrong codes used the budget of a year up
}

// opens tells whether a right code is enough to get into the account: then wrong ones use up its budget of a year.
func (c *CodeTry) opens() bool {
	return c.Purposes[0] == PurposeMagicLink || c.Purposes[0] == PurposeResetPassword
}

// TryCode finds the token of a code; the zero id for a wrong code, or where there is no token. The try is counted
// before Right compares, and uncounted when the code is right. It is counted for an address, whether anybody has it or
// not, and not for an account or a token: deleting an account or asking for another code gives no further tries. A
// wrong code leaves its event in the same transaction.
func (d *DB) TryCode(ctx context.Context, c *CodeTry, now time.Time) (TokenID, error) {
	var row struct {
		ID     TokenID `bun:"id"`
		UserID UserID  `bun:"user_id"`
	}
	found := false
	compare := func(tx *sql.Tx) error {
		if !row.ID.IsZero() && c.Right(row.ID) {
			found = true
			_, err := d.queryRowIn(ctx, tx, uncountTry, params{{"tries_key", c.Key}}, &struct{ N int }{})
			return err
		}
		e := Event{Action: c.Action, Reason: "wrong_code", User: row.UserID}
		if row.ID.IsZero() {
			e.Reason = "no_code"
		} else if c.opens() {
			if err := d.wrongCodeIn(ctx, tx, row.UserID, c.Closed, now); err != nil {
				return err
			}
		}
		return d.recordIn(ctx, tx, e, now)
	}
	p := params{
		{"now", now},
		{"created_after", now.Add(-CodeLives)},
		{"address", c.Address},
		{"purpose", c.Purposes[0]},
		{"other_purpose", c.Purposes[len(c.Purposes)-1]},
		{"owner", c.Owner},
		{"tries_key", c.Key},
		{"tries", codeTries},
		{"count_after", now.Add(-codeTriesFor)},
		{"opens", c.opens()},
	}.with(codeBudgetParams(c.Shown, now))
	_, err := d.queryRow(ctx, tryCode, p, &row, after(compare))
	if err != nil || !found {
		return TokenID{}, err
	}
	return row.ID, nil
}

var uncountTry = writes("uncountTry",
	`WITH c AS (UPDATE code_tries SET tries = tries - 1 WHERE address = :tries_key RETURNING 1)
SELECT count(*) AS n FROM c`,
	`UPDATE code_tries SET tries = tries - 1 WHERE address = :tries_key`,
	`SELECT changes() AS n`,
)
