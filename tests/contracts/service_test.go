package contracts

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

const (
	serviceLogin = `{"email":"example@mail.com","password":"password123"}`
)

// serviceRefusal is the envelope of everything that is refused.
func serviceRefusal(message string) string {
	text, _ := json.Marshal(message)
	return `{"error":true,"success":false,"message":` + string(text) + `}`
}

// The document's request, without its comments and with the comma that it lacks.
func TestService_Register(t *testing.T) {
	t.Parallel()
	const document = `{
  "email": "example@mail.com",
  "password": "password123",
  "options": {
    "sendEmail": true,
    "sendSms": true,
    "setCookie": true,
    "sendResetEmail": true,
    "verifyEmail": true
  }
}`
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		r, set := s.Jar(t, "POST /register", document, "User-Agent", "curl/8.5.0")
		got := r.Matched(t, http.StatusOK, `{"success":true,"token":"<es256>","data":{"message":"User created","data":`+
			harness.ServiceUser+`}}`)
		if now := s.Clock.Now().UTC().Format(millis); got[2] != now || got[3] != now {
			t.Errorf("times %v, want %s", got[2:], now)
		}
		if len(set) != 2 || set["session"].Value != got[0] || !strings.HasPrefix(set["refreshToken"].Value, "rt1.") {
			t.Errorf("cookies %v", set)
		}
		if sent := r.Header.Get("X-Not-Sent"); sent != "sendSms" {
			t.Errorf("it says of what is not sent %q", sent)
		}
		claims := harness.ClaimsOf(t, got[0])
		now := float64(s.Clock.Now().Unix())
		for name, want := range map[string]any{
			"id": got[1], "sub": got[1], "email": harness.ServiceMail, "role": "user", "mfa": false,
			"sessionState": "full", "iat": now, "exp": now + 900,
		} {
			if claims[name] != want {
				t.Errorf("the claim %s is %v, want %v", name, claims[name], want)
			}
		}
		if !s.Works(t, got[0]) {
			t.Error("the token opens nothing")
		}
		conn := harness.OpenSide(t, dsn)
		if idle := conn.Texts(t, "SELECT dialect FROM sessions"); !slices.Equal(idle,
			[]string{"service-authentication"}) {
			t.Errorf("sessions of %v", idle)
		}

		before := conn.Census(t)
		for body, want := range map[string]string{
			serviceLogin: "Email already exists",
			`{"email":"EXAMPLE@mail.com","password":"password123"}`: "Email already exists",
			`{}`:                                   "Email is required",
			`{"email":"","password":"x"}`:          "Email is required",
			`{"email":null}`:                       "Email is required",
			`{"email":"example"}`:                  "Invalid Email",
			`{"email":"a@mail.com","password":""}`: "Invalid Password",
			`{"email":"a@mail.com","password":"1234567"}`:                          "Invalid Password",
			`{"email":"a@mail.com","password":"` + strings.Repeat("x", 300) + `"}`: "Invalid Password",
			`{"email":7}`:                         "Invalid Email",
			`{"email":"a@mail.com","password":7}`: "Invalid Password",
			`{"email":"a@mail.com","options":[]}`: "options must be of type object, and is an " +
				"array.",
			`{"email":"a@mail.com","options":{"sendEmail":1}}`: "options.sendEmail must be of type boolean, " +
				"and is a number.",
			`{"email":"a@mail.com","options":{"sendSms":"true"}}`: "options.sendSms must be of type boolean, and " +
				"is a string.",
			`{"email":"a@mail.com","options":{"verifyEmail":"true"}}`: "options.verifyEmail must be of type boolean, " +
				"and is a string.",
			`{"email":"a@mail.com","options":{"sendResetEmail":{}}}`: "options.sendResetEmail must be of type " +
				"boolean, and is an object.",
		} {
			s.REST(t, "POST /register", body).Says(t, http.StatusBadRequest, serviceRefusal(want))
		}
		if after := conn.Census(t); after != before {
			t.Errorf("%s became %s", before, after)
		}
		// AZ-01
		s.REST(t, "POST /register", `{"email":"a@mail.com","role":"admin","active":false,"password":"password123"}`)
		if conn.Count(t, "SELECT count(*) FROM users WHERE role <> 'user' OR status <> 'ACTIVE'") > 0 {
			t.Error("somebody chose what they may")
		}
	})
}

