package tokens

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/internal/fault"
	"github.com/dragoman-auth/dragoman/internal/profile"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// SE-15, JW-05: an HS256 access token is an access token and nothing else, and dies with its session at once.
func TestSE15_HS256AccessToken(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		conn := dbtest.Beside(t, dsn)
		old := s.Speaks(t, map[string]*profile.Profile{"old": {Access: profile.Access{HS256: true, TTL: time.Hour}}})
		modern := s.Register(t, "ada@example.com")
		ada := old.Login(t, "old", "ada@example.com")
		if !strings.HasPrefix(ada.Access, "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.") {
			t.Fatalf("header %v", harness.Segment(t, ada.Access, 0))
		}
		if harness.Segment(t, modern.Access, 0)["alg"] != "ES256" ||
			harness.Segment(t, old.Login(t, "graphql", "ada@example.com").Access, 0)["alg"] != "ES256" {
			t.Error("the profile of one dialect reached another")
		}
		if kind := s.GraphQL(t, ada.Access, harness.CurrentDoc, nil).Text("currentCredential",
			"kind"); kind != "ACCESS_TOKEN" {
			t.Errorf("as Bearer it is a %q", kind)
		}
		if a, err := old.Say("old", modern.Access, harness.MeDoc, nil); err != nil || a.Text("me", "id") != ada.ID {
			t.Errorf("an ES256 token in the dialect: %+v, %v", a, err)
		}
		if a := harness.SendWith(t, s.URL, http.Header{"X-Api-Key": {ada.Access}}, harness.CurrentDoc,
			nil); a.At("currentCredential") != nil {
			t.Errorf("as an API key: %s", a.Raw)
		}
		for _, credential := range []string{"", ada.Access} {
			if code := s.GraphQL(t, credential, harness.RefreshDoc,
				map[string]any{"token": ada.Access}).Code(); code != "INVALID_TOKEN" {
				t.Errorf("as refresh token: %q", code)
			}
			if code := old.Refresh(t, "old", ada.Access).Code(); code != "INVALID_TOKEN" {
				t.Errorf("as refresh token in the dialect: %q", code)
			}
			a := s.GraphQL(t, credential, harness.LogoutDoc,
				map[string]any{"input": map[string]any{"refreshToken": ada.Access}})
			if a.Code() != "INVALID_TOKEN" {
				t.Errorf("as refresh token of a logout: %q", a.Code())
			}
		}
		if n := harness.MustCount(t, conn, `SELECT count(*) FROM sessions WHERE revoked_at IS NOT NULL OR generation `+
			`<> 0`); n > 0 {
			t.Fatal("a wrong kind rotated or ended a session")
		}
		// A refresh keeps to the form of the dialect that asks, not to that in which the session was made.
		for dialect, alg := range map[string]string{"old": "HS256", "graphql": "ES256"} {
			who := old.Login(t, "old", "ada@example.com")
			if got := harness.Segment(t, old.Refresh(t, dialect, who.Refresh).Text("refresh", "tokens", "accessToken"),
				0)["alg"]; got != alg {
				t.Errorf("refreshed over %s: %v", dialect, got)
			}
		}
		other := old.Login(t, "old", "ada@example.com")
		if code := s.GraphQL(t, ada.Access, harness.LogoutDoc, nil).Code(); code != "" {
			t.Fatalf("logout: %q", code)
		}
		if a, err := old.Say("old", ada.Access, harness.MeDoc, nil); s.Is(t, ada.Access, ada) ||
			fault.From(err) == nil || fault.From(err).Code != fault.Unauthenticated {
			t.Errorf("the token lives after its session: %v %s", err, a.Raw)
		}
		if code := old.Refresh(t, "old", ada.Refresh).Code(); code != "INVALID_TOKEN" {
			t.Errorf("its refresh token: %q", code)
		}
		if !s.Is(t, other.Access, ada) || !s.Is(t, modern.Access, ada) {
			t.Error("other sessions ended too")
		}
		s.Clock.Add(time.Hour + 6*time.Second)
		if s.Is(t, other.Access, ada) {
			t.Error("the token does not end")
		}
	})
}

