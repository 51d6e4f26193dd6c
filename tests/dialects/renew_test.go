package dialects

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// These tests are about `renew` of a dialect: a token that is missing or has expired, and a cookie that makes a new
// one.

// renewedToken is the new token of an answer, "" for none. An answer that has one sets both cookies, any other none.
func renewedToken(t testing.TB, i *harness.Instance, status int, route, body string, header ...string) (token,
	refresh string,
) {
	t.Helper()
	r, set := i.Jar(t, route, body, header...)
	var said struct{ Token string }
	if err := json.Unmarshal([]byte(r.Body), &said); err != nil || r.Status != status {
		t.Errorf("%s with %.60q: %d %s", route, header, r.Status, r.Body)
		return "", ""
	}
	switch {
	case said.Token == "" && len(set) == 0:
		return "", ""
	case len(set) != 2 || set["session"] == nil || set["refreshToken"] == nil || set["session"].Value != said.Token:
		t.Errorf("%s with %.60q: the token %.20q and the cookies %v", route, header, said.Token, set)
		return "", ""
	case r.Header.Get("WWW-Authenticate") != "":
		t.Errorf("%s: renewed, and %s", route, r.Header.Get("WWW-Authenticate"))
	case !i.Works(t, said.Token):
		t.Errorf("%s: the new token opens nothing", route)
	}
	return said.Token, set["refreshToken"].Value
}

// A token that has expired or is missing is renewed by whatever route needs one, and every answer says so: a success
// and a refusal, by each method. What is good, and what needs no token, renews nothing.
func TestRenew(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		z := s.Service(t, harness.ServiceMail)
		refreshes := func() int {
			return harness.OpenSide(t, dsn).Count(t, "SELECT count(*) FROM audit_events WHERE action = "+
				"'session.refreshed' AND dialect = 'service-authentication'")
		}
		// nothing has expired, or nothing is needed
		for _, route := range []string{"GET /user", "POST /login", "POST /register"} {
			_, set := s.Jar(t, route, map[string]string{
				"GET /user": "", "POST /login": `{"email":"x","password":"x"}`,
				"POST /register": `{}`,
			}[route], z.Cookies()...)
			if len(set) > 0 || refreshes() > 0 {
				t.Errorf("%s renews", route)
			}
		}
		for n, row := range []struct {
			status      int
			route, body string
			header      func() []string
		}{
			{http.StatusOK, "GET /user", "", expiredCookies(z, &z)},
			{
				http.StatusOK, "GET /users", "",
				func() []string { return []string{"Cookie", "refreshToken=" + z.Refresh} },
			},
			{http.StatusOK, "GET /user/" + z.ID, "", expiredCookies(z, &z)},
			{http.StatusForbidden, "GET /user/1", "", expiredCookies(z, &z)},
			{http.StatusForbidden, "POST /user", `{"email":"a@mail.com"}`, expiredCookies(z, &z)},
			{http.StatusForbidden, "PUT /user/1", `{"active":true}`, expiredCookies(z, &z)},
			// As a Bearer token: of the session that the cookie belongs to, or beside its cookie.
			{http.StatusOK, "GET /user", "", func() []string {
				return append(harness.Bearer(z.Token), "Cookie", "refreshToken="+z.Refresh)
			}},
			{
				http.StatusOK, "GET /user", "",
				func() []string { return append(harness.Bearer(z.Token), z.Cookies()...) },
			},
			// What is left of another session's cookie is no statement of the caller.
			{
				http.StatusOK, "GET /user", "",
				func() []string { return []string{"Cookie", "session=stale; refreshToken=" + z.Refresh} },
			},
			// A page of ours, by fetch.
			{http.StatusOK, "GET /user", "", func() []string {
				return append(z.Cookies(), "Sec-Fetch-Site", "same-origin", "Sec-Fetch-Dest", "empty")
			}},
			{http.StatusForbidden, "POST /user", `{"email":"a@mail.com"}`, func() []string {
				return append(z.Cookies(), "Sec-Fetch-Site", "same-origin", "Sec-Fetch-Dest", "empty", "Origin", s.URL)
			}},
		} {
			s.Clock.Add(16 * time.Minute)
			token, refresh := renewedToken(t, s, row.status, row.route, row.body, row.header()...)
			if token == "" || refresh == z.Refresh {
				t.Fatalf("row %d, %s: not renewed", n, row.route)
			}
			if z.Token, z.Refresh = token, refresh; refreshes() != n+1 {
				t.Errorf("row %d, %s: %d refreshes", n, row.route, refreshes())
			}
		}
		if harness.ClaimsOf(t, z.Token)["sessionState"] != "full" ||
			harness.OpenSide(t, dsn).Count(t, "SELECT count(*) FROM sessions") != 1 {
			t.Error("it is another session, or another form of token")
		}
		s.Clock.Add(7*24*time.Hour + time.Second)
		s.REST(t, "GET /user", "", z.Cookies()...).Says(t, http.StatusUnauthorized, harness.BadSession)
	})
}

