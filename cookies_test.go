package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db/dbtest"
)

const (
	localCookie  = "dragoman_session"
	secureCookie = "__Host-dragoman_session"
)

// cookieOf gives the one cookie that an answer sets, nil for none.
func cookieOf(t testing.TB, a *answer) *http.Cookie {
	t.Helper()
	all := (&http.Response{Header: a.Header}).Cookies()
	if len(all) > 1 {
		t.Fatalf("the answer sets several cookies: %v", a.Header.Values("Set-Cookie"))
	}
	if len(all) == 0 {
		return nil
	}
	return all[0]
}

// cleared tells whether an answer takes a cookie away, with the attributes that it was set with (HT-02).
func cleared(t testing.TB, a *answer, set *http.Cookie) bool {
	t.Helper()
	c := cookieOf(t, a)
	if c == nil {
		return false
	}
	want := *set
	want.Value, want.MaxAge = "", -1
	if c.String() != want.String() {
		t.Errorf("cleared by %q, want %q", c, &want)
	}
	return true
}

// browserIn signs in with a password and gives the cookie and the session's id.
func (i *instance) browserIn(t testing.TB, email string, header ...string) (c *http.Cookie, session string) {
	t.Helper()
	a := asked(t, i.URL, "", loginDoc, inputOf("email", email, "password", goodPass, "tokenDelivery", "COOKIE"), header...)
	if c = cookieOf(t, a); a.code() != "" || c == nil || c.Value == "" {
		t.Fatalf("login: %s %v", a.Raw, a.Header)
	}
	return c, a.text("login", "session", "id")
}

// carrying is the header of a request with a cookie.
func carrying(c *http.Cookie) []string { return []string{"Cookie", c.Name + "=" + c.Value} }

// TestHT01_CookieDelivery is what a browser gets: one cookie, by the address of the server, and no token to keep.
func TestHT01_CookieDelivery(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		for _, c := range []struct{ url, name, flags string }{
			{"", localCookie, "; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax"},
			{"https://auth.example.com", secureCookie, "; Path=/; Max-Age=2592000; HttpOnly; Secure; SameSite=Lax"},
		} {
			s := start(t, dsn, "DRAGOMAN_PUBLIC_URL="+c.url)
			email := fmt.Sprintf("ada%d@example.com", len(c.url))
			for field, document := range map[string]string{"register": registerDoc, "login": loginDoc} {
				if field == "login" && c.url == "" {
					s.registers(t, "email", "login@example.com", "password", goodPass, "signIn", false)
				}
				who := map[string]string{"register": email, "login": "login@example.com"}[field]
				a := asked(t, s.URL, "", document, inputOf("email", who, "password", goodPass, "tokenDelivery", "COOKIE"))
				got := cookieOf(t, a)
				if got == nil {
					t.Fatalf("%s %s: %s", c.url, field, a.Raw)
				}
				if raw := a.Header.Get("Set-Cookie"); raw != c.name+"="+got.Value+c.flags || len(raw) > 4096 || !strings.HasPrefix(got.Value, "st1.") {
					t.Errorf("%s %s: %s", c.url, field, raw)
				}
				tokens, _ := a.at(field, "tokens").(map[string]any)
				if tokens["refreshToken"] != nil || tokens["sessionToken"] != nil || tokens["accessToken"] == nil || strings.Contains(a.Raw, got.Value) {
					t.Errorf("%s %s: %s", c.url, field, a.Raw)
				}
				if a.Header.Get("Cache-Control") != "no-store" {
					t.Errorf("%s %s: %v", c.url, field, a.Header)
				}
				me := asked(t, s.URL, "", `{ me { email } currentCredential { kind session { id } } }`, nil, carrying(got)...)
				if me.text("me", "email") != who || me.text("currentCredential", "kind") != "SESSION_TOKEN" ||
					me.text("currentCredential", "session", "id") != a.text(field, "session", "id") || cookieOf(t, me) != nil {
					t.Errorf("%s %s: the cookie is worth %s %v", c.url, field, me.Raw, me.Header)
				}
				// The cookie of the other scheme is none.
				other := map[string]string{localCookie: secureCookie, secureCookie: localCookie}[c.name]
				if me := asked(t, s.URL, "", meDoc, nil, "Cookie", other+"="+got.Value); me.text("me", "id") != "" || me.Header.Get("WWW-Authenticate") != "" {
					t.Errorf("%s: the cookie %s counts: %s", c.url, other, me.Raw)
				}
			}
		}
	})
}

