package sessions

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/internal/profile"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// isRefreshJWT tells by its header what a refresh token is.
func isRefreshJWT(text string) bool {
	return strings.HasPrefix(text, "eyJhbGciOiJIUzI1NiIsInR5cCI6InJ0K2p3dCJ9.")
}

// jwts are the profiles of two dialects whose refresh tokens are JWTs, with the grace and without.
func jwts() map[string]*profile.Profile {
	return map[string]*profile.Profile{
		"grace": {Refresh: profile.Refresh{JWT: true, TTL: 24 * time.Hour}},
		"once":  {Refresh: profile.Refresh{JWT: true, SingleUse: true}},
	}
}

func refreshTokenOf(a *harness.Answer) string { return a.Text("refresh", "tokens", "refreshToken") }

// SE-10: within the grace the predecessor gets the same successor again, to the byte, and in the form of whoever asks;
// what changes about the session meanwhile changes nothing of it.
func TestSE10_RefreshJWT_GraceIsDeterministic(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		p := s.Speaks(t, jwts())
		ada := s.Register(t, "ada@example.com")
		who := p.Login(t, "grace", ada.Email)
		began := s.Clock.Now().Unix()
		if c := harness.ClaimsOf(t, who.Refresh); !isRefreshJWT(who.Refresh) || c["sub"] != ada.ID ||
			c["sid"] != who.Session || c["gen"] != 0.0 ||
			int64(c["iat"].(float64)) != began || int64(c["exp"].(float64)) != began+24*3600 || len(c) != 5 {
			t.Errorf("claims %v", harness.ClaimsOf(t, who.Refresh))
		}
		s.Clock.Add(3 * time.Minute)
		next := refreshTokenOf(p.Refresh(t, "grace", who.Refresh))
		if c := harness.ClaimsOf(t, next); int64(c["iat"].(float64)) != began+180 || int64(c["exp"].(float64)) != began+
			180+24*3600 || c["gen"] != 1.0 {
			t.Errorf("claims of the successor %v", c)
		}
		s.Clock.Add(9 * time.Second)
		if again := refreshTokenOf(p.Refresh(t, "grace", who.Refresh)); again != next {
			t.Errorf("another successor: %v, %v", harness.ClaimsOf(t, next), harness.ClaimsOf(t, again))
		}
		// In GraphQL it is worded as there, and is the same token all the same.
		opaque := refreshTokenOf(s.Refresh(t, who.Refresh))
		if !strings.HasPrefix(opaque, "rt1.") {
			t.Errorf("in GraphQL it is %q", opaque)
		}
		// A use of the session and a change of the account give nothing new.
		s.Clock.Add(20 * time.Minute)
		access := p.Login(t, "grace", ada.Email)
		const rename = `mutation { updateMe(input: {name: "Ada"}) { tokens { refreshToken } userErrors { code ` +
			`message retryAfterSeconds } } }`
		for range 2 {
			s.Clock.Add(2 * time.Minute)
			a, err := p.Say("grace", access.Access, rename, nil)
			if err != nil || a.Text("updateMe", "tokens", "refreshToken") != access.Refresh {
				t.Errorf("beside a change of the account: %+v %v", a, err)
			}
		}
		// Either form of the successor rotates it, and the other one is spent then.
		if third := refreshTokenOf(p.Refresh(t, "grace", opaque)); !isRefreshJWT(third) ||
			refreshTokenOf(s.Refresh(t, next)) == "" {
			t.Errorf("the successor in its other form: %q", third)
		}
	})
}

