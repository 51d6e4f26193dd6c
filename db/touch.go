package db

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// touchEvery is how exact "last used" is: a session or key that is used all day long is written once a minute.
const touchEvery = time.Minute

// touches gathers when sessions and keys were last used, so that a read of `me` does not cost a write. A crash loses at
// most what was gathered since the last flush.
type touches struct {
	mu       sync.Mutex
	sessions map[SessionID]time.Time
	keys     map[KeyID]time.Time
}

// Touch notes that the caller's session or key was used at now. The first use of a key is written at once (AK-06).
func (d *DB) Touch(ctx context.Context, c *Caller, now time.Time) error {
	switch {
	case !c.Session.ID.IsZero():
		if now.Sub(c.Session.LastUsedAt) >= touchEvery {
			d.touches.mu.Lock()
			defer d.touches.mu.Unlock()
			if d.touches.sessions == nil {
				d.touches.sessions = map[SessionID]time.Time{}
			}
			d.touches.sessions[c.Session.ID] = now
		}
	case c.Key.LastUsedAt == nil:
		_, err := d.count(ctx, &touchKey, c.Key.ID, now)
		return err
	case now.Sub(*c.Key.LastUsedAt) >= touchEvery:
		d.touches.mu.Lock()
		defer d.touches.mu.Unlock()
		if d.touches.keys == nil {
			d.touches.keys = map[KeyID]time.Time{}
		}
		d.touches.keys[c.Key.ID] = now
	}
	return nil
}

var touchSession = statement{
	postgres: `WITH s AS (UPDATE sessions SET last_used_at = $2 WHERE id = $1 AND last_used_at < $2 RETURNING 1)
SELECT count(*) AS n FROM s`,
	sqlite: []string{`UPDATE sessions SET last_used_at = ?2 WHERE id = ?1 AND last_used_at < ?2`, `SELECT changes() AS n`},
}

var touchKey = statement{
	postgres: `WITH k AS (UPDATE api_keys SET last_used_at = $2
WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < $2) RETURNING 1) SELECT count(*) AS n FROM k`,
	sqlite: []string{`UPDATE api_keys SET last_used_at = ?2
WHERE id = ?1 AND (last_used_at IS NULL OR last_used_at < ?2)`, `SELECT changes() AS n`},
}

// FlushTouches writes what was gathered. What fails to be written is dropped: the next use notes it anew.
func (d *DB) FlushTouches(ctx context.Context) error {
	d.touches.mu.Lock()
	sessions, keys := d.touches.sessions, d.touches.keys
	d.touches.sessions, d.touches.keys = nil, nil
	d.touches.mu.Unlock()
	var failures []error
	for id, at := range sessions {
		_, err := d.count(ctx, &touchSession, id, at)
		failures = append(failures, err)
	}
	for id, at := range keys {
		_, err := d.count(ctx, &touchKey, id, at)
		failures = append(failures, err)
	}
	if err := errors.Join(failures...); err != nil {
		return fmt.Errorf("db: last use: %w", err)
	}
	return nil
}
