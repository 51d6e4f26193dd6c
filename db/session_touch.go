package db

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
)

// touchEvery is how exact the last use is: a session or key in steady use is written once a minute.
const touchEvery = time.Minute

// touches gathers the last uses of sessions and keys, and the first uses of generations: a read of `me` costs no write.
// A crash loses what was gathered since the last flush.
type touches struct {
	mu       sync.Mutex
	sessions map[SessionID]use
	keys     map[KeyID]time.Time
}

// use is what was gathered of a session.
type use struct {
	at         time.Time
	generation int64 // of which an access token was used for the first time; 0 for none, which has no predecessor
}

// used tells whether the first use of a generation waits to be written.
func (t *touches) used(id SessionID, generation int64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return generation > 0 && t.sessions[id].generation >= generation
}

// Touch records the use of the caller's session or key at now. The access token that was used is of generation; a token
// that does not say counts as one of the newest generation. The first use of the newest generation is written with the
// next flush, and known to Replay here at once (SE-27). The first use of a key is written at once (AK-06).
func (d *DB) Touch(ctx context.Context, c *Caller, generation int64, now time.Time) error {
	switch {
	case !c.Session.ID.IsZero():
		d.touches.session(&c.Session, generation, now)
	case c.Key.LastUsedAt == nil:
		return d.touch(ctx, touchKeys, []touched{{ID: c.Key.ID.UUID, At: now.Format(touchFormat)}})
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

func (t *touches) session(s *Session, generation int64, now time.Time) {
	first := s.Generation > s.UsedGeneration && (generation == s.Generation || generation < 0)
	if !first && now.Sub(s.LastUsedAt) < touchEvery {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.sessions == nil {
		t.sessions = map[SessionID]use{}
	}
	u := use{at: now, generation: t.sessions[s.ID].generation}
	if first {
		u.generation = max(u.generation, s.Generation)
	}
	t.sessions[s.ID] = u
}

// touched is one row of a batch, as both databases read it from JSON. On Postgres a batch skips the rows that somebody
// is changing: it locks in an order of its own, and waiting could deadlock with whoever ends several sessions at once.
type touched struct {
	ID         uuid.UUID `json:"id"`
	At         string    `json:"at"`
	Generation int64     `json:"generation"` // of a session
}

const (
	touchFormat = "2006-01-02 15:04:05.999999-07:00"
	touchBatch  = 1000
)

// touchSessions gives the sessions that it passed over although the first use of their generation is to be written.
var touchSessions = writes("touchSessions",
	`WITH v AS (
  SELECT * FROM jsonb_to_recordset(:batch::jsonb) AS v(id uuid, at timestamptz, generation bigint)
), l AS (
  SELECT s.id, v.at, v.generation FROM sessions s JOIN v USING (id)
  WHERE last_used_at < v.at OR (s.generation = v.generation AND used_generation < v.generation)
  FOR UPDATE OF s SKIP LOCKED
), t AS (
  UPDATE sessions SET last_used_at = greatest(last_used_at, l.at),
    used_generation = CASE WHEN sessions.generation = l.generation THEN l.generation ELSE used_generation END
  FROM l WHERE sessions.id = l.id RETURNING sessions.id
) SELECT coalesce(jsonb_agg(s.id), '[]') AS skipped FROM sessions s JOIN v USING (id)
WHERE s.generation = v.generation AND used_generation < v.generation AND revoked_at IS NULL
AND NOT EXISTS (SELECT 1 FROM t WHERE t.id = s.id)`,
	`UPDATE sessions SET last_used_at = max(last_used_at, v.at),
  used_generation = CASE WHEN sessions.generation = v.generation THEN v.generation ELSE used_generation END
FROM (
  SELECT unhex(replace(value ->> 'id', '-', '')) AS id, value ->> 'at' AS at, value ->> 'generation' AS generation
  FROM json_each(:batch)
) v WHERE sessions.id = v.id
AND (last_used_at < v.at OR (sessions.generation = v.generation AND used_generation < v.generation))`,
	`SELECT '[]' AS skipped`,
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

// FlushTouches writes what was gathered, in batches. What was gathered of a session leaves the memory when it is
// written, so no first use of a generation is lost to a batch that fails or to a row that somebody is changing. A batch
// of keys that fails is dropped: the next use records it again.
func (d *DB) FlushTouches(ctx context.Context) error {
	d.touches.mu.Lock()
	sessions := maps.Clone(d.touches.sessions)
	var keys []touched
	for id, at := range d.touches.keys {
		keys = append(keys, touched{ID: id.UUID, At: at.Format(touchFormat)})
	}
	d.touches.keys = nil
	d.touches.mu.Unlock()
	for ids := range slices.Chunk(slices.Collect(maps.Keys(sessions)), touchBatch) {
		if err := d.flushSessions(ctx, ids, sessions); err != nil {
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

// flushSessions writes the uses of some sessions, and forgets those that did not change meanwhile.
func (d *DB) flushSessions(ctx context.Context, ids []SessionID, uses map[SessionID]use) error {
	batch := make([]touched, len(ids))
	for i, id := range ids {
		batch[i] = touched{ID: id.UUID, At: uses[id].at.Format(touchFormat), Generation: uses[id].generation}
	}
	text, err := jsonText(batch)
	if err != nil {
		return err
	}
	var answer struct {
		Skipped idList `bun:"skipped"`
	}
	if _, err := d.queryRow(ctx, touchSessions, params{{"batch", text}}, &answer); err != nil {
		return err
	}
	d.touches.mu.Lock()
	defer d.touches.mu.Unlock()
	for _, id := range ids {
		if d.touches.sessions[id] == uses[id] && !slices.Contains(answer.Skipped, id.UUID) {
			delete(d.touches.sessions, id)
		}
	}
	return nil
}

// idList reads a JSON list of ids.
type idList []uuid.UUID

// Scan reads the JSON text.
func (l *idList) Scan(src any) error {
	*l = nil
	return scanJSON(src, (*[]uuid.UUID)(l))
}