// SE-09: 64 callers race with one token in both forms and in several dialects; one rotation comes of it, and where the
// token is used once one caller gets through. The session lives.
func TestSE09_RefreshJWT_Race(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		p := s.Speaks(t, jwts())
		conn := dbtest.Beside(t, dsn)
		ada := s.Register(t, "ada@example.com")
		current := p.Login(t, "grace", ada.Email).Refresh
		rounds := harness.Amount(4, 500)
		for round := range rounds {
			got := make([]string, 64)
			harness.Race(len(got), func(n int) {
				dialect := []string{"grace", "graphql"}[n%2]
				if a, err := p.Say(dialect, "", harness.RefreshDoc, map[string]any{"token": current}); err == nil {
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
		if n := harness.MustCount(t, conn, `SELECT count(*) FROM audit_events WHERE action = 'session.refreshed' AND `+
			`reason IS NULL`); n != rounds {
			t.Errorf("%d rotations in %d rounds", n, rounds)
		}
		single := p.Login(t, "once", ada.Email)
		for round := range rounds {
			got := make([]string, 64)
			harness.Race(len(got), func(n int) {
				if a, err := p.Say("once", "", harness.RefreshDoc,
					map[string]any{"token": single.Refresh}); err == nil {
					got[n] = refreshTokenOf(a) + a.Code()
				}
			})
			slices.Sort(got)
			if !isRefreshJWT(got[63]) && !isRefreshJWT(got[0]) || got[1] != "INVALID_TOKEN" &&
				got[0] != "INVALID_TOKEN" || len(slices.Compact(slices.Clone(got))) != 2 {
				t.Fatalf("round %d: %v", round, got)
			}
			if through := slices.DeleteFunc(got, func(s string) bool { return s == "INVALID_TOKEN" }); len(through) !=
				1 {
				t.Fatalf("round %d: %d got through", round, len(through))
			} else {
				single.Refresh = through[0]
			}
		}
		if !s.Is(t, single.Access, ada) {
			t.Error("the session ended by the race")
		}
	})
}

// SE-11, SE-12: what was spent ends the session in either form, the newest token with it.
func TestSE11_RefreshJWT_ReuseEndsTheFamily(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		p := s.Speaks(t, jwts())
		ada := s.Register(t, "ada@example.com")
		for _, by := range []string{"grace", "once", "graphql"} {
			who := p.Login(t, "grace", ada.Email)
			next := refreshTokenOf(p.Refresh(t, "grace", who.Refresh))
			newest := refreshTokenOf(s.Refresh(t, next))
			if code := p.Refresh(t, by, who.Refresh).Code(); code != "TOKEN_REUSED" {
				t.Errorf("%s: the grandparent: %q", by, code)
			}
			for _, dead := range []string{next, newest} {
				if code := p.Refresh(t, by, dead).Code(); code != "INVALID_TOKEN" {
					t.Errorf("%s: afterwards: %q", by, code)
				}
			}
			if s.Is(t, who.Access, ada) {
				t.Errorf("%s: the session lives", by)
			}
		}
	})
}

// SE-15: a refresh JWT is no credential of a request anywhere, and nothing but a refresh token refreshes, whatever else
// it is.
func TestSE15_RefreshJWT_Transports(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		ada := s.Person(t, "ada@example.com", "ada")
		access, refresh := s.PairOf(t, ada.Email, harness.GoodPass)
		hs256, opaque := s.GenericLogin(t, "ada")
		session := s.SignIn(t, ada.Email, harness.GoodPass).Token
		_, key := s.NewKey(t, ada.Access, nil)
		conn := harness.OpenSide(t, dsn)
		before := conn.Census(t)
		for name, header := range map[string][]string{
			"Bearer": harness.Bearer(refresh), "bare": {"Authorization", refresh},
			"Token": {"Authorization", "Token " + refresh}, "X-API-Key": {"X-Api-Key", refresh},
			"X-Session-Token": {"X-Session-Token", refresh},
			"a cookie": {"Cookie", "refreshToken=" + refresh + "; __Host-session=" + refresh + "; session=" +
				refresh},
		} {
			for _, route := range []string{"GET /api/account", "GET /api/sessions", "DELETE /api/sessions", "POST " +
				harness.Wolf + "/logout", "GET " + harness.Generic + "/keys", "GET /sessions"} {
				if r := s.REST(t, route, "", header...); r.Status != http.StatusUnauthorized {
					t.Errorf("%s on %s: %d %s", name, route, r.Status, r.Body)
				}
			}
			h := http.Header{}
			h.Set(header[0], header[1])
			if a := harness.SendWith(t, s.URL, h, harness.CurrentDoc, nil); a.At("currentCredential") != nil {
				t.Errorf("%s in GraphQL: %s", name, a.Raw)
			}
		}
		for name, text := range map[string]string{
			"access token": access, "HS256 token": hs256,
			"ES256 token": ada.Access, "session token": session, "API key": key,
		} {
			s.REST(t, "POST "+harness.Wolf+"/refresh", harness.FormOf("refresh_token", text), "Content-Type",
				harness.FormType).Unauthorized(t)
			if code := s.Refresh(t, text).Code(); code != "INVALID_TOKEN" {
				t.Errorf("%s in GraphQL: %q", name, code)
			}
		}
		if after := conn.Census(t); after != before || harness.MustCount(t, conn.DB, `SELECT count(*) FROM sessions `+
			`WHERE generation > 0`) > 0 {
			t.Errorf("%s became %s", before, after)
		}
		// Each form in each door.
		_, next := harness.PairIn(t, s.REST(t, "POST "+harness.Wolf+"/refresh", harness.FormOf("refresh_token", opaque),
			"Content-Type", harness.FormType))
		if !isRefreshJWT(next) || harness.ClaimsOf(t, next)["sid"] != harness.ClaimsOf(t, hs256)["sid"] {
			t.Errorf("the opaque one became %v", harness.ClaimsOf(t, next))
		}
		r, opaque := s.REST(t, "POST "+harness.Generic+"/refresh",
			fmt.Sprintf(`{"refreshToken":%q}`, refresh)).Without("refreshToken")
		if r.Status != http.StatusOK || !strings.HasPrefix(opaque, "rt1.") {
			t.Errorf("the JWT in another dialect: %d %s", r.Status, r.Body)
		}
		if a := s.Refresh(t, next); !strings.HasPrefix(refreshTokenOf(a), "rt1.") ||
			a.Text("refresh", "session", "id") != harness.ClaimsOf(t, next)["sid"] {
			t.Errorf("the JWT in GraphQL: %s", a.Raw)
		}
		mine, last := s.PairOf(t, ada.Email, harness.GoodPass)
		if code := s.GraphQL(t, "", harness.LogoutDoc, harness.InputOf("refreshToken", last)).Code(); code != "" ||
			s.Is(t, mine, ada.Account) {
			t.Errorf("a logout by it: %q", code)
		}
	})
}

