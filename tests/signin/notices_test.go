package signin

import (
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

const (
	iphone = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) " +
		"Version/17.4 Mobile/15E148 Safari/604.1"
	iphone2 = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) " +
		"Version/17.5 Mobile/15E148 Safari/604.1"
	firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
)

// TestLG20_NewDevice: the first device is no news, a further one is, once; another version of it and a neighbouring
// address are the same device.
func TestLG20_NewDevice(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Limited(t, harness.NewClock(), dsn)
		in := func(email, agent, from string) {
			t.Helper()
			harness.Fine(t, harness.Asked(t, s.URL, "", harness.LoginDoc,
				harness.InputOf("email", email, "password", harness.GoodPass), "User-Agent", agent, "X-Forwarded-For",
				from))
			s.Clock.Add(time.Minute) // one mail of a kind a minute (OT-17)
		}
		harness.Fine(t, harness.Asked(t, s.URL, "", harness.RegisterDoc,
			harness.InputOf("email", "ada@example.com", "password", harness.GoodPass), "User-Agent", firefox,
			"X-Forwarded-For", harness.Owner))
		harness.Fine(t, harness.Asked(t, s.URL, "", harness.RegisterDoc,
			harness.InputOf("email", "bob@example.com", "password", harness.GoodPass, "signIn", false), "User-Agent",
			firefox))
		for n, step := range []struct {
			email, agent, from string
			news               int // so far
		}{
			{"ada@example.com", firefox, harness.Owner, 0},
			{"ada@example.com", iphone, harness.Owner, 1},
			{"ada@example.com", iphone, harness.Owner, 1},
			{"ada@example.com", iphone2, "203.0.113.77", 1},
			{"ada@example.com", iphone, "2001:db8:1:2::3", 2},
			{"ada@example.com", iphone, "2001:db8:1:ffff::4", 2},
			{"ada@example.com", iphone, "2001:db8:2::4", 3},
			{"bob@example.com", iphone, harness.Attacker, 0}, // its first sign-in of all
			{"bob@example.com", firefox, harness.Attacker, 1},
		} {
			in(step.email, step.agent, step.from)
			if got := len(s.Letters(t, step.email, db.MailNewSignIn)); got != step.news {
				t.Errorf("%d: %d mails, want %d", n, got, step.news)
			}
		}
		l := s.Letter(t, "bob@example.com", db.MailNewSignIn)
		if l.Mail.Data.Device != "Firefox on Linux" || l.Mail.Data.IP != harness.Attacker || l.Token != "" {
			t.Errorf("%+v", l.Mail)
		}
		// What is kept of a device is a hash.
		for _, device := range harness.OpenSide(t, dsn).Texts(t, `SELECT CAST(device AS text) FROM known_devices`) {
			if strings.Contains(device, "Firefox") || strings.Contains(device, "203.0") {
				t.Error(device)
			}
		}
		// A device that nobody signed in from for half a year is forgotten.
		s.Clock.Add(181 * 24 * time.Hour)
		if _, err := s.App.DB.Sweep(t.Context(), s.Clock.Now()); err != nil {
			t.Fatal(err)
		}
		if n := harness.OpenSide(t, dsn).Count(t, `SELECT count(*) FROM known_devices`); n != 0 {
			t.Errorf("%d devices are left", n)
		}
	})
}