// TestHT01_NoCookie refuses, before anything happens, a cookie that browsers would throw away.
func TestHT01_NoCookie(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn, "DRAGOMAN_PUBLIC_URL=http://auth.example.com")
		s.register(t, "ada@example.com")
		conn := openSide(t, dsn)
		for name, a := range map[string]*answer{
			"register": asked(t, s.URL, "", registerDoc, inputOf("email", "bob@example.com", "password", goodPass, "tokenDelivery", "COOKIE")),
			"login":    asked(t, s.URL, "", loginDoc, inputOf("email", "ada@example.com", "password", goodPass, "tokenDelivery", "COOKIE")),
		} {
			if a.code() != "INVALID_INPUT" || !strings.Contains(a.Raw, `["input","tokenDelivery"]`) || cookieOf(t, a) != nil {
				t.Errorf("%s: %s %v", name, a.Raw, a.Header)
			}
		}
		if users, sessions := conn.count(t, "SELECT count(*) FROM users"), conn.count(t, "SELECT count(*) FROM sessions"); users != 1 || sessions != 1 {
			t.Errorf("%d users, %d sessions", users, sessions)
		}
	})
}

// TestHT02_CookieEnds is when the cookie goes, and when it stays.
func TestHT02_CookieEnds(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		for _, url := range []string{"", "https://auth.example.com"} {
			s := start(t, dsn, "DRAGOMAN_PUBLIC_URL="+url)
			email := fmt.Sprintf("ada%d@example.com", len(url))
			ada := s.register(t, email)
			gone := func(name string, c *http.Cookie, a *answer) {
				t.Helper()
				if !cleared(t, a, c) {
					t.Errorf("%s: the cookie stays: %s", name, a.Raw)
				}
				if me := asked(t, s.URL, "", meDoc, nil, carrying(c)...); me.Raw != `{"data":{"me":null}}`+"\n" || !cleared(t, me, c) ||
					me.Header.Get("WWW-Authenticate") == "" {
					t.Errorf("%s: afterwards %s %v", name, me.Raw, me.Header)
				}
				if again := asked(t, s.URL, "", logoutDoc, nil, carrying(c)...); again.code() != "UNAUTHENTICATED" || !cleared(t, again, c) {
					t.Errorf("%s: a second logout: %s %v", name, again.Raw, again.Header)
				}
			}
			stays := func(name string, c *http.Cookie, a *answer) {
				t.Helper()
				if cookieOf(t, a) != nil {
					t.Errorf("%s: %v", name, a.Header)
				}
				if me := asked(t, s.URL, "", meDoc, nil, carrying(c)...); me.text("me", "id") != ada.ID {
					t.Errorf("%s: %s", name, me.Raw)
				}
			}
			_, id := s.browserIn(t, email)
			second, _ := s.browserIn(t, email)
			stays("another session revoked", second, asked(t, s.URL, "", endSessionDoc, inputOf("id", id), carrying(second)...))
			c, id := s.browserIn(t, email)
			gone("revoked by itself", c, asked(t, s.URL, "", endSessionDoc, inputOf("id", id), carrying(c)...))
			stays("logout of a refresh token", second, asked(t, s.URL, "", logoutDoc, inputOf("refreshToken", s.login(t, email, goodPass).text("login", "tokens", "refreshToken")), carrying(second)...))
			stays("a logout that fails", second, asked(t, s.URL, "", logoutDoc, inputOf("refreshToken", "rt1.junk"), carrying(second)...))
			stays("logout of somebody else", second, asked(t, s.URL, s.login(t, email, goodPass).text("login", "tokens", "accessToken"), logoutDoc, nil))
			c, _ = s.browserIn(t, email)
			gone("logout", c, asked(t, s.URL, "", logoutDoc, nil, carrying(c)...))
			c, _ = s.browserIn(t, email)
			gone("logout everywhere", c, asked(t, s.URL, "", logoutDoc, inputOf("everywhere", true), carrying(c)...))
			if a := asked(t, s.URL, "", meDoc, nil, carrying(second)...); a.text("me", "id") != "" || !cleared(t, a, second) {
				t.Errorf("ended everywhere, and %s", a.Raw)
			}
			c, _ = s.browserIn(t, email)
			cut := *c
			cut.Value = c.Value[:len(c.Value)-1]
			if a := asked(t, s.URL, "", meDoc, nil, carrying(&cut)...); a.text("me", "id") != "" || !cleared(t, a, c) {
				t.Errorf("a cut token: %s %v", a.Raw, a.Header)
			}
			if a := asked(t, s.URL, "", `{ sessions { id } }`, nil, carrying(&cut)...); a.code() != "UNAUTHENTICATED" || !cleared(t, a, c) {
				t.Errorf("a cut token where one must sign in: %s %v", a.Raw, a.Header)
			}
			s.clock.add(14*24*time.Hour + time.Second)
			gone("its session was not used", c, asked(t, s.URL, "", meDoc, nil, carrying(c)...))
		}
	})
}