// PW-17: without a password there is a random one: a hash and nothing else. No two are alike, and nobody is told.
func TestPW17_ServiceRandomPassword(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn, harness.RealHashes, "DRAGOMAN_DIALECT_PASSWORDS=strict",
			"DRAGOMAN_PASSWORD_MIN_LENGTH=64")
		r := s.REST(t, "POST /register", `{"email":"example@mail.com","options":{"sendEmail":false}}`)
		r.Matched(t, http.StatusOK, `{"success":true,"token":"<es256>","data":{"message":"User created","data":`+
			harness.ServiceUser+`,"refreshToken":"<rt>"}}`)
		s.REST(t, "POST /register", `{"email":"other@mail.com","password":null}`)
		hashes := harness.OpenSide(t, dsn).Texts(t, "SELECT password_hash FROM users")
		if len(hashes) != 2 || hashes[0] == hashes[1] || !strings.HasPrefix(hashes[0], "$argon2id$") ||
			!strings.HasPrefix(hashes[1], "$argon2id$") {
			t.Errorf("hashes %v", hashes)
		}
		for _, guess := range []string{"", "null", harness.ServicePass} {
			if a := s.Login(t, harness.ServiceMail, guess); a.Code() == "" {
				t.Errorf("%q opens the account", guess)
			}
		}
	})
}

func TestService_Login(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		z := s.Service(t, harness.ServiceMail)
		session := fmt.Sprintf(
			`{"id":%q,"email":"example@mail.com","role":"user","mfa":false,"sessionState":"full","iat":%d,"exp":%d}`,
			z.ID, s.Clock.Now().Unix(), s.Clock.Now().Unix()+900)
		for body, cookies := range map[string]bool{
			serviceLogin: true,
			`{"email":"example@mail.com","password":"password123","options":{"setCookie":true}}`:  true,
			`{"email":"example@mail.com","password":"password123","options":{"setCookie":null}}`:  true,
			`{"email":"example@mail.com","password":"password123","options":{}}`:                  true,
			`{"email":"Example@Mail.com","password":"password123","options":{"setCookie":false}}`: false,
		} {
			r, set := s.Jar(t, "POST /login", body)
			if !cookies {
				got := r.Matched(t, http.StatusOK, `{"success":true,"token":"<es256>","data":{"message":"Login `+
					`successful","data":`+session+`,"refreshToken":"<rt>"}}`)
				if len(set) > 0 || s.Refresh(t, got[1]).Code() != "" {
					t.Errorf("%s: cookies %v", body, set)
				}
				continue
			}
			got := r.Matched(t, http.StatusOK, `{"success":true,"token":"<es256>","data":{"message":"Login `+
				`successful","data":`+session+`}}`)
			if len(set) != 2 || set["session"].Value != got[0] || s.Refresh(t, set["refreshToken"].Value).Code() != "" {
				t.Errorf("%s: cookies %v", body, set)
			}
		}
		for body, want := range map[string]string{
			`{"email":"example@mail.com","password":"guess"}`:      "Invalid credentials",
			`{"email":"nobody@mail.com","password":"password123"}`: "Invalid credentials",
			`{"email":"nobody","password":"password123"}`:          "Invalid Email",
			`{"email":"example@mail.com","password":"` + strings.Repeat("x", 2000) +
				`"}`: "Invalid credentials",
			`{"password":"password123"}`:                                                            "Invalid Email",
			`{"email":7,"password":"password123"}`:                                                  "Invalid Email",
			`{"email":"example@mail.com","password":7}`:                                             "Invalid Password",
			`{"email":"example@mail.com"}`:                                                          "Invalid Password",
			`{"email":"example@mail.com","password":""}`:                                            "Invalid Password",
			`{"email":"example@mail.com","password":"password123","options":{"setCookie":"false"}}`: "options.setCookie must be of type boolean, and is a string.",
		} {
			r, set := s.Jar(t, "POST /login", body)
			if r.Says(t, http.StatusBadRequest, serviceRefusal(want)); len(set) > 0 {
				t.Errorf("%s sets %v", body, set)
			}
		}
	})
}

