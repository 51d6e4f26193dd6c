package sessions

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

const (
	secureCookie = "__Host-dragoman_session"
)

// TestHT01_CookieDelivery is what a browser gets: one cookie, by the address of the server, and no token to keep.
func TestHT01_CookieDelivery(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		for _, c := range []struct{ url, name, flags string }{
			{"", harness.LocalCookie, "; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax"},
			{"https://auth.example.com", secureCookie, "; Path=/; Max-Age=2592000; HttpOnly; Secure; SameSite=Lax"},
		} {
			s := harness.Start(t, dsn, "DRAGOMAN_PUBLIC_URL="+c.url)
			email := fmt.Sprintf("ada%d@example.com", len(c.url))
			for field, document := range map[string]string{"register": harness.RegisterDoc, "login": harness.LoginDoc} {
				if field == "login" && c.url == "" {
					s.Registers(t, "email", "login@example.com", "password", harness.GoodPass, "signIn", false)
				}
				who := map[string]string{"register": email, "login": "login@example.com"}[field]
				a := harness.Asked(t, s.URL, "", document,
					harness.InputOf("email", who, "password", harness.GoodPass, "tokenDelivery", "COOKIE"))
				got := harness.CookieOf(t, a)
				if got == nil {
					t.Fatalf("%s %s: %s", c.url, field, a.Raw)
				}
				if raw := harness.OwnCookies(a.Header)[0]; raw != c.name+"="+got.Value+c.flags || len(raw) > 4096 ||
					!strings.HasPrefix(got.Value, "st1.") {
					t.Errorf("%s %s: %s", c.url, field, raw)
				}
				tokens, _ := a.At(field, "tokens").(map[string]any)
				if tokens["refreshToken"] != nil || tokens["sessionToken"] != nil || tokens["accessToken"] == nil ||
					strings.Contains(a.Raw, got.Value) {
					t.Errorf("%s %s: %s", c.url, field, a.Raw)
				}
				if a.Header.Get("Cache-Control") != "no-store" {
					t.Errorf("%s %s: %v", c.url, field, a.Header)
				}
				me := harness.Asked(t, s.URL, "", `{ me { email } currentCredential { kind session { id } } }`, nil,
					harness.Carrying(got)...)
				if me.Text("me", "email") != who || me.Text("currentCredential", "kind") != "SESSION_TOKEN" ||
					me.Text("currentCredential", "session", "id") != a.Text(field, "session", "id") ||
					harness.CookieOf(t, me) != nil {
					t.Errorf("%s %s: the cookie is worth %s %v", c.url, field, me.Raw, me.Header)
				}
				// The cookie of the other scheme is none.
				other := map[string]string{harness.LocalCookie: secureCookie, secureCookie: harness.LocalCookie}[c.name]
				if me := harness.Asked(t, s.URL, "", harness.MeDoc, nil, "Cookie", other+"="+got.Value); me.Text("me",
					"id") != "" || me.Header.Get("WWW-Authenticate") != "" {
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
		s := harness.Start(t, dsn, "DRAGOMAN_PUBLIC_URL=http://auth.example.com")
		s.Register(t, "ada@example.com")
		conn := harness.OpenSide(t, dsn)
		for name, a := range map[string]*harness.Answer{
			"register": harness.Asked(t, s.URL, "", harness.RegisterDoc,
				harness.InputOf("email", "bob@example.com", "password", harness.GoodPass, "tokenDelivery", "COOKIE")),
			"login": harness.Asked(t, s.URL, "", harness.LoginDoc,
				harness.InputOf("email", "ada@example.com", "password", harness.GoodPass, "tokenDelivery", "COOKIE")),
		} {
			if a.Code() != "INVALID_INPUT" || !strings.Contains(a.Raw, `["input","tokenDelivery"]`) ||
				harness.CookieOf(t, a) != nil {
				t.Errorf("%s: %s %v", name, a.Raw, a.Header)
			}
		}
		if users, sessions := conn.Count(t, "SELECT count(*) FROM users"),
			conn.Count(t, "SELECT count(*) FROM sessions"); users != 1 || sessions != 1 {
			t.Errorf("%d users, %d sessions", users, sessions)
		}
	})
}

// TestHT02_CookieEnds is when the cookie goes, and when it stays.
func TestHT02_CookieEnds(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		for _, url := range []string{"", "https://auth.example.com"} {
			s := harness.Start(t, dsn, "DRAGOMAN_PUBLIC_URL="+url)
			email := fmt.Sprintf("ada%d@example.com", len(url))
			ada := s.Register(t, email)
			gone := func(name string, c *http.Cookie, a *harness.Answer) {
				t.Helper()
				if !harness.Cleared(t, a, c) {
					t.Errorf("%s: the cookie stays: %s", name, a.Raw)
				}
				if me := harness.Asked(t, s.URL, "", harness.MeDoc, nil,
					harness.Carrying(c)...); me.Code() != "UNAUTHENTICATED" || !harness.Cleared(t, me, c) ||
					me.Header.Get("WWW-Authenticate") == "" {
					t.Errorf("%s: afterwards %s %v", name, me.Raw, me.Header)
				}
				if again := harness.Asked(t, s.URL, "", harness.LogoutDoc, nil,
					harness.Carrying(c)...); again.Code() != "UNAUTHENTICATED" || !harness.Cleared(t, again, c) {
					t.Errorf("%s: a second logout: %s %v", name, again.Raw, again.Header)
				}
			}
			stays := func(name string, c *http.Cookie, a *harness.Answer) {
				t.Helper()
				if harness.CookieOf(t, a) != nil {
					t.Errorf("%s: %v", name, a.Header)
				}
				if me := harness.Asked(t, s.URL, "", harness.MeDoc, nil, harness.Carrying(c)...); me.Text("me",
					"id") != ada.ID {
					t.Errorf("%s: %s", name, me.Raw)
				}
			}
			_, id := s.BrowserIn(t, email)
			second, _ := s.BrowserIn(t, email)
			stays("another session revoked", second, harness.Asked(t, s.URL, "", harness.EndSessionDoc,
				harness.InputOf("id", id), harness.Carrying(second)...))
			c, id := s.BrowserIn(t, email)
			gone("revoked by itself", c, harness.Asked(t, s.URL, "", harness.EndSessionDoc, harness.InputOf("id", id),
				harness.Carrying(c)...))
			stays("logout of a refresh token", second,
				harness.Asked(t, s.URL, "", harness.LogoutDoc,
					harness.InputOf("refreshToken", s.Login(t, email, harness.GoodPass).Text("login", "tokens",
						"refreshToken")), harness.Carrying(second)...))
			stays("a logout that fails", second, harness.Asked(t, s.URL, "", harness.LogoutDoc,
				harness.InputOf("refreshToken", "rt1.junk"), harness.Carrying(second)...))
			stays("logout of somebody else", second,
				harness.Asked(t, s.URL, s.Login(t, email, harness.GoodPass).Text("login", "tokens", "accessToken"),
					harness.LogoutDoc, nil))
			c, _ = s.BrowserIn(t, email)
			gone("logout", c, harness.Asked(t, s.URL, "", harness.LogoutDoc, nil, harness.Carrying(c)...))
			c, _ = s.BrowserIn(t, email)
			gone("logout everywhere", c, harness.Asked(t, s.URL, "", harness.LogoutDoc,
				harness.InputOf("everywhere", true), harness.Carrying(c)...))
			if a := harness.Asked(t, s.URL, "", harness.MeDoc, nil, harness.Carrying(second)...); a.Text("me",
				"id") != "" || !harness.Cleared(t, a, second) {
				t.Errorf("ended everywhere, and %s", a.Raw)
			}
			c, _ = s.BrowserIn(t, email)
			cut := *c
			cut.Value = c.Value[:len(c.Value)-1]
			if a := harness.Asked(t, s.URL, "", harness.MeDoc, nil, harness.Carrying(&cut)...); a.Text("me",
				"id") != "" || !harness.Cleared(t, a, c) {
				t.Errorf("a cut token: %s %v", a.Raw, a.Header)
			}
			if a := harness.Asked(t, s.URL, "", `{ sessions { id } }`, nil,
				harness.Carrying(&cut)...); a.Code() != "UNAUTHENTICATED" || !harness.Cleared(t, a, c) {
				t.Errorf("a cut token where one must sign in: %s %v", a.Raw, a.Header)
			}
			s.Clock.Add(14*24*time.Hour + time.Second)
			gone("its session was not used", c, harness.Asked(t, s.URL, "", harness.MeDoc, nil, harness.Carrying(c)...))
		}
	})
}

