package db

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/uptrace/bun"
)

const (
	sweepBatch    = 1000
	keepEnded     = 24 * time.Hour        // an ended session or key, so that its end can be looked into
	keepAudit     = 90 * 24 * time.Hour   // the event of anything else
	keepRefreshes = 7 * 24 * time.Hour    // the event of a refresh: one every few minutes for each session
	keepRetired   = 25 * time.Hour        // a retired signing key: no token lives for more than 24 hours
	keepSecrets   = 400 * 24 * time.Hour  // that a server secret was in use: no session lives for more than 365 days
	keepSent      = 7 * 24 * time.Hour    // a mail that was sent
	keepMails     = 30 * 24 * time.Hour   // any other mail: what was given up, for somebody to look into
	keepTokens    = 24 * time.Hour        // an expired one-time token, for who comes late to be told so
	keepDevices   = 180 * 24 * time.Hour  // a device that nobody signed in from
	keepUsage     = 400 * 24 * time.Hour  // who called a dialect: a year and a bit, to compare with the same weeks
	sweepPause    = 10 * time.Millisecond // between batches, for others to write
)

// swept is rows that Sweep deletes: those that are older than keep.
type swept struct {
	what       string
	table, key string
	old        string // the condition
	keep       time.Duration
	events     bool // older than is told by the id, which is ordered by time, and needs no index of its own
	days       bool // of one row for a day
}

var sweeps = []swept{
	{"expired sessions", "sessions", "id", "expires_at < ?", keepEnded, false, false},
	{"ended sessions", "sessions", "id", "revoked_at < ?", keepEnded, false, false},
	{"expired keys", "api_keys", "id", "expires_at < ?", keepEnded, false, false},
	{"revoked keys", "api_keys", "id", "revoked_at < ?", keepEnded, false, false},
	{"retired signing keys", "signing_keys", "kid", "state = 'retired' AND retired_at < ?", keepRetired, false, false},
	{"server secrets", "server_secrets", "id", "last_used_at < ?", keepSecrets, false, false},
	{"sent mails", "mails", "id", "sent_at < ?", keepSent, false, false},
	{"mails", "mails", "id", "id < ?", keepMails, true, false},
	{"one-time tokens", "one_time_tokens", "id", "expires_at < ?", keepTokens, false, false},
	{"throttles", "throttles", "subject, address", "failed_at < ?", forgetAfter, false, false},
	{"known devices", "known_devices", "user_id, device", "seen_at < ?", keepDevices, false, false},
	{"audit events", "audit_events", "id", "id < ?", keepAudit, true, false},
	{"refresh events", "audit_events", "id", "id < ? AND action = 'refresh' AND outcome = 'ok'", keepRefreshes, true, false},
	{"uses of dialects", "dialect_usage", "day, dialect, route, kind, caller, block", "day < ?", keepUsage, false, true},
}

// limits are swept on Postgres alone, where instances share them: each row says itself when it is over.
var limits = swept{"rate limits", "rate_limits", "key", "tat < ?", 0, false, false}

// before is what the condition compares with.
func (s *swept) before(now time.Time) any {
	at := now.Add(-s.keep)
	switch {
	case s.events:
		return firstEventID(at)
	case s.days:
		return at.UTC().Format(time.DateOnly)
	}
	return at
}

// statement removes at most one batch, so that no lock is held for long, and passes over rows that another instance is at.
func (s *swept) statement() string {
	order := ""
	if s.events {
		order = " ORDER BY id"
	}
	return "DELETE FROM " + s.table + " WHERE (" + s.key + ") IN (SELECT " + s.key + " FROM " + s.table + " WHERE " + s.old + order + " LIMIT ? ?)"
}

// Sweep deletes what nobody needs any more, in batches, and counts the rows. Each of told hears how many of each kind they
// were, such as "audit events", also when there were none. Where there are none at all it costs one statement.
func (d *DB) Sweep(ctx context.Context, now time.Time, told ...func(kind string, rows int)) (int, error) {
	all := sweeps
	if d.Postgres() {
		all = append(slices.Clone(sweeps), limits)
	}
	total := 0
	var failures []error // one table that can not be swept does not keep the others from it
	found := d.overdue(ctx, all, now)
	for i, s := range all {
		n := 0
		if found == nil || found[i] == '1' {
			var err error
			n, err = d.sweep(ctx, s.statement(), s.before(now))
			failures = append(failures, wrap(err, "sweep "+s.what))
		}
		total += n
		for _, tell := range told {
			tell(s.what, n)
		}
	}
	return total, errors.Join(failures...)
}

// overdue tells of each whether there is something to delete, as '1' or '0'; nil where that can not be found out.
func (d *DB) overdue(ctx context.Context, all []swept, now time.Time) []byte {
	parts, args := make([]string, len(all)), make([]any, len(all))
	for i, s := range all {
		parts[i] = "CASE WHEN EXISTS (SELECT 1 FROM " + s.table + " WHERE " + s.old + ") THEN '1' ELSE '0' END"
		args[i] = s.before(now)
	}
	var found string
	if err := d.r.NewRaw("SELECT "+strings.Join(parts, " || "), args...).Scan(ctx, &found); err != nil || len(found) != len(all) {
		return nil
	}
	return []byte(found)
}

func (d *DB) sweep(ctx context.Context, sql string, before any) (int, error) {
	var skip bun.Safe // SQLite has one writer, and nobody to pass over
	if d.Postgres() {
		skip = "FOR UPDATE SKIP LOCKED"
	}
	for total := 0; ; {
		done, err := d.w.ExecContext(ctx, sql, before, sweepBatch, skip)
		if err != nil {
			return total, err
		}
		n, err := done.RowsAffected()
		total += int(n)
		if err != nil || n < sweepBatch {
			return total, err
		}
		select {
		case <-time.After(sweepPause):
		case <-ctx.Done():
			return total, ctx.Err()
		}
	}
}
