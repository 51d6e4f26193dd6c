package db

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// DialectCallerKind says how a caller of a dialect is identified.
type DialectCallerKind string

// The kinds that there are.
const (
	CallerAPIKey    DialectCallerKind = "API_KEY"
	CallerUserAgent DialectCallerKind = "USER_AGENT"
	CallerLegacy    DialectCallerKind = "LEGACY_TOKEN"
	CallerOther     DialectCallerKind = "OTHER" // a caller beyond the first maxCallers of its kind
)

// Use is one call of a route of a dialect.
type Use struct {
	Dialect string
	Route   string            // as the file names it, never the path of the call: there are few routes
	Kind    DialectCallerKind // any but CallerOther
	Caller  string            // the first characters of the key, or the header, cut to maxCaller bytes
	Block   string            // the network of the call, "" for an API key
	Refused bool
	At      time.Time
}

const (
	maxCallers = 200 // of a route, day and kind: callers choose their User-Agent, and must not fill the table
	maxCaller  = 100 // bytes
	usageBatch = 1000
)

// usage gathers calls: no call costs a statement. Between two flushes it holds at most 2*maxCallers+1 entries of a
// route for each of at most two days. A crash loses the calls since the last flush.
type usage struct {
	mu      sync.Mutex
	calls   map[useKey]*useCount
	callers map[useKey]int // the number of callers of a route, day and kind, by a key without a caller
}

type useKey struct {
	day, dialect, route string
	kind                DialectCallerKind
	caller, block       string
}

type useCount struct {
	calls, refused int64
	first, last    time.Time
}

// CountUse counts a call.
func (d *DB) CountUse(u Use) {
	at := Clock(u.At)
	key := useKey{at.Format(time.DateOnly), u.Dialect, u.Route, u.Kind, truncate(u.Caller, maxCaller), u.Block}
	count := useCount{calls: 1, first: at, last: at}
	if u.Refused {
		count.refused = 1
	}
	d.usage.mu.Lock()
	defer d.usage.mu.Unlock()
	d.usage.add(key, count)
}

// truncate gives the first bytes of a text, without a part of a character.
func truncate(s string, most int) string {
	for most < len(s) && most > 0 && s[most]&0xC0 == 0x80 { // within a character
		most--
	}
	return s[:min(most, len(s))]
}

func (u *usage) add(key useKey, count useCount) {
	if u.calls == nil {
		u.calls, u.callers = map[useKey]*useCount{}, map[useKey]int{}
	}
	known := u.calls[key]
	if known == nil && key.kind != CallerOther {
		route := useKey{day: key.day, dialect: key.dialect, route: key.route, kind: key.kind}
		if u.callers[route] < maxCallers {
			u.callers[route]++
		} else {
			key.kind, key.caller, key.block = CallerOther, "", ""
			known = u.calls[key]
		}
	}
	if known == nil {
		u.calls[key] = &count
		return
	}
	known.calls += count.calls
	known.refused += count.refused
	if count.first.Before(known.first) {
		known.first = count.first
	}
	if count.last.After(known.last) {
		known.last = count.last
	}
}

// used is one row of a batch, as both databases read it from JSON.
type used struct {
	Day     string            `json:"day"`
	Dialect string            `json:"dialect"`
	Route   string            `json:"route"`
	Kind    DialectCallerKind `json:"kind"`
	Caller  string            `json:"caller"`
	Block   string            `json:"block"`
	Calls   int64             `json:"calls"`
	Refused int64             `json:"refused"`
	First   string            `json:"first_at"`
	Last    string            `json:"last_at"`

	key   useKey
	count useCount
}