func expiredCookies(_ harness.Service, z *harness.Service) func() []string {
	return func() []string { return z.Cookies() }
}

// HT-03, HT-04, HT-05: what a browser sends for another page, ahead of its user or for an address that is opened, what
// says that the caller is somebody else, and HEAD swap no token. Nor does a refresh token that is not good; no cookie
// is cleared.
func TestHT05_RenewRefused(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		z, other := s.Service(t, harness.ServiceMail), s.Service(t, "other@mail.com")
		key := s.GraphQL(t, other.Token, harness.CreateKey, nil).Text("createApiKey", "secret")
		s.Jar(t, "GET /token/revoke", "", harness.Bearer(other.Token)...)
		gone := s.Service(t, "gone@mail.com")
		s.Jar(t, "GET /token/revoke", "", harness.Bearer(gone.Token)...)
		hs := genericToken(t, s)
		s.Clock.Add(2 * time.Hour)
		fresh := s.Service(t, "fresh@mail.com")
		conn := harness.OpenSide(t, dsn)
		signature := z.Token[strings.LastIndexByte(z.Token, '.')+1:]
		forged := strings.Replace(z.Token, signature, strings.Repeat("A", len(signature)), 1)
		with := func(header ...string) []string { return append(header, z.Cookies()...) }
		refresh := []string{"Cookie", "refreshToken=" + z.Refresh}
		before := conn.Texts(t, "SELECT generation FROM sessions ORDER BY id")
		for name, row := range map[string]struct {
			want   string
			header []string
		}{
			"another site": {
				harness.BadSession,
				with("Sec-Fetch-Site", "cross-site", "Sec-Fetch-Dest", "empty"),
			},
			"another site, no token": {
				harness.NoSession,
				append(refresh, "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Dest", "empty"),
			},
			"another origin":   {harness.BadSession, with("Origin", "https://evil.example")},
			"the origin null":  {harness.BadSession, with("Origin", "null")},
			"a page elsewhere": {harness.BadSession, with("Referer", "https://evil.example/")},
			"an image": {
				harness.BadSession,
				with("Sec-Fetch-Site", "same-origin", "Sec-Fetch-Dest", "image"),
			},
			"a navigation": {
				harness.BadSession,
				with("Sec-Fetch-Site", "none", "Sec-Fetch-Dest", "document"),
			},
			"an old browser": {harness.BadSession, with("Accept", "text/html,*/*")},
			"a prefetch": {
				harness.BadSession,
				with("Sec-Purpose", "prefetch", "Sec-Fetch-Site", "same-origin", "Sec-Fetch-Dest", "empty"),
			},
			"a broken Bearer":          {harness.BadSession, append(harness.Bearer("x"), refresh...)},
			"a broken Bearer, cookies": {harness.BadSession, with(harness.Bearer("x")...)},
			"a forged Bearer":          {harness.BadSession, append(harness.Bearer(forged), refresh...)},
			"a Bearer of another":      {harness.BadSession, append(harness.Bearer(other.Token), refresh...)},
			"a Bearer in another form": {harness.BadSession, append(harness.Bearer(hs), refresh...)},
			"the Bearer of an ended session that has not expired": {
				harness.BadSession,
				append(harness.Bearer(endedToken(t, s, "ended@mail.com")), refresh...),
			},
			"a refresh token as Bearer": {
				harness.BadSession,
				append(harness.Bearer(z.Refresh), refresh...),
			},
			"a dead key": {
				harness.BadSession,
				append(harness.Bearer(key+"x"), refresh...),
			},
			"two Bearers": {
				harness.BadSession,
				append(append(harness.Bearer(z.Token), harness.Bearer(z.Token)...), refresh...),
			},
			"another scheme": {
				harness.BadSession,
				append([]string{"Authorization", "Basic YTpi"}, refresh...),
			},
			"two refresh cookies": {
				harness.NoSession,
				[]string{"Cookie", "refreshToken=" + z.Refresh + "; refreshToken=" + fresh.Refresh},
			},
			"a broken refresh cookie": {
				harness.NoSession,
				[]string{"Cookie", "refreshToken=" + z.Refresh + "x"},
			},
			"an access token as refresh": {
				harness.NoSession,
				[]string{"Cookie", "refreshToken=" + fresh.Token},
			},
			"the cookies of a session that has ended": {harness.BadSession, gone.Cookies()},
		} {
			r, set := s.Jar(t, "GET /user", "", row.header...)
			if r.Says(t, http.StatusUnauthorized, row.want); len(set) > 0 {
				t.Errorf("%s: cookies %v", name, set)
			}
		}
		if r := s.REST(t, "HEAD /user", "", z.Cookies()...); r.Status != http.StatusUnauthorized {
			t.Errorf("HEAD: %d", r.Status)
		}
		if after := conn.Texts(t, "SELECT generation FROM sessions ORDER BY id"); fmt.Sprint(after[:len(before)]) !=
			fmt.Sprint(before) {
			t.Errorf("generations %v became %v", before, after)
		}
		if token, _ := renewedToken(t, s, http.StatusOK, "GET /user", "", z.Cookies()...); token == "" {
			t.Error("and what is good is not renewed")
		}
	})
}

