package contracts

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

const (
	millis = "2006-01-02T15:04:05.000Z"
)

// A registration by JSON, by form and by query parameters makes the user, and no session.
func TestZero_SignUp(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		conn := harness.OpenSide(t, dsn)
		numbers := map[string]bool{}
		for n, row := range []struct{ query, body, kind, password string }{
			// The document's own example, with the header fields of its curl command.
			{"", `{"email":"user0@example.com","password":"Secret1*2*3*4*5*6",` +
				`"password_confirmation":"Secret1*2*3*4*5*6"}`, harness.JSONType, harness.ZeroPass},
			{"", `{"email":"user1@example.com","password":"twelve chars"}`, harness.JSONType, "twelve chars"},
			// AZ-01
			{
				"", `{"email":"user2@example.com","password":"twelve ` +
					`chars","password_confirmation":null,"verified":true,"id":1,"role":"admin"}`, harness.JSONType,
				"twelve chars",
			},
			{"", harness.FormOf("email", "user3@example.com", "password", harness.ZeroPass, "password_confirmation",
				harness.ZeroPass), harness.FormType, harness.ZeroPass},
			{"", harness.FormOf("email", "user4@example.com", "password", "p & q = 100% + z"), harness.FormType +
				"; charset=utf-8", "p & q = 100% + z"},
			{"?" + harness.FormOf("email", "user5@example.com", "password", "Schl\u00fcsselbund",
				"password_confirmation", "Schl\u00fcsselbund"), "", "", "Schl\u00fcsselbund"},
			// counted in characters
			{
				"", `{"email":"user6@example.com","password":"` + strings.Repeat("\U0001f511", 12) + `"}`,
				harness.JSONType, strings.Repeat("\U0001f511", 12),
			},
		} {
			email := fmt.Sprintf("user%d@example.com", n)
			r := s.REST(t, "POST /sign_up"+row.query, row.body, "Content-Type", row.kind, "Authorization", "Bearer ",
				"User-Agent", "MyApp (yourname@example.com)")
			got := r.Matched(t, http.StatusCreated, fmt.Sprintf(harness.UserTemplate, email))
			if now := s.Clock.Now().UTC().Format(millis); got[1] != now || got[2] != now {
				t.Errorf("%s: times %s, want %s", email, got[1:], now)
			}
			if r.Header.Get("X-Session-Token") != "" || numbers[got[0]] || len(got[0]) < 2 {
				t.Errorf("%s: id %s, headers %v", email, got[0], r.Header) // SE-19: no counter
			}
			numbers[got[0]] = true
			if conn.Count(t, "SELECT count(*) FROM sessions") != n {
				t.Errorf("%s: a session was made", email)
			}
			if a := s.Login(t, email, row.password); a.Code() != "" { // one session for each row
				t.Errorf("%s in GraphQL: %s", email, a.Raw)
			}
		}
		if conn.Count(t, "SELECT count(*) FROM users WHERE role <> 'user' OR email_verified_at IS NOT NULL") > 0 {
			t.Error("somebody made themselves more than they are")
		}
	})
}