// TestHT02_CookieLife: the cookie lives as long as its session can.
func TestHT02_CookieLife(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn, "DRAGOMAN_SESSION_TTL=5m")
		s.register(t, "ada@example.com")
		c, _ := s.browserIn(t, "ada@example.com")
		if c.MaxAge != 300 || !c.Expires.IsZero() {
			t.Errorf("%v", c)
		}
		s.clock.add(299 * time.Second)
		if me := asked(t, s.URL, "", meDoc, nil, carrying(c)...); me.text("me", "email") == "" {
			t.Errorf("a second before its end: %s", me.Raw)
		}
		s.clock.add(2 * time.Second)
		if me := asked(t, s.URL, "", meDoc, nil, carrying(c)...); me.text("me", "email") != "" || !cleared(t, me, c) {
			t.Errorf("a second after its end: %s", me.Raw)
		}
	})
}

// TestSE01_CookieIsReplaced: whatever cookie a request brings, a sign-in answers with a new one and never clears that.
func TestSE01_CookieIsReplaced(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		s.register(t, "ada@example.com")
		s.register(t, "eve@example.com")
		hers, _ := s.browserIn(t, "eve@example.com")
		over, _ := s.browserIn(t, "ada@example.com")
		asked(t, s.URL, "", logoutDoc, nil, carrying(over)...)
		for name, before := range map[string]*http.Cookie{
			"fixed by another": hers, "of a session that is over": over, "junk": {Name: localCookie, Value: "junk"},
		} {
			document := `mutation L($input: LoginInput!) { login(input: $input) { session { id isCurrent } userErrors { code } } }`
			a := asked(t, s.URL, "", document, inputOf("email", "ada@example.com", "password", goodPass, "tokenDelivery", "COOKIE"), carrying(before)...)
			c := cookieOf(t, a)
			if c == nil || c.Value == "" || c.Value == before.Value {
				t.Fatalf("%s: %s %v", name, a.Raw, a.Header)
			}
			if me := asked(t, s.URL, "", meDoc, nil, carrying(c)...); me.text("me", "email") != "ada@example.com" {
				t.Errorf("%s: %s", name, me.Raw)
			}
		}
		both := `mutation B($input: LoginInput!) { logout { userErrors { code } } login(input: $input) { session { id } userErrors { code } } }`
		a := asked(t, s.URL, "", both, inputOf("email", "ada@example.com", "password", goodPass, "tokenDelivery", "COOKIE"), carrying(hers)...)
		if c := cookieOf(t, a); a.code() != "" || c == nil || c.Value == "" {
			t.Errorf("out and in: %s %v", a.Raw, a.Header)
		}
		if me := asked(t, s.URL, "", meDoc, nil, carrying(hers)...); me.text("me", "email") != "" {
			t.Errorf("out and in: the old session lives: %s", me.Raw)
		}
	})
}

