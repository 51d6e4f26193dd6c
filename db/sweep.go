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
	keepEnded     = 24 * time.Hour        // an ended session or key, for whoever looks into its end
	keepAudit     = 90 * 24 * time.Hour   // the event of anything else
	keepRefreshes = 7 * 24 * time.Hour    // the event of a refresh: one every few minutes for each session
	keepRetired   = 25 * time.Hour        // a retired signing key: no token lives longer than 24 hours
	keepSecrets   = 400 * 24 * time.Hour  // the use of a server secret: no session lives longer than 365 days
	keepSent      = 7 * 24 * time.Hour    // a mail that was sent
	keepMails     = 30 * 24 * time.Hour   // any other mail: a failed one, for whoever looks into it
	keepTokens    = 24 * time.Hour        // an expired one-time token, or registration: for whoever comes late
	keepBudgets   = 24 * time.Hour        // how many mails a mailbox got
	keepDevices   = 180 * 24 * time.Hour  // a device without a sign-in
	keepUsage     = 400 * 24 * time.Hour  // calls of a dialect: a year and a bit, to compare the same weeks
	keepTries     = 366 * 24 * time.Hour  // wrong codes of second factors: they count for a year
	sweepPause    = 10 * time.Millisecond // between batches: others can write
)

// swept describes rows that Sweep deletes once they are older than keep. The statement removes at most one batch, so
// that it holds no lock for long, and skips rows that another instance has locked.
type swept struct {
	what, sql string
	keep      time.Duration
	events    bool // the id tells the age: it is ordered by time, and needs no further index
	days      bool // one row stands for a day
}

var sweeps = []swept{
	{"expired sessions", `DELETE FROM sessions WHERE id IN
(SELECT id FROM sessions WHERE expires_at < ? LIMIT ? ?)`, keepEnded, false, false},
	{"ended sessions", `DELETE FROM sessions WHERE id IN
(SELECT id FROM sessions WHERE revoked_at < ? LIMIT ? ?)`, keepEnded, false, false},
	{"expired keys", `DELETE FROM api_keys WHERE id IN
(SELECT id FROM api_keys WHERE expires_at < ? LIMIT ? ?)`, keepEnded, false, false},
	{"revoked keys", `DELETE FROM api_keys WHERE id IN
(SELECT id FROM api_keys WHERE revoked_at < ? LIMIT ? ?)`, keepEnded, false, false},
	{"retired signing keys", `DELETE FROM signing_keys WHERE kid IN
(SELECT kid FROM signing_keys WHERE state = 'retired' AND retired_at < ? LIMIT ? ?)`, keepRetired, false, false},
	{"server secrets", `DELETE FROM server_secrets WHERE id IN
(SELECT id FROM server_secrets WHERE last_used_at < ? LIMIT ? ?)`, keepSecrets, false, false},
	{"sent mails", `DELETE FROM mails WHERE id IN
(SELECT id FROM mails WHERE sent_at < ? LIMIT ? ?)`, keepSent, false, false},
	{"mails", `DELETE FROM mails WHERE id IN
(SELECT id FROM mails WHERE id < ? ORDER BY id LIMIT ? ?)`, keepMails, true, false},
	{"one-time tokens", `DELETE FROM one_time_tokens WHERE id IN
(SELECT id FROM one_time_tokens WHERE expires_at < ? LIMIT ? ?)`, keepTokens, false, false},
	{"registrations", `DELETE FROM registrations WHERE id IN
(SELECT id FROM registrations WHERE expires_at < ? LIMIT ? ?)`, keepTokens, false, false},
	{"tries of codes", `DELETE FROM code_tries WHERE address IN
(SELECT address FROM code_tries WHERE first_at < ? LIMIT ? ?)`, codeTriesFor, false, false},
	{"budgets of mailboxes", `DELETE FROM mail_budgets WHERE mailbox IN
(SELECT mailbox FROM mail_budgets WHERE counted_at < ? LIMIT ? ?)`, keepBudgets, false, false},
	{"messages to phones", `DELETE FROM sms WHERE id IN
(SELECT id FROM sms WHERE id < ? ORDER BY id LIMIT ? ?)`, keepSent, true, false},
	{"counts of messages", `DELETE FROM sms_sends WHERE id IN
(SELECT id FROM sms_sends WHERE at < ? LIMIT ? ?)`, keepBudgets, false, false},
	{"wrong codes", `DELETE FROM wrong_codes WHERE (subject, week) IN
(SELECT subject, week FROM wrong_codes WHERE week < ? LIMIT ? ?)`, codeYear, false, true},
	{"throttles", `DELETE FROM throttles WHERE (account_key, scope) IN
(SELECT account_key, scope FROM throttles WHERE failed_at < ? LIMIT ? ?)`, forgetAfter, false, false},
	{"known devices", `DELETE FROM known_devices WHERE (user_id, device) IN
(SELECT user_id, device FROM known_devices WHERE seen_at < ? LIMIT ? ?)`, keepDevices, false, false},
	{"wrong codes", `DELETE FROM factor_tries WHERE (user_id, scope, day) IN
(SELECT user_id, scope, day FROM factor_tries WHERE day < ? LIMIT ? ?)`, keepTries, false, true},
	{"remembered devices", `DELETE FROM remembered_devices WHERE (user_id, device) IN
(SELECT user_id, device FROM remembered_devices WHERE expires_at < ? LIMIT ? ?)`, 0, false, false},
	{"set-ups of authenticator apps", `DELETE FROM authenticators WHERE id IN
(SELECT id FROM authenticators WHERE confirmed_at IS NULL AND created_at < ? LIMIT ? ?)`, keepTokens, false, false},
	{"audit events", `DELETE FROM audit_events WHERE id IN
(SELECT id FROM audit_events WHERE id < ? ORDER BY id LIMIT ? ?)`, keepAudit, true, false},
	{
		"refresh events", `DELETE FROM audit_events WHERE id IN
(SELECT id FROM audit_events WHERE id < ? AND action = 'session.refreshed' ORDER BY id LIMIT ? ?)`,
		keepRefreshes, true, false,
	},
	{"uses of dialects", `DELETE FROM dialect_usage WHERE (day, dialect, route, kind, caller, block) IN
(SELECT day, dialect, route, kind, caller, block FROM dialect_usage WHERE day < ? LIMIT ? ?)`, keepUsage, false, true},
}