// PW-01, PW-19: the 422 forms, alone and together; nothing is made.
func TestPW19_ZeroSignUpRefused(t *testing.T) {
	t.Parallel()
	const (
		blankEmail = `"email":["can't be blank","is invalid"]`
		badEmail   = `"email":["is invalid"]`
		blankPass  = `"password":["can't be blank"]`
		short      = `"password":["is too short (minimum is 12 characters)"]`
		mismatch   = `"password_confirmation":["doesn't match Password"]`
	)
	rows := []struct{ email, password, confirmation, want string }{ // "-" for absent, "null" for null
		{"ada@example.com", harness.ZeroPass, harness.ZeroPass, `"email":["has already been taken"]`},
		{"ADA@Example.com", harness.ZeroPass, "-", `"email":["has already been taken"]`},
		{"-", harness.ZeroPass, harness.ZeroPass, blankEmail},
		{"", harness.ZeroPass, harness.ZeroPass, blankEmail},
		{"null", harness.ZeroPass, harness.ZeroPass, blankEmail},
		{"not an address", harness.ZeroPass, "-", badEmail},
		{"a@b@example.com", harness.ZeroPass, "-", badEmail},
		{"bob@example.com\r\nBcc: eve@example.com", harness.ZeroPass, "-", badEmail}, // ID-03
		{"bob@example.com", "-", "-", blankPass},
		{"bob@example.com", "", "-", blankPass},
		{"bob@example.com", "null", "-", blankPass},
		{"bob@example.com", "eleven char", "-", short},
		{"bob@example.com", strings.Repeat("\U0001f511", 11), "-", short},
		{"bob@example.com", "x", "x", short},
		{"bob@example.com", harness.ZeroPass, harness.ZeroPass + "x", mismatch},
		{"bob@example.com", harness.ZeroPass, strings.ToLower(harness.ZeroPass), mismatch}, // PW-05
		{"bob@example.com", harness.ZeroPass, "", mismatch},
		{"bob@example.com", "short", "other", short + "," + mismatch},
		{"-", "-", "-", blankEmail + "," + blankPass},
		{"", "", "", blankEmail + "," + blankPass},
		{"junk", "short", "short", badEmail + "," + short},
		{"junk", "short", "other", badEmail + "," + short + "," + mismatch},
	}
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		s.Register(t, "ada@example.com")
		conn := harness.OpenSide(t, dsn)
		before := conn.Census(t)
		for _, row := range rows {
			fields, pairs := map[string]any{}, []string{}
			for name, value := range map[string]string{
				"email": row.email, "password": row.password,
				"password_confirmation": row.confirmation,
			} {
				switch value {
				case "-":
				case "null":
					fields[name] = nil
				default:
					fields[name], pairs = value, append(pairs, name, value)
				}
			}
			answers := []harness.Reply{s.REST(t, "POST /sign_up", harness.JSONOf(t, fields))}
			if len(pairs) == 2*len(fields) {
				answers = append(answers, s.REST(t, "POST /sign_up?"+harness.FormOf(pairs...), ""))
				if len(pairs) > 0 {
					answers = append(answers, s.REST(t, "POST /sign_up", harness.FormOf(pairs...), "Content-Type",
						harness.FormType))
				}
			}
			for n, r := range answers {
				var got, want map[string][]string
				if err := json.Unmarshal([]byte("{"+row.want+"}"), &want); err != nil {
					t.Fatal(err)
				}
				if json.Unmarshal([]byte(r.Body), &got) != nil || r.Status != http.StatusUnprocessableEntity ||
					!reflect.DeepEqual(got, want) {
					t.Errorf("%+v by way %d: %d %s", row, n, r.Status, r.Body)
				}
				r.IsJSON(t)
			}
		}
		// Too long for anybody (PW-02).
		for _, n := range []int{300, 5000} {
			r := s.REST(t, "POST /sign_up", harness.Credentials("email", "bob@example.com", strings.Repeat("x", n)))
			if r.Status != http.StatusUnprocessableEntity || !strings.HasPrefix(r.Body, `{"password":["`) {
				t.Errorf("a password of %d characters: %d %s", n, r.Status, r.Body)
			}
		}
		if after := conn.Census(t); after != before {
			t.Errorf("%s became %s", before, after)
		}
	})
}

