package db_test

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
)

const day = 24 * time.Hour

// somebody is an account that does not exist, told by a name.
func somebody(name string) db.Identifier {
	h := sha256.Sum256([]byte(name))
	return db.Identifier{Canonical: name, Pseudonym: uuid.UUID(h[:16])}
}

// attempt reads the account and its failures.
func attempt(t *testing.T, d *db.DB, who db.Identifier) *db.Attempt {
	t.Helper()
	a, err := d.Attempt(t.Context(), who)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// fail writes one counted failure down.
func fail(t *testing.T, d *db.DB, who db.Identifier, now time.Time) {
	t.Helper()
	if err := d.LoginFailed(from(t, ""), attempt(t, d, who), "wrong_password", true, now); err != nil {
		t.Fatal(err)
	}
}

func sweep(t *testing.T, d *db.DB, now time.Time, want int) {
	t.Helper()
	if n, err := d.Sweep(t.Context(), now); err != nil || n != want {
		t.Errorf("swept %d rows, not %d (%v)", n, want, err)
	}
}

// What is over stays for a day: at a day it is still there, a microsecond later it is not. Nothing else goes.
func TestSweep_SessionsKeysFailures(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		ctx, d, conn := from(t, ""), dbtest.Open(t, dsn), dbtest.Beside(t, dsn)
		now := noon()
		begin := now.Add(-400 * day)
		u := join(t, d, "ada@example.com")

		// over by its idle limit: its account may still ask about it
		idle := enter(t, d, u, "", 800*day, time.Hour, begin)
		forever := addKey(t, d, u, "forever", begin, nil)
		sessions, keys, failures := []string{idle.ID.String()}, []string{forever.ID.String()}, []string{}
		for _, row := range []struct {
			ago  time.Duration
			keep bool
		}{
			{-time.Hour, true},
			{0, true},
			{23 * time.Hour, true},
			{day, true},
			{day + time.Microsecond, false},
			{365 * day, false},
		} {
			end := now.Add(-row.ago)
			expired := enter(t, d, u, "", end.Sub(begin), 400*day, begin)
			ended := enter(t, d, u, "", 800*day, 800*day, begin)
			if ok, err := d.Logout(ctx, db.LogoutTarget{Session: ended.ID}, end); err != nil || !ok {
				t.Fatalf("logout: %v %v", ok, err)
			}
			old := addKey(t, d, u, fmt.Sprint("old", row.ago), begin, &end)
			revoked := addKey(t, d, u, fmt.Sprint("revoked", row.ago), begin, nil)
			if ok, err := d.DeleteKey(ctx, u.ID, revoked.ID, db.SessionID{}, end); err != nil || !ok {
				t.Fatalf("delete: %v %v", ok, err)
			}
			fail(t, d, somebody(row.ago.String()), end)
			if row.keep {
				sessions = append(sessions, expired.ID.String(), ended.ID.String())
				keys = append(keys, old.ID.String(), revoked.ID.String())
				failures = append(failures, somebody(row.ago.String()).Pseudonym.String(),
					somebody(row.ago.String()).Pseudonym.String())
			}
		}

		sweep(t, d, now, 2*5+2) // each failure counts in two places
		for table, want := range map[string][]string{"sessions": sessions, "api_keys": keys, "throttles": failures} {
			column, read := "id", func(u uuid.UUID) string { return u.String() }
			switch table {
			case "sessions":
				read = func(u uuid.UUID) string { return db.SessionIDFrom(u).String() }
			case "api_keys":
				read = func(u uuid.UUID) string {
					k := db.NewKeyID()
					k.UUID = u
					return k.String()
				}
			case "throttles":
				column = "account_key"
			}
			rows, err := conn.QueryContext(ctx, "SELECT "+column+" FROM "+table)
			if err != nil {
				t.Fatal(err)
			}
			defer rows.Close()
			var left []string
			for rows.Next() {
				var id db.SessionID // reads the ids of either database
				if err := rows.Scan(&id); err != nil {
					t.Fatal(err)
				}
				left = append(left, read(id.UUID))
			}
			slices.Sort(left)
			slices.Sort(want)
			if err := rows.Err(); err != nil || !slices.Equal(left, want) {
				t.Errorf("%s: left are %v, not %v (%v)", table, left, want, err)
			}
		}
		if n := count(t, conn, "users"); n != 1 {
			t.Errorf("%d accounts", n)
		}
		sweep(t, d, now, 0)
	})
}

