package db

import (
	"context"
	"database/sql"
	"time"
)

// CodeLives is how long a code is good (OT-01): shorter than most tokens.
const CodeLives = 10 * time.Minute

// codeTries is how many times a code may be tried (OT-16).
const codeTries = 5

// newestCode finds the newest token that was mailed to an address: the code belongs to it.
const newestCode = `SELECT id FROM one_time_tokens
  WHERE address_canonical = :address AND purpose IN (:purpose, :other_purpose) AND invalidated_at IS NULL
    AND expires_at > :now AND created_at > :created_after
  ORDER BY created_at DESC, id DESC LIMIT 1`

var tryCode = writes("tryCode",
	`WITH r AS (
  UPDATE one_time_tokens SET attempts = attempts + 1
  WHERE id = (`+newestCode+`) AND attempts < :tries AND invalidated_at IS NULL
  RETURNING id, user_id
) SELECT r.id, r.user_id FROM (SELECT 1) one LEFT JOIN r ON true`,
	`UPDATE one_time_tokens SET attempts = attempts + 1 WHERE attempts < :tries AND id = (`+newestCode+`)`,
	`SELECT t.id, t.user_id FROM (SELECT 1) one
LEFT JOIN one_time_tokens t ON changes() = 1 AND t.id = (`+newestCode+`)`,
)

// lockAddressee makes others wait who make a token for the same account: a new token takes over the tries of the old
// one.
var lockAddressee = onPostgres("lockAddressee", `SELECT 1 FROM users WHERE id = (
  SELECT user_id FROM one_time_tokens
  WHERE address_canonical = :address AND purpose IN (:purpose, :other_purpose) AND invalidated_at IS NULL
  ORDER BY created_at DESC, id DESC LIMIT 1
) FOR NO KEY UPDATE`)

// TryCode finds the token of a code that somebody gave with an address, for one of up to two purposes; the zero id for
// a wrong code, or where there is no token. The try is counted before right compares, and uncounted when the code is
// right. A wrong code leaves the failure of action in the same transaction.
func (d *DB) TryCode(
	ctx context.Context, address string, purposes []Purpose, right func(TokenID) bool, action Action, now time.Time,
) (TokenID, error) {
	first, last := purposes[0], purposes[len(purposes)-1]
	var row struct {
		ID     TokenID `bun:"id"`
		UserID UserID  `bun:"user_id"`
	}
	found := false
	compare := func(tx *sql.Tx) error {
		if !row.ID.IsZero() && right(row.ID) {
			found = true
			_, err := d.w.NewUpdate().Model((*OneTimeToken)(nil)).Set("attempts = attempts - 1").
				Where("id = ?", row.ID).Conn(tx).Exec(ctx)
			return err
		}
		e := Event{Action: action, Reason: "wrong_code", User: row.UserID}
		if row.ID.IsZero() {
			e.Reason = "no_code"
		}
		return d.recordIn(ctx, tx, e, now)
	}
	lock := params{{"address", address}, {"purpose", first}, {"other_purpose", last}}
	p := params{{"now", now}, {"created_after", now.Add(-CodeLives)}, {"tries", codeTries}}.with(lock)
	_, err := d.queryRow(ctx, tryCode, p, &row, locking(lockAddressee, lock), after(compare))
	if err != nil || !found {
		return TokenID{}, err
	}
	return row.ID, nil
}
