package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db/dbtest"
)

// These tests hold the server against document 004: sign_up, sign_in and sessions, at the root.

const (
	zeroPass     = "Secret1*2*3*4*5*6" // the document's own
	millis       = "2006-01-02T15:04:05.000Z"
	userTemplate = `{"id":<number>,"email":%q,"verified":false,"created_at":"<milli>","updated_at":"<milli>"}`
)

// formOf encodes name, value, name, value … as a form or a query.
func formOf(fields ...string) string {
	v := url.Values{}
	for i := 0; i+1 < len(fields); i += 2 {
		v.Add(fields[i], fields[i+1])
	}
	return v.Encode()
}

// A registration by JSON, by form and by query parameters makes the user, and no session.
func TestZero_SignUp(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		conn := openSide(t, dsn)
		numbers := map[string]bool{}
		for n, row := range []struct{ query, body, kind, password string }{
			// The document's own example, with the header fields of its curl command.
			{"", `{"email":"user0@example.com","password":"Secret1*2*3*4*5*6","password_confirmation":"Secret1*2*3*4*5*6"}`, jsonType, zeroPass},
			{"", `{"email":"user1@example.com","password":"twelve chars"}`, jsonType, "twelve chars"},
			{"", `{"email":"user2@example.com","password":"twelve chars","password_confirmation":null,"verified":true,"id":1,"role":"admin"}`, jsonType, "twelve chars"}, // AZ-01
			{"", formOf("email", "user3@example.com", "password", zeroPass, "password_confirmation", zeroPass), formType, zeroPass},
			{"", formOf("email", "user4@example.com", "password", "p & q = 100% + z"), formType + "; charset=utf-8", "p & q = 100% + z"},
			{"?" + formOf("email", "user5@example.com", "password", "Schl\u00fcsselbund", "password_confirmation", "Schl\u00fcsselbund"), "", "", "Schl\u00fcsselbund"},
			{"", `{"email":"user6@example.com","password":"` + strings.Repeat("\U0001f511", 12) + `"}`, jsonType, strings.Repeat("\U0001f511", 12)}, // counted in characters
		} {
			email := fmt.Sprintf("user%d@example.com", n)
			r := s.rest(t, "POST /sign_up"+row.query, row.body, "Content-Type", row.kind, "Authorization", "Bearer ", "User-Agent", "MyApp (yourname@example.com)")
			got := r.matched(t, http.StatusCreated, fmt.Sprintf(userTemplate, email))
			if now := s.clock.now().UTC().Format(millis); got[1] != now || got[2] != now {
				t.Errorf("%s: times %s, want %s", email, got[1:], now)
			}
			if r.Header.Get("X-Session-Token") != "" || numbers[got[0]] || len(got[0]) < 2 {
				t.Errorf("%s: id %s, headers %v", email, got[0], r.Header) // SE-19: no counter
			}
			numbers[got[0]] = true
			if conn.count(t, "SELECT count(*) FROM sessions") != n {
				t.Errorf("%s: a session was made", email)
			}
			if a := s.login(t, email, row.password); a.code() != "" { // one session for each row
				t.Errorf("%s in GraphQL: %s", email, a.Raw)
			}
		}
		if conn.count(t, "SELECT count(*) FROM users WHERE role <> 'user' OR email_verified_at IS NOT NULL") > 0 {
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
		{"ada@example.com", zeroPass, zeroPass, `"email":["has already been taken"]`},
		{"ADA@Example.com", zeroPass, "-", `"email":["has already been taken"]`},
		{"-", zeroPass, zeroPass, blankEmail},
		{"", zeroPass, zeroPass, blankEmail},
		{"null", zeroPass, zeroPass, blankEmail},
		{"not an address", zeroPass, "-", badEmail},
		{"a@b@example.com", zeroPass, "-", badEmail},
		{"bob@example.com\r\nBcc: eve@example.com", zeroPass, "-", badEmail}, // ID-03
		{"bob@example.com", "-", "-", blankPass},
		{"bob@example.com", "", "-", blankPass},
		{"bob@example.com", "null", "-", blankPass},
		{"bob@example.com", "eleven char", "-", short},
		{"bob@example.com", strings.Repeat("\U0001f511", 11), "-", short},
		{"bob@example.com", "x", "x", short},
		{"bob@example.com", zeroPass, zeroPass + "x", mismatch},
		{"bob@example.com", zeroPass, strings.ToLower(zeroPass), mismatch}, // PW-05
		{"bob@example.com", zeroPass, "", mismatch},
		{"bob@example.com", "short", "other", short + "," + mismatch},
		{"-", "-", "-", blankEmail + "," + blankPass},
		{"", "", "", blankEmail + "," + blankPass},
		{"junk", "short", "short", badEmail + "," + short},
		{"junk", "short", "other", badEmail + "," + short + "," + mismatch},
	}
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		s.register(t, "ada@example.com")
		conn := openSide(t, dsn)
		before := conn.census(t)
		for _, row := range rows {
			fields, pairs := map[string]any{}, []string{}
			for name, value := range map[string]string{"email": row.email, "password": row.password, "password_confirmation": row.confirmation} {
				switch value {
				case "-":
				case "null":
					fields[name] = nil
				default:
					fields[name], pairs = value, append(pairs, name, value)
				}
			}
			answers := []reply{s.rest(t, "POST /sign_up", jsonOf(t, fields))}
			if len(pairs) == 2*len(fields) {
				answers = append(answers, s.rest(t, "POST /sign_up?"+formOf(pairs...), ""))
				if len(pairs) > 0 {
					answers = append(answers, s.rest(t, "POST /sign_up", formOf(pairs...), "Content-Type", formType))
				}
			}
			for n, r := range answers {
				var got, want map[string][]string
				if err := json.Unmarshal([]byte("{"+row.want+"}"), &want); err != nil {
					t.Fatal(err)
				}
				if json.Unmarshal([]byte(r.Body), &got) != nil || r.Status != http.StatusUnprocessableEntity || !reflect.DeepEqual(got, want) {
					t.Errorf("%+v by way %d: %d %s", row, n, r.Status, r.Body)
				}
				r.isJSON(t)
			}
		}
		// Too long for anybody (PW-02).
		for _, n := range []int{300, 5000} {
			r := s.rest(t, "POST /sign_up", credentials("email", "bob@example.com", strings.Repeat("x", n)))
			if r.Status != http.StatusUnprocessableEntity || !strings.HasPrefix(r.Body, `{"password":["`) {
				t.Errorf("a password of %d characters: %d %s", n, r.Status, r.Body)
			}
		}
		if after := conn.census(t); after != before {
			t.Errorf("%s became %s", before, after)
		}
	})
}