// HT-01, HT-02: the cookies are as the original sets them, Secure under https alone, and are cleared as they were set.
func TestHT01_ServiceCookies(t *testing.T) {
	t.Parallel()
	for public, secure := range map[string]string{"http://localhost:8080": "", "https://auth.example.com": "; Secure"} {
		s := harness.Start(t, dbtest.SQLite(t), "DRAGOMAN_PUBLIC_URL="+public)
		s.Service(t, harness.ServiceMail)
		for _, row := range []struct{ route, body, session, refresh string }{
			{"POST /login", serviceLogin, "", "; Max-Age=604800"},
			{"GET /token/revoke", "", "; Max-Age=0", "; Max-Age=0"},
		} {
			r, err := s.Call(row.route, row.body)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, line := range harness.OwnCookies(r.Header) {
				name, _, _ := strings.Cut(line, "=")
				_, attributes, _ := strings.Cut(line, ";")
				got = append(got, name+";"+attributes)
			}
			want := []string{
				"session; Path=/" + row.session + "; HttpOnly" + secure + "; SameSite=Strict",
				"refreshToken; Path=/" + row.refresh + "; HttpOnly" + secure + "; SameSite=Lax",
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s at %s: %q, want %q", row.route, public, got, want)
			}
		}
	}
}

func TestService_Refresh(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		z := s.Service(t, harness.ServiceMail)
		for _, way := range []struct {
			route, body string
			header      func() []string
		}{
			{"GET /token/refresh", "", func() []string { return []string{"X-Refresh-Token", z.Refresh} }},
			{"GET /token/refresh", "", func() []string { return []string{"Cookie", "refreshToken=" + z.Refresh} }},
			{"GET /token/refresh", "", func() []string { return z.Cookies() }},
			{"POST /refresh", `{"refreshToken":%q}`, func() []string { return nil }},
			{"POST /refresh", ``, func() []string { return []string{"X-Refresh-Token", z.Refresh} }},
			{"POST /refresh", `{}`, func() []string { return []string{"Cookie", "refreshToken=" + z.Refresh} }},
		} {
			s.Clock.Add(16 * time.Minute)
			body := strings.Replace(way.body, "%q", `"`+z.Refresh+`"`, 1)
			r, set := s.Jar(t, way.route, body, way.header()...)
			got := r.Matched(t, http.StatusOK, `{"success":true,"token":"<es256>","data":{"refreshToken":"<rt>"}}`)
			if set["session"].Value != got[0] || set["refreshToken"].Value != got[1] || got[1] == z.Refresh ||
				!s.Works(t, got[0]) {
				t.Errorf("%s: %v", way.route, set)
			}
			z.Token, z.Refresh = got[0], got[1]
		}
		none := `{"error":true,"success":false,"message":"Token not found"}`
		s.REST(t, "GET /token/refresh", "").Says(t, http.StatusUnauthorized, none)
		s.REST(t, "GET /token/refresh?refreshToken="+z.Refresh, "").Says(t, http.StatusUnauthorized, none)
		s.REST(t, "POST /refresh", `{"refreshToken":""}`).Says(t, http.StatusUnauthorized, none)
		for _, bad := range []string{"nonsense", z.Token, z.Refresh + "x", "rt1.x"} {
			s.REST(t, "GET /token/refresh", "", "X-Refresh-Token", bad).Says(t, http.StatusBadRequest,
				serviceRefusal("Token is invalid"))
			s.REST(t, "POST /refresh", `{"refreshToken":"`+bad+`"}`).Says(t, http.StatusBadRequest,
				serviceRefusal("Token is invalid"))
		}
		old := z.Refresh
		r, _ := s.Jar(t, "POST /refresh", `{"refreshToken":"`+old+`"}`)
		got := r.Matched(t, http.StatusOK, `{"success":true,"token":"<es256>","data":{"refreshToken":"<rt>"}}`)
		if !s.Works(t, got[0]) {
			t.Error("the token of the refresh does not work")
		}
		s.Clock.Add(time.Minute)
		s.REST(t, "POST /refresh", `{"refreshToken":"`+old+`"}`).Says(t, http.StatusBadRequest,
			serviceRefusal("Token is blacklisted"))
		s.REST(t, "POST /refresh", `{"refreshToken":"`+old+`"}`).Says(t, http.StatusBadRequest,
			serviceRefusal("Token is invalid"))
		z = s.Service(t, "other@mail.com")
		s.Clock.Add(7*24*time.Hour + time.Second)
		s.REST(t, "GET /token/refresh", "", "X-Refresh-Token", z.Refresh).Says(t, http.StatusBadRequest,
			serviceRefusal("Token is invalid"))
	})
}