// JW-11: claims of a profile are made of the person and the session as they are at that moment, named and written as in
// GraphQL, and from values that an expression can read.
func TestProfiles_Claims(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		conn := dbtest.Beside(t, dsn)
		p := s.Speaks(t, map[string]*profile.Profile{"old": {Access: profile.Access{
			Claims: func(_ context.Context, subject map[string]any) (map[string]any, error) {
				if !plain(subject) {
					t.Errorf("not plain values: %#v", subject)
				}
				return subject, nil
			},
		}}})
		const whole = `{ me { id number email emailVerified username name metadata roles { name } status createdAt ` +
			`updatedAt mfa { enabled } }
			currentCredential { session { id number createdAt expiresAt } } }`
		check := func(when, access string) {
			t.Helper()
			a, claims := s.GraphQL(t, access, whole, nil), harness.ClaimsOf(t, access)
			if a.At("me") == nil || !reflect.DeepEqual(claims["user"], a.At("me")) {
				t.Errorf("%s: the claim user %v, the account %s", when, claims["user"], a.Raw)
			}
			if !reflect.DeepEqual(claims["session"], a.At("currentCredential", "session")) {
				t.Errorf("%s: the claim session %v, the session %s", when, claims["session"], a.Raw)
			}
			if claims["sub"] != a.Text("me", "id") || claims["roles"] == nil || claims["iss"] != s.App.PublicURL {
				t.Errorf("%s: claims %v", when, claims)
			}
		}
		full := p.Must(t, "old", harness.RegisterDoc, map[string]any{"input": map[string]any{
			"email": "ada@example.com", "password": harness.GoodPass, "username": "countess",
			"name":     "Ada “<Lovelace>” & co",
			"metadata": map[string]any{"n": 1.5, "l": []any{nil, true, "x"}, "o": map[string]any{}},
		}})
		check("registered", full.Text("register", "tokens", "accessToken"))
		check("registered with nothing", p.Must(t, "old", harness.RegisterDoc,
			harness.Registration("bob@example.com", harness.GoodPass)).Text("register", "tokens", "accessToken"))
		s.Clock.Add(time.Minute)
		ada := p.Login(t, "old", "ada@example.com")
		check("signed in", ada.Access)
		harness.MustExec(t, conn, `UPDATE users SET name = 'Ada' WHERE username_canonical = 'countess'`)
		access := p.Refresh(t, "old", ada.Refresh).Text("refresh", "tokens", "accessToken")
		check("refreshed", access)
		if name := harness.ClaimsOf(t, access)["user"].(map[string]any)["name"]; name != "Ada" {
			t.Errorf("the name in the refreshed token is %v", name)
		}
		if claims := harness.ClaimsOf(t, s.LoginAs(t, ada, "BODY").Access); claims["user"] != nil {
			t.Errorf("claims of the dialect over GraphQL: %v", claims)
		}
	})
}

// plain tells whether v is made of the types that jq expressions know, and nothing else.
func plain(v any) bool {
	switch v := v.(type) {
	case nil, bool, string, int, float64:
		return true
	case []any:
		return !slices.ContainsFunc(v, func(e any) bool { return !plain(e) })
	case map[string]any:
		return plain(slices.Collect(maps.Values(v)))
	}
	return false
}

