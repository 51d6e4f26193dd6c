package signin

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// registered registers an account from the address of its owner, and gives its device token.
func registered(t *testing.T, s *harness.Instance, email, username string) (device string) {
	t.Helper()
	a := harness.Fine(t, harness.Asked(t, s.URL, "", harness.RegisterDoc,
		harness.InputOf("email", email, "username", username, "password", harness.GoodPass), "X-Forwarded-For",
		harness.Owner))
	if device = a.Text("register", "deviceToken"); !strings.HasPrefix(device, "dt1.") {
		t.Fatal(a.Raw)
	}
	return device
}

// lock fails as a stranger until sign-in by this name is closed.
func lock(t *testing.T, s *harness.Instance, field, name string) {
	t.Helper()
	for i := range 5 {
		if a := s.LoginFrom(t, fmt.Sprintf("198.51.100.%d", i), field, name,
			harness.WrongPass); a.Code() != "INVALID_CREDENTIALS" {
			t.Fatal(a.Raw)
		}
	}
}

// TestLG08_KnownDevice locks an account from elsewhere: its owner still comes in on a device that shows its token, from
// whichever address, and nobody else does, from whichever address.
func TestLG08_KnownDevice(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Limited(t, harness.NewClock(), dsn)
		const email = "ada@example.com"
		device, other := registered(t, s, email, "ada.l"), registered(t, s, "bob@example.com", "bob.b")
		lock(t, s, "email", email)
		for name, token := range map[string]string{
			"none": "", "junk": "junk", "another account's": other, "forged": device[:len(device)-4] + "AAAA",
		} {
			for _, address := range []string{harness.Attacker, harness.Owner} {
				if a := s.LoginOn(t, address, token, email, harness.GoodPass); a.Code() != "ACCOUNT_LOCKED" {
					t.Errorf("from %s, token %s: %s", address, name, a.Raw)
				}
			}
		}
		for _, address := range []string{harness.Owner, "192.0.2.77", harness.Attacker} {
			a := s.LoginOn(t, address, device, email, harness.GoodPass)
			if a.Code() != "" {
				t.Errorf("the owner is locked out: %s", a.Raw)
			}
			s.Clock.Add(time.Millisecond)
		}
		input := harness.InputOf("email", email, "password", harness.GoodPass, "deviceToken", device)
		a := harness.Fine(t, harness.Asked(t, s.URL, "", harness.LoginDoc, input, "X-Forwarded-For", harness.Attacker,
			"X-Device-Token", other))
		renewed := a.Text("login", "deviceToken")
		if renewed == device || strings.Split(renewed, ".")[1] != strings.Split(device, ".")[1] {
			t.Errorf("%s is renewed as %s", device, renewed)
		}
		// That the owner came in opens nothing to strangers, and the device has a limit as well, under any of its
		// tokens.
		if a := s.LoginOn(t, harness.Owner, "", email, harness.GoodPass); a.Code() != "ACCOUNT_LOCKED" {
			t.Errorf("a stranger, after the owner: %s", a.Raw)
		}
		for n := range 5 {
			if a := s.LoginOn(t, fmt.Sprintf("192.0.2.%d", n), []string{device, renewed}[n%2], email,
				harness.WrongPass); a.Code() != "INVALID_CREDENTIALS" {
				t.Errorf("a failure of the device: %s", a.Raw)
			}
		}
		for _, token := range []string{device, renewed} {
			if a := s.LoginOn(t, harness.Owner, token, email, harness.GoodPass); a.Code() != "ACCOUNT_LOCKED" {
				t.Errorf("the device after five failures: %s", a.Raw)
			}
		}
	})
}

// TestLG21_SharedAddress: an address that an account is used from says nothing about the account. One try there is
// answered like one at nobody, all along, and a neighbour locks nobody out who shows a token.
func TestLG21_SharedAddress(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Limited(t, harness.NewClock(), dsn)
		device := registered(t, s, "ada@example.com", "ada.l")
		lock(t, s, "email", "ada@example.com")
		lock(t, s, "email", "nobody@example.com")
		for n := range 8 { // a neighbour
			a := s.LoginFrom(t, harness.Owner, "email", "ada@example.com", harness.WrongPass)
			b := s.LoginFrom(t, harness.Owner, "email", "nobody@example.com", harness.WrongPass)
			if a.Raw != b.Raw || a.Status != b.Status || n == 0 && a.Code() != "ACCOUNT_LOCKED" {
				t.Fatalf("try %d: %s, and for nobody %s", n, a.Raw, b.Raw)
			}
			s.Clock.Add(time.Duration(n) * time.Second)
		}
		harness.Fine(t, s.LoginOn(t, harness.Owner, device, "ada@example.com", harness.GoodPass))
	})
}