// A sign-in makes a session, shows it, and gives its token in a header alone.
func TestZero_SignIn(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		ada := s.Person(t, "ada@example.com", "ada.l")
		conn := harness.OpenSide(t, dsn)
		for n, row := range []struct{ query, body, kind string }{
			// The document's own curl command sends a confirmation too.
			{"", `{ "email": "ada@example.com", "password": "` + harness.GoodPass +
				`", "password_confirmation": "ignored" }`, harness.JSONType},
			{"", harness.Credentials("email", "ADA@EXAMPLE.COM", harness.GoodPass), harness.JSONType +
				"; charset=UTF-8"},
			{"", harness.FormOf("email", "ada@example.com", "password", harness.GoodPass), harness.FormType},
			{"?" + harness.FormOf("email", "ada@example.com", "password", harness.GoodPass), "", ""},
		} {
			s.Clock.Add(1003 * time.Millisecond)
			agent := fmt.Sprintf(`insomnia/2022.1.%d "quoted" \ &`, n)
			r := s.REST(t, "POST /sign_in"+row.query, row.body, "Content-Type", row.kind, "User-Agent", agent,
				"X-Forwarded-For", "6.6.6.6",
				"Authorization", "Bearer stale", "X-Session-Token", []string{"stale", ""}[n%2])
			var seen struct {
				Agent string `json:"user_agent"`
			}
			_ = json.Unmarshal([]byte(r.Body), &seen)
			if seen.Agent != agent {
				t.Fatalf("%d user_agent %q: %s", r.Status, seen.Agent, r.Body)
			}
			_, raw, _ := strings.Cut(r.Body, `"user_agent":`)
			raw, _, _ = strings.Cut(raw, `,"ip_address"`) // as it is escaped
			got := r.Matched(t, http.StatusCreated, sessionTemplate(ada.Number, raw))
			if now := s.Clock.Now().UTC().Format(millis); got[1] != now || got[2] != now {
				t.Errorf("times %s, want %s", got[1:], now)
			}
			token := r.Header.Get("X-Session-Token")
			if !strings.HasPrefix(token, "st1.") || strings.Contains(r.Body, token) || !s.Is(t, token, ada.Account) {
				t.Errorf("X-Session-Token %q", token)
			}
			// The number is the one of GraphQL, and the dialect is on record.
			if a := s.GraphQL(t, token, harness.OneSessionDoc,
				map[string]any{"number": json.Number(got[0])}); a.Text("session", "id") == "" {
				t.Errorf("session %s in GraphQL: %s", got[0], a.Raw)
			}
			if d := conn.Texts(t, "SELECT dialect FROM sessions WHERE number = "+got[0]); !slices.Equal(d,
				[]string{"authentication-zero"}) {
				t.Errorf("the dialect on record: %s", d)
			}
		}
		s.REST(t, "POST /sign_in", harness.Credentials("email", "ada@example.com", harness.GoodPass), "User-Agent", "").
			Matched(t, http.StatusCreated, sessionTemplate(ada.Number, "null"))
	})
}

// sessionTemplate is a session of document 004; the user agent comes as JSON.
func sessionTemplate(user int, agent string) string {
	return fmt.Sprintf(
		`{"id":<number>,"user_id":%d,"user_agent":%s,"ip_address":"127.0.0.1","created_at":"<milli>",`+
			`"updated_at":"<milli>"}`, user, agent)
}

// LG-01: one answer for everything that is not a right email and password, whether accounts are revealed or not.
func TestLG01_ZeroSignInRefused(t *testing.T) {
	t.Parallel()
	for _, reveal := range []string{"off", "on"} {
		dbtest.Each(t, func(t *testing.T, dsn string) {
			s := harness.Start(t, dsn, "DRAGOMAN_REVEAL_ACCOUNTS="+reveal)
			s.Person(t, "ada@example.com", "ada.l")
			s.Person(t, "barred@example.com", "barred")
			conn := harness.OpenSide(t, dsn)
			conn.MustExec(t, `UPDATE users SET status = 'SUSPENDED' WHERE username = 'barred'`)
			before := conn.Census(t)
			for _, row := range [][2]string{
				{"ada@example.com", harness.WrongPass},
				{"ada@example.com", harness.GoodPass + " "},
				{"ada@example.com", strings.ToUpper(harness.GoodPass)},
				{"nobody@example.com", harness.GoodPass},
				{"not an address", harness.GoodPass},
				{"barred@example.com", harness.GoodPass},
				{"barred@example.com", harness.WrongPass},
				{"", harness.GoodPass},
				{"ada@example.com", ""},
				{"", ""},
			} {
				for n, r := range []harness.Reply{
					s.REST(t, "POST /sign_in", harness.Credentials("email", row[0], row[1])),
					s.REST(t, "POST /sign_in", harness.FormOf("email", row[0], "password", row[1]), "Content-Type",
						harness.FormType),
					s.REST(t, "POST /sign_in?"+harness.FormOf("email", row[0], "password", row[1]), ""),
				} {
					if r.Says(t, http.StatusUnauthorized, harness.Incorrect); r.Header.Get("X-Session-Token") != "" ||
						r.Status != http.StatusUnauthorized {
						t.Errorf("%v by way %d: %v", row, n, r.Header)
					}
				}
			}
			for _, body := range []string{
				`{}`, "", `{"email":"ada@example.com"}`, `{"password":"x"}`,
				`{"email":null,"password":null}`,
			} {
				s.REST(t, "POST /sign_in", body).Says(t, http.StatusUnauthorized, harness.Incorrect)
			}
			if after := conn.Census(t); after != before {
				t.Errorf("%s became %s", before, after)
			}
		})
	}
}