func TestService_Revoke(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		n := 0
		person := func() harness.Service { n++; return s.Service(t, fmt.Sprintf("p%d@mail.com", n)) }
		ended := func(name string, z harness.Service, header ...string) {
			t.Helper()
			r, set := s.Jar(t, "GET /token/revoke", "", header...)
			r.Says(t, http.StatusOK, harness.LoggedOut)
			if len(set) != 2 || set["session"].MaxAge != -1 || set["refreshToken"].MaxAge != -1 {
				t.Errorf("%s: cookies %v", name, set)
			}
			if s.Works(t, z.Token) || s.Refresh(t, z.Refresh).Code() == "" {
				t.Errorf("%s: the session lives", name)
			}
		}
		z := person()
		ended("by Bearer", z, harness.Bearer(z.Token)...)
		ended("once more", z, harness.Bearer(z.Token)...)
		z = person()
		ended("by the cookies", z, z.Cookies()...)
		z = person()
		s.Clock.Add(20 * time.Minute)
		ended("by the cookies when the token has expired", z, z.Cookies()...)
		z = person()
		s.Clock.Add(20 * time.Minute)
		ended("by the refresh token alone", z, "Cookie", "refreshToken="+z.Refresh)
		ended("of nobody", z)
		ended("of nothing that is good", z, "Cookie", "session=x; refreshToken=y")
		// Where it is unclear which session is meant, nothing ends, and nothing is said to have ended (HT-05).
		z, other := person(), person()
		r := s.REST(t, "GET /token/revoke", "", append(other.Cookies(), harness.Bearer(z.Token)...)...)
		r.Says(t, http.StatusUnauthorized, harness.BadSession)
		if !s.Works(t, z.Token) || !s.Works(t, other.Token) {
			t.Error("a session ended")
		}
	})
}

// HT-04: the GETs that change state are for programs and for the person who pressed the button.
func TestHT04_ServiceGETs(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		z := s.Service(t, harness.ServiceMail)
		for _, route := range []string{"/token/refresh", "/token/revoke"} {
			if r := s.REST(t, "HEAD "+route, "", z.Cookies()...); r.Status != http.StatusMethodNotAllowed {
				t.Errorf("HEAD %s: %d", route, r.Status)
			}
			for _, header := range [][]string{
				{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Dest", "empty"},
				{"Origin", "https://evil.example"},
				{"Sec-Fetch-Dest", "image"},
				{"Referer", "https://evil.example/"},
			} {
				r, err := s.Call("GET "+route, "", append(header, z.Cookies()...)...)
				if err != nil || r.Status != http.StatusForbidden || r.Header.Get("Set-Cookie") != "" {
					t.Errorf("GET %s with %v: %d %s %v", route, header, r.Status, r.Body, err)
				}
			}
			r := s.REST(t, "GET "+route, "", append(z.Cookies(), "Sec-Fetch-Dest", "document", "Sec-Fetch-Site",
				"none")...)
			if r.Status != http.StatusOK || !strings.Contains(r.Body, `action="`+route+`?_confirm=1"`) {
				t.Errorf("GET %s: %d %s", route, r.Status, r.Body)
			}
		}
		if !s.Works(t, z.Token) {
			t.Error("the session ended")
		}
		s.Clock.Add(20 * time.Minute) // the button renews, so that the session ends
		r, _ := s.Jar(t, "POST /token/revoke?_confirm=1", "",
			append(z.Cookies(), "Sec-Fetch-Dest", "document", "Sec-Fetch-Site", "same-origin", "Origin", s.URL)...)
		if r.Status != http.StatusOK || s.Refresh(t, z.Refresh).Code() == "" {
			t.Errorf("%d %s", r.Status, r.Body)
		}
	})
}