// A profile's lifetimes win over the server's settings, in both directions; what it leaves out follows them.
func TestSE16_ProfileLifetimes(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	profiles := map[string]*profile.Profile{
		"short": {
			SessionTTL: 3 * time.Hour, Refresh: profile.Refresh{TTL: 2 * time.Hour},
			Access: profile.Access{TTL: time.Hour},
		},
		"long":  {SessionTTL: 90 * day, Refresh: profile.Refresh{TTL: 60 * day}, Access: profile.Access{TTL: day}},
		"brief": {SessionTTL: time.Minute, Access: profile.Access{TTL: time.Hour}},
		"empty": {}, "nil": nil,
	}
	dbtest.Each(t, func(t *testing.T, dsn string) {
		for dialect, want := range map[string]struct {
			access, idle, life time.Duration // idle as the time from now to Session.expiresAt
		}{
			"short": {time.Hour, 2 * time.Hour, 3 * time.Hour}, "long": {day, 60 * day, 90 * day},
			"brief": {time.Minute, time.Minute, time.Minute}, // a token ends with its session
			"empty": {10 * time.Minute, 14 * day, 30 * day}, "nil": {10 * time.Minute, 14 * day, 30 * day},
			"other": {10 * time.Minute, 14 * day, 30 * day}, "graphql": {10 * time.Minute, 14 * day, 30 * day},
		} {
			s := harness.Start(t, dsn)
			p := s.Speaks(t, profiles)
			who := s.Register(t, dialect+"@example.com")
			begin := s.Clock.Now()
			for way, a := range map[string]harness.Account{
				"login": p.Login(t, dialect, who.Email),
				"register": func() harness.Account {
					a := p.Must(t, dialect, harness.RegisterDoc,
						harness.Registration("new-"+who.Email, harness.GoodPass))
					return harness.Account{
						Access:  a.Text("register", "tokens", "accessToken"),
						Refresh: a.Text("register", "tokens", "refreshToken"),
					}
				}(),
			} {
				claims := harness.ClaimsOf(t, a.Access)
				if got := time.Duration(claims["exp"].(float64)-claims["iat"].(float64)) * time.Second; got !=
					want.access {
					t.Errorf("%s, %s: access %v", dialect, way, got)
				}
				list := s.GraphQL(t, a.Access, `{ currentCredential { session { createdAt expiresAt } } }`, nil)
				end, err := time.Parse(time.RFC3339, list.Text("currentCredential", "session", "expiresAt"))
				if err != nil || end.Sub(begin.Add(want.idle)).Abs() > time.Second {
					t.Errorf("%s, %s: it ends %v from now, %v", dialect, way, end.Sub(begin), err)
				}
			}
			a := p.Login(t, dialect, who.Email)
			// used as late as may be, to the end of its life
			for s.Clock.Now().Before(begin.Add(want.life - want.idle)) {
				s.Clock.Add(min(want.idle-time.Second, begin.Add(want.life-time.Second).Sub(s.Clock.Now())))
				next := p.Refresh(t, dialect, a.Refresh)
				if next.Code() != "" {
					t.Fatalf("%s: %v after sign-in: %s", dialect, s.Clock.Now().Sub(begin), next.Raw)
				}
				a.Refresh = next.Text("refresh", "tokens", "refreshToken")
			}
			s.Clock.Add(begin.Add(want.life).Sub(s.Clock.Now()) + time.Second)
			if code := p.Refresh(t, dialect, a.Refresh).Code(); code != "INVALID_TOKEN" {
				t.Errorf("%s: after its life: %q", dialect, code)
			}
		}
	})
}

// PW-01, PW-06, PW-08: a profile asks for another length, and may let a guessable password pass with a mark in the
// audit log.
func TestPW01_ProfilePasswords(t *testing.T) {
	t.Parallel()
	profiles := map[string]*profile.Profile{
		"lax":    {Password: profile.Password{MinLength: 4, FlagGuessable: true}},
		"strict": {Password: profile.Password{MinLength: 12}},
		"flag":   {Password: profile.Password{FlagGuessable: true}},
	}
	rows := []struct {
		dialect, password, code string
		flagged                 bool
	}{
		{"lax", "password", "", true},
		{"lax", "123", "PASSWORD_TOO_WEAK", false},
		{"lax", "zq7v", "", false},
		{"lax", "dragoman", "", true},
		{"lax", strings.Repeat("x", 257), "INVALID_INPUT", false},
		{"strict", "zq7vkw3mxpa", "PASSWORD_TOO_WEAK", false},
		{"strict", "zq7vkw3mxpar", "", false},
		{"strict", "password1234", "PASSWORD_BREACHED", false},
		{"flag", "1234567", "PASSWORD_TOO_WEAK", false},
		{"flag", "password123", "", true},
		{"flag", harness.GoodPass, "", false},
		{"graphql", "password123", "PASSWORD_BREACHED", false},
		{"graphql", "zq7v", "PASSWORD_TOO_WEAK", false},
		{"graphql", harness.GoodPass, "", false},
	}
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		conn := dbtest.Beside(t, dsn)
		p := s.Speaks(t, profiles)
		for n, row := range rows {
			harness.MustExec(t, conn, `DELETE FROM audit_events`)
			email := string(rune('a'+n)) + "-person@example.com"
			a := p.Must(t, row.dialect, harness.RegisterDoc, harness.Registration(email, row.password))
			if a.Code() != row.code || (a.At("register", "user") != nil) != (row.code == "") {
				t.Errorf("%s, %.20s: %s", row.dialect, row.password, a.Raw)
			}
			want := `action = 'user.create_failed' AND outcome = 'failed' AND reason = '` + strings.ToLower(row.code) +
				`'`
			switch {
			case row.flagged:
				want = `action = 'user.created' AND outcome = 'ok' AND reason = 'guessable_password' AND user_id IS ` +
					`NOT NULL`
			case row.code == "":
				want = `action = 'user.created' AND outcome = 'ok' AND reason IS NULL`
			}
			if harness.MustCount(t, conn, `SELECT count(*) FROM audit_events WHERE `+want) != 1 {
				t.Errorf("%s, %.20s: no event with %s", row.dialect, row.password, want)
			}
			if row.code == "" && s.Login(t, email, row.password).Code() != "" {
				t.Errorf("%s, %.20s: no sign-in by it", row.dialect, row.password)
			}
		}
		own := p.Must(t, "lax", harness.RegisterDoc, harness.Registration("grace.hopper@example.com", "grace.hopper1"))
		if own.Code() != "" || harness.MustCount(t, conn, `SELECT count(*) FROM audit_events WHERE action = `+
			`'user.created' AND reason = 'guessable_password'`) != 1 {
			t.Errorf("a password like the address: %s", own.Raw)
		}
		for dialect, want := range map[string][2]any{
			"lax": {4.0, false}, "strict": {12.0, true},
			"graphql": {8.0, true},
		} {
			a := p.Must(t, dialect, `{ serverInfo { passwordPolicy { minLength checksBreaches } } }`, nil)
			got := [2]any{
				a.At("serverInfo", "passwordPolicy", "minLength"),
				a.At("serverInfo", "passwordPolicy", "checksBreaches"),
			}
			if got != want {
				t.Errorf("%s says of its policy: %v", dialect, got)
			}
		}
	})
}