// TestLG22_NamesAreApart: failures by address and by username do not tell that both are one account. Together they
// count for the hundred that disable a password (LG-09).
func TestLG22_NamesAreApart(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Limited(t, harness.NewClock(), dsn)
		registered(t, s, "ada@example.com", "ada.l")
		names := [][2]string{{"email", "ada@example.com"}, {"username", "ada.l"}}
		strangers := [][2]string{{"email", "nobody@example.com"}, {"username", "nobody"}}
		for n := range 12 {
			a := s.LoginFrom(t, harness.Attacker, names[n%2][0], names[n%2][1], harness.WrongPass)
			b := s.LoginFrom(t, "198.51.100.8", strangers[n%2][0], strangers[n%2][1], harness.WrongPass)
			if a.Raw != b.Raw {
				t.Fatalf("try %d: %s, and for two nobodies %s", n, a.Raw, b.Raw)
			}
			if want := n >= 10; (a.Code() == "ACCOUNT_LOCKED") != want {
				t.Errorf("try %d: %s", n, a.Raw)
			}
		}
		conn := harness.OpenSide(t, dsn)
		if n := conn.Count(t, `SELECT max(failures) FROM throttles WHERE scope = '*'`); n != 10 {
			t.Errorf("%d failures of the account", n)
		}
	})
}

// LG-22: what is typed as an address and as a username counts apart, for an account and for none, so that a lock by the
// one asked for by the other does not tell who has an account.
func TestLG22_KindsOfNamesAreApart(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Limited(t, harness.NewClock(), dsn)
		registered(t, s, "ada@example.com", "ada.l")
		for typed, name := range map[string]string{
			"ada@example.com": "the address of an account", "bob@example.com": "a free address",
			"ada.l": "the username of an account", "bob.l": "a free username",
		} {
			for _, kinds := range [][2]string{{"email", "username"}, {"username", "email"}} {
				for range 5 {
					s.LoginFrom(t, harness.Attacker, kinds[0], typed, harness.WrongPass)
				}
				if a := s.LoginFrom(t, harness.Attacker, kinds[0], typed,
					harness.WrongPass); a.Code() != "ACCOUNT_LOCKED" {
					t.Errorf("%s as %s: %s", name, kinds[0], a.Raw)
				}
				if a := s.LoginFrom(t, harness.Attacker, kinds[1], typed, harness.WrongPass); kinds[1] == "username" &&
					a.Code() != "INVALID_CREDENTIALS" {
					t.Errorf("%s as %s, after failures as %s: %s", name, kinds[1], kinds[0], a.Raw)
				}
			}
		}
	})
}

// TestLG21_Session: what a stranger fails at locks nobody out who is signed in, and what fails in a session is counted
// for that session.
func TestLG21_Session(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Limited(t, harness.NewClock(), dsn)
		ada := s.Register(t, "ada@example.com")
		other := s.LoginAs(t, ada, "BODY")
		lock(t, s, "email", ada.Email)
		sudo := func(credential, password string) string {
			return s.GraphQL(t, credential, harness.SudoDoc, harness.InputOf("password", password)).Code()
		}
		if code := sudo(ada.Access, harness.GoodPass); code != "" {
			t.Errorf("a stranger locked the session out: %s", code)
		}
		for range 5 {
			sudo(ada.Access, harness.WrongPass)
		}
		if code := sudo(ada.Access, harness.GoodPass); code != "ACCOUNT_LOCKED" {
			t.Errorf("after five failures of the session: %q", code)
		}
		if code := sudo(other.Access, harness.GoodPass); code != "" {
			t.Errorf("another session: %s", code)
		}
	})
}

