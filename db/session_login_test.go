package db_test

import (
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
)

// LG-06 and LG-08: failures belong to the account, whatever was typed, and to a stand-in where there is none.
func TestAttempt_Buckets(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		d := dbtest.Open(t, dsn)
		email, username := "ada@example.com", "countess"
		u := db.NewUser(noon())
		u.Email, u.EmailCanonical, u.Username, u.UsernameCanonical, u.PasswordHash = &email, email, &username,
			&username, "hash"
		if taken, err := d.Register(from(t, ""), u, nil, nil); err != nil || taken != nil {
			t.Fatalf("register: %v %v", taken, err)
		}
		byEmail := db.Identifier{Canonical: email, Pseudonym: somebody("1").Pseudonym}
		byUsername := db.Identifier{
			Canonical: username, Username: true, Pseudonym: somebody("2").Pseudonym,
			Address: "192.0.2.9",
		}
		nobody, other := somebody("nobody@example.com"), somebody("other@example.com")
		if a := attempt(t, d, byEmail); a.User.ID != u.ID || a.Known || a.Failures != 0 || a.FailedAt != nil ||
			a.User.PasswordHash != "hash" {
			t.Errorf("before any failure: %+v", a)
		}
		now := noon()
		for n := range 3 {
			fail(t, d, byEmail, now.Add(time.Duration(n)*time.Second))
			fail(t, d, byUsername, now.Add(time.Duration(n)*time.Second))
		}
		fail(t, d, nobody, now)
		if err := d.LoginFailed(from(t, ""), attempt(t, d, byEmail), "throttled", false,
			now.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		for name, row := range map[string]struct {
			who  db.Identifier
			want int
		}{
			"by email": {byEmail, 6}, "by username": {byUsername, 6}, "nobody": {nobody, 1}, "nobody else": {other, 0},
			"the email as username": {db.Identifier{Canonical: email, Username: true, Pseudonym: other.Pseudonym}, 0},
		} {
			a := attempt(t, d, row.who)
			if a.Failures != row.want || (a.FailedAt != nil) != (row.want > 0) || a.Known {
				t.Errorf("%s: %d failures, last %v", name, a.Failures, a.FailedAt)
			}
			if row.want == 6 && (!a.FailedAt.Equal(now.Add(2*time.Second)) || a.Bucket() != u.ID.UUID.String()+" ") {
				t.Errorf("%s: last %v, counted for %v", name, a.FailedAt, a.Bucket())
			}
			if row.want < 6 && (!a.User.ID.IsZero() || a.Bucket() != row.who.Pseudonym.String()+" ") {
				t.Errorf("%s: an account: %v", name, a.User.ID)
			}
		}
		if n := count(t, dbtest.Beside(t, dsn),
			"audit_events WHERE action = 'login.failed' AND outcome = 'failed'"); n != 8 {
			t.Errorf("%d events", n)
		}
	})
}

// A device that signed in before has a bucket of its own: nobody can lock the owner out from elsewhere, and a success
// forgives the failures of its own bucket and no other.
func TestAttempt_KnownDevice(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		d := dbtest.Open(t, dsn)
		ada, bob := join(t, d, "ada@example.com"), join(t, d, "bob@example.com")
		home, away := "192.0.2.1", "192.0.2.2"
		enter(t, d, ada, home, day, day, noon())
		enter(t, d, bob, away, day, day, noon())
		at := func(address string) db.Identifier {
			return db.Identifier{Canonical: "ada@example.com", Pseudonym: somebody("ada").Pseudonym, Address: address}
		}
		for range 5 {
			fail(t, d, at(away), noon())
		}
		fail(t, d, at(home), noon())
		want := func(address string, known bool, failures int) {
			t.Helper()
			if a := attempt(t, d, at(address)); a.Known != known || a.Failures != failures {
				t.Errorf("from %q: known %v, %d failures", address, a.Known, a.Failures)
			}
		}
		want(home, true, 1)
		want(away, false, 5) // a device that is known to somebody else is not known here
		want("", false, 5)

		login := func(address string) {
			t.Helper()
			s := db.NewSession(from(t, ""), ada.ID, day, day, noon(), db.AuthPassword)
			if ok, err := d.Login(from(t, address), attempt(t, d, at(address)), s, 100); err != nil || !ok {
				t.Fatalf("login: %v %v", ok, err)
			}
		}
		login(home)
		want(home, true, 0)
		want("", false, 5)
		fail(t, d, at(home), noon())
		login("")
		want(home, true, 1)
		want("", false, 0)
	})
}

// Failures are counted anew when the last one lies more than a day back.
func TestLoginFailed_Forgets(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		d := dbtest.Open(t, dsn)
		who, now := somebody("ada"), noon()
		for n, step := range []struct {
			after time.Duration
			want  int
		}{
			{0, 1}, {time.Hour, 2}, {day, 3}, {day, 4}, {day + time.Microsecond, 1}, {0, 2},
		} {
			now = now.Add(step.after)
			fail(t, d, who, now)
			if a := attempt(t, d, who); a.Failures != step.want || !a.FailedAt.Equal(now) {
				t.Errorf("step %d: %d failures, last %v", n, a.Failures, a.FailedAt)
			}
		}
	})
}

// Login does nothing when what the attempt read is no longer so.
func TestLogin_AccountChanged(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		d, conn := dbtest.Open(t, dsn), dbtest.Beside(t, dsn)
		u := join(t, d, "ada@example.com")
		who := db.Identifier{Canonical: "ada@example.com"}
		fail(t, d, who, noon())
		for name, change := range map[string][2]string{
			"password": {`UPDATE users SET password_hash = 'other'`, `UPDATE users SET password_hash = '` +
				u.PasswordHash + `'`},
			"suspension": {`UPDATE users SET status = 'SUSPENDED'`, `UPDATE users SET status = 'ACTIVE'`},
		} {
			a := attempt(t, d, who)
			execute(t, conn, change[0])
			s := db.NewSession(t.Context(), u.ID, day, day, noon(), db.AuthPassword)
			if ok, err := d.Login(from(t, ""), a, s, 100); err != nil || ok {
				t.Errorf("%s: %v %v", name, ok, err)
			}
			execute(t, conn, change[1])
		}
		if n := count(t, conn, "sessions"); n != 0 {
			t.Errorf("%d sessions", n)
		}
		if n := count(t, conn, "audit_events WHERE action = 'login.succeeded' AND outcome = 'ok'"); n != 0 {
			t.Errorf("%d events of a success", n)
		}
		if a := attempt(t, d, who); a.Failures != 1 || a.User.LastLoginAt != nil {
			t.Errorf("%+v", a)
		}
	})
}
