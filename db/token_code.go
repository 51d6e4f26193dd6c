package db

import (
	"context"
	"database/sql"
	"time"

	"github.com/jackc/pgx/v5"
)

// CodeLives is how long a code is good (OT-01): not as long as most tokens.
const CodeLives = 10 * time.Minute

// codeTries is how often one may be tried (OT-16).
const codeTries = 5

// A code belongs to the newest token that was mailed to the address. Only one whose tries are not used up can be tried.
var tryCode = statement{
	postgres: `WITH c AS (
  SELECT id FROM one_time_tokens WHERE address_canonical = $1 AND purpose IN ($3, $4) AND spent_at IS NULL AND expires_at > $2
  AND created_at > $5 ORDER BY created_at DESC, id DESC LIMIT 1
), r AS (
  UPDATE one_time_tokens SET attempts = attempts + 1
  WHERE id = (SELECT id FROM c) AND attempts < $6 AND spent_at IS NULL RETURNING id, user_id
) SELECT r.id, r.user_id FROM (SELECT 1) one LEFT JOIN r ON true`,
	sqlite: []string{
		`UPDATE one_time_tokens SET attempts = attempts + 1 WHERE attempts < ?6 AND id = (
  SELECT id FROM one_time_tokens WHERE address_canonical = ?1 AND purpose IN (?3, ?4) AND spent_at IS NULL AND expires_at > ?2
  AND created_at > ?5 ORDER BY created_at DESC, id DESC LIMIT 1
)`,
		`SELECT t.id, t.user_id FROM (SELECT 1) one LEFT JOIN one_time_tokens t ON changes() = 1 AND t.id = (
  SELECT id FROM one_time_tokens WHERE address_canonical = ?1 AND purpose IN (?3, ?4) AND spent_at IS NULL AND expires_at > ?2
  AND created_at > ?5 ORDER BY created_at DESC, id DESC LIMIT 1
)`,
	},
}

// lockAddressee makes others wait who make a token for the same account: a new one takes over the tries of the old one.
const lockAddressee = `SELECT 1 FROM users WHERE id = (
  SELECT user_id FROM one_time_tokens WHERE address_canonical = $1 AND purpose IN ($2, $3) AND spent_at IS NULL
  ORDER BY created_at DESC, id DESC LIMIT 1
) FOR NO KEY UPDATE`

// TryCode finds the token whose code somebody showed beside an address, by one of up to two purposes; the zero id when the code
// is not right, or there is none. A try is taken before right compares, and given back when it was right; one that was wrong
// is written down as the failure of action in the same transaction.
func (d *DB) TryCode(
	ctx context.Context, address string, purposes []Purpose, right func(TokenID) bool, action string, now time.Time,
) (TokenID, error) {
	first, last := purposes[0], purposes[len(purposes)-1]
	var row struct {
		ID     TokenID `bun:"id"`
		UserID UserID  `bun:"user_id"`
	}
	found := false
	judge := func(tx *sql.Tx) error {
		if !row.ID.IsZero() && right(row.ID) {
			found = true
			_, err := d.w.NewUpdate().Model((*OneTimeToken)(nil)).Set("attempts = attempts - 1").Where("id = ?", row.ID).Conn(tx).Exec(ctx)
			return err
		}
		e := Event{Action: action, Reason: "wrong_code", User: row.UserID}
		if row.ID.IsZero() {
			e.Reason = "no_code"
		}
		return d.recordIn(ctx, tx, e, now)
	}
	lock := func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, lockAddressee, pgx.QueryExecModeCacheStatement, address, first, last)
		return err
	}
	_, err := d.getThen(ctx, lock, judge, &tryCode, &row, address, now, first, last, now.Add(-CodeLives), codeTries)
	if err != nil || !found {
		return TokenID{}, err
	}
	return row.ID, nil
}
