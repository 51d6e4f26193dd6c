package main

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/internal/profile"
)

// These tests are about refresh tokens that are JWTs: the credential is the same in both forms.

const wolf = "/api/auth"

// isRefreshJWT tells by its header what a refresh token is.
func isRefreshJWT(text string) bool {
	return strings.HasPrefix(text, "eyJhbGciOiJIUzI1NiIsInR5cCI6InJ0K2p3dCJ9.")
}

// jwts are the profiles of two dialects whose refresh tokens are JWTs, with the grace and without.
func jwts() map[string]*profile.Profile {
	return map[string]*profile.Profile{
		"grace": {Refresh: profile.Refresh{JWT: true, TTL: 24 * time.Hour}}, "once": {Refresh: profile.Refresh{JWT: true, SingleUse: true}},
	}
}

func refreshTokenOf(a *answer) string { return a.text("refresh", "tokens", "refreshToken") }

// SE-10: within the grace the predecessor gets the same successor again, to the byte, and in the form of whoever asks; what
// changes about the session meanwhile changes nothing of it.
func TestSE10_RefreshJWT_GraceIsDeterministic(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		p := s.speaks(t, jwts())
		ada := s.register(t, "ada@example.com")
		who := p.login(t, "grace", ada.Email)
		began := s.clock.now().Unix()
		if c := claimsOf(t, who.Refresh); !isRefreshJWT(who.Refresh) || c["sub"] != ada.ID || c["sid"] != who.Session || c["gen"] != 0.0 ||
			int64(c["iat"].(float64)) != began || int64(c["exp"].(float64)) != began+24*3600 || len(c) != 5 {
			t.Errorf("claims %v", claimsOf(t, who.Refresh))
		}
		s.clock.add(3 * time.Minute)
		next := refreshTokenOf(p.refresh(t, "grace", who.Refresh))
		if c := claimsOf(t, next); int64(c["iat"].(float64)) != began+180 || int64(c["exp"].(float64)) != began+180+24*3600 || c["gen"] != 1.0 {
			t.Errorf("claims of the successor %v", c)
		}
		s.clock.add(9 * time.Second)
		if again := refreshTokenOf(p.refresh(t, "grace", who.Refresh)); again != next {
			t.Errorf("another successor: %v, %v", claimsOf(t, next), claimsOf(t, again))
		}
		// In GraphQL it is worded as there, and is the same token all the same.
		opaque := refreshTokenOf(s.refresh(t, who.Refresh))
		if !strings.HasPrefix(opaque, "rt1.") {
			t.Errorf("in GraphQL it is %q", opaque)
		}
		// A use of the session and a change of the account give nothing new.
		s.clock.add(20 * time.Minute)
		access := p.login(t, "grace", ada.Email)
		const rename = `mutation { updateMe(input: {name: "Ada"}) { tokens { refreshToken } userErrors { code message retryAfterSeconds } } }`
		for range 2 {
			s.clock.add(2 * time.Minute)
			a, err := p.say("grace", access.Access, rename, nil)
			if err != nil || a.text("updateMe", "tokens", "refreshToken") != access.Refresh {
				t.Errorf("beside a change of the account: %+v %v", a, err)
			}
		}
		// Either form of the successor rotates it, and the other one is spent then.
		if third := refreshTokenOf(p.refresh(t, "grace", opaque)); !isRefreshJWT(third) || refreshTokenOf(s.refresh(t, next)) == "" {
			t.Errorf("the successor in its other form: %q", third)
		}
	})
}

// SE-09: 64 callers race with one token in both forms and in several dialects; one rotation comes of it, and where the token is
// used once one caller gets through. The session lives.
func TestSE09_RefreshJWT_Race(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		p := s.speaks(t, jwts())
		conn := dbtest.Beside(t, dsn)
		ada := s.register(t, "ada@example.com")
		current := p.login(t, "grace", ada.Email).Refresh
		rounds := amount(4, 500)
		for round := range rounds {
			got := make([]string, 64)
			race(len(got), func(n int) {
				dialect := []string{"grace", "graphql"}[n%2]
				if a, err := p.say(dialect, "", refreshDoc, map[string]any{"token": current}); err == nil {
					got[n] = refreshTokenOf(a)
				}
			})
			slices.Sort(got)
			forms := slices.Compact(got)
			if len(forms) != 2 || !isRefreshJWT(forms[0]) || !strings.HasPrefix(forms[1], "rt1.") {
				t.Fatalf("round %d: successors %v", round, forms)
			}
			current = forms[round%2]
		}
		if n := mustCount(t, conn, `SELECT count(*) FROM audit_events WHERE action = 'refresh' AND reason IS NULL`); n != rounds {
			t.Errorf("%d rotations in %d rounds", n, rounds)
		}
		single := p.login(t, "once", ada.Email)
		for round := range rounds {
			got := make([]string, 64)
			race(len(got), func(n int) {
				if a, err := p.say("once", "", refreshDoc, map[string]any{"token": single.Refresh}); err == nil {
					got[n] = refreshTokenOf(a) + a.code()
				}
			})
			slices.Sort(got)
			if !isRefreshJWT(got[63]) && !isRefreshJWT(got[0]) || got[1] != "INVALID_TOKEN" && got[0] != "INVALID_TOKEN" || len(slices.Compact(slices.Clone(got))) != 2 {
				t.Fatalf("round %d: %v", round, got)
			}
			if through := slices.DeleteFunc(got, func(s string) bool { return s == "INVALID_TOKEN" }); len(through) != 1 {
				t.Fatalf("round %d: %d got through", round, len(through))
			} else {
				single.Refresh = through[0]
			}
		}
		if !s.is(t, single.Access, ada) {
			t.Error("the session ended by the race")
		}
	})
}

