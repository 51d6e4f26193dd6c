package main

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
)

// These tests are about `renew` of a dialect: a token that is missing or has expired, and a cookie that makes a new one.

// renewedToken is the new token of an answer, "" for none. An answer that has one sets both cookies, any other none.
func (i *instance) renewedToken(t testing.TB, status int, route, body string, header ...string) (token, refresh string) {
	t.Helper()
	r, set := i.jar(t, route, body, header...)
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
	case !i.works(t, said.Token):
		t.Errorf("%s: the new token opens nothing", route)
	}
	return said.Token, set["refreshToken"].Value
}

// A token that has expired or is missing is renewed by whatever route needs one, and every answer says so: a success and a
// refusal, by each method. What is good, and what needs no token, renews nothing.
func TestRenew(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		z := s.service(t, serviceMail)
		refreshes := func() int {
			return openSide(t, dsn).count(t, "SELECT count(*) FROM audit_events WHERE action = 'refresh' AND dialect = 'service-authentication'")
		}
		for _, route := range []string{"GET /user", "POST /login", "POST /register"} { // nothing has expired, or nothing is needed
			_, set := s.jar(t, route, map[string]string{"GET /user": "", "POST /login": `{"email":"x","password":"x"}`, "POST /register": `{}`}[route], z.cookies()...)
			if len(set) > 0 || refreshes() > 0 {
				t.Errorf("%s renews", route)
			}
		}
		for n, row := range []struct {
			status      int
			route, body string
			header      func() []string
		}{
			{http.StatusOK, "GET /user", "", z.expiredCookies(&z)},
			{http.StatusOK, "GET /users", "", func() []string { return []string{"Cookie", "refreshToken=" + z.Refresh} }},
			{http.StatusOK, "GET /user/" + z.ID, "", z.expiredCookies(&z)},
			{http.StatusForbidden, "GET /user/1", "", z.expiredCookies(&z)},
			{http.StatusForbidden, "POST /user", `{"email":"a@mail.com"}`, z.expiredCookies(&z)},
			{http.StatusForbidden, "PUT /user/1", `{"active":true}`, z.expiredCookies(&z)},
			// As a Bearer token: of the session that the cookie belongs to, or beside its cookie.
			{http.StatusOK, "GET /user", "", func() []string {
				return append(bearer(z.Token), "Cookie", "refreshToken="+z.Refresh)
			}},
			{http.StatusOK, "GET /user", "", func() []string { return append(bearer(z.Token), z.cookies()...) }},
			// What is left of another session's cookie is no statement of the caller.
			{http.StatusOK, "GET /user", "", func() []string { return []string{"Cookie", "session=stale; refreshToken=" + z.Refresh} }},
			// A page of ours, by fetch.
			{http.StatusOK, "GET /user", "", func() []string {
				return append(z.cookies(), "Sec-Fetch-Site", "same-origin", "Sec-Fetch-Dest", "empty")
			}},
			{http.StatusForbidden, "POST /user", `{"email":"a@mail.com"}`, func() []string {
				return append(z.cookies(), "Sec-Fetch-Site", "same-origin", "Sec-Fetch-Dest", "empty", "Origin", s.URL)
			}},
		} {
			s.clock.add(16 * time.Minute)
			token, refresh := s.renewedToken(t, row.status, row.route, row.body, row.header()...)
			if token == "" || refresh == z.Refresh {
				t.Fatalf("row %d, %s: not renewed", n, row.route)
			}
			if z.Token, z.Refresh = token, refresh; refreshes() != n+1 {
				t.Errorf("row %d, %s: %d refreshes", n, row.route, refreshes())
			}
		}
		if claimsOf(t, z.Token)["sessionState"] != "full" || openSide(t, dsn).count(t, "SELECT count(*) FROM sessions") != 1 {
			t.Error("it is another session, or another form of token")
		}
		s.clock.add(7*24*time.Hour + time.Second)
		s.rest(t, "GET /user", "", z.cookies()...).says(t, http.StatusUnauthorized, badSession)
	})
}

func (service) expiredCookies(z *service) func() []string {
	return func() []string { return z.cookies() }
}