// genericToken is a token of another dialect, under the HMAC key, of an hour.
func genericToken(t testing.TB, i *harness.Instance) string {
	t.Helper()
	i.Person(t, "jane@mail.com", "jane.doe")
	access, _ := i.GenericLogin(t, "jane.doe")
	return access
}

func endedToken(t testing.TB, s *harness.Instance, email string) string {
	t.Helper()
	z := s.Service(t, email)
	s.Jar(t, "GET /token/revoke", "", harness.Bearer(z.Token)...)
	return z.Token
}

// SE-09, SE-10: requests that a page sends at once with one old cookie are all served, and get one successor. Later the
// old cookie ends the session (SE-11).
func TestSE10_RenewTogether(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		const public = "DRAGOMAN_PUBLIC_URL=http://localhost:8080" // of both, and so the issuer of their tokens
		a := harness.Start(t, dsn, public)
		b := harness.StartWithClock(t, a.Clock, dsn, public)
		z := a.Service(t, harness.ServiceMail)
		for round := range 3 {
			a.Clock.Add(16 * time.Minute)
			replies := make([]harness.Reply, 12)
			var wg sync.WaitGroup
			for n := range replies {
				wg.Go(func() {
					server := a
					if n%2 == 1 {
						server = b
					}
					replies[n], _ = server.Call("GET /user", "", z.Cookies()...)
				})
			}
			wg.Wait()
			successors := map[string]bool{}
			for _, r := range replies {
				if r.Status != http.StatusOK {
					t.Fatalf("round %d: %d %s", round, r.Status, r.Body)
				}
				for _, c := range (&http.Response{Header: r.Header}).Cookies() {
					if c.Name == "refreshToken" {
						successors[c.Value] = true
						continue
					}
					if z.Token = c.Value; !a.Works(t, c.Value) {
						t.Error("a new token opens nothing")
					}
				}
			}
			if len(successors) != 1 {
				t.Fatalf("round %d: %d successors", round, len(successors))
			}
			for one := range successors {
				if round < 2 {
					z.Refresh = one
				}
			}
		}
		a.Clock.Add(16 * time.Minute)
		for range 2 {
			r, set := a.Jar(t, "GET /user", "", z.Cookies()...) // of the round before
			if r.Says(t, http.StatusUnauthorized, harness.BadSession); len(set) > 0 {
				t.Errorf("cookies %v", set)
			}
		}
		conn := harness.OpenSide(t, dsn)
		if why := conn.Texts(t, "SELECT revoked_reason FROM sessions"); len(why) != 1 || why[0] != "token_reused" {
			t.Errorf("the session ended because of %v", why)
		}
	})
}

