package signin

import (
	"fmt"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// TestLG24_NeighbourUsesUp: who uses up every limit of an address and of its network leaves the people there what they
// are signed in for, and nothing of it reaches them elsewhere.
func TestLG24_NeighbourUsesUp(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Limited(t, harness.NewClock(), dsn, limits("LOGIN", "3/15m", "REGISTER", "3/15m", "RECOVERY",
			"3/15m", "VERIFICATION", "3/15m", "NETWORK", "8/15m", "REFUSED", "3/15m")...)
		ada := someCaller(t, s, dsn, "ada@example.com")
		const home, elsewhere = "192.0.2.1", "198.51.100.1"
		for _, c := range worthless() {
			for n := range 5 {
				harness.Asked(t, s.URL, "", c.document, c.variables(n, ada), "X-Forwarded-For", home)
			}
		}
		for name, c := range callsOf() {
			if c.needs || name == "refresh" || name == "logout" || name == "cancelEmailChange" {
				continue
			}
			for n := range 5 {
				harness.Asked(t, s.URL, "", c.document, c.variables(n, ada), "X-Forwarded-For", home)
			}
		}
		if a := s.LoginFrom(t, home, "email", ada.Email, harness.GoodPass); a.Code() != "RATE_LIMITED" {
			t.Fatalf("the neighbour used up nothing: %s", a.Raw)
		}
		from := func(address, document string, variables map[string]any) *harness.Answer {
			return harness.Asked(t, s.URL, ada.Access, document, variables, "X-Forwarded-For", address)
		}
		if a := from(home, harness.MeDoc, nil); a.Text("me", "id") != ada.ID {
			t.Errorf("the session: %s", a.Raw)
		}
		harness.Fine(t, from(home, harness.SudoDoc, harness.InputOf("password", harness.GoodPass)))
		harness.Fine(t, harness.Asked(t, s.URL, "", harness.RefreshDoc, map[string]any{"token": ada.Refresh},
			"X-Forwarded-For", home))
		harness.Fine(t, s.LoginFrom(t, elsewhere, "email", ada.Email, harness.GoodPass))
	})
}

// TestLG24_ThiefUsesUp: who has a session, or an API key, and uses up its limits does not keep the owner from ending
// both.
func TestLG24_ThiefUsesUp(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Limited(t, harness.NewClock(), dsn, limits("ACCOUNT_MUTATION", "3/15m", "ACCOUNT_QUERY", "5/15m",
			"KEY_MUTATION", "3/15m", "KEY_QUERY", "3/15m")...)
		limited := func(credential, document string, variables map[string]any) {
			t.Helper()
			for n := range 10 {
				if a := s.GraphQL(t, credential, document, variables); a.Code() == "RATE_LIMITED" {
					return
				} else if n == 9 {
					t.Fatalf("nothing is used up: %s", a.Raw)
				}
			}
		}
		rename := harness.InputOf("name", "Eve")
		for n, ends := range []func(who, thief harness.Account){
			func(who, _ harness.Account) { // by a sign-in, which counts nothing, and a reset
				harness.Fine(t, s.Login(t, who.Email, harness.GoodPass))
				l := s.Mailed(t, harness.AskResetDoc, who.Email, db.MailResetPassword)
				harness.Fine(t, s.GraphQL(t, "", harness.ResetDoc,
					harness.InputOf("token", l.Token, "newPassword", harness.NewPass)))
			},
			func(who, _ harness.Account) { // a little later: the limit gives one back every five minutes
				s.Clock.Add(6 * time.Minute)
				harness.Fine(t, s.GraphQL(t, who.Access, harness.RevokeOthersDoc, nil))
			},
		} {
			who := s.Register(t, fmt.Sprintf("owner%d@example.com", n))
			thief := s.LoginAs(t, who, "BODY")
			limited(thief.Access, harness.UpdateMeDoc, rename)
			limited(thief.Access, harness.MeDoc, nil)
			ends(who, thief)
			s.Clock.Add(time.Minute)
			harness.RefusedWith(t, s.Refresh(t, thief.Refresh), "INVALID_TOKEN")
		}
		who := s.Register(t, "keys@example.com")
		id, key := s.NewKey(t, who.Access, nil)
		limited(key, harness.MeDoc, nil)
		if !s.Is(t, who.Access, who) {
			t.Error("the queries of a key count for its owner")
		}
		harness.Fine(t, s.GraphQL(t, who.Access, harness.DropKeyDoc, harness.InputOf("id", id)))
	})
}