// SE-10 with single use: the predecessor is refused within the grace and harms nothing; after it, it ends the session
// as anywhere. One that was swapped where each is good once is refused at every other door too (SE-30).
func TestSE10_SingleUse(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		conn := dbtest.Beside(t, dsn)
		p := s.Speaks(t, map[string]*profile.Profile{"once": {Refresh: profile.Refresh{SingleUse: true}}})
		s.Register(t, "ada@example.com")
		for _, made := range []string{"once", "graphql"} {
			ada := p.Login(t, made, "ada@example.com")
			first := p.Refresh(t, "once", ada.Refresh)
			next, access := first.Text("refresh", "tokens", "refreshToken"),
				first.Text("refresh", "tokens", "accessToken")
			for range 2 {
				if a := p.Refresh(t, "once", ada.Refresh); a.Code() != "INVALID_TOKEN" ||
					a.At("refresh", "tokens") != nil || a.At("refresh", "user") != nil {
					t.Errorf("made in %s: used again at %v: %s", made, s.Clock.Now(), a.Raw)
				}
				if !s.Is(t, access, ada) || !s.Is(t, ada.Access, ada) {
					t.Fatalf("made in %s: the session is over", made)
				}
				s.Clock.Add(5 * time.Second)
			}
			// at the bound of the grace
			if a := p.Refresh(t, "graphql", ada.Refresh); a.Code() != "INVALID_TOKEN" || !s.Is(t, access, ada) {
				t.Errorf("made in %s: over GraphQL, with the successor %s: %s", made, next, a.Raw)
			}
			s.Clock.Add(time.Microsecond)
			if code := p.Refresh(t, "once", ada.Refresh).Code(); code != "TOKEN_REUSED" || s.Is(t, access, ada) {
				t.Errorf("made in %s: after the grace: %q", made, code)
			}
			if code := p.Refresh(t, "once", next).Code(); code != "INVALID_TOKEN" {
				t.Errorf("made in %s: the successor then: %q", made, code)
			}
		}
		lost := p.Login(t, "once", "ada@example.com") // whoever lost the answer of a refresh can still sign out
		p.Refresh(t, "once", lost.Refresh)
		if code := p.Must(t, "once", harness.LogoutDoc,
			map[string]any{"input": map[string]any{"refreshToken": lost.Refresh}}).Code(); code != "" ||
			s.Is(t, lost.Access, lost) {
			t.Errorf("logout by the predecessor: %q", code)
		}
		for reason, want := range map[string]int{"single_use": 4, "token_reused": 2, "session_over": 2} {
			query := `SELECT count(*) FROM audit_events WHERE action = 'session.refresh_failed' AND outcome = ` +
				`'failed' AND reason = '` + reason + `' AND dialect = 'once'`
			if n := harness.MustCount(t, conn, query); n != want {
				t.Errorf("%d events %s", n, reason)
			}
		}
	})
}