// LG-20: a change of the password, and a sign-in behind failures, are told, and by the change itself.
func TestLG20_Notices(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Limited(t, harness.NewClock(), dsn)
		ada := s.Register(t, "ada@example.com")
		count := func(kind db.MailKind, want int) harness.Letter {
			t.Helper()
			all := s.Letters(t, "ada@example.com", kind)
			if len(all) != want {
				t.Errorf("%d mails %s, want %d", len(all), kind, want)
			}
			if len(all) == 0 {
				return harness.Letter{}
			}
			return all[0]
		}
		harness.RefusedWith(t, s.GraphQL(t, ada.Access, harness.ChangePasswordDoc,
			harness.InputOf("newPassword", "short")), "PASSWORD_TOO_WEAK")
		harness.RefusedWith(t, s.GraphQL(t, ada.Access, harness.UpdateMeDoc,
			harness.InputOf("password", harness.NewPass, "currentPassword", harness.WrongPass)),
			"INVALID_CURRENT_PASSWORD")
		count(db.MailPassword, 0)
		harness.Fine(t, s.GraphQL(t, ada.Access, harness.ChangePasswordDoc,
			harness.InputOf("newPassword", harness.NewPass)))
		count(db.MailPassword, 1)
		s.Clock.Add(time.Minute)
		harness.Fine(t, s.GraphQL(t, ada.Access, harness.UpdateMeDoc, harness.InputOf("password", harness.GoodPass)))
		if l := count(db.MailPassword, 2); l.Mail.Data.Device != "Go-http-client" || l.Mail.Data.IP != "127.0.0.1" ||
			l.Token != "" {
			t.Errorf("%+v", l.Mail)
		}
		harness.Fine(t, s.Login(t, ada.Email, harness.GoodPass))
		for n := range 6 {
			if n == 4 {
				harness.Fine(t, s.Login(t, ada.Email, harness.GoodPass)) // behind four failures
				count(db.MailAfterFailures, 0)
			}
			s.Clock.Add(time.Minute)
			s.Login(t, ada.Email, harness.WrongPass)
		}
		for range 3 {
			s.Clock.Add(time.Minute)
			s.Login(t, ada.Email, harness.WrongPass)
		}
		s.Clock.Add(time.Minute)
		harness.Fine(t, s.Login(t, ada.Email, harness.GoodPass))
		if l := count(db.MailAfterFailures, 1); l.Mail.Data.Failures != 5 {
			t.Errorf("%+v", l.Mail)
		}
		harness.Fine(t, s.Login(t, ada.Email, harness.GoodPass))
		count(db.MailAfterFailures, 1)
	})
}

// paced fails to sign in n times, as fast as the delays let it.
func paced(t testing.TB, i *harness.Instance, n int, from string) {
	t.Helper()
	for range n {
		i.Clock.Add(15*time.Minute + time.Second)
		if a := i.LoginFrom(t, from, "email", "ada@example.com", harness.WrongPass); a.Code() != "INVALID_CREDENTIALS" {
			t.Fatalf("%s", a.Raw)
		}
	}
}

// TestLG09_Disabled: after a hundred failures in a row the right password is refused like a wrong one, from everywhere.
// Sessions and keys go on, and the mailbox restores it.
func TestLG09_Disabled(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Limited(t, harness.NewClock(), dsn)
		a := harness.Fine(t, harness.Asked(t, s.URL, "", harness.RegisterDoc,
			harness.InputOf("email", "ada@example.com", "password", harness.GoodPass), "X-Forwarded-For",
			harness.Owner))
		access, refresh := a.Text("register", "tokens", "accessToken"), a.Text("register", "tokens", "refreshToken")
		device := a.Text("register", "deviceToken")
		_, key := s.NewKey(t, access, nil)
		ada := harness.Account{ID: a.Text("register", "user", "id"), Email: "ada@example.com"}
		conn := harness.OpenSide(t, dsn)
		paced(t, s, 98, harness.Attacker)
		s.Clock.Add(time.Hour)
		// a success of the owner: from here on it counts anew
		if a := s.LoginFrom(t, harness.Owner, "email", ada.Email, harness.GoodPass); a.Code() != "" {
			t.Fatal(a.Raw)
		}
		paced(t, s, 60, harness.Attacker)
		for range 39 { // a known device is no way round
			s.Clock.Add(15*time.Minute + time.Second)
			harness.RefusedWith(t, s.LoginOn(t, harness.Owner, device, ada.Email, harness.WrongPass),
				"INVALID_CREDENTIALS")
		}
		if conn.Count(t, `SELECT count(*) FROM users WHERE password_disabled_at IS NOT NULL`) != 0 ||
			len(s.Letters(t, ada.Email, db.MailDisabled)) != 0 {
			t.Fatal("disabled after 99 failures in a row")
		}
		paced(t, s, 1, harness.Attacker)
		wrong := s.LoginFrom(t, harness.Owner, "email", "nobody@example.com", harness.GoodPass)
		for _, from := range []string{harness.Owner, harness.Attacker, "192.0.2.1"} {
			for _, token := range []string{"", device} {
				s.Clock.Add(16 * time.Minute)
				if a := s.LoginOn(t, from, token, ada.Email, harness.GoodPass); a.Raw != wrong.Raw ||
					a.Status != wrong.Status {
					t.Errorf("from %s: %s, not %s", from, a.Raw, wrong.Raw)
				}
			}
		}
		if n := len(s.Letters(t, ada.Email, db.MailDisabled)); n != 1 {
			t.Errorf("%d mails", n)
		}
		r := s.Refresh(t, refresh)
		access = r.Text("refresh", "tokens", "accessToken")
		if !s.Is(t, access, ada) || !s.Is(t, key, ada) {
			t.Errorf("the session or the key ended: %s", r.Raw)
		}
		s.Clock.Add(16 * time.Minute)
		harness.RefusedWith(t, s.GraphQL(t, access, harness.SudoDoc, harness.InputOf("password", harness.GoodPass)),
			"UNAUTHENTICATED")
		l := s.Mailed(t, harness.AskResetDoc, ada.Email, db.MailResetPassword)
		harness.Fine(t, s.GraphQL(t, "", harness.ResetDoc,
			harness.InputOf("token", l.Token, "newPassword", harness.NewPass)))
		harness.Fine(t, s.LoginFrom(t, harness.Attacker, "email", ada.Email, harness.NewPass)) // LG-12
		paced(t, s, 5, harness.Attacker)
	})
}