// HT-03, HT-04, HT-05: what a browser sends for another page, ahead of its user or for an address that is opened, what says
// that the caller is somebody else, and HEAD swap no token. Nor does a refresh token that is not good; no cookie is cleared.
func TestHT05_RenewRefused(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		z, other := s.service(t, serviceMail), s.service(t, "other@mail.com")
		key := s.graphql(t, other.Token, createKey, nil).text("createApiKey", "secret")
		s.jar(t, "GET /token/revoke", "", bearer(other.Token)...)
		gone := s.service(t, "gone@mail.com")
		s.jar(t, "GET /token/revoke", "", bearer(gone.Token)...)
		hs := s.genericToken(t)
		s.clock.add(2 * time.Hour)
		fresh := s.service(t, "fresh@mail.com")
		conn := openSide(t, dsn)
		signature := z.Token[strings.LastIndexByte(z.Token, '.')+1:]
		forged := strings.Replace(z.Token, signature, strings.Repeat("A", len(signature)), 1)
		with := func(header ...string) []string { return append(header, z.cookies()...) }
		refresh := []string{"Cookie", "refreshToken=" + z.Refresh}
		before := conn.texts(t, "SELECT generation FROM sessions ORDER BY id")
		for name, row := range map[string]struct {
			want   string
			header []string
		}{
			"another site":             {badSession, with("Sec-Fetch-Site", "cross-site", "Sec-Fetch-Dest", "empty")},
			"another site, no token":   {noSession, append(refresh, "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Dest", "empty")},
			"another origin":           {badSession, with("Origin", "https://evil.example")},
			"the origin null":          {badSession, with("Origin", "null")},
			"a page elsewhere":         {badSession, with("Referer", "https://evil.example/")},
			"an image":                 {badSession, with("Sec-Fetch-Site", "same-origin", "Sec-Fetch-Dest", "image")},
			"a navigation":             {badSession, with("Sec-Fetch-Site", "none", "Sec-Fetch-Dest", "document")},
			"an old browser":           {badSession, with("Accept", "text/html,*/*")},
			"a prefetch":               {badSession, with("Sec-Purpose", "prefetch", "Sec-Fetch-Site", "same-origin", "Sec-Fetch-Dest", "empty")},
			"a broken Bearer":          {badSession, append(bearer("x"), refresh...)},
			"a broken Bearer, cookies": {badSession, with(bearer("x")...)},
			"a forged Bearer":          {badSession, append(bearer(forged), refresh...)},
			"a Bearer of another":      {badSession, append(bearer(other.Token), refresh...)},
			"a Bearer in another form": {badSession, append(bearer(hs), refresh...)},
			"the Bearer of an ended session that has not expired": {badSession, append(bearer(endedToken(t, s, "ended@mail.com")), refresh...)},
			"a refresh token as Bearer":                           {badSession, append(bearer(z.Refresh), refresh...)},
			"a dead key":                                          {badSession, append(bearer(key+"x"), refresh...)},
			"two Bearers":                                         {badSession, append(append(bearer(z.Token), bearer(z.Token)...), refresh...)},
			"another scheme":                                      {badSession, append([]string{"Authorization", "Basic YTpi"}, refresh...)},
			"two refresh cookies":                                 {noSession, []string{"Cookie", "refreshToken=" + z.Refresh + "; refreshToken=" + fresh.Refresh}},
			"a broken refresh cookie":                             {noSession, []string{"Cookie", "refreshToken=" + z.Refresh + "x"}},
			"an access token as refresh":                          {noSession, []string{"Cookie", "refreshToken=" + fresh.Token}},
			"the cookies of a session that has ended":             {badSession, gone.cookies()},
		} {
			r, set := s.jar(t, "GET /user", "", row.header...)
			if r.says(t, http.StatusUnauthorized, row.want); len(set) > 0 {
				t.Errorf("%s: cookies %v", name, set)
			}
		}
		if r := s.rest(t, "HEAD /user", "", z.cookies()...); r.Status != http.StatusUnauthorized {
			t.Errorf("HEAD: %d", r.Status)
		}
		if after := conn.texts(t, "SELECT generation FROM sessions ORDER BY id"); fmt.Sprint(after[:len(before)]) != fmt.Sprint(before) {
			t.Errorf("generations %v became %v", before, after)
		}
		if token, _ := s.renewedToken(t, http.StatusOK, "GET /user", "", z.cookies()...); token == "" {
			t.Error("and what is good is not renewed")
		}
	})
}

