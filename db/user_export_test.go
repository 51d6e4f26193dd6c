package db

import (
	"database/sql"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// withheld has the reasons why a table, or a column of an exported table, is not in an export.
var withheld = map[string]string{
	"users.email_canonical":         "email in another form",
	"users.username_canonical":      "username in another form",
	"users.pending_email_canonical": "pending_email in another form",
	"users.password_hash":           "a secret",

	"sessions.user_id":            "the person",
	"sessions.used_generation":    "how refresh tokens are judged",
	"sessions.retry_until":        "how refresh tokens are judged",
	"sessions.retried_generation": "how refresh tokens are judged",
	"sessions.retried_since":      "how refresh tokens are judged",
	"sessions.idle_seconds":       "a setting of the server",

	"api_keys.user_id": "the person",
	"api_keys.handle":  "a part of the secret; prefix is shown",
	"api_keys.hash":    "a secret",

	"audit_events.user_id": "the person",

	"mails.user_id":           "the person",
	"mails.registration_id":   "the person, before they had an account",
	"mails.address_canonical": "address in another form",
	"mails.token_id":          "leads to a secret",
	"mails.link":              "a setting of the server",
	"mails.ttl_seconds":       "a setting of the server",
	"mails.next_attempt_at":   "how mails are queued",
	"mails.resolved_at":       "how mails are queued",

	"one_time_tokens.id":                "leads to a secret",
	"one_time_tokens.user_id":           "the person",
	"one_time_tokens.registration_id":   "the person, before they had an account",
	"one_time_tokens.address_canonical": "address in another form",
	"one_time_tokens.mail_id":           "leads to a secret",

	"linked_identities.user_id": "the person",

	"authenticators.user_id":   "the person",
	"authenticators.sealed":    "a secret, sealed",
	"authenticators.last_step": "tells which codes were used",

	"recovery_codes.user_id": "the person",
	"recovery_codes.hash":    "a keyed hash of a secret",
	"recovery_codes.short":   "which API made it",

	"remembered_devices.user_id": "the person",
	"remembered_devices.device":  "stands in a secret",

	"factor_tries": "counts by day, for a year; the events of the log have each wrong code",

	"sessions.challenge_until":   "how a sign-in waits for its second factor",
	"sessions.challenge_version": "how a sign-in waits for its second factor",
	"sessions.challenge_tries":   "how a sign-in waits for its second factor",
	"users.auth_version":         "a count by which sign-ins that wait are ended",

	"known_devices.user_id": "the person",
	"known_devices.device":  "a keyed hash",

	"sms.user_id":         "the person",
	"sms.network":         "a keyed hash",
	"sms.next_attempt_at": "how messages are queued",
	"sms.resolved_at":     "how messages are queued",
	"sms_sends":           "keyed hashes of numbers and networks, for a day; sms has the same messages",
	"wrong_codes":         "how many wrong codes strangers typed in a week; the events have each",

	"throttles.account_key": "the person",
	"throttles.scope":       "a keyed hash of what strangers typed, or of a device",
	"throttles.logged_at":   "how the log is sampled",

	"registrations":       "nobody has proved yet whose it is",
	"code_tries":          "keyed hashes of addresses, for an hour",
	"mail_budgets":        "keyed hashes of mailboxes, for a day; mails has the same mails",
	"rate_limits":         "counts by address block and by id, for a day at most",
	"dialect_usage":       "counts of calls, by program and not by account; api_keys has when a key was used",
	"foreign_hashes":      "of no person: a sample is a hash that no password has",
	"signing_keys":        "of the server",
	"server_secrets":      "of the server",
	"bun_migrations":      "of the server",
	"bun_migration_locks": "of the server",
	"river_migration":     "of the queue",
	"river_job":           "of the queue: a job names a mail",
	"river_leader":        "of the queue",
	"river_queue":         "of the queue",
	"river_notification":  "of the queue",
	"sqlite_sequence":     "of the database",
}

// MI-01: what an import writes and an export reads is every column of an account.
func TestMI01_EveryColumn(t *testing.T) {
	t.Parallel()
	d, err := Open(t.Context(), "sqlite:"+t.TempDir()+"/a.db")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	if err := d.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	var want, got []string
	for _, column := range columnsOf(t, d.w.DB) {
		if name, of := strings.CutPrefix(column, "users."); of && name != "auth_version" { // begins at 0
			want = append(want, name)
		}
	}
	for name := range strings.SplitSeq(importColumns, ",") {
		got = append(got, strings.TrimSpace(name))
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("an import writes\n%v\nand the table has\n%v", got, want)
	}
	if values := strings.ReplaceAll(importValues, "r.", ""); strings.Join(strings.Fields(values), " ") !=
		strings.Join(strings.Fields(importColumns), " ") {
		t.Error("the columns and the values of an import differ")
	}
}

// exportedColumns gives the tables of an export with their columns.
func exportedColumns() map[string][]string {
	all := map[string][]string{}
	for _, row := range []any{
		exportedUser{},
		exportedSession{},
		exportedSMS{},
		exportedKey{},
		exportedEvent{},
		exportedMail{},
		exportedToken{},
		exportedDevice{},
		exportedIdentity{},
		exportedAuthenticator{},
		exportedRecoveryCode{},
		exportedRememberedDevice{},
		exportedFailure{},
	} {
		of := reflect.TypeOf(row)
		table := ""
		for i := range of.NumField() {
			name, _, _ := strings.Cut(of.Field(i).Tag.Get("bun"), ",")
			if found, is := strings.CutPrefix(name, "table:"); is {
				table = found
				continue
			}
			all[table] = append(all[table], name)
		}
	}
	return all
}

// TestAU08_EveryColumn: every column of the database is exported, or there is a reason against it. A reason without a
// column is refused too, and so is a column that is both.
func TestAU08_EveryColumn(t *testing.T) {
	t.Parallel()
	d, err := Open(t.Context(), "sqlite:"+t.TempDir()+"/a.db")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	if err := d.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	out, unused := exportedColumns(), map[string]bool{}
	for name := range withheld {
		unused[name] = name != "rate_limits" // a table of Postgres alone
	}
	for _, column := range columnsOf(t, d.w.DB) {
		table, name, _ := strings.Cut(column, ".")
		columns, exported := out[table]
		delete(unused, table)
		if !exported && withheld[table] != "" {
			continue
		}
		reason := withheld[column]
		delete(unused, column)
		if has := exported && slices.Contains(columns, name); has == (reason != "") {
			t.Errorf("%s is in the export: %v, withheld for the reason %q; see db/user_export.go", column, has, reason)
		}
	}
	for name, is := range unused {
		if is {
			t.Errorf("there is a reason for %s, which does not exist", name)
		}
	}
}

// columnsOf gives the columns of a database of SQLite, as table.column.
func columnsOf(t *testing.T, conn *sql.DB) (all []string) {
	t.Helper()
	rows, err := conn.QueryContext(t.Context(), `SELECT m.name || '.' || c.name
FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table'`)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		all = append(all, name)
	}
	if err := rows.Err(); err != nil || len(all) == 0 {
		t.Fatalf("%d columns: %v", len(all), err)
	}
	return all
}