// SE-18: the own sessions, newest first, one by one, and ended one by one; those of others are absent.
func TestSE18_ZeroSessions(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		ada, bob := s.Person(t, "ada@example.com", "ada.l"), s.Person(t, "bob@example.com", "")
		const agent = "insomnia/2022.1.0"
		var mine []harness.ZeroSession
		for range 3 {
			s.Clock.Add(time.Second)
			mine = append([]harness.ZeroSession{s.SignIn(t, "ada@example.com", harness.GoodPass, "User-Agent", agent)},
				mine...)
		}
		theirs := s.SignIn(t, "bob@example.com", harness.GoodPass)
		token := mine[0].Token
		// The one that registering made is the last.
		one := sessionTemplate(ada.Number, `"`+agent+`"`)
		all := "[" + strings.Join([]string{one, one, one, sessionTemplate(ada.Number, `"Go-http-client/1.1"`)}, ",") +
			"]"
		got := s.REST(t, "GET /sessions", "", harness.Bearer(token)...).Matched(t, http.StatusOK, all)
		for n, z := range mine {
			if got[3*n] != fmt.Sprint(z.ID) || n > 0 && got[3*n+1] >= got[3*n-2] {
				t.Errorf("number %d of the list is %s", n, got[3*n:3*n+3])
			}
			r := s.REST(t, "GET "+z.Path(), "", harness.Bearer(token)...)
			if self := r.Matched(t, http.StatusOK, one); !slices.Equal(self, got[3*n:3*n+3]) {
				t.Errorf("%s: %s, in the list %s", z.Path(), self, got[3*n:3*n+3])
			}
		}
		conn := harness.OpenSide(t, dsn)
		before := conn.Census(t)
		for _, id := range []string{
			fmt.Sprint(theirs.ID), "1", "0", "-1", "2147483647", "2147483648", "9007199254740993",
			"99999999999999999999999", "abc", "1.0", "1e3", "0x1", "null",
			ada.Session, fmt.Sprint(mine[0].ID) + "x", "%20" + fmt.Sprint(mine[0].ID), "+" + fmt.Sprint(mine[0].ID),
			fmt.Sprint(mine[0].ID) + "%00", "%D9%A1",
		} {
			for _, method := range []string{"GET", "DELETE"} {
				s.REST(t, method+" /sessions/"+id, "", harness.Bearer(token)...).Says(t, http.StatusNotFound,
					railsNotFound)
			}
		}
		if after := conn.Census(t); after != before || !s.Is(t, theirs.Token, bob.Account) {
			t.Errorf("%s became %s", before, after)
		}
		s.REST(t, "DELETE "+mine[1].Path(), "", harness.Bearer(token)...).Empty(t)
		s.REST(t, "DELETE "+mine[1].Path(), "", harness.Bearer(token)...).Says(t, http.StatusNotFound, railsNotFound)
		s.REST(t, "GET "+mine[1].Path(), "", harness.Bearer(token)...).Says(t, http.StatusNotFound, railsNotFound)
		s.REST(t, "GET /sessions", "", harness.Bearer(mine[1].Token)...).Denied(t)
		if s.Is(t, mine[1].Token, ada.Account) || !s.Is(t, mine[2].Token, ada.Account) ||
			!s.Is(t, ada.Access, ada.Account) {
			t.Error("the wrong session ended")
		}
		s.REST(t, "DELETE "+mine[0].Path(), "", harness.Bearer(token)...).Empty(t) // the session itself
		s.REST(t, "DELETE "+mine[2].Path(), "", harness.Bearer(token)...).Denied(t)
		if s.Is(t, token, ada.Account) || len(s.GraphQL(t, ada.Access, harness.SessionsDoc, nil).Listed("sessions")) !=
			2 {
			t.Error("the session did not end itself, or another did")
		}
	})
}