// A sign-in makes a session, shows it, and gives its token in a header alone.
func TestZero_SignIn(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		ada := s.person(t, "ada@example.com", "ada.l")
		conn := openSide(t, dsn)
		for n, row := range []struct{ query, body, kind string }{
			// The document's own curl command sends a confirmation too.
			{"", `{ "email": "ada@example.com", "password": "` + goodPass + `", "password_confirmation": "ignored" }`, jsonType},
			{"", credentials("email", "ADA@EXAMPLE.COM", goodPass), jsonType + "; charset=UTF-8"},
			{"", formOf("email", "ada@example.com", "password", goodPass), formType},
			{"?" + formOf("email", "ada@example.com", "password", goodPass), "", ""},
		} {
			s.clock.add(1003 * time.Millisecond)
			agent := fmt.Sprintf(`insomnia/2022.1.%d "quoted" \ &`, n)
			r := s.rest(t, "POST /sign_in"+row.query, row.body, "Content-Type", row.kind, "User-Agent", agent, "X-Forwarded-For", "6.6.6.6",
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
			got := r.matched(t, http.StatusCreated, sessionTemplate(ada.Number, raw))
			if now := s.clock.now().UTC().Format(millis); got[1] != now || got[2] != now {
				t.Errorf("times %s, want %s", got[1:], now)
			}
			token := r.Header.Get("X-Session-Token")
			if !strings.HasPrefix(token, "st1.") || strings.Contains(r.Body, token) || !s.is(t, token, ada.account) {
				t.Errorf("X-Session-Token %q", token)
			}
			// The number is the one of GraphQL, and the dialect is on record.
			if a := s.graphql(t, token, oneSessionDoc, map[string]any{"number": json.Number(got[0])}); a.text("session", "id") == "" {
				t.Errorf("session %s in GraphQL: %s", got[0], a.Raw)
			}
			if d := conn.texts(t, "SELECT dialect FROM sessions WHERE number = "+got[0]); !slices.Equal(d, []string{"authentication-zero"}) {
				t.Errorf("the dialect on record: %s", d)
			}
		}
		s.rest(t, "POST /sign_in", credentials("email", "ada@example.com", goodPass), "User-Agent", "").
			matched(t, http.StatusCreated, sessionTemplate(ada.Number, "null"))
	})
}

// sessionTemplate is a session of document 004; the user agent comes as JSON.
func sessionTemplate(user int, agent string) string {
	return fmt.Sprintf(`{"id":<number>,"user_id":%d,"user_agent":%s,"ip_address":"127.0.0.1","created_at":"<milli>","updated_at":"<milli>"}`, user, agent)
}