// The proof of a signed-in person counts and is disabled like a sign-in (PW-09, LG-09); another password within the
// sudo window restores it.
func TestLG09_Proofs(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Limited(t, harness.NewClock(), dsn)
		ada := s.Register(t, "ada@example.com")
		conn := harness.OpenSide(t, dsn)
		s.Login(t, ada.Email, harness.WrongPass)
		conn.MustExec(t, `UPDATE throttles SET failures = 99 WHERE scope = '*'`)
		harness.RefusedWith(t, s.GraphQL(t, ada.Access, harness.SudoDoc,
			harness.InputOf("password", harness.WrongPass)), "INVALID_CURRENT_PASSWORD")
		if n := len(s.Letters(t, ada.Email, db.MailDisabled)); n != 1 {
			t.Errorf("%d mails", n)
		}
		for _, a := range []*harness.Answer{
			s.GraphQL(t, ada.Access, harness.SudoDoc, harness.InputOf("password", harness.GoodPass)),
			s.GraphQL(t, ada.Access, harness.ChangePasswordDoc,
				harness.InputOf("newPassword", harness.NewPass, "currentPassword", harness.GoodPass)),
		} {
			harness.RefusedWith(t, a, "INVALID_CURRENT_PASSWORD")
		}
		harness.Fine(t, s.GraphQL(t, ada.Access, harness.ChangePasswordDoc,
			harness.InputOf("newPassword", harness.NewPass)))
		s.Clock.Add(time.Minute)
		harness.Fine(t, s.Login(t, ada.Email, harness.NewPass))
	})
}

// LG-09, LG-10: many failures at once disable the password once, and one mail says so.
func TestLG09_Volley(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Limited(t, harness.NewClock(), dsn)
		s.Register(t, "ada@example.com")
		devices := make([]string, 16) // as many buckets, which nothing takes turns for
		for n := range devices {
			devices[n] = harness.Fine(t, s.Login(t, "ada@example.com", harness.GoodPass)).Text("login", "deviceToken")
		}
		s.Login(t, "ada@example.com", harness.WrongPass)
		harness.OpenSide(t, dsn).MustExec(t, `UPDATE throttles SET failures = 92 WHERE scope = '*'`)
		codes := map[string]int{}
		for _, a := range harness.Together(16, func(n int) (*harness.Answer, error) {
			return harness.Send(s.URL, "", harness.LoginDoc,
				harness.InputOf("email", "ada@example.com", "password", harness.WrongPass), "X-Device-Token",
				devices[n])
		}) {
			if a == nil {
				t.Fatal("no answer")
			}
			codes[a.Code()]++
		}
		if codes["INVALID_CREDENTIALS"] != 16 {
			t.Errorf("%v", codes)
		}
		if n := len(s.Letters(t, "ada@example.com", db.MailDisabled)); n != 1 {
			t.Errorf("%d mails", n)
		}
	})
}