// TestHT05_CookieAndOthers presents the cookie beside something else, and something else in its place.
func TestHT05_CookieAndOthers(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		ada, eve := s.register(t, "ada@example.com"), s.register(t, "eve@example.com")
		_, key := s.newKey(t, ada.Access, nil)
		c, _ := s.browserIn(t, "ada@example.com")
		hers, _ := s.browserIn(t, "eve@example.com")
		name := localCookie + "="
		for _, x := range []struct {
			name   string
			header []string
			want   string // whose answer it is
		}{
			{"the cookie", []string{"Cookie", name + c.Value}, ada.ID},
			{"among others", []string{"Cookie", "a=b; " + name + c.Value + "; c={"}, ada.ID},
			{"the same token twice", []string{"Cookie", name + c.Value, "Authorization", "Bearer " + c.Value}, ada.ID},
			{"empty", []string{"Cookie", name}, ""},
			{"empty beside a token", []string{"Cookie", name, "Authorization", "Bearer " + eve.Access}, eve.ID},
			{"beside a token of the same person", []string{"Cookie", name + c.Value, "Authorization", "Bearer " + ada.Access}, ""},
			{"beside a token of another", []string{"Cookie", name + c.Value, "Authorization", "Bearer " + eve.Access}, ""},
			{"beside a key", []string{"Cookie", name + c.Value, "X-API-Key", key}, ""},
			{"beside junk", []string{"Cookie", name + c.Value, "Authorization", "Bearer junk"}, ""},
			{"beside another scheme", []string{"Cookie", name + c.Value, "Authorization", "Basic YTpi"}, ""},
			{"two cookies", []string{"Cookie", name + c.Value + "; " + name + hers.Value}, ""},
			{"an access token as cookie", []string{"Cookie", name + ada.Access}, ""},
			{"a refresh token as cookie", []string{"Cookie", name + ada.Refresh}, ""},
			{"a key as cookie", []string{"Cookie", name + key}, ""},
			{"an access token twice", []string{"Cookie", name + ada.Access, "Authorization", "Bearer " + ada.Access}, ""},
			{"another name", []string{"Cookie", "session=" + c.Value}, ""},
		} {
			a := asked(t, s.URL, "", meDoc, nil, x.header...)
			if a.text("me", "id") != x.want || len(a.Errors) > 0 {
				t.Errorf("%s: %s", x.name, a.Raw)
			}
			if cookieOf(t, a) != nil { // none of these says that the session of a cookie is over
				t.Errorf("%s: %v", x.name, a.Header)
			}
			if x.want != "" {
				continue
			}
			if a := asked(t, s.URL, "", logoutDoc, nil, x.header...); a.code() != "UNAUTHENTICATED" {
				t.Errorf("%s: logout: %s", x.name, a.Raw)
			}
		}
		for _, who := range []*http.Cookie{c, hers} {
			if me := asked(t, s.URL, "", meDoc, nil, carrying(who)...); me.text("me", "id") == "" {
				t.Errorf("a session was ended: %s", me.Raw)
			}
		}
		// Dialects read what their files name: the cookie of GraphQL is none of theirs, and they leave it alone.
		for _, route := range []string{"GET " + generic + "/keys", "GET /sessions"} {
			for _, value := range []string{c.Value, c.Value[1:], "st1.junk"} {
				r := s.rest(t, route, "", "Cookie", name+value)
				r.sound(t)
				if r.Status != http.StatusUnauthorized {
					t.Errorf("%s with the cookie: %d %s", route, r.Status, r.Body)
				}
			}
			if r := s.rest(t, route, "", "Cookie", name+c.Value, "Authorization", "Bearer "+eve.Access); r.Status != http.StatusOK {
				t.Errorf("%s with a token beside the cookie: %d %s", route, r.Status, r.Body)
			}
		}
	})
}
