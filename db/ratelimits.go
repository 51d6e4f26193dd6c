package db

import (
	"context"
	"time"
)

var takeTry = statement{
	postgres: `INSERT INTO rate_limits (key, tat) VALUES ($1, $2::timestamptz + $3::bigint * interval '1 microsecond')
ON CONFLICT (key) DO UPDATE
SET tat = least(greatest(rate_limits.tat, $2), $2 + $4::bigint * interval '1 microsecond') + $3::bigint * interval '1 microsecond'
WHERE least(greatest(rate_limits.tat, $2), $2 + $4::bigint * interval '1 microsecond') + $3::bigint * interval '1 microsecond'
  <= $2 + $4::bigint * interval '1 microsecond'
RETURNING tat`,
}

// Take is limit.Store on Postgres, so that all instances count together: one atomic upsert for each try.
func (d *DB) Take(ctx context.Context, key string, interval, capacity time.Duration, now time.Time) (time.Time, bool, error) {
	var row struct {
		TAT time.Time `bun:"tat"`
	}
	allowed, err := d.get(ctx, &takeTry, &row, key, Clock(now), interval.Microseconds(), capacity.Microseconds())
	return row.TAT, allowed, err
}
