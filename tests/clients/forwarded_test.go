package clients

import (
	"fmt"
	"testing"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// TestServerSide_Addresses sends requests as an application server does that makes pages for many people: all from its
// own address, each with the address of a person, and with a lie of that person on the left of it.
//
// Where the server is told of the application server, limits by address and devices are of the people. Where it is not,
// they are of the application server, and only what counts by account keeps people apart.
func TestServerSide_Addresses(t *testing.T) {
	t.Parallel()
	limits := []string{"DRAGOMAN_RATE_LIMITS=on", "DRAGOMAN_LIMIT_LOGIN=4/15m", "DRAGOMAN_LIMIT_ACCOUNT_QUERY=6/5m"}
	type input = map[string]any
	asked := func(t *testing.T, s *harness.Instance, person, token, document string, in input) *harness.Answer {
		t.Helper()
		return harness.Asked(t, s.URL, token, document, in, "X-Forwarded-For", "198.51.100.9, "+person)
	}
	wrong := func(name string) input { return harness.InputOf("email", name, "password", "not the password") }
	right := harness.InputOf("email", "ada@example.com", "password", harness.GoodPass)
	const devices = "{ sessions { isCurrent ipAddress } }"

	for _, c := range []struct {
		name, address, other string // what stands in the list of devices, and what the sign-in of another person gives
		settings             []string
	}{
		{"told", "203.0.113.7", "", append(behindProxies, limits...)},
		{"not told", "127.0.0.1", "RATE_LIMITED", limits},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dbtest.Each(t, func(t *testing.T, dsn string) {
				s := harness.Start(t, dsn, c.settings...)
				ada, bob := s.Register(t, "ada@example.com"), s.Register(t, "bob@example.com")
				mine := asked(t, s, "203.0.113.7", "", harness.LoginDoc, right).Text("login", "tokens", "accessToken")
				list, _ := asked(t, s, "203.0.113.7", mine, devices, nil).At("sessions").([]any)
				for _, one := range list {
					if m := one.(input); m["isCurrent"] == true && m["ipAddress"] != c.address {
						t.Errorf("the device is at %v, want %s", m["ipAddress"], c.address)
					}
				}
				if len(list) != 2 {
					t.Errorf("%d devices", len(list))
				}
				for i := range 5 { // somebody uses the limit of their address up
					asked(t, s, "203.0.113.8", "", harness.LoginDoc, wrong(fmt.Sprintf("nobody%d@example.com", i)))
				}
				if code := asked(t, s, "203.0.113.8", "", harness.LoginDoc, right).Code(); code != "RATE_LIMITED" {
					t.Errorf("beyond the limit: %q", code)
				}
				if code := asked(t, s, "203.0.113.7", "", harness.LoginDoc, right).Code(); code != c.other {
					t.Errorf("another person: %q, want %q", code, c.other)
				}
				var codes string // what counts by account, wherever the requests come from
				for i := range 7 {
					codes = asked(t, s, fmt.Sprintf("203.0.113.%d", 20+i), ada.Access, harness.MeDoc, nil).Code()
				}
				if codes != "RATE_LIMITED" {
					t.Errorf("beyond the limit of an account: %q", codes)
				}
				if a := asked(t, s, "203.0.113.20", bob.Access, harness.MeDoc, nil); a.Text("me", "id") != bob.ID {
					t.Errorf("another account: %s", a.Raw)
				}
			})
		})
	}
	t.Run("guesses", func(t *testing.T) {
		t.Parallel()
		s := harness.Start(t, dbtest.SQLite(t), append(behindProxies, limits...)...)
		s.Register(t, "ada@example.com")
		for i := range 100 { // each from an address of its own
			a := asked(t, s, fmt.Sprintf("203.0.113.%d", i), "", harness.LoginDoc, wrong("ada@example.com"))
			if a.Code() == "ACCOUNT_LOCKED" {
				return
			}
		}
		t.Error("a hundred guesses at one account from a hundred addresses were judged")
	})
}