// Refreshes that went well are forgotten after a week, everything else after 90 days. The age is that of the event's
// id, which is of the present: so the sweep is in the future.
func TestSweep_Events(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		ctx, d, conn := from(t, ""), dbtest.Open(t, dsn), dbtest.Beside(t, dsn)
		now := db.Clock(time.Now())
		u := join(t, d, "ada@example.com")                                                    // register
		s := enter(t, d, u, "", 1000*day, 1000*day, now)                                      // login
		if c, err := d.Rotate(ctx, s.ID, 0, db.RefreshRules{}, now); err != nil || c == nil { // refresh
			t.Fatalf("rotate: %v %v", c, err)
		}
		failed := db.Event{Action: db.ActionSessionRefreshed, Reason: "session_over", Sess: s.ID}
		if err := d.Record(ctx, failed, now); err != nil {
			t.Fatal(err)
		}
		for _, step := range []struct {
			after      time.Duration
			gone, left int
		}{
			{7*day - time.Minute, 0, 4},
			{7*day + time.Minute, 1, 3},
			{90*day - time.Minute, 0, 3},
			{90*day + time.Minute, 3, 0},
		} {
			sweep(t, d, now.Add(step.after), step.gone)
			if n := count(t, conn, "audit_events"); n != step.left {
				t.Errorf("%d events %s later, not %d", n, step.after, step.left)
			}
		}
		if n := count(t, conn, "sessions"); n != 1 {
			t.Errorf("%d sessions", n)
		}
	})
}

// A sweep goes on until nothing is left to do, batch after batch.
func TestSweep_Batches(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		d, conn := dbtest.Open(t, dsn), dbtest.Beside(t, dsn)
		id, cast := `unhex(printf('%032x', n))`, ""
		if d.Postgres() {
			id, cast = `lpad(to_hex(n), 32, '0')::uuid`, `::timestamptz`
		}
		execute(t, conn, `WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 3500)
INSERT INTO throttles (account_key, scope, failures, failed_at) SELECT `+id+`, '', 1,
CASE WHEN n <= 3200 THEN '2026-01-01 00:00:00+00:00' ELSE '2026-01-31 11:00:00+00:00' END`+cast+` FROM r`)
		sweep(t, d, noon(), 3200)
		if n := count(t, conn, "throttles"); n != 300 {
			t.Errorf("%d rows are left", n)
		}
	})
}

// Buckets of the limiter go when they are full again.
func TestSweep_RateLimits(t *testing.T) {
	t.Parallel()
	dsn := dbtest.Postgres(t)
	d, conn := dbtest.Open(t, dsn), dbtest.Beside(t, dsn)
	if _, ok, err := d.Take(t.Context(), "login:192.0.2.1", 15*time.Second, 15*time.Minute, noon()); err != nil || !ok {
		t.Fatalf("take: %v %v", ok, err)
	}
	sweep(t, d, noon().Add(15*time.Second), 0)
	sweep(t, d, noon().Add(15*time.Second+time.Microsecond), 1)
	if n := count(t, conn, "rate_limits"); n != 0 {
		t.Errorf("%d buckets are left", n)
	}
}

// Sent mails go after a week, all others after thirty days, which is told by their id; one-time tokens a day after they
// expired.
func TestSweep_Mails(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		d, conn := dbtest.Open(t, dsn), dbtest.Beside(t, dsn)
		u, now := join(t, d, "ada@example.com"), db.Clock(time.Now())
		sent, dead := notice(u), notice(u)
		sent.State, sent.SentAt, dead.State = db.MailSent, &now, db.MailFailed
		asked := notice(u)
		asked.Kind, asked.TTLSeconds = db.MailVerifyEmail, 3600
		queue(t, d, sent, dead, asked)
		if l, err := d.Resolve(t.Context(), asked.ID, now); err != nil || l == nil {
			t.Fatalf("%+v %v", l, err)
		}
		for _, step := range []struct {
			after                time.Duration
			gone, mails, letters int
		}{
			{25*time.Hour - time.Minute, 0, 3, 1},
			{25*time.Hour + time.Minute, 1, 3, 0},
			{7*day - time.Minute, 0, 3, 0},
			{7*day + time.Minute, 1, 2, 0},
			{30*day - time.Minute, 0, 2, 0},
			{30*day + time.Minute, 2, 0, 0},
		} {
			sweep(t, d, now.Add(step.after), step.gone)
			if mails, tokens := count(t, conn, "mails"), count(t, conn, "one_time_tokens"); mails != step.mails ||
				tokens != step.letters {
				t.Errorf("%s later: %d mails, %d tokens", step.after, mails, tokens)
			}
		}
	})
}
