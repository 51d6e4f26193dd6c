package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
)

const (
	iphone  = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Mobile/15E148 Safari/604.1"
	iphone2 = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1"
	firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
)

// TestLG20_NewDevice: the first device is no news, a further one is, once; another version of it and a neighbouring address are
// the same device.
func TestLG20_NewDevice(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := limited(t, newClock(), dsn)
		in := func(email, agent, from string) {
			t.Helper()
			fine(t, asked(t, s.URL, "", loginDoc, inputOf("email", email, "password", goodPass), "User-Agent", agent, "X-Forwarded-For", from))
			s.clock.add(time.Second)
		}
		fine(t, asked(t, s.URL, "", registerDoc, inputOf("email", "ada@example.com", "password", goodPass), "User-Agent", firefox, "X-Forwarded-For", owner))
		fine(t, asked(t, s.URL, "", registerDoc, inputOf("email", "bob@example.com", "password", goodPass, "signIn", false), "User-Agent", firefox))
		for n, step := range []struct {
			email, agent, from string
			news               int // so far
		}{
			{"ada@example.com", firefox, owner, 0},
			{"ada@example.com", iphone, owner, 1},
			{"ada@example.com", iphone, owner, 1},
			{"ada@example.com", iphone2, "203.0.113.77", 1},
			{"ada@example.com", iphone, "2001:db8:1:2::3", 2},
			{"ada@example.com", iphone, "2001:db8:1:ffff::4", 2},
			{"ada@example.com", iphone, "2001:db8:2::4", 3},
			{"bob@example.com", iphone, attacker, 0}, // its first sign-in of all
			{"bob@example.com", firefox, attacker, 1},
		} {
			in(step.email, step.agent, step.from)
			if got := len(s.letters(t, step.email, db.MailNewSignIn)); got != step.news {
				t.Errorf("%d: %d mails, want %d", n, got, step.news)
			}
		}
		l := s.letter(t, "bob@example.com", db.MailNewSignIn)
		if l.Mail.Data.Device != "Firefox on Linux" || l.Mail.Data.IP != attacker || l.Token != "" {
			t.Errorf("%+v", l.Mail)
		}
		// What is kept of a device is a hash.
		for _, device := range openSide(t, dsn).texts(t, `SELECT CAST(device AS text) FROM known_devices`) {
			if strings.Contains(device, "Firefox") || strings.Contains(device, "203.0") {
				t.Error(device)
			}
		}
		// A device that nobody signed in from for half a year is forgotten.
		s.clock.add(181 * 24 * time.Hour)
		if _, err := s.app.DB.Sweep(t.Context(), s.clock.now()); err != nil {
			t.Fatal(err)
		}
		if n := openSide(t, dsn).count(t, `SELECT count(*) FROM known_devices`); n != 0 {
			t.Errorf("%d devices are left", n)
		}
	})
}

// LG-20: a change of the password, and a sign-in behind failures, are told, and by the change itself.
func TestLG20_Notices(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := limited(t, newClock(), dsn)
		ada := s.register(t, "ada@example.com")
		count := func(kind db.MailKind, want int) letter {
			t.Helper()
			all := s.letters(t, "ada@example.com", kind)
			if len(all) != want {
				t.Errorf("%d mails %s, want %d", len(all), kind, want)
			}
			if len(all) == 0 {
				return letter{}
			}
			return all[0]
		}
		refusedWith(t, s.graphql(t, ada.Access, changePasswordDoc, inputOf("newPassword", "short")), "PASSWORD_TOO_WEAK")
		refusedWith(t, s.graphql(t, ada.Access, updateMeDoc, inputOf("password", newPass, "currentPassword", wrongPass)), "INVALID_CURRENT_PASSWORD")
		count(db.MailPassword, 0)
		fine(t, s.graphql(t, ada.Access, changePasswordDoc, inputOf("newPassword", newPass)))
		count(db.MailPassword, 1)
		fine(t, s.graphql(t, ada.Access, updateMeDoc, inputOf("password", goodPass)))
		if l := count(db.MailPassword, 2); l.Mail.Data.Device != "Go-http-client" || l.Mail.Data.IP != "127.0.0.1" || l.Token != "" {
			t.Errorf("%+v", l.Mail)
		}
		fine(t, s.login(t, ada.Email, goodPass))
		for n := range 6 {
			if n == 4 {
				fine(t, s.login(t, ada.Email, goodPass)) // behind four failures
				count(db.MailAfterFailures, 0)
			}
			s.clock.add(time.Minute)
			s.login(t, ada.Email, wrongPass)
		}
		for range 3 {
			s.clock.add(time.Minute)
			s.login(t, ada.Email, wrongPass)
		}
		s.clock.add(time.Minute)
		fine(t, s.login(t, ada.Email, goodPass))
		if l := count(db.MailAfterFailures, 1); l.Mail.Data.Failures != 5 {
			t.Errorf("%+v", l.Mail)
		}
		fine(t, s.login(t, ada.Email, goodPass))
		count(db.MailAfterFailures, 1)
	})
}

// paced fails to sign in n times, as fast as the delays let it.
func (i *instance) paced(t testing.TB, n int, from string) {
	t.Helper()
	for range n {
		i.clock.add(15*time.Minute + time.Second)
		if a := i.loginFrom(t, from, "email", "ada@example.com", wrongPass); a.code() != "INVALID_CREDENTIALS" {
			t.Fatalf("%s", a.Raw)
		}
	}
}