// placeUses counts the callers of a route, day and kind in the table, admits new callers up to the limit, the busiest
// first, and counts the rest as OTHER. The rows come in the order of the key: this prevents deadlocks between batches.
// Two instances can fill the same room at once, and admit a few callers more.
const placeUses = `given AS (
  SELECT v.*, u.calls IS NOT NULL OR v.kind = 'OTHER' AS known
  FROM v LEFT JOIN dialect_usage u USING (day, dialect, route, kind, caller, block)
), there AS (
  SELECT u.day, u.dialect, u.route, u.kind, count(*) AS n FROM dialect_usage u
  WHERE u.kind <> 'OTHER' AND (u.day, u.dialect, u.route) IN (SELECT day, dialect, route FROM v)
  GROUP BY u.day, u.dialect, u.route, u.kind
), ranked AS (
  SELECT given.*, given.known OR coalesce(there.n, 0)
    + row_number() OVER (PARTITION BY given.day, given.dialect, given.route, given.kind, given.known
      ORDER BY given.calls DESC, given.caller, given.block)
    <= 200 AS fits
  FROM given LEFT JOIN there USING (day, dialect, route, kind)
), placed AS (
  SELECT day, dialect, route, CASE WHEN fits THEN kind ELSE 'OTHER' END AS kind,
    CASE WHEN fits THEN caller ELSE '' END AS caller, CASE WHEN fits THEN block ELSE '' END AS block,
    calls, refused, first_at, last_at
  FROM ranked
)`

const insertUses = `INSERT INTO dialect_usage
  (day, dialect, route, kind, caller, block, calls, refused, first_at, last_at)
SELECT day, dialect, route, kind, caller, block, sum(calls), sum(refused), min(first_at), max(last_at) FROM placed
GROUP BY day, dialect, route, kind, caller, block ORDER BY day, dialect, route, kind, caller, block
ON CONFLICT (day, dialect, route, kind, caller, block) DO UPDATE SET
  calls = dialect_usage.calls + excluded.calls, refused = dialect_usage.refused + excluded.refused,
  `

var addUses = writes("addUses",
	`WITH v AS (
  SELECT * FROM jsonb_to_recordset(:batch::jsonb) AS v(
    day date, dialect text, route text, kind text, caller text, block text,
    calls bigint, refused bigint, first_at timestamptz, last_at timestamptz)
), `+placeUses+`, done AS (
`+insertUses+`first_at = least(dialect_usage.first_at, excluded.first_at),
  last_at = greatest(dialect_usage.last_at, excluded.last_at)
RETURNING 1) SELECT count(*) AS n FROM done`,
	`WITH v AS (
  SELECT value ->> 'day' AS day, value ->> 'dialect' AS dialect, value ->> 'route' AS route, value ->> 'kind' AS kind,
    value ->> 'caller' AS caller, value ->> 'block' AS block,
    value ->> 'calls' AS calls, value ->> 'refused' AS refused,
    value ->> 'first_at' AS first_at, value ->> 'last_at' AS last_at
  FROM json_each(:batch)
), `+placeUses+` `+insertUses+`first_at = min(dialect_usage.first_at, excluded.first_at),
  last_at = max(dialect_usage.last_at, excluded.last_at)`,
	`SELECT changes() AS n`,
)

// FlushUsage writes the calls that were gathered, in batches of one statement each. It keeps a batch that fails for the
// next flush.
func (d *DB) FlushUsage(ctx context.Context) error {
	d.usage.mu.Lock()
	calls := d.usage.calls
	d.usage.calls, d.usage.callers = nil, nil
	d.usage.mu.Unlock()
	var rows []used
	for key, c := range calls {
		rows = append(rows, used{
			key.day, key.dialect, key.route, key.kind, key.caller, key.block, c.calls, c.refused,
			c.first.Format(usageFormat), c.last.Format(usageFormat), key, *c,
		})
	}
	var failures []error
	for batch := range slices.Chunk(rows, usageBatch) {
		text, err := jsonText(batch)
		if err == nil {
			_, err = d.count(ctx, addUses, params{{"batch", text}})
		}
		if err == nil {
			continue
		}
		failures = append(failures, err)
		d.usage.mu.Lock()
		for _, row := range batch {
			d.usage.add(row.key, row.count)
		}
		d.usage.mu.Unlock()
	}
	return wrap(errors.Join(failures...), "usage of dialects")
}

// usageFormat has a fixed width: SQLite compares two times as texts.
const usageFormat = "2006-01-02 15:04:05.000000-07:00"
