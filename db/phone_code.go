package db

import (
	"context"
	"database/sql"
	"strings"
	"time"
)

// PhoneTry is a code of a message to a phone that somebody typed.
type PhoneTry struct {
	Phone   string
	Purpose SMSPurpose
	Owner   UserID // who is signed in, and confirms a number; zero for a sign-in
	Shown   Shown  // the device token of a sign-in

	// Number and Account are the keyed hashes by which tries within an hour are counted: five each, over all codes. The
	// number of a sign-in is that of one account, so Account is Number there.
	Number, Account []byte

	Right  func(*SMS) bool
	Action Action      // of the event of a wrong code
	Closed ClosedMails // of a sign-in
}

// The newest message alone counts, used or not: an earlier code never comes back.
const newestSMS = `SELECT o.id, o.user_id, o.phone FROM sms o WHERE o.id = (
    SELECT n.id FROM sms n WHERE n.phone = :phone AND n.purpose = :purpose AND (n.user_id = :owner OR :owner IS NULL)
    AND n.resolved_at IS NOT NULL ORDER BY n.id DESC LIMIT 1)
  AND o.redeemed_at IS NULL AND o.expires_at > :now AND `

// A number that somebody confirms has the budget of a year for itself, whoever asks: many accounts give no more
// guesses.
const numberOpen = `(:owner IS NULL OR ` + wrongOf + `:number_key) < :a_year)`

// countPhoneTry counts before the code is compared. The order of the keys prevents deadlocks.
const countPhoneTry = `INSERT INTO code_tries AS c (address, tries, first_at)
SELECT k.key, 1, :now FROM (SELECT CAST(:number_key AS bytea) AS key UNION SELECT CAST(:account_key AS bytea)) k
WHERE true ORDER BY k.key
ON CONFLICT (address) DO UPDATE SET
  tries = CASE WHEN c.first_at <= :count_after THEN 1 ELSE least(c.tries, :tries) + 1 END,
  first_at = CASE WHEN c.first_at <= :count_after THEN :now ELSE c.first_at END`

var tryPhoneCode = writes("tryPhoneCode",
	`WITH c AS (`+countPhoneTry+` RETURNING tries
), o AS (`+newestSMS+`(SELECT max(tries) FROM c) <= :tries AND `+numberOpen+`
  AND (:owner IS NOT NULL OR `+codesOpenPostgres+`)
) SELECT o.id, o.user_id, o.phone FROM (SELECT count(*) FROM c) one LEFT JOIN o ON true`,
	strings.NewReplacer("CAST(:number_key AS bytea)", ":number_key", "CAST(:account_key AS bytea)", ":account_key",
		"least(", "min(").Replace(countPhoneTry),
	`SELECT o.id, o.user_id, o.phone FROM (SELECT 1) one LEFT JOIN (`+newestSMS+`(
    SELECT max(tries) FROM code_tries WHERE address IN (:number_key, :account_key)) <= :tries AND `+numberOpen+`
  AND (:owner IS NOT NULL OR `+codesOpenSQLite+`)) o ON true`,
)

var uncountPhoneTry = writes("uncountPhoneTry",
	`WITH c AS (UPDATE code_tries SET tries = tries - 1 WHERE address IN (
  SELECT address FROM code_tries WHERE address IN (:number_key, :account_key) ORDER BY address FOR UPDATE) RETURNING 1)
SELECT count(*) AS n FROM c`,
	`UPDATE code_tries SET tries = tries - 1 WHERE address IN (:number_key, :account_key)`,
	`SELECT changes() AS n`,
)

// TryPhoneCode finds the message whose code somebody typed; nil for a wrong code, or where there is no code. As TryCode
// it counts the try before Right compares. A wrong code leaves its event in the same transaction.
func (d *DB) TryPhoneCode(ctx context.Context, c *PhoneTry, now time.Time) (*SMS, error) {
	var row SMS
	found := false
	keys := params{{"number_key", c.Number}, {"account_key", c.Account}}
	compare := func(tx *sql.Tx) error {
		if !row.ID.IsZero() && c.Right(&row) {
			found = true
			_, err := d.queryRowIn(ctx, tx, uncountPhoneTry, keys, &struct{ N int }{})
			return err
		}
		e := Event{Action: c.Action, Reason: "wrong_code", User: row.UserID}
		if row.ID.IsZero() {
			e.Reason, e.User = "no_code", c.Owner
		} else if err := d.wrongPhoneCode(ctx, tx, c, row.UserID, now); err != nil {
			return err
		}
		return d.recordIn(ctx, tx, e, now)
	}
	p := params{
		{"now", now},
		{"phone", c.Phone},
		{"purpose", c.Purpose},
		{"owner", c.Owner},
		{"tries", codeTries},
		{"count_after", now.Add(-codeTriesFor)},
	}.with(keys, codeBudgetParams(c.Shown, now))
	_, err := d.queryRow(ctx, tryPhoneCode, p, &row, after(compare))
	if err != nil || !found {
		return nil, err
	}
	return &row, nil
}

func (d *DB) wrongPhoneCode(ctx context.Context, tx *sql.Tx, c *PhoneTry, user UserID, now time.Time) error {
	if c.Purpose == SMSLogin {
		return d.wrongCodeIn(ctx, tx, user, c.Closed, now)
	}
	_, err := d.countWrongCode(ctx, tx, c.Number, now)
	return err
}
