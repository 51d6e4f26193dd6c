package db

import (
	"context"
	"time"
)

var sessionOver = readsEach("sessionOver",
	`SELECT `+alivePostgres+` AND EXISTS (SELECT 1 FROM users WHERE id = user_id AND status = 'ACTIVE') AS alive,
revoked_at IS NOT NULL AS revoked FROM sessions WHERE id = :session`,
	`SELECT `+aliveSQLite+` AND EXISTS (SELECT 1 FROM users WHERE id = user_id AND status = 'ACTIVE') AS alive,
revoked_at IS NOT NULL AS revoked FROM sessions WHERE id = :session`,
)

// SessionOver tells whether a session is not alive at now, and whether somebody ended it. One that was deleted is over.
// It writes nothing.
func (d *DB) SessionOver(ctx context.Context, id SessionID, now time.Time) (over, revoked bool, err error) {
	var row struct {
		Alive   bool `bun:"alive"`
		Revoked bool `bun:"revoked"`
	}
	_, err = d.queryRow(ctx, sessionOver, params{{"session", id}, {"now", now}}, &row)
	return err == nil && !row.Alive, row.Revoked, err
}
