package db

import (
	"context"
	"errors"
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

// sweeps are the deletes of Sweep. Each removes at most one batch of rows that are older than its argument, so that no
// lock is held for long, and passes over rows that another instance is at.
var sweeps = []struct {
	what, sql string
	keep      time.Duration
	events    bool // older than is told by the id, which is ordered by time, and needs no index of its own
	days      bool // of one row for a day
}{
	{"expired sessions", `DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE expires_at < ? LIMIT ? ?)`, keepEnded, false, false},
	{"ended sessions", `DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE revoked_at < ? LIMIT ? ?)`, keepEnded, false, false},
	{"expired keys", `DELETE FROM api_keys WHERE id IN (SELECT id FROM api_keys WHERE expires_at < ? LIMIT ? ?)`, keepEnded, false, false},
	{"revoked keys", `DELETE FROM api_keys WHERE id IN (SELECT id FROM api_keys WHERE revoked_at < ? LIMIT ? ?)`, keepEnded, false, false},
	{"retired signing keys", `DELETE FROM signing_keys WHERE kid IN
(SELECT kid FROM signing_keys WHERE state = 'retired' AND retired_at < ? LIMIT ? ?)`, keepRetired, false, false},
	{"server secrets", `DELETE FROM server_secrets WHERE id IN (SELECT id FROM server_secrets WHERE last_used_at < ? LIMIT ? ?)`, keepSecrets, false, false},
	{"sent mails", `DELETE FROM mails WHERE id IN (SELECT id FROM mails WHERE sent_at < ? LIMIT ? ?)`, keepSent, false, false},
	{"mails", `DELETE FROM mails WHERE id IN (SELECT id FROM mails WHERE id < ? ORDER BY id LIMIT ? ?)`, keepMails, true, false},
	{"one-time tokens", `DELETE FROM one_time_tokens WHERE id IN
(SELECT id FROM one_time_tokens WHERE expires_at < ? LIMIT ? ?)`, keepTokens, false, false},
	{"throttles", `DELETE FROM throttles WHERE (subject, address) IN
(SELECT subject, address FROM throttles WHERE failed_at < ? LIMIT ? ?)`, forgetAfter, false, false},
	{"known devices", `DELETE FROM known_devices WHERE (user_id, device) IN
(SELECT user_id, device FROM known_devices WHERE seen_at < ? LIMIT ? ?)`, keepDevices, false, false},
	{"audit events", `DELETE FROM audit_events WHERE id IN
(SELECT id FROM audit_events WHERE id < ? ORDER BY id LIMIT ? ?)`, keepAudit, true, false},
	{"refresh events", `DELETE FROM audit_events WHERE id IN
(SELECT id FROM audit_events WHERE id < ? AND action = 'refresh' AND outcome = 'ok' ORDER BY id LIMIT ? ?)`, keepRefreshes, true, false},
	{"uses of dialects", `DELETE FROM dialect_usage WHERE (day, dialect, route, kind, caller, block) IN
(SELECT day, dialect, route, kind, caller, block FROM dialect_usage WHERE day < ? LIMIT ? ?)`, keepUsage, false, true},
}

// Sweep deletes what nobody needs any more, in batches, and counts the rows. Each of told hears how many of each kind they
// were, such as "audit events", also when there were none.
func (d *DB) Sweep(ctx context.Context, now time.Time, told ...func(kind string, rows int)) (int, error) {
	total := 0
	var failures []error // one table that can not be swept does not keep the others from it
	for _, s := range sweeps {
		var before any = now.Add(-s.keep)
		if s.events {
			before = firstEventID(now.Add(-s.keep))
		}
		if s.days {
			before = now.Add(-s.keep).UTC().Format(time.DateOnly)
		}
		n, err := d.sweep(ctx, s.sql, before)
		total += n
		failures = append(failures, wrap(err, "sweep "+s.what))
		for _, tell := range told {
			tell(s.what, n)
		}
	}
	if !d.Postgres() {
		return total, errors.Join(failures...)
	}
	n, err := d.sweep(ctx, `DELETE FROM rate_limits WHERE key IN (SELECT key FROM rate_limits WHERE tat < ? LIMIT ? ?)`, now)
	for _, tell := range told {
		tell("rate limits", n)
	}
	return total + n, errors.Join(append(failures, wrap(err, "sweep rate limits"))...)
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
