package dialects

import (
	"net/http"
	"strings"
	"testing"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// TestLG21_Dialects: a sign-in of a dialect answers with a device token in the header, and in a cookie too where it
// sets cookies. The header, or the cookie, is the way round a lock at every door; nothing else of the request is.
func TestLG21_Dialects(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Limited(t, harness.NewClock(), dsn)
		const email = "ada@example.com"
		s.Registers(t, "email", email, "username", email[:3]+".l", "name", "Ada", "password", harness.GoodPass)
		doors := []struct {
			route, body string
			cookies     bool
		}{
			{"POST " + harness.Generic + "/login", harness.Credentials("username", email, harness.GoodPass), false},
			{"POST /sign_in", harness.Credentials("email", email, harness.GoodPass), false},
			{
				"POST " + harness.Companion + "/login",
				harness.CompanionBody("email", email, "password", harness.GoodPass), true,
			},
			{"POST /login", harness.Credentials("email", email, harness.GoodPass), true},
		}
		ask := func(n int, header ...string) harness.Reply {
			t.Helper()
			if doors[n].route == "POST "+harness.Companion+"/login" {
				return s.CompanionAsks(t, doors[n].route, doors[n].body, header...)
			}
			r, err := s.Call(doors[n].route, doors[n].body, header...)
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		var tokens []string
		for n, door := range doors {
			r := ask(n)
			token := r.Header.Get("X-Device-Token")
			cookie := ""
			for _, c := range (&http.Response{Header: r.Header}).Cookies() {
				if c.Name == "device" {
					cookie = c.Value
				}
			}
			if r.Status >= http.StatusBadRequest || !strings.HasPrefix(token, "dt1.") ||
				(cookie == token) != door.cookies ||
				!door.cookies && cookie != "" || strings.Contains(r.Body, token) {
				t.Errorf("%s: %d %s %v", door.route, r.Status, r.Body, r.Header)
			}
			tokens = append(tokens, token)
		}
		for range 5 {
			s.LoginFrom(t, harness.Attacker, "email", email, harness.WrongPass)
		}
		for n, door := range doors {
			if r := ask(n); r.Status < http.StatusBadRequest {
				t.Errorf("%s without a token: %d %s", door.route, r.Status, r.Body)
			}
			token := tokens[(n+1)%len(tokens)] // of another door
			for _, place := range [][]string{{"X-Device-Token", token}, {"Cookie", "device=" + token}} {
				if r := ask(n, place...); r.Status >= http.StatusBadRequest {
					t.Errorf("%s by the %s: %d %s", door.route, place[0], r.Status, r.Body)
				}
			}
		}
	})
}