// LG-01: one answer for everything that is not a right email and password, whether accounts are revealed or not.
func TestLG01_ZeroSignInRefused(t *testing.T) {
	t.Parallel()
	for _, reveal := range []string{"off", "on"} {
		dbtest.Each(t, func(t *testing.T, dsn string) {
			s := start(t, dsn, "DRAGOMAN_REVEAL_ACCOUNTS="+reveal)
			s.person(t, "ada@example.com", "ada.l")
			s.person(t, "barred@example.com", "barred")
			conn := openSide(t, dsn)
			conn.exec(t, `UPDATE users SET status = 'SUSPENDED' WHERE username = 'barred'`)
			before := conn.census(t)
			for _, row := range [][2]string{
				{"ada@example.com", wrongPass},
				{"ada@example.com", goodPass + " "},
				{"ada@example.com", strings.ToUpper(goodPass)},
				{"nobody@example.com", goodPass},
				{"not an address", goodPass},
				{"barred@example.com", goodPass},
				{"barred@example.com", wrongPass},
				{"", goodPass},
				{"ada@example.com", ""},
				{"", ""},
			} {
				for n, r := range []reply{
					s.rest(t, "POST /sign_in", credentials("email", row[0], row[1])),
					s.rest(t, "POST /sign_in", formOf("email", row[0], "password", row[1]), "Content-Type", formType),
					s.rest(t, "POST /sign_in?"+formOf("email", row[0], "password", row[1]), ""),
				} {
					if r.says(t, http.StatusUnauthorized, incorrect); r.Header.Get("X-Session-Token") != "" || r.Status != http.StatusUnauthorized {
						t.Errorf("%v by way %d: %v", row, n, r.Header)
					}
				}
			}
			for _, body := range []string{`{}`, "", `{"email":"ada@example.com"}`, `{"password":"x"}`, `{"email":null,"password":null}`} {
				s.rest(t, "POST /sign_in", body).says(t, http.StatusUnauthorized, incorrect)
			}
			if after := conn.census(t); after != before {
				t.Errorf("%s became %s", before, after)
			}
		})
	}
}

// SE-18: the own sessions, newest first, one by one, and ended one by one; those of others are absent.
func TestSE18_ZeroSessions(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		ada, bob := s.person(t, "ada@example.com", "ada.l"), s.person(t, "bob@example.com", "")
		const agent = "insomnia/2022.1.0"
		var mine []zeroSession
		for range 3 {
			s.clock.add(time.Second)
			mine = append([]zeroSession{s.signIn(t, "ada@example.com", goodPass, "User-Agent", agent)}, mine...)
		}
		theirs := s.signIn(t, "bob@example.com", goodPass)
		token := mine[0].Token
		// The one that registering made is the last.
		one := sessionTemplate(ada.Number, `"`+agent+`"`)
		all := "[" + strings.Join([]string{one, one, one, sessionTemplate(ada.Number, `"Go-http-client/1.1"`)}, ",") + "]"
		got := s.rest(t, "GET /sessions", "", bearer(token)...).matched(t, http.StatusOK, all)
		for n, z := range mine {
			if got[3*n] != fmt.Sprint(z.ID) || n > 0 && got[3*n+1] >= got[3*n-2] {
				t.Errorf("number %d of the list is %s", n, got[3*n:3*n+3])
			}
			r := s.rest(t, "GET "+z.path(), "", bearer(token)...)
			if self := r.matched(t, http.StatusOK, one); !slices.Equal(self, got[3*n:3*n+3]) {
				t.Errorf("%s: %s, in the list %s", z.path(), self, got[3*n:3*n+3])
			}
		}
		conn := openSide(t, dsn)
		before := conn.census(t)
		for _, id := range []string{
			fmt.Sprint(theirs.ID), "1", "0", "-1", "2147483647", "2147483648", "9007199254740993", "99999999999999999999999", "abc", "1.0", "1e3", "0x1", "null",
			ada.Session, fmt.Sprint(mine[0].ID) + "x", "%20" + fmt.Sprint(mine[0].ID), "+" + fmt.Sprint(mine[0].ID), fmt.Sprint(mine[0].ID) + "%00", "%D9%A1",
		} {
			for _, method := range []string{"GET", "DELETE"} {
				s.rest(t, method+" /sessions/"+id, "", bearer(token)...).says(t, http.StatusNotFound, railsNotFound)
			}
		}
		if after := conn.census(t); after != before || !s.is(t, theirs.Token, bob.account) {
			t.Errorf("%s became %s", before, after)
		}
		s.rest(t, "DELETE "+mine[1].path(), "", bearer(token)...).empty(t)
		s.rest(t, "DELETE "+mine[1].path(), "", bearer(token)...).says(t, http.StatusNotFound, railsNotFound)
		s.rest(t, "GET "+mine[1].path(), "", bearer(token)...).says(t, http.StatusNotFound, railsNotFound)
		s.rest(t, "GET /sessions", "", bearer(mine[1].Token)...).denied(t)
		if s.is(t, mine[1].Token, ada.account) || !s.is(t, mine[2].Token, ada.account) || !s.is(t, ada.Access, ada.account) {
			t.Error("the wrong session ended")
		}
		s.rest(t, "DELETE "+mine[0].path(), "", bearer(token)...).empty(t) // the session itself
		s.rest(t, "DELETE "+mine[2].path(), "", bearer(token)...).denied(t)
		if s.is(t, token, ada.account) || len(s.graphql(t, ada.Access, sessionsDoc, nil).listed("sessions")) != 2 {
			t.Error("the session did not end itself, or another did")
		}
	})
}

