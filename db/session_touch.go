package db

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
)

// touchEvery is how exact the last use is: a session or key in steady use is written once a minute.
const touchEvery = time.Minute

// touches gathers the last uses of sessions and keys: a read of `me` costs no write. A crash loses what was gathered
// since the last flush.
type touches struct {
	mu       sync.Mutex
	sessions map[SessionID]time.Time
	keys     map[KeyID]time.Time
}

// Touch records the use of the caller's session or key at now. The first use of a key is written at once (AK-06).
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
		return d.touch(ctx, touchKeys, []touched{{c.Key.ID.UUID, now.Format(touchFormat)}})
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

// touched is one row of a batch, as both databases read it from JSON. On Postgres a batch skips the rows that somebody
// is changing: it locks in an order of its own, and waiting could deadlock with whoever ends several sessions at once.
type touched struct {
	ID uuid.UUID `json:"id"`
	At string    `json:"at"`
}

const (
	touchFormat = "2006-01-02 15:04:05.999999-07:00"
	touchBatch  = 1000
)

var touchSessions = writes("touchSessions",
	`WITH l AS (
  SELECT s.id, v.at FROM sessions s JOIN jsonb_to_recordset(:batch::jsonb) AS v(id uuid, at timestamptz) USING (id)
  WHERE last_used_at < v.at FOR UPDATE OF s SKIP LOCKED
), t AS (
  UPDATE sessions SET last_used_at = l.at FROM l WHERE sessions.id = l.id RETURNING 1
) SELECT count(*) AS n FROM t`,
	`UPDATE sessions SET last_used_at = v.at FROM (
  SELECT unhex(replace(value ->> 'id', '-', '')) AS id, value ->> 'at' AS at FROM json_each(:batch)
) v WHERE sessions.id = v.id AND last_used_at < v.at`,
	`SELECT changes() AS n`,
)

var touchKeys = writes("touchKeys",
	`WITH l AS (
  SELECT k.id, v.at FROM api_keys k JOIN jsonb_to_recordset(:batch::jsonb) AS v(id uuid, at timestamptz) USING (id)
  WHERE (last_used_at IS NULL OR last_used_at < v.at) FOR UPDATE OF k SKIP LOCKED
), t AS (
  UPDATE api_keys SET last_used_at = l.at FROM l WHERE api_keys.id = l.id RETURNING 1
) SELECT count(*) AS n FROM t`,
	`UPDATE api_keys SET last_used_at = v.at FROM (
  SELECT unhex(replace(value ->> 'id', '-', '')) AS id, value ->> 'at' AS at FROM json_each(:batch)
) v WHERE api_keys.id = v.id AND (last_used_at IS NULL OR last_used_at < v.at)`,
	`SELECT changes() AS n`,
)

func (d *DB) touch(ctx context.Context, st *statement, batch []touched) error {
	text, err := jsonText(batch)
	if err != nil {
		return err
	}
	_, err = d.count(ctx, st, params{{"batch", text}})
	return err
}

// FlushTouches writes what was gathered, in batches. It drops a batch that fails: the next use records it again.
func (d *DB) FlushTouches(ctx context.Context) error {
	d.touches.mu.Lock()
	var sessions, keys []touched
	for id, at := range d.touches.sessions {
		sessions = append(sessions, touched{id.UUID, at.Format(touchFormat)})
	}
	for id, at := range d.touches.keys {
		keys = append(keys, touched{id.UUID, at.Format(touchFormat)})
	}
	d.touches.sessions, d.touches.keys = nil, nil
	d.touches.mu.Unlock()
	for batch := range slices.Chunk(sessions, touchBatch) {
		if err := d.touch(ctx, touchSessions, batch); err != nil {
			return wrap(err, "last use of sessions")
		}
	}
	for batch := range slices.Chunk(keys, touchBatch) {
		if err := d.touch(ctx, touchKeys, batch); err != nil {
			return wrap(err, "last use of keys")
		}
	}
	return nil
}