// SE-26: a renewal whose answer was lost is renewed again, with the same successor, until that one is used. The request
// itself, which the server runs with the new token, is no use.
func TestSE26_Renewed(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		z := s.Service(t, harness.ServiceMail)
		lost := z.Cookies()
		renewed := func(status int) (token, refresh string) {
			t.Helper()
			r, set := s.Jar(t, "GET /user", "", lost...)
			if r.Status != status {
				t.Fatalf("renewed: %d %s, want %d", r.Status, r.Body, status)
			}
			if set["session"] == nil || set["refreshToken"] == nil {
				return "", ""
			}
			return set["session"].Value, set["refreshToken"].Value
		}
		s.Clock.Add(16 * time.Minute)
		_, first := renewed(http.StatusOK)
		s.Clock.Add(time.Minute)
		token, again := renewed(http.StatusOK)
		if first == "" || again != first {
			t.Errorf("another successor: %q, %q", first, again)
		}
		if !s.Works(t, token) {
			t.Error("the new token opens nothing")
		}
		s.Clock.Add(time.Minute)
		renewed(http.StatusUnauthorized)
		if why := harness.OpenSide(t, dsn).Texts(t, "SELECT revoked_reason FROM sessions"); why[0] != "token_reused" {
			t.Errorf("the session ended because of %v", why)
		}
	})
}

// LG-13: a renewal counts as a refresh. Who is over the limit is told that, and not to sign in again.
func TestLG13_RenewLimited(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, dbtest.SQLite(t), "DRAGOMAN_RATE_LIMITS=on")
	s.Clock.Add(20 * time.Minute)
	limited := false
	for range 200 {
		r, err := s.Call("GET /user", "", "Cookie", "refreshToken="+harness.RefreshOfNobody(t))
		if err != nil {
			t.Fatal(err)
		}
		if r.Status != http.StatusUnauthorized {
			limited = r.Status == http.StatusTooManyRequests &&
				r.Body == "Too many requests, please try again later." && r.Header.Get("Retry-After") != ""
			if !limited {
				t.Errorf("%d %s", r.Status, r.Body)
			}
			break
		}
	}
	if !limited {
		t.Error("there is no limit")
	}
}

// onceDialect says UNAUTHENTICATED of a mutation that took effect.
const onceDialect = `dialect: once
title: Once
mounts: [/once]
cookies: {refresh: {}}
renew:
  cookie: refresh
  variables: {token: =.cookies.refresh}
  document: |
    mutation R($token: String!) { refresh(input: {refreshToken: $token}) { tokens { accessToken refreshToken } ` +
	`userErrors { code message } } }
  credential: =.refresh.tokens.accessToken
  cookies: {refresh: =.refresh.tokens.refreshToken}
errors:
  body: {error: =.code, renewed: '=$request.renewed != null'}
  UNAUTHENTICATED: {status: 401}
  FORBIDDEN: {status: 403}
routes:
  - route: POST /revoke
    accepts: []
    document: |
      mutation Others { revokeOtherSessions { revokedCount userErrors { code message } } }
    outcomes:
      - {when: .revokeOtherSessions.revokedCount == 1, error: UNAUTHENTICATED}
    body: {revoked: =.revokeOtherSessions.revokedCount}
  - route: GET /me
    document: |
      query Me { me { email } }
    outcomes:
      - {when: .me == null, error: UNAUTHENTICATED}
    body: {email: =.me.email}
`

// What took effect never runs again, whatever an outcome calls it; a query that an outcome refuses does.
func TestRenew_Once(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "once.yaml"), []byte(onceDialect), 0o600); err != nil {
		t.Fatal(err)
	}
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn, "DRAGOMAN_DIALECTS_DIR="+dir, "DRAGOMAN_DIALECTS=once")
		ada := s.Register(t, "ada@example.com")
		s.Login(t, "ada@example.com", harness.GoodPass)
		r, set := s.Jar(t, "POST /once/revoke", "", append(harness.Bearer(ada.Access), "Cookie", "refresh="+
			ada.Refresh)...)
		r.Says(t, http.StatusUnauthorized, `{"error":"UNAUTHENTICATED","renewed":false}`)
		if len(set) > 0 {
			t.Errorf("cookies %v", set)
		}
		r, set = s.Jar(t, "GET /once/me", "", "Cookie", "refresh="+ada.Refresh)
		r.Says(t, http.StatusOK, `{"email":"ada@example.com"}`)
		if set["refresh"] == nil {
			t.Error("not renewed")
		}
	})
}
