package db_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
)

// LG-06, LG-08 and LG-22: the failures of strangers belong to the account and the name that they typed, and to a
// pseudonym where there is no account.
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
		byUsername := db.Identifier{Canonical: username, Username: true, Pseudonym: somebody("2").Pseudonym}
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
		signedIn := db.Identifier{Account: u.ID, Pseudonym: u.ID.UUID, Session: db.NewSessionID()}
		for name, row := range map[string]struct {
			who          db.Identifier
			want, inARow int
		}{
			"by email": {byEmail, 3, 6}, "by username": {byUsername, 3, 6}, "signed in": {signedIn, 0, 6},
			"nobody": {nobody, 1, 1}, "nobody else": {other, 0, 0},
			"the email as username": {
				db.Identifier{Canonical: email, Username: true, Pseudonym: other.Pseudonym}, 0, 0,
			},
		} {
			a := attempt(t, d, row.who)
			if a.Failures != row.want || (a.FailedAt != nil) != (row.want > 0) || a.Known || a.InARow != row.inARow {
				t.Errorf("%s: %d failures of %d, last %v", name, a.Failures, a.InARow, a.FailedAt)
			}
			if row.want == 3 && !a.FailedAt.Equal(now.Add(2*time.Second)) {
				t.Errorf("%s: last %v", name, a.FailedAt)
			}
			key := row.who.Pseudonym
			if row.inARow == 6 {
				key = u.ID.UUID
			}
			if a.User.ID.IsZero() != (row.inARow < 6) || !strings.HasPrefix(a.Bucket(), key.String()+" ") {
				t.Errorf("%s: account %v, counted for %v", name, a.User.ID, a.Bucket())
			}
		}
		if n := count(t, dbtest.Beside(t, dsn),
			"audit_events WHERE action = 'login.failed' AND outcome = 'failed'"); n != 8 {
			t.Errorf("%d events", n)
		}
	})
}

// LG-21: a device that shows a token of the account has a bucket of its own: nobody can lock the owner out from
// elsewhere, and a success forgives the failures of its own bucket and no other. A token counts for its account alone,
// and not when the devices of the account were cleared since.
func TestLG21_Attempt(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		d, conn := dbtest.Open(t, dsn), dbtest.Beside(t, dsn)
		ada, bob := join(t, d, "ada@example.com"), join(t, d, "bob@example.com")
		home := db.Shown{Device: uuid.New(), Account: ada.ID, IssuedAt: noon()}
		second := db.Shown{Device: uuid.New(), Account: ada.ID, IssuedAt: noon()}
		foreign := db.Shown{Device: home.Device, Account: bob.ID, IssuedAt: noon()}
		none := db.Shown{}
		at := func(shown db.Shown) db.Identifier {
			return db.Identifier{Canonical: "ada@example.com", Pseudonym: somebody("ada").Pseudonym, Shown: shown}
		}
		for range 5 {
			fail(t, d, at(none), noon())
		}
		fail(t, d, at(home), noon())
		want := func(name string, shown db.Shown, known bool, failures int) {
			t.Helper()
			a := attempt(t, d, at(shown))
			if a.Known != known || a.Failures != failures || shown.Counts(&a.User) != known {
				t.Errorf("%s: known %v, %d failures", name, a.Known, a.Failures)
			}
		}
		want("home", home, true, 1)
		want("second", second, true, 0)
		want("of somebody else", foreign, false, 5)
		want("none", none, false, 5)

		login := func(shown db.Shown) {
			t.Helper()
			s := db.NewSession(from(t, ""), ada.ID, day, day, noon(), db.AuthPassword)
			if ok, err := d.Login(from(t, ""), attempt(t, d, at(shown)), s, 100); err != nil || !ok {
				t.Fatalf("login: %v %v", ok, err)
			}
		}
		login(home)
		want("home after its success", home, true, 0)
		want("none after the success of home", none, false, 5)
		fail(t, d, at(home), noon())
		login(none)
		want("home after the success of none", home, true, 1)
		want("none after its success", none, false, 0)

		for _, row := range []struct {
			name  string
			after time.Duration // between the clearing of the devices and the issue of the token
			known bool
		}{{"before", -time.Microsecond, false}, {"in the same moment", 0, true}, {"after", time.Microsecond, true}} {
			shown := db.Shown{Device: uuid.New(), Account: ada.ID, IssuedAt: noon().Add(row.after)}
			execute(t, conn, `UPDATE users SET devices_cleared_at = last_login_at`) // noon
			want("issued "+row.name, shown, row.known, 0)
		}
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

// PW-12: concurrent sign-ins that make one outdated hash anew leave one of the new hashes, with one session. The others
// find another hash than they read, and start theirs by another attempt.
func TestLogin_NewHash(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		d, conn := dbtest.Open(t, dsn), dbtest.Beside(t, dsn)
		u := join(t, d, "ada@example.com")
		who := db.Identifier{Canonical: "ada@example.com"}
		read := make([]*db.Attempt, 8)
		for n := range read {
			read[n] = attempt(t, d, who)
			read[n].NewHash = fmt.Sprintf("anew %d", n)
		}
		login := func(a *db.Attempt) bool {
			s := db.NewSession(t.Context(), u.ID, day, day, noon(), db.AuthPassword)
			ok, err := d.Login(from(t, ""), a, s, 100)
			if err != nil {
				t.Error(err)
			}
			return ok
		}
		var all sync.WaitGroup
		var won, done atomic.Int32
		for n := range read {
			all.Go(func() {
				if login(read[n]) {
					won.Store(int32(n))
					done.Add(1)
				}
			})
		}
		all.Wait()
		a := attempt(t, d, who)
		if done.Load() != 1 || a.User.PasswordHash != read[won.Load()].NewHash || count(t, conn, "sessions") != 1 {
			t.Errorf("%d sign-ins, the last of %d; the hash is %q", done.Load(), won.Load(), a.User.PasswordHash)
		}
		if !login(a) || attempt(t, d, who).User.PasswordHash != a.User.PasswordHash {
			t.Error("another attempt does not sign in, or changes the hash")
		}
	})
}