// The forms of a credential that Rails takes, and those that nobody takes.
func TestZero_Credentials(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		ada, bob := s.Person(t, "ada@example.com", "ada.l"), s.Person(t, "bob@example.com", "")
		mine, theirs := s.SignIn(t, ada.Email, harness.GoodPass), s.SignIn(t, bob.Email, harness.GoodPass)
		jwt, _ := s.GenericLogin(t, "ada.l")
		_, key := s.NewKey(t, ada.Access, nil)
		over := s.SignIn(t, ada.Email, harness.GoodPass)
		s.REST(t, "DELETE "+over.Path(), "", harness.Bearer(over.Token)...).Empty(t)
		quoted := `Token token="` + mine.Token + `"`
		for name, header := range map[string][]string{
			"Bearer": harness.Bearer(mine.Token), "Token": {"Authorization", "Token " + mine.Token},
			"Token token=":                  {"Authorization", quoted},
			"X-Session-Token":               {"X-Session-Token", mine.Token},
			"a scheme in lower case":        {"Authorization", "bearer " + mine.Token},
			"an access token of GraphQL":    harness.Bearer(ada.Access),
			"an access token of generic-v1": harness.Bearer(jwt),
		} {
			for _, route := range []string{"GET /sessions", "GET " + mine.Path()} {
				if r := s.REST(t, route, "", header...); r.Status != http.StatusOK ||
					!strings.Contains(r.Body, fmt.Sprint(mine.ID)) {
					t.Errorf("%s: %s: %d %s", name, route, r.Status, r.Body)
				}
			}
		}
		before := harness.OpenSide(t, dsn).Census(t)
		for name, header := range map[string][]string{
			"none": nil, "nothing": {"Authorization", ""}, "empty": harness.Bearer(""),
			"garbage": harness.Bearer("garbage"), "garbage token": {"X-Session-Token", "garbage"},
			"an empty token": {"X-Session-Token", ""}, "another scheme": {"Authorization", "Basic " + mine.Token},
			"no scheme": {"Authorization", mine.Token},
			"ended":     harness.Bearer(over.Token), "ended in its header": {"X-Session-Token", over.Token},
			"refresh token": harness.Bearer(ada.Refresh),
			"tampered":      harness.Bearer(mine.Token[:len(mine.Token)-4] + "AAAA"),
			"cut":           harness.Bearer(mine.Token[:len(mine.Token)-1]), "longer": harness.Bearer(mine.Token + "A"),
			"an open quote":     {"Authorization", strings.TrimSuffix(quoted, `"`)},
			"an empty quote":    {"Authorization", `Token token=""`},
			"two of two people": append(harness.Bearer(mine.Token), "X-Session-Token", theirs.Token),
			"twice":             append(harness.Bearer(mine.Token), harness.Bearer(theirs.Token)...),
			"two headers":       {"X-Session-Token", mine.Token, "X-Session-Token", theirs.Token},
			"two in a line":     {"Authorization", quoted + ", " + `token="` + theirs.Token + `"`},
			"cookie":            {"Cookie", "session_token=" + mine.Token},
		} {
			for _, route := range []string{"GET /sessions", "GET " + mine.Path(), "DELETE " + mine.Path()} {
				r := s.REST(t, route, "", header...)
				if r.Denied(t); r.Status != http.StatusUnauthorized {
					t.Errorf("that was %s", name)
				}
			}
		}
		// who asks comes first
		for _, route := range []string{
			"GET /sessions/1", "GET /sessions/abc", "DELETE /sessions/1",
			"DELETE /sessions/abc",
		} {
			s.REST(t, route, "").Denied(t)
			s.REST(t, route, "", harness.Bearer("garbage")...).Denied(t)
		}
		for _, parameter := range []string{"token", "session_token", "access_token"} {
			s.REST(t, "GET /sessions?"+parameter+"="+mine.Token, "").Denied(t)
		}
		// A key ends no session (AK-05).
		for _, header := range [][]string{harness.Bearer(key), {"X-API-Key", key}} {
			r := s.REST(t, "DELETE "+mine.Path(), "", header...)
			if r.Status != http.StatusUnauthorized && r.Status != http.StatusForbidden &&
				r.Status != http.StatusNotFound {
				t.Errorf("by a key: %d %s", r.Status, r.Body)
			}
		}
		if after := harness.OpenSide(t, dsn).Census(t); after != before {
			t.Errorf("%s became %s", before, after)
		}
	})
}
