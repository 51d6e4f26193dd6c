package db

import (
	"context"
	"time"
)

var sessionOver = readsEach("sessionOver",
	`SELECT `+userColumns+`, `+sessionColumns+`, `+alivePostgres+` AND u.status = 'ACTIVE' AS alive
FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.id = :session`,
	`SELECT `+userColumns+`, `+sessionColumns+`, `+aliveSQLite+` AND u.status = 'ACTIVE' AS alive
FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.id = :session`,
)

// SessionOver tells whether a session is not alive at now, and writes nothing. The session comes with it, nil where it
// was deleted.
func (d *DB) SessionOver(ctx context.Context, id SessionID, now time.Time) (over bool, seen *Caller, err error) {
	var row struct {
		Caller
		Alive bool `bun:"alive"`
	}
	found, err := d.queryRow(ctx, sessionOver, params{{"session", id}, {"now", now}}, &row)
	switch {
	case err != nil || found && row.Alive:
		return false, nil, err
	case !found:
		return true, nil, nil
	}
	return true, &row.Caller, nil
}