// genericToken is a token of another dialect, under the HMAC key, of an hour.
func (i *instance) genericToken(t testing.TB) string {
	t.Helper()
	i.person(t, "jane@mail.com", "jane.doe")
	access, _ := i.genericLogin(t, "jane.doe")
	return access
}

func endedToken(t testing.TB, s *instance, email string) string {
	t.Helper()
	z := s.service(t, email)
	s.jar(t, "GET /token/revoke", "", bearer(z.Token)...)
	return z.Token
}

// SE-09, SE-10: requests that a page sends at once with one old cookie are all served, and get one successor. Later the old
// cookie ends the session (SE-11).
func TestSE10_RenewTogether(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		const public = "DRAGOMAN_PUBLIC_URL=http://localhost:8080" // of both, and so the issuer of their tokens
		a := start(t, dsn, public)
		b := startWithClock(t, a.clock, dsn, public)
		z := a.service(t, serviceMail)
		for round := range 3 {
			a.clock.add(16 * time.Minute)
			replies := make([]reply, 12)
			var wg sync.WaitGroup
			for n := range replies {
				wg.Go(func() {
					server := a
					if n%2 == 1 {
						server = b
					}
					replies[n], _ = server.call("GET /user", "", z.cookies()...)
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
					if z.Token = c.Value; !a.works(t, c.Value) {
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
		a.clock.add(16 * time.Minute)
		for range 2 {
			r, set := a.jar(t, "GET /user", "", z.cookies()...) // of the round before
			if r.says(t, http.StatusUnauthorized, badSession); len(set) > 0 {
				t.Errorf("cookies %v", set)
			}
		}
		conn := openSide(t, dsn)
		if why := conn.texts(t, "SELECT revoked_reason FROM sessions"); len(why) != 1 || why[0] != "token_reused" {
			t.Errorf("the session ended because of %v", why)
		}
	})
}

// LG-13: a renewal counts as a refresh. Who is over the limit is told that, and not to sign in again.
func TestLG13_RenewLimited(t *testing.T) {
	t.Parallel()
	s := start(t, dbtest.SQLite(t), "DRAGOMAN_RATE_LIMITS=on")
	z := s.service(t, serviceMail)
	s.clock.add(20 * time.Minute)
	limited := false
	for range 200 {
		r, err := s.call("GET /user", "", "Cookie", "refreshToken="+z.Refresh+"x")
		if err != nil {
			t.Fatal(err)
		}
		if r.Status != http.StatusUnauthorized {
			limited = r.Status == http.StatusTooManyRequests && r.Body == "Too many requests, please try again later." && r.Header.Get("Retry-After") != ""
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
    mutation R($token: String!) { refresh(input: {refreshToken: $token}) { tokens { accessToken refreshToken } userErrors { code message } } }
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
		s := start(t, dsn, "DRAGOMAN_DIALECTS_DIR="+dir, "DRAGOMAN_DIALECTS=once")
		ada := s.register(t, "ada@example.com")
		s.login(t, "ada@example.com", goodPass)
		r, set := s.jar(t, "POST /once/revoke", "", append(bearer(ada.Access), "Cookie", "refresh="+ada.Refresh)...)
		r.says(t, http.StatusUnauthorized, `{"error":"UNAUTHENTICATED","renewed":false}`)
		if len(set) > 0 {
			t.Errorf("cookies %v", set)
		}
		r, set = s.jar(t, "GET /once/me", "", "Cookie", "refresh="+ada.Refresh)
		r.says(t, http.StatusOK, `{"email":"ada@example.com"}`)
		if set["refresh"] == nil {
			t.Error("not renewed")
		}
	})
}