// shown is the answer about a user, without the token.
func shownUser(id, email, role, capabilities string, active bool) string {
	return fmt.Sprintf(
		`{"id":%q,"email":%q,"active":%t,"mfa":false,"primaryAuth":"UNPW","createdAt":"<milli>","updatedAt":"<milli>",`+
			`"roleId":%q,"Role":{"name":%q,"description":"<about>","capabilities":[%s]},"AuthFactors":[]}`, id, email,
		active, role, role, capabilities)
}

func TestService_Users(t *testing.T) {
	t.Parallel()
	const may, mayAll = `"users_read"`, `"users_read","users_read_all","users_create","users_update"`
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		root, ada := s.Service(t, "root@mail.com"), s.Service(t, "ada@mail.com")
		harness.OpenSide(t, dsn).MustExec(t, "UPDATE users SET role = 'admin' WHERE email = 'root@mail.com'")
		asRoot, asAda := harness.Bearer(root.Token), harness.Bearer(ada.Token)
		adaShown := shownUser(ada.ID, "ada@mail.com", "user", may, true)
		for _, path := range []string{"/user", "/users"} {
			s.REST(t, "GET "+path, "", asAda...).Matched(t, http.StatusOK, `{"success":true,"data":[`+adaShown+`]}`)
			s.REST(t, "GET "+path, "", "Cookie", "session="+ada.Token).Matched(t, http.StatusOK,
				`{"success":true,"data":[`+adaShown+`]}`)
			s.REST(t, "GET "+path, "", asRoot...).Matched(t, http.StatusOK,
				`{"success":true,"data":[`+adaShown+`,`+shownUser(root.ID, "root@mail.com", "admin", mayAll, true)+`]}`)
			s.REST(t, "GET "+path, "").Says(t, http.StatusUnauthorized, harness.NoSession)
			s.REST(t, "GET "+path, "", harness.Bearer("x")...).Says(t, http.StatusUnauthorized, harness.BadSession)

			for _, as := range [][]string{asAda, asRoot} {
				s.REST(t, "GET "+path+"/"+ada.ID, "", as...).Matched(t, http.StatusOK, `{"success":true,"data":`+
					adaShown+`}`)
			}
			for _, id := range []string{root.ID, "user_00000000000000000000000000", "1", "%00"} { // SE-18: one answer
				s.REST(t, "GET "+path+"/"+id, "", asAda...).Says(t, http.StatusForbidden,
					serviceRefusal("You are not allowed to read this user"))
			}
			s.REST(t, "GET "+path+"/1", "", asRoot...).Says(t, http.StatusNotFound, serviceRefusal("User not found"))
			s.REST(t, "GET "+path+"/"+ada.ID, "").Says(t, http.StatusUnauthorized, harness.NoSession)

			email := path[1:] + "@mail.com"
			r := s.REST(t, "POST "+path, `{"email":"`+email+
				`","password":"password123","role":"user","active":false,"id":"x"}`, asRoot...)
			got := r.Matched(t, http.StatusOK, `{"success":true,"data":`+
				strings.Replace(shownUser("@", email, "user", may, false), `"@"`, `"<user>"`, 1)+`}`)
			if a := s.Login(t, email, harness.ServicePass); a.Code() != "INVALID_CREDENTIALS" {
				t.Errorf("the password counts: %s", a.Raw)
			}
			s.REST(t, "PUT "+path+"/"+got[0], `{"email":"ada@mail.com","role":"user"}`, asRoot...).Says(t,
				http.StatusBadRequest, serviceRefusal("Email already taken"))
			r = s.REST(t, "PUT "+path+"/"+got[0], `{"email":"new.`+email+`","role":"admin","active":true}`, asRoot...)
			r.Matched(t, http.StatusOK, `{"success":true,"data":`+
				shownUser(got[0], "new."+email, "admin", mayAll, true)+`}`)
			r = s.REST(t, "PUT "+path+"/"+got[0], `{"email":null}`, asRoot...) // all or nothing
			r.Matched(t, http.StatusOK, `{"success":true,"data":`+
				shownUser(got[0], "new."+email, "admin", mayAll, true)+`}`)
			for body, want := range map[string]string{
				`{"email":"x"}`: "Invalid Email", `{"email":""}`: "Invalid Email",
				`{"role":"x"}`: "Role not found", `{"role":""}`: "Role not found",
			} {
				s.REST(t, "PUT "+path+"/"+got[0], body, asRoot...).Says(t, http.StatusBadRequest, serviceRefusal(want))
			}
			for body, want := range map[string]string{
				`{}`: "Email is required", `{"email":""}`: "Email is required", `{"email":"x"}`: "Invalid Email",
				`{"email":"ada@mail.com"}`:          "Email already exists",
				`{"email":"b@mail.com","role":"x"}`: "Role not found",
			} {
				s.REST(t, "POST "+path, body, asRoot...).Says(t, http.StatusBadRequest, serviceRefusal(want))
			}
			for _, as := range [][]string{asAda} {
				s.REST(t, "POST "+path, `{"email":"b@mail.com"}`, as...).Says(t, http.StatusForbidden,
					serviceRefusal("User does not have required capabilities"))
				s.REST(t, "PUT "+path+"/"+ada.ID, `{"role":"admin"}`, as...).Says(t, http.StatusForbidden,
					serviceRefusal("User does not have required capabilities"))
			}
			s.REST(t, "PUT "+path+"/"+ada.ID, `{"active":false}`).Says(t, http.StatusUnauthorized, harness.NoSession)
			s.GraphQL(t, root.Token, harness.DeleteUserDoc, map[string]any{"input": map[string]any{"id": got[0]}})
		}
		r := s.REST(t, "PUT /user/"+root.ID, `{"active":false}`, asRoot...)
		r.Says(t, http.StatusConflict, serviceRefusal("This is the last administrator who can sign in. Make another "+
			"one first."))
	})
}