// SE-09 with single use: of 64 redemptions one succeeds, the others are refused, and the session lives.
func TestSE09_SingleUseInParallel(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		p := s.Speaks(t, map[string]*profile.Profile{"once": {Refresh: profile.Refresh{SingleUse: true}}})
		s.Register(t, "ada@example.com")
		ada := p.Login(t, "once", "ada@example.com")
		current := ada.Refresh
		for round := range harness.Amount(4, 200) {
			codes, nexts := make([]string, 64), make([]string, 64)
			begin := make(chan struct{})
			var wg sync.WaitGroup
			for n := range codes {
				wg.Go(func() {
					<-begin
					a, err := p.Say("once", "", harness.RefreshDoc, map[string]any{"token": current})
					if err != nil {
						t.Errorf("round %d: %v", round, err)
						return
					}
					codes[n], nexts[n] = a.Code(), a.Text("refresh", "tokens", "refreshToken")
				})
			}
			close(begin)
			wg.Wait()
			won := slices.Index(codes, "")
			if won < 0 || nexts[won] == "" || nexts[won] == current {
				t.Fatalf("round %d: %v", round, codes)
			}
			for n, code := range codes {
				if n != won && (code != "INVALID_TOKEN" || nexts[n] != "") {
					t.Fatalf("round %d: a second one got %q %q", round, code, nexts[n])
				}
			}
			current = nexts[won]
			if !s.Is(t, ada.Access, ada) {
				t.Fatalf("round %d: the session is over", round)
			}
		}
	})
}

// Claims that cannot be made are an internal error, and leave no account and no session behind. A refresh has rotated
// by then: the same token gives the same successor afterwards, within the grace.
func TestProfiles_FailingClaims(t *testing.T) {
	t.Parallel()
	broken := map[string]func(context.Context, map[string]any) (map[string]any, error){
		"error": func(context.Context, map[string]any) (map[string]any, error) {
			return nil, errors.New("broken by the test")
		},
		"reserved": func(context.Context, map[string]any) (map[string]any, error) {
			return map[string]any{"sub": "admin"}, nil
		},
		"too large": func(context.Context, map[string]any) (map[string]any, error) {
			return map[string]any{"x": strings.Repeat("x", 9000)}, nil
		},
		"no JSON": func(context.Context, map[string]any) (map[string]any, error) {
			return map[string]any{"x": make(chan int)}, nil
		},
	}
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		conn := dbtest.Beside(t, dsn)
		profiles := map[string]*profile.Profile{}
		for name, claims := range broken {
			profiles[name] = &profile.Profile{Access: profile.Access{Claims: claims}}
		}
		p := s.Speaks(t, profiles)
		for name := range broken {
			ada := s.Register(t, strings.ReplaceAll(name, " ", "-")+"@example.com")
			fails := func(document string, variables map[string]any) {
				t.Helper()
				a, err := p.Say(name, "", document, variables)
				if err == nil || fault.From(err) != nil || strings.Contains(err.Error(), "broken") ||
					strings.Contains(a.Raw, "eyJ") {
					t.Errorf("%s: %s, %v", name, a.Raw, err)
				}
			}
			rows := `SELECT (SELECT count(*) FROM users) + (SELECT count(*) FROM sessions) + (SELECT count(*) FROM ` +
				`audit_events)`
			before := harness.MustCount(t, conn, rows)
			fails(harness.RegisterDoc, harness.Registration("new-"+ada.Email, harness.GoodPass))
			fails(harness.LoginDoc, map[string]any{"input": map[string]any{
				"email":    ada.Email,
				"password": harness.GoodPass,
			}})
			if n := harness.MustCount(t, conn, rows); n != before {
				t.Errorf("%s: something was left behind", name)
			}
			fails(harness.RefreshDoc, map[string]any{"token": ada.Refresh})
			if a := s.Refresh(t, ada.Refresh); a.Code() != "" ||
				!s.Is(t, a.Text("refresh", "tokens", "accessToken"), ada) {
				t.Errorf("%s: the refresh token afterwards: %s", name, a.Raw)
			}
		}
		if !strings.Contains(s.Logged.String(), "broken by the test") {
			t.Error("the cause is not in the log")
		}
	})
}