// The forms of a credential that Rails takes, and those that nobody takes.
func TestZero_Credentials(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		ada, bob := s.person(t, "ada@example.com", "ada.l"), s.person(t, "bob@example.com", "")
		mine, theirs := s.signIn(t, ada.Email, goodPass), s.signIn(t, bob.Email, goodPass)
		jwt, _ := s.genericLogin(t, "ada.l")
		_, key := s.newKey(t, ada.Access, nil)
		over := s.signIn(t, ada.Email, goodPass)
		s.rest(t, "DELETE "+over.path(), "", bearer(over.Token)...).empty(t)
		quoted := `Token token="` + mine.Token + `"`
		for name, header := range map[string][]string{
			"Bearer": bearer(mine.Token), "Token": {"Authorization", "Token " + mine.Token}, "Token token=": {"Authorization", quoted},
			"X-Session-Token": {"X-Session-Token", mine.Token}, "a scheme in lower case": {"Authorization", "bearer " + mine.Token},
			"an access token of GraphQL": bearer(ada.Access), "an access token of generic-v1": bearer(jwt),
		} {
			for _, route := range []string{"GET /sessions", "GET " + mine.path()} {
				if r := s.rest(t, route, "", header...); r.Status != http.StatusOK || !strings.Contains(r.Body, fmt.Sprint(mine.ID)) {
					t.Errorf("%s: %s: %d %s", name, route, r.Status, r.Body)
				}
			}
		}
		before := openSide(t, dsn).census(t)
		for name, header := range map[string][]string{
			"none": nil, "nothing": {"Authorization", ""}, "empty": bearer(""), "garbage": bearer("garbage"), "garbage token": {"X-Session-Token", "garbage"},
			"an empty token": {"X-Session-Token", ""}, "another scheme": {"Authorization", "Basic " + mine.Token}, "no scheme": {"Authorization", mine.Token},
			"ended": bearer(over.Token), "ended in its header": {"X-Session-Token", over.Token}, "refresh token": bearer(ada.Refresh),
			"tampered": bearer(mine.Token[:len(mine.Token)-4] + "AAAA"), "cut": bearer(mine.Token[:len(mine.Token)-1]), "longer": bearer(mine.Token + "A"),
			"an open quote": {"Authorization", strings.TrimSuffix(quoted, `"`)}, "an empty quote": {"Authorization", `Token token=""`},
			"two of two people": append(bearer(mine.Token), "X-Session-Token", theirs.Token),
			"twice":             append(bearer(mine.Token), bearer(theirs.Token)...), "two headers": {"X-Session-Token", mine.Token, "X-Session-Token", theirs.Token},
			"two in a line": {"Authorization", quoted + ", " + `token="` + theirs.Token + `"`}, "cookie": {"Cookie", "session_token=" + mine.Token},
		} {
			for _, route := range []string{"GET /sessions", "GET " + mine.path(), "DELETE " + mine.path()} {
				r := s.rest(t, route, "", header...)
				if r.denied(t); r.Status != http.StatusUnauthorized {
					t.Errorf("that was %s", name)
				}
			}
		}
		for _, route := range []string{"GET /sessions/1", "GET /sessions/abc", "DELETE /sessions/1", "DELETE /sessions/abc"} { // who asks comes first
			s.rest(t, route, "").denied(t)
			s.rest(t, route, "", bearer("garbage")...).denied(t)
		}
		for _, parameter := range []string{"token", "session_token", "access_token"} {
			s.rest(t, "GET /sessions?"+parameter+"="+mine.Token, "").denied(t)
		}
		// A key ends no session (AK-05).
		for _, header := range [][]string{bearer(key), {"X-API-Key", key}} {
			r := s.rest(t, "DELETE "+mine.path(), "", header...)
			if r.Status != http.StatusUnauthorized && r.Status != http.StatusForbidden && r.Status != http.StatusNotFound {
				t.Errorf("by a key: %d %s", r.Status, r.Body)
			}
		}
		if after := openSide(t, dsn).census(t); after != before {
			t.Errorf("%s became %s", before, after)
		}
	})
}