// A list of more than a hundred has a next page, under the path that was asked.
func TestAZ08_ServiceUserPages(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		root := s.Service(t, "root@mail.com")
		harness.OpenSide(t, dsn).MustExec(t, "UPDATE users SET role = 'admin'")
		for n := range 102 {
			s.REST(t, "POST /user", fmt.Sprintf(`{"email":"u%d@mail.com"}`, n), harness.Bearer(root.Token)...)
		}
		for path, pages := range map[string][]int{
			"/user": {100, 3}, "/users?limit=60": {60, 43},
			"/user?limit=100": {100, 3},
		} {
			seen, next := map[string]bool{}, path
			for _, want := range pages {
				r := s.REST(t, "GET "+next, "", harness.Bearer(root.Token)...)
				var list struct{ Data []struct{ ID string } }
				if err := json.Unmarshal([]byte(r.Body), &list); err != nil || len(list.Data) != want {
					t.Fatalf("%s: %d users, %v", next, len(list.Data), err)
				}
				for _, one := range list.Data {
					seen[one.ID] = true
				}
				link := r.Header.Get("Link")
				next = strings.TrimSuffix(strings.TrimPrefix(link, "<"), `>; rel="next"`)
				if link != "" && (next == link || !strings.HasPrefix(next, strings.SplitN(path, "?", 2)[0]+"?limit=")) {
					t.Errorf("Link: %s", link)
				}
			}
			if next != "" || len(seen) != 103 {
				t.Errorf("%s: %d users, and then %q", path, len(seen), next)
			}
		}
		s.REST(t, "GET /user?after=x", "", harness.Bearer(root.Token)...).Says(t, http.StatusBadRequest,
			serviceRefusal(`The cursor in "after" or "before" is none of this list with this filter: `+
				`take endCursor or startCursor of the page before, or leave the cursor out to begin again.`))
		for limit, want := range map[string]string{
			"0":   "limit must be from 1 to 100",
			"101": "limit must be from 1 to 100", "x": "limit is not valid", "1.5": "limit is not valid",
		} {
			s.REST(t, "GET /user?limit="+limit, "", harness.Bearer(root.Token)...).Says(t, http.StatusBadRequest,
				serviceRefusal(want))
		}
	})
}
