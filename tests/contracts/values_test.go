package contracts

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// registrations are the routes that make an account, with a body of an address, a username and the JSON of a password.
var registrations = map[string]func(email, username, password string) (route, body string){
	"authcompanion": func(email, _, password string) (string, string) {
		return "POST " + harness.Companion + "/register", `{"data":{"type":"users","attributes":{"name":"N","email":"` +
			email + `","password":` + password + `}}}`
	},
	"wolfpal": func(email, username, password string) (string, string) {
		return "POST " + harness.Wolf + "/register", `{"username":"` + username + `","email":"` + email +
			`","password":` + password + `}`
	},
	"authentication-zero": func(email, _, password string) (string, string) {
		return "POST /sign_up", `{"email":"` + email + `","password":` + password + `}`
	},
	"service-authentication": func(email, _, password string) (string, string) {
		return "POST /register", `{"email":"` + email + `","password":` + password + `}`
	},
}

// calls is REST of routes that may set cookies.
func calls(t *testing.T, s *harness.Instance, route, body string) harness.Reply {
	t.Helper()
	r, err := s.Call(route, body)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// PW-20: the one dialect whose document has registrations without a password makes them. The others refuse.
func TestPW20_DialectsWithoutPassword(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		side := harness.OpenSide(t, dsn)
		for name, register := range registrations {
			email := strings.ReplaceAll(name, "-", "") + "@example.com"
			route, null := register(email, "somebody", "null")
			absent := strings.Replace(null, `,"password":null`, "", 1)
			for _, body := range []string{absent, null} {
				if body == null && name == "service-authentication" {
					_, body = register("null"+email, "somebody", "null")
				}
				r := calls(t, s, route, body)
				if made := r.Status < 300; made != (name == "service-authentication") {
					t.Errorf("%s: %d %s", body, r.Status, r.Body)
				}
			}
		}
		if n := side.Count(t, `SELECT count(*) FROM users`); n != 2 {
			t.Errorf("%d accounts", n)
		}
	})
}

// PW-21: a password of blanks alone is none in any dialect, however lax its policy is.
func TestPW21_DialectsBlanks(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		for name, register := range registrations {
			for _, password := range []string{
				" ", "\u3000", "\u200b", strings.Repeat(" ", 14), strings.Repeat("\u00a0", 14),
				strings.Repeat("\u3164", 14),
			} {
				route, body := register("ada@example.com", "somebody", `"`+password+`"`)
				if r := calls(t, s, route, body); r.Status < 400 || r.Status >= 500 {
					t.Errorf("%s, %+q: %d %s", name, password, r.Status, r.Body)
				}
			}
		}
		if n := harness.OpenSide(t, dsn).Count(t, `SELECT count(*) FROM users`); n != 0 {
			t.Errorf("%d accounts were made", n)
		}
		route, body := registrations["authcompanion"]("ada@example.com", "", `"x"`)
		if r := calls(t, s, route, body); r.Status != http.StatusCreated {
			t.Errorf("one character: %d %s", r.Status, r.Body)
		}
	})
}

// ID-09: every dialect takes a name with white space around it for the name.
func TestID09_DialectsWhiteSpace(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		s.Person(t, "ada@example.com", "ada")
		for _, row := range []struct {
			route, body string // %s is the name, and %s the password
			name        string
		}{
			{"POST " + harness.Generic + "/login", `{"username":"%s","password":"%s"}`, "ada"},
			{"POST " + harness.Generic + "/login", `{"username":"%s","password":"%s"}`, "ada@example.com"},
			{
				"POST " + harness.Companion + "/login",
				`{"data":{"type":"users","attributes":{"email":"%s","password":"%s"}}}`, "ada@example.com",
			},
			{"POST " + harness.Wolf + "/login", `{"email":"%s","password":"%s"}`, "ada@example.com"},
			{"POST /sign_in", `{"email":"%s","password":"%s"}`, "ada@example.com"},
			{"POST /login", `{"email":"%s","password":"%s"}`, "ada@example.com"},
		} {
			for _, around := range []string{`%s\n`, `\t%s`, `\u00a0%s\u2028`, `\r\n%s\u3000`} {
				body := fmt.Sprintf(row.body, fmt.Sprintf(around, row.name), harness.GoodPass)
				if r := calls(t, s, row.route, body); r.Status >= 300 {
					t.Errorf("%s, %s: %d %s", row.route, body, r.Status, r.Body)
				}
			}
			for _, around := range []string{`\ufeff%s`, `%s\u200b`, `%s\nx`} {
				body := fmt.Sprintf(row.body, fmt.Sprintf(around, row.name), harness.GoodPass)
				if r := calls(t, s, row.route, body); r.Status < 400 || r.Status >= 500 {
					t.Errorf("%s, %s: %d %s", row.route, body, r.Status, r.Body)
				}
			}
		}
		if n := harness.OpenSide(t, dsn).Count(t, `SELECT count(*) FROM throttles`); n != 0 {
			t.Errorf("%d failures count", n)
		}
	})
}

// JW-16: a dialect keeps the numbers of the metadata exactly, or refuses them as its document refuses bad input.
func TestJW16_CompanionNumbers(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		for n, row := range []struct{ number, want string }{
			{"9007199254740992", "9007199254740992"},
			{"1.50", "1.5"},
			{"0.30000000000000004", "0.30000000000000004"},
			{"9007199254740993", ""},
			{"123456789012345678901234567890", ""},
			{"0.12345678901234567890", ""},
			{"1e-999", ""},
		} {
			for _, member := range []string{"metadata", "metdata"} {
				body := fmt.Sprintf(`{"data":{"type":"users","attributes":{"name":"N","email":"%s%d@example.com",`+
					`"password":"mysecretpass",%q:{"l":[%s]}}}}`, member, n, member, row.number)
				r := calls(t, s, "POST "+harness.Companion+"/register", body)
				if row.want == "" {
					r.Says(t, http.StatusBadRequest, companionInvalid("body/data/attributes/metadata: A number has more "+
						"digits than can be kept exactly. Give it as a string."))
					continue
				}
				_, rest, _ := strings.Cut(r.Body, `"access_token":"`)
				claims, err := base64.RawURLEncoding.DecodeString(strings.Split(rest+"..", ".")[1])
				if err != nil || r.Status != http.StatusCreated ||
					!strings.Contains(string(claims), `"l":[`+row.want+`]`) {
					t.Errorf("%s: %d %s, claims %s %v", row.number, r.Status, r.Body, claims, err)
				}
			}
		}
	})
}
