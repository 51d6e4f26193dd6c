package db

import (
	"context"
	"time"
)

var takeTry = onPostgres("takeTry", `INSERT INTO rate_limits (key, tat)
VALUES (:key, :now::timestamptz + :interval::bigint * interval '1 microsecond')
ON CONFLICT (key) DO UPDATE SET tat = CASE
  WHEN rate_limits.tat > :now + :capacity::bigint * interval '1 microsecond'
    THEN :now + (:capacity::bigint + 1) * interval '1 microsecond'
  ELSE greatest(rate_limits.tat, :now) + :interval::bigint * interval '1 microsecond' END
WHERE rate_limits.tat > :now + (:capacity::bigint + 1) * interval '1 microsecond'
OR greatest(rate_limits.tat, :now) + :interval::bigint * interval '1 microsecond'
  <= :now + :capacity::bigint * interval '1 microsecond'
RETURNING tat`)

// Take is limit.Store on Postgres, where all instances count together: one atomic upsert for each try. A stored time
// further ahead than a full bucket comes from a clock that was set back since. Take cuts it down, so that nobody waits
// for the difference of the clocks, and leaves it one microsecond too far ahead: this tells the refused try from an
// allowed one.
func (d *DB) Take(
	ctx context.Context, key string, interval, capacity time.Duration, now time.Time,
) (time.Time, bool, error) {
	var row struct {
		TAT time.Time `bun:"tat"`
	}
	now = Clock(now)
	p := params{
		{"key", key}, {"now", now}, {"interval", interval.Microseconds()}, {"capacity", capacity.Microseconds()},
	}
	found, err := d.queryRow(ctx, takeTry, p, &row)
	return row.TAT, found && !row.TAT.After(now.Add(capacity)), err
}

var giveBackTry = onPostgres("giveBackTry", `UPDATE rate_limits
SET tat = tat - :interval::bigint * interval '1 microsecond' WHERE key = :key RETURNING tat`)

// GiveBack is limit.Store on Postgres.
func (d *DB) GiveBack(ctx context.Context, key string, interval time.Duration) error {
	var row struct {
		TAT time.Time `bun:"tat"`
	}
	_, err := d.queryRow(ctx, giveBackTry, params{{"key", key}, {"interval", interval.Microseconds()}}, &row)
	return err
}