// TestHT02_CookieLife: the cookie lives as long as its session can.
func TestHT02_CookieLife(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn, "DRAGOMAN_SESSION_TTL=5m")
		s.Register(t, "ada@example.com")
		c, _ := s.BrowserIn(t, "ada@example.com")
		if c.MaxAge != 300 || !c.Expires.IsZero() {
			t.Errorf("%v", c)
		}
		s.Clock.Add(299 * time.Second)
		if me := harness.Asked(t, s.URL, "", harness.MeDoc, nil, harness.Carrying(c)...); me.Text("me", "email") == "" {
			t.Errorf("a second before its end: %s", me.Raw)
		}
		s.Clock.Add(2 * time.Second)
		if me := harness.Asked(t, s.URL, "", harness.MeDoc, nil, harness.Carrying(c)...); me.Text("me",
			"email") != "" || !harness.Cleared(t, me, c) {
			t.Errorf("a second after its end: %s", me.Raw)
		}
	})
}

// TestSE01_CookieIsReplaced: whatever cookie a request brings, a sign-in answers with a new one and never clears that.
func TestSE01_CookieIsReplaced(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		s.Register(t, "ada@example.com")
		s.Register(t, "eve@example.com")
		hers, _ := s.BrowserIn(t, "eve@example.com")
		over, _ := s.BrowserIn(t, "ada@example.com")
		harness.Asked(t, s.URL, "", harness.LogoutDoc, nil, harness.Carrying(over)...)
		for name, before := range map[string]*http.Cookie{
			"fixed by another": hers, "of a session that is over": over,
			"junk": {Name: harness.LocalCookie, Value: "junk"},
		} {
			document := `mutation L($input: LoginInput!) { login(input: $input) { session { id isCurrent } ` +
				`userErrors { code } } }`
			a := harness.Asked(t, s.URL, "", document,
				harness.InputOf("email", "ada@example.com", "password", harness.GoodPass, "tokenDelivery", "COOKIE"),
				harness.Carrying(before)...)
			c := harness.CookieOf(t, a)
			if c == nil || c.Value == "" || c.Value == before.Value {
				t.Fatalf("%s: %s %v", name, a.Raw, a.Header)
			}
			if me := harness.Asked(t, s.URL, "", harness.MeDoc, nil, harness.Carrying(c)...); me.Text("me",
				"email") != "ada@example.com" {
				t.Errorf("%s: %s", name, me.Raw)
			}
		}
		both := `mutation B($input: LoginInput!) { logout { userErrors { code } } login(input: $input) { session { ` +
			`id } userErrors { code } } }`
		a := harness.Asked(t, s.URL, "", both, harness.InputOf("email", "ada@example.com", "password", harness.GoodPass,
			"tokenDelivery", "COOKIE"), harness.Carrying(hers)...)
		if c := harness.CookieOf(t, a); a.Code() != "" || c == nil || c.Value == "" {
			t.Errorf("out and in: %s %v", a.Raw, a.Header)
		}
		if me := harness.Asked(t, s.URL, "", harness.MeDoc, nil, harness.Carrying(hers)...); me.Text("me",
			"email") != "" {
			t.Errorf("out and in: the old session lives: %s", me.Raw)
		}
	})
}