// race lets n calls begin at the same moment and waits for them.
func race(n int, call func(n int)) {
	begin := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-begin
			call(i)
		})
	}
	close(begin)
	wg.Wait()
}

// SE-11, SE-12: what was spent ends the session in either form, the newest token with it.
func TestSE11_RefreshJWT_ReuseEndsTheFamily(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		p := s.speaks(t, jwts())
		ada := s.register(t, "ada@example.com")
		for _, by := range []string{"grace", "once", "graphql"} {
			who := p.login(t, "grace", ada.Email)
			next := refreshTokenOf(p.refresh(t, "grace", who.Refresh))
			newest := refreshTokenOf(s.refresh(t, next))
			if code := p.refresh(t, by, who.Refresh).code(); code != "TOKEN_REUSED" {
				t.Errorf("%s: the grandparent: %q", by, code)
			}
			for _, dead := range []string{next, newest} {
				if code := p.refresh(t, by, dead).code(); code != "INVALID_TOKEN" {
					t.Errorf("%s: afterwards: %q", by, code)
				}
			}
			if s.is(t, who.Access, ada) {
				t.Errorf("%s: the session lives", by)
			}
		}
	})
}

// pairOf signs in over a route whose tokens are JWTs both.
func (i *instance) pairOf(t testing.TB, email, pass string) (access, refresh string) {
	t.Helper()
	return pairIn(t, i.rest(t, "POST "+wolf+"/login", credentials("email", email, pass)))
}

// SE-15: a refresh JWT is no credential of a request anywhere, and nothing but a refresh token refreshes, whatever else it is.
func TestSE15_RefreshJWT_Transports(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		ada := s.person(t, "ada@example.com", "ada")
		access, refresh := s.pairOf(t, ada.Email, goodPass)
		hs256, opaque := s.genericLogin(t, "ada")
		session := s.signIn(t, ada.Email, goodPass).Token
		_, key := s.newKey(t, ada.Access, nil)
		conn := openSide(t, dsn)
		before := conn.census(t)
		for name, header := range map[string][]string{
			"Bearer": bearer(refresh), "bare": {"Authorization", refresh}, "Token": {"Authorization", "Token " + refresh}, "X-API-Key": {"X-Api-Key", refresh},
			"X-Session-Token": {"X-Session-Token", refresh}, "a cookie": {"Cookie", "refreshToken=" + refresh + "; __Host-session=" + refresh + "; session=" + refresh},
		} {
			for _, route := range []string{"GET /api/account", "GET /api/sessions", "DELETE /api/sessions", "POST " + wolf + "/logout", "GET " + generic + "/keys", "GET /sessions"} {
				if r := s.rest(t, route, "", header...); r.Status != http.StatusUnauthorized {
					t.Errorf("%s on %s: %d %s", name, route, r.Status, r.Body)
				}
			}
			h := http.Header{}
			h.Set(header[0], header[1])
			if a := sendWith(t, s.URL, h, currentDoc, nil); a.at("currentCredential") != nil {
				t.Errorf("%s in GraphQL: %s", name, a.Raw)
			}
		}
		for name, text := range map[string]string{"access token": access, "HS256 token": hs256, "ES256 token": ada.Access, "session token": session, "API key": key} {
			s.rest(t, "POST "+wolf+"/refresh", formOf("refresh_token", text), "Content-Type", formType).unauthorized(t)
			if code := s.refresh(t, text).code(); code != "INVALID_TOKEN" {
				t.Errorf("%s in GraphQL: %q", name, code)
			}
		}
		if after := conn.census(t); after != before || mustCount(t, conn.DB, `SELECT count(*) FROM sessions WHERE generation > 0`) > 0 {
			t.Errorf("%s became %s", before, after)
		}
		// Each form in each door.
		_, next := pairIn(t, s.rest(t, "POST "+wolf+"/refresh", formOf("refresh_token", opaque), "Content-Type", formType))
		if !isRefreshJWT(next) || claimsOf(t, next)["sid"] != claimsOf(t, hs256)["sid"] {
			t.Errorf("the opaque one became %v", claimsOf(t, next))
		}
		r, opaque := s.rest(t, "POST "+generic+"/refresh", fmt.Sprintf(`{"refreshToken":%q}`, refresh)).without("refreshToken")
		if r.Status != http.StatusOK || !strings.HasPrefix(opaque, "rt1.") {
			t.Errorf("the JWT in another dialect: %d %s", r.Status, r.Body)
		}
		if a := s.refresh(t, next); !strings.HasPrefix(refreshTokenOf(a), "rt1.") || a.text("refresh", "session", "id") != claimsOf(t, next)["sid"] {
			t.Errorf("the JWT in GraphQL: %s", a.Raw)
		}
		mine, last := s.pairOf(t, ada.Email, goodPass)
		if code := s.graphql(t, "", logoutDoc, inputOf("refreshToken", last)).code(); code != "" || s.is(t, mine, ada.account) {
			t.Errorf("a logout by it: %q", code)
		}
	})
}