// TestLG21_Cleared: a reset by mail makes the device tokens of before none, and those of after count.
func TestLG21_Cleared(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Limited(t, harness.NewClock(), dsn)
		const email = "ada@example.com"
		before := registered(t, s, email, "ada.l")
		s.Clock.Add(time.Second)
		l := s.Mailed(t, harness.AskResetDoc, email, db.MailResetPassword)
		harness.Fine(t, s.GraphQL(t, "", harness.ResetDoc,
			harness.InputOf("token", l.Token, "newPassword", harness.NewPass)))
		after := harness.Fine(t, s.LoginOn(t, harness.Owner, before, email, harness.NewPass)).Text("login",
			"deviceToken")
		if strings.Split(before, ".")[1] == strings.Split(after, ".")[1] {
			t.Error("the device kept its id over the reset")
		}
		lock(t, s, "email", email)
		if a := s.LoginOn(t, harness.Owner, before, email, harness.NewPass); a.Code() != "ACCOUNT_LOCKED" {
			t.Errorf("a token of before: %s", a.Raw)
		}
		harness.Fine(t, s.LoginOn(t, harness.Owner, after, email, harness.NewPass))
		s.Clock.Add(180 * 24 * time.Hour)
		lock(t, s, "email", email)
		if a := s.LoginOn(t, harness.Owner, after, email, harness.NewPass); a.Code() != "ACCOUNT_LOCKED" {
			t.Errorf("a token of 180 days: %s", a.Raw)
		}
	})
}

// TestLG21_MagicLink: a sign-in by mail gives a token too, and keeps the device. One that takes an account over is on
// no device of before.
func TestLG21_MagicLink(t *testing.T) {
	t.Parallel()
	const doc = `mutation($input: LoginWithMagicLinkInput!) { loginWithMagicLink(input: $input) { deviceToken ` +
		`tokens { accessToken } userErrors { code message field } } }`
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Limited(t, harness.NewClock(), dsn)
		const email = "ada@example.com"
		device := registered(t, s, email, "ada.l")
		for n, same := range []bool{false, true} {
			s.Clock.Add(2 * time.Minute)
			l := s.Mailed(t, harness.AskMagicDoc, email, db.MailMagicLink)
			a := harness.Fine(t, s.GraphQL(t, "", doc, harness.InputOf("token", l.Token, "deviceToken", device)))
			next := a.Text("loginWithMagicLink", "deviceToken")
			if (strings.Split(next, ".")[1] == strings.Split(device, ".")[1]) != same {
				t.Errorf("%d: %s after %s", n, next, device)
			}
			device = next
		}
	})
}

// TestLG21_Cookie: where the session is delivered as a cookie the device token is one too, and the next sign-in of that
// browser shows it. It authenticates nothing.
func TestLG21_Cookie(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Limited(t, harness.NewClock(), dsn)
		const email = "ada@example.com"
		registered(t, s, email, "ada.l")
		input := harness.InputOf("email", email, "password", harness.GoodPass, "tokenDelivery", "COOKIE")
		a := harness.Fine(t, harness.Asked(t, s.URL, "", harness.LoginDoc, input))
		var device *http.Cookie
		for _, c := range (&http.Response{Header: a.Header}).Cookies() {
			if c.Name == "device" {
				device = c
			}
		}
		if device == nil || !device.HttpOnly || device.SameSite != http.SameSiteLaxMode || device.MaxAge < 31535000 ||
			a.At("login", "deviceToken") != nil {
			t.Fatalf("%v, %s", a.Header, a.Raw)
		}
		lock(t, s, "email", email)
		input = harness.InputOf("email", email, "password", harness.GoodPass)
		harness.Fine(t, harness.Asked(t, s.URL, "", harness.LoginDoc, input, harness.Carrying(device)...))
		for _, place := range [][]string{
			harness.Carrying(device), {"X-Device-Token", device.Value}, {"Authorization", "Bearer " + device.Value},
		} {
			if a := harness.Asked(t, s.URL, "", harness.MeDoc, nil, place...); a.At("me") != nil {
				t.Errorf("%s: %s", place[0], a.Raw)
			}
		}
	})
}

// TestLG20_DeviceTokenIsNoNews: a sign-in that shows a device token is no new device, whatever it calls itself and
// wherever it comes from.
func TestLG20_DeviceTokenIsNoNews(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Limited(t, harness.NewClock(), dsn)
		device := registered(t, s, "ada@example.com", "ada.l")
		for n, token := range []string{device, ""} {
			harness.Fine(t, harness.Asked(t, s.URL, "", harness.LoginDoc,
				harness.InputOf("email", "ada@example.com", "password", harness.GoodPass), "User-Agent", iphone,
				"X-Forwarded-For", fmt.Sprintf("192.0.%d.1", n), "X-Device-Token", token))
			if got := len(s.Letters(t, "ada@example.com", db.MailNewSignIn)); got != n {
				t.Errorf("token %q: %d mails", token, got)
			}
		}
	})
}