// TestHT05_CookieAndOthers presents the cookie beside something else, and something else in its place.
func TestHT05_CookieAndOthers(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		ada, eve := s.Register(t, "ada@example.com"), s.Register(t, "eve@example.com")
		_, key := s.NewKey(t, ada.Access, nil)
		c, _ := s.BrowserIn(t, "ada@example.com")
		hers, _ := s.BrowserIn(t, "eve@example.com")
		name := harness.LocalCookie + "="
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
			{"beside a token of the same person", []string{"Cookie", name + c.Value, "Authorization", "Bearer " +
				ada.Access}, ""},
			{
				"beside a token of another",
				[]string{"Cookie", name + c.Value, "Authorization", "Bearer " + eve.Access},
				"",
			},
			{"beside a key", []string{"Cookie", name + c.Value, "X-API-Key", key}, ""},
			{"beside junk", []string{"Cookie", name + c.Value, "Authorization", "Bearer junk"}, ""},
			{"beside another scheme", []string{"Cookie", name + c.Value, "Authorization", "Basic YTpi"}, ""},
			{"two cookies", []string{"Cookie", name + c.Value + "; " + name + hers.Value}, ""},
			{"an access token as cookie", []string{"Cookie", name + ada.Access}, ""},
			{"a refresh token as cookie", []string{"Cookie", name + ada.Refresh}, ""},
			{"a key as cookie", []string{"Cookie", name + key}, ""},
			{
				"an access token twice",
				[]string{"Cookie", name + ada.Access, "Authorization", "Bearer " + ada.Access},
				"",
			},
			{"another name", []string{"Cookie", "session=" + c.Value}, ""},
		} {
			a := harness.Asked(t, s.URL, "", harness.MeDoc, nil, x.header...)
			refused := x.want == "" && x.name != "another name" && x.name != "empty" // which present nothing
			if a.Text("me", "id") != x.want || (a.Code() == "UNAUTHENTICATED") != refused {
				t.Errorf("%s: %s", x.name, a.Raw)
			}
			if harness.CookieOf(t, a) != nil { // none of these says that the session of a cookie is over
				t.Errorf("%s: %v", x.name, a.Header)
			}
			if x.want != "" {
				continue
			}
			if a := harness.Asked(t, s.URL, "", harness.LogoutDoc, nil, x.header...); a.Code() != "UNAUTHENTICATED" {
				t.Errorf("%s: logout: %s", x.name, a.Raw)
			}
		}
		for _, who := range []*http.Cookie{c, hers} {
			if me := harness.Asked(t, s.URL, "", harness.MeDoc, nil, harness.Carrying(who)...); me.Text("me",
				"id") == "" {
				t.Errorf("a session was ended: %s", me.Raw)
			}
		}
		// Dialects read what their files name: the cookie of GraphQL is none of theirs, and they leave it alone.
		for _, route := range []string{"GET " + harness.Generic + "/keys", "GET /sessions"} {
			for _, value := range []string{c.Value, c.Value[1:], "st1.junk"} {
				r := s.REST(t, route, "", "Cookie", name+value)
				r.Sound(t)
				if r.Status != http.StatusUnauthorized {
					t.Errorf("%s with the cookie: %d %s", route, r.Status, r.Body)
				}
			}
			if r := s.REST(t, route, "", "Cookie", name+c.Value, "Authorization", "Bearer "+
				eve.Access); r.Status != http.StatusOK {
				t.Errorf("%s with a token beside the cookie: %d %s", route, r.Status, r.Body)
			}
		}
	})
}