// limits are swept on Postgres only, where instances share them. Each row holds its own end.
var limits = swept{
	"rate limits", `DELETE FROM rate_limits WHERE key IN
(SELECT key FROM rate_limits WHERE tat < ? LIMIT ? ?)`, 0, false, false,
}

// overdue tells for each of sweeps, in their order and by the same conditions, whether there is something to delete.
// overdueLimits adds limits.
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
  CASE WHEN EXISTS (SELECT 1 FROM registrations WHERE expires_at < ?) THEN '1' ELSE '0' END ||
  CASE WHEN EXISTS (SELECT 1 FROM code_tries WHERE first_at < ?) THEN '1' ELSE '0' END ||
  CASE WHEN EXISTS (SELECT 1 FROM mail_budgets WHERE counted_at < ?) THEN '1' ELSE '0' END ||
  CASE WHEN EXISTS (SELECT 1 FROM sms WHERE id < ?) THEN '1' ELSE '0' END ||
  CASE WHEN EXISTS (SELECT 1 FROM sms_sends WHERE at < ?) THEN '1' ELSE '0' END ||
  CASE WHEN EXISTS (SELECT 1 FROM wrong_codes WHERE week < ?) THEN '1' ELSE '0' END ||
  CASE WHEN EXISTS (SELECT 1 FROM throttles WHERE failed_at < ?) THEN '1' ELSE '0' END ||
  CASE WHEN EXISTS (SELECT 1 FROM known_devices WHERE seen_at < ?) THEN '1' ELSE '0' END ||
  CASE WHEN EXISTS (SELECT 1 FROM factor_tries WHERE day < ?) THEN '1' ELSE '0' END ||
  CASE WHEN EXISTS (SELECT 1 FROM remembered_devices WHERE expires_at < ?) THEN '1' ELSE '0' END ||
  CASE WHEN EXISTS (SELECT 1 FROM authenticators WHERE confirmed_at IS NULL AND created_at < ?)
    THEN '1' ELSE '0' END ||
  CASE WHEN EXISTS (SELECT 1 FROM audit_events WHERE id < ?) THEN '1' ELSE '0' END ||
  CASE WHEN EXISTS (SELECT 1 FROM audit_events WHERE id < ? AND action = 'session.refreshed')
    THEN '1' ELSE '0' END ||
  CASE WHEN EXISTS (SELECT 1 FROM dialect_usage WHERE day < ?) THEN '1' ELSE '0' END`
	overdueLimits = overdue + ` ||
  CASE WHEN EXISTS (SELECT 1 FROM rate_limits WHERE tat < ?) THEN '1' ELSE '0' END`
)

// before gives the value that the condition compares with.
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

// Sweep deletes what nobody needs any more, in batches, and counts the rows. Each of observers is called with the rows
// of each kind, such as "audit events", also for 0. A sweep that finds nothing costs one statement.
func (d *DB) Sweep(ctx context.Context, now time.Time, observers ...func(kind string, rows int)) (int, error) {
	all, look := sweeps, overdue
	if d.Postgres() {
		all, look = append(slices.Clone(sweeps), limits), overdueLimits
	}
	total := 0
	var failures []error // an error of one table does not stop the sweep of the others
	found := d.overdue(ctx, look, all, now)
	for i, s := range all {
		n := 0
		if found == nil || found[i] == '1' {
			var err error
			n, err = d.sweep(ctx, s.sql, s.before(now))
			failures = append(failures, wrap(err, "sweep "+s.what))
		}
		total += n
		for _, observe := range observers {
			observe(s.what, n)
		}
	}
	return total, errors.Join(failures...)
}

// overdue runs a statement that tells for each whether there is something to delete, as '1' or '0'; nil after an error.
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
	var skip bun.Safe // SQLite has one writer, and no locked rows
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