// SE-04, JW-01: what is forged or changed is refused before the database is asked.
func TestSE04_RefreshJWT_ForgedCostsNoStatement(t *testing.T) {
	t.Parallel()
	s, dsn := budgetServer(t)
	ada := s.register(t, "ada@example.com")
	_, good := s.pairOf(t, ada.Email, goodPass)
	part := strings.Split(good, ".")
	var bad []string
	for n := 0; n < len(good); n += 1 + len(good)/40 {
		c := "A"
		if good[n:n+1] == c {
			c = "B"
		}
		bad = append(bad, good[:n]+c+good[n+1:], good[:n])
	}
	none := strings.Replace(string(mustDecode(t, part[0])), "HS256", "none", 1)
	bad = append(bad, good+"A", good+".", good+"=", good+"."+part[2], part[0]+"."+part[1]+".", part[0]+".."+part[2], b64url(none)+"."+part[1]+".",
		b64url(none)+"."+part[1]+"."+part[2], part[0]+"."+b64url(strings.Replace(string(mustDecode(t, part[1])), `"gen":0`, `"gen":1`, 1))+"."+part[2])
	n, lines := statements(t, dsn, func() {
		for _, text := range bad {
			s.rest(t, "POST "+wolf+"/refresh", formOf("refresh_token", text), "Content-Type", formType).unauthorized(t)
			if code := s.refresh(t, text).code(); code != "INVALID_TOKEN" {
				t.Errorf("%q: %q", text, code)
			}
		}
	})
	if n > 0 {
		t.Errorf("%d statements: %s", n, lines[0])
	}
	if n, lines := statements(t, dsn, func() { s.nextOf(t, good) }); n != 1 { // and a good one costs what the opaque one does
		t.Errorf("%d statements: %s", n, strings.Join(lines, "\n"))
	}
}

// KE-02: the key of the JWTs goes over with the server secret, without anybody signing in again.
func TestKE02_RefreshJWT_SecretRotates(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		ada := s.register(t, "ada@example.com")
		_, first := s.pairOf(t, ada.Email, goodPass)
		_, idle := s.pairOf(t, ada.Email, goodPass)
		swap := func(i *instance, text string) reply {
			return i.rest(t, "POST "+wolf+"/refresh", formOf("refresh_token", text), "Content-Type", formType)
		}
		both := start(t, dsn, "DRAGOMAN_SECRET="+nextSecret, "DRAGOMAN_SECRET_PREVIOUS="+testSecret)
		_, second := pairIn(t, swap(both, first))
		if err := both.app.Keys.Renew(t.Context()); err != nil { // seals the signing key anew
			t.Fatal(err)
		}
		after := start(t, dsn, "DRAGOMAN_SECRET="+nextSecret)
		swap(after, idle).unauthorized(t)
		_, third := pairIn(t, swap(after, second))
		swap(s, third).unauthorized(t)
		if _, again := pairIn(t, swap(both, third)); !isRefreshJWT(again) {
			t.Errorf("%q", again)
		}
		if _, again := pairIn(t, swap(both, idle)); !isRefreshJWT(again) {
			t.Errorf("%q", again)
		}
	})
}
