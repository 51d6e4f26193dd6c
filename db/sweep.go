package db

import (
	"context"
	"errors"
	"slices"
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

// swept is rows that Sweep deletes: those that are older than keep. The statement removes at most one batch, so that no lock is held
// for long, and passes over rows that another instance is at.
type swept struct {
	what, sql string
	keep      time.Duration
	events    bool // older than is told by the id, which is ordered by time, and needs no index of its own
	days      bool // of one row for a day
}

var sweeps = []swept{
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
	{"throttles", `DELETE FROM throttles WHERE (account_key, scope) IN
(SELECT account_key, scope FROM throttles WHERE failed_at < ? LIMIT ? ?)`, forgetAfter, false, false},
	{"known devices", `DELETE FROM known_devices WHERE (user_id, device) IN
(SELECT user_id, device FROM known_devices WHERE seen_at < ? LIMIT ? ?)`, keepDevices, false, false},
	{"audit events", `DELETE FROM audit_events WHERE id IN
(SELECT id FROM audit_events WHERE id < ? ORDER BY id LIMIT ? ?)`, keepAudit, true, false},
	{"refresh events", `DELETE FROM audit_events WHERE id IN
(SELECT id FROM audit_events WHERE id < ? AND action = 'session.refreshed' ORDER BY id LIMIT ? ?)`, keepRefreshes, true, false},
	{"uses of dialects", `DELETE FROM dialect_usage WHERE (day, dialect, route, kind, caller, block) IN
(SELECT day, dialect, route, kind, caller, block FROM dialect_usage WHERE day < ? LIMIT ? ?)`, keepUsage, false, true},
}

// limits are swept on Postgres alone, where instances share them: each row says itself when it is over.
var limits = swept{
	"rate limits", `DELETE FROM rate_limits WHERE key IN (SELECT key FROM rate_limits WHERE tat < ? LIMIT ? ?)`, 0, false, false,
}

// overdue tells of each of sweeps, in their order and by the same conditions, whether there is something to delete; overdueLimits of
// limits too.
const (
	overdue = `SELECT CASE WHEN EXISTS (SELECT 1 FROM sessions WHERE expires_at < ?) THEN '1' ELSE '0' END ||
  CASE WHEN EXISTS (SELECT 1 FROM sessions WHERE revoked_at < ?) THEN '1' ELSE '0' END ||
  CASE WHEN EXISTS (SELECT 1 FROM api_keys WHERE expires_at < ?) THEN '1' ELSE '0' END ||
  CASE WHEN EXISTS (SELECT 1 FROM api_keys WHERE revoked_at < ?) THEN '1' ELSE '0' END ||
  CASE WHEN EXISTS (SELECT 1 FROM signing_keys WHERE state = 'retired' AND retired_at < ?) THEN '1' ELSE '0' END ||
  CASE WHEN EXISTS (SELECT 1 FROM server_secrets WHERE last_used_at < ?) THEN '1' ELSE '0' END ||
  CASE WHEN EXISTS (SELECT 1 FROM mails WHERE sent_at < ?) THEN '1' ELSE '0' END ||
  CASE WHEN EXISTS (SELECT 1 FROM mails WHERE id < ?) THEN '1' ELSE '0' END ||
  CASE WHEN EXISTS (SELECT 1 FROM one_time_tokens WHERE expires_at < ?) THEN '1' ELSE '0' END ||
  CASE WHEN EXISTS (SELECT 1 FROM throttles WHERE failed_at < ?) THEN '1' ELSE '0' END ||
  CASE WHEN EXISTS (SELECT 1 FROM known_devices WHERE seen_at < ?) THEN '1' ELSE '0' END ||
  CASE WHEN EXISTS (SELECT 1 FROM audit_events WHERE id < ?) THEN '1' ELSE '0' END ||
  CASE WHEN EXISTS (SELECT 1 FROM audit_events WHERE id < ? AND action = 'session.refreshed') THEN '1' ELSE '0' END ||
  CASE WHEN EXISTS (SELECT 1 FROM dialect_usage WHERE day < ?) THEN '1' ELSE '0' END`
	overdueLimits = overdue + ` ||
  CASE WHEN EXISTS (SELECT 1 FROM rate_limits WHERE tat < ?) THEN '1' ELSE '0' END`
)

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

// Sweep deletes what nobody needs any more, in batches, and counts the rows. Each of told hears how many of each kind they
// were, such as "audit events", also when there were none. Where there are none at all it costs one statement.
func (d *DB) Sweep(ctx context.Context, now time.Time, told ...func(kind string, rows int)) (int, error) {
	all, look := sweeps, overdue
	if d.Postgres() {
		all, look = append(slices.Clone(sweeps), limits), overdueLimits
	}
	total := 0
	var failures []error // one table that can not be swept does not keep the others from it
	found := d.overdue(ctx, look, all, now)
	for i, s := range all {
		n := 0
		if found == nil || found[i] == '1' {
			var err error
			n, err = d.sweep(ctx, s.sql, s.before(now))
			failures = append(failures, wrap(err, "sweep "+s.what))
		}
		total += n
		for _, tell := range told {
			tell(s.what, n)
		}
	}
	return total, errors.Join(failures...)
}

// overdue runs a statement that tells of each whether there is something to delete, as '1' or '0'; nil where that can not be found out.
func (d *DB) overdue(ctx context.Context, look string, all []swept, now time.Time) []byte {
	args := make([]any, len(all))
	for i, s := range all {
		args[i] = s.before(now)
	}
	var found string
	if err := d.r.NewRaw(look, args...).Scan(ctx, &found); err != nil || len(found) != len(all) {
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