// TestLG09_Disabled: after a hundred failures in a row the right password is refused like a wrong one, from everywhere. Sessions and
// keys go on, and the mailbox restores it.
func TestLG09_Disabled(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := limited(t, newClock(), dsn)
		a := fine(t, asked(t, s.URL, "", registerDoc, inputOf("email", "ada@example.com", "password", goodPass), "X-Forwarded-For", owner))
		access, refresh := a.text("register", "tokens", "accessToken"), a.text("register", "tokens", "refreshToken")
		_, key := s.newKey(t, access, nil)
		ada := account{ID: a.text("register", "user", "id"), Email: "ada@example.com"}
		conn := openSide(t, dsn)
		s.paced(t, 98, attacker)
		s.clock.add(time.Hour)
		if a := s.loginFrom(t, owner, "email", ada.Email, goodPass); a.code() != "" { // a success of the owner: from here on it counts anew
			t.Fatal(a.Raw)
		}
		s.paced(t, 60, attacker)
		s.paced(t, 39, owner) // a known device is no way round
		if conn.count(t, `SELECT count(*) FROM users WHERE password_disabled_at IS NOT NULL`) != 0 || len(s.letters(t, ada.Email, db.MailDisabled)) != 0 {
			t.Fatal("disabled after 99 failures in a row")
		}
		s.paced(t, 1, attacker)
		wrong := s.loginFrom(t, owner, "email", "nobody@example.com", goodPass)
		for _, from := range []string{owner, attacker, "192.0.2.1"} {
			s.clock.add(16 * time.Minute)
			if a := s.loginFrom(t, from, "email", ada.Email, goodPass); a.Raw != wrong.Raw || a.Status != wrong.Status {
				t.Errorf("from %s: %s, not %s", from, a.Raw, wrong.Raw)
			}
		}
		if n := len(s.letters(t, ada.Email, db.MailDisabled)); n != 1 {
			t.Errorf("%d mails", n)
		}
		r := s.refresh(t, refresh)
		access = r.text("refresh", "tokens", "accessToken")
		if !s.is(t, access, ada) || !s.is(t, key, ada) {
			t.Errorf("the session or the key ended: %s", r.Raw)
		}
		s.clock.add(16 * time.Minute)
		refusedWith(t, s.graphql(t, access, sudoDoc, inputOf("password", goodPass)), "UNAUTHENTICATED")
		l := s.mailed(t, askResetDoc, ada.Email, db.MailResetPassword)
		fine(t, s.graphql(t, "", resetDoc, inputOf("token", l.Token, "newPassword", newPass)))
		fine(t, s.loginFrom(t, attacker, "email", ada.Email, newPass)) // LG-12
		s.paced(t, 5, attacker)
	})
}

// The proof of a signed-in person counts and is disabled like a sign-in (PW-09, LG-09); another password within the sudo window
// restores it.
func TestLG09_Proofs(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := limited(t, newClock(), dsn)
		ada := s.register(t, "ada@example.com")
		conn := openSide(t, dsn)
		s.login(t, ada.Email, wrongPass)
		conn.exec(t, `UPDATE throttles SET failures = 99 WHERE address = '*'`)
		refusedWith(t, s.graphql(t, ada.Access, sudoDoc, inputOf("password", wrongPass)), "INVALID_CURRENT_PASSWORD")
		if n := len(s.letters(t, ada.Email, db.MailDisabled)); n != 1 {
			t.Errorf("%d mails", n)
		}
		for _, a := range []*answer{
			s.graphql(t, ada.Access, sudoDoc, inputOf("password", goodPass)),
			s.graphql(t, ada.Access, changePasswordDoc, inputOf("newPassword", newPass, "currentPassword", goodPass)),
		} {
			refusedWith(t, a, "INVALID_CURRENT_PASSWORD")
		}
		fine(t, s.graphql(t, ada.Access, changePasswordDoc, inputOf("newPassword", newPass)))
		s.clock.add(time.Minute)
		fine(t, s.login(t, ada.Email, newPass))
	})
}

// LG-09, LG-10: many failures at once disable the password once, and one mail says so.
func TestLG09_Volley(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := limited(t, newClock(), dsn)
		for n := range 16 { // a known address each: as many buckets, which nothing takes turns for
			fine(t, asked(t, s.URL, "", map[bool]string{true: registerDoc, false: loginDoc}[n == 0],
				inputOf("email", "ada@example.com", "password", goodPass), "X-Forwarded-For", fmt.Sprintf("192.0.2.%d", n)))
		}
		s.login(t, "ada@example.com", wrongPass)
		openSide(t, dsn).exec(t, `UPDATE throttles SET failures = 92 WHERE address = '*'`)
		codes := map[string]int{}
		for _, a := range together(16, func(n int) (*answer, error) {
			return send(s.URL, "", loginDoc, inputOf("email", "ada@example.com", "password", wrongPass), "X-Forwarded-For", fmt.Sprintf("192.0.2.%d", n))
		}) {
			if a == nil {
				t.Fatal("no answer")
			}
			codes[a.code()]++
		}
		if codes["INVALID_CREDENTIALS"] != 16 {
			t.Errorf("%v", codes)
		}
		if n := len(s.letters(t, "ada@example.com", db.MailDisabled)); n != 1 {
			t.Errorf("%d mails", n)
		}
	})
}