// SE-04, JW-01: what is forged or changed is refused before the database is asked.
func TestSE04_RefreshJWT_ForgedCostsNoStatement(t *testing.T) {
	t.Parallel()
	s, dsn := harness.BudgetServer(t)
	ada := s.Register(t, "ada@example.com")
	_, good := s.PairOf(t, ada.Email, harness.GoodPass)
	part := strings.Split(good, ".")
	var bad []string
	for n := 0; n < len(good); n += 1 + len(good)/40 {
		c := "A"
		if good[n:n+1] == c {
			c = "B"
		}
		bad = append(bad, good[:n]+c+good[n+1:], good[:n])
	}
	none := strings.Replace(string(harness.MustDecode(t, part[0])), "HS256", "none", 1)
	bad = append(bad, good+"A", good+".", good+"=", good+"."+part[2], part[0]+"."+part[1]+".", part[0]+".."+part[2],
		b64url(none)+"."+part[1]+".",
		b64url(none)+"."+part[1]+"."+part[2], part[0]+"."+
			b64url(strings.Replace(string(harness.MustDecode(t, part[1])), `"gen":0`, `"gen":1`, 1))+"."+part[2])
	n, lines := harness.Statements(t, dsn, func() {
		for _, text := range bad {
			s.REST(t, "POST "+harness.Wolf+"/refresh", harness.FormOf("refresh_token", text), "Content-Type",
				harness.FormType).Unauthorized(t)
			if code := s.Refresh(t, text).Code(); code != "INVALID_TOKEN" {
				t.Errorf("%q: %q", text, code)
			}
		}
	})
	if n > 0 {
		t.Errorf("%d statements: %s", n, lines[0])
	}
	// and a good one costs what the opaque one does
	if n, lines := harness.Statements(t, dsn, func() { s.NextOf(t, good) }); n != 1 {
		t.Errorf("%d statements: %s", n, strings.Join(lines, "\n"))
	}
}

// KE-02: the key of the JWTs goes over with the server secret, without anybody signing in again.
func TestKE02_RefreshJWT_SecretRotates(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		ada := s.Register(t, "ada@example.com")
		_, first := s.PairOf(t, ada.Email, harness.GoodPass)
		_, idle := s.PairOf(t, ada.Email, harness.GoodPass)
		swap := func(i *harness.Instance, text string) harness.Reply {
			return i.REST(t, "POST "+harness.Wolf+"/refresh", harness.FormOf("refresh_token", text), "Content-Type",
				harness.FormType)
		}
		both := harness.Start(t, dsn, "DRAGOMAN_SECRET="+harness.NextSecret, "DRAGOMAN_SECRET_PREVIOUS="+harness.Secret)
		_, second := harness.PairIn(t, swap(both, first))
		if err := both.App.Keys.Renew(t.Context()); err != nil { // seals the signing key anew
			t.Fatal(err)
		}
		after := harness.Start(t, dsn, "DRAGOMAN_SECRET="+harness.NextSecret)
		swap(after, idle).Unauthorized(t)
		_, third := harness.PairIn(t, swap(after, second))
		swap(s, third).Unauthorized(t)
		if _, again := harness.PairIn(t, swap(both, third)); !isRefreshJWT(again) {
			t.Errorf("%q", again)
		}
		if _, again := harness.PairIn(t, swap(both, idle)); !isRefreshJWT(again) {
			t.Errorf("%q", again)
		}
	})
}
