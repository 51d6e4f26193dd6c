package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/app"
	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/internal/fault"
	"github.com/dragoman-auth/dragoman/internal/gqlhttp"
	"github.com/dragoman-auth/dragoman/internal/password"
	"github.com/dragoman-auth/dragoman/internal/profile"
	"github.com/dragoman-auth/dragoman/internal/secret"
	"github.com/dragoman-auth/dragoman/internal/token"
	"github.com/dragoman-auth/dragoman/internal/visit"
	"github.com/dragoman-auth/dragoman/resolvers"
)

// speaker runs stored documents as a dialect does, in the database and by the clock of a running server, with profiles of
// the test's own.
type speaker struct {
	handler *gqlhttp.Handler
	beside  *instance
}

// speaks makes a speaker beside a server. The server itself knows nothing of these profiles.
func (i *instance) speaks(t *testing.T, profiles map[string]*profile.Profile) *speaker {
	t.Helper()
	master, err := secret.New([]byte(testSecret))
	if err != nil {
		t.Fatal(err)
	}
	keys, err := app.SigningKeys(t.Context(), i.app.DB, master, token.AlgES256, i.clock.now)
	if err != nil {
		t.Fatal(err)
	}
	issuer, err := token.NewIssuer(i.app.PublicURL, i.app.PublicURL, keys[0], keys[1:], master.HMACKey("access tokens"), i.clock.now)
	if err != nil {
		t.Fatal(err)
	}
	schema, err := resolvers.New(resolvers.Deps{
		DB: i.app.DB, Codec: token.NewCodec(master, i.clock.now), Issuer: issuer, Master: master, Now: i.clock.now,
		Hasher: password.NewHasher(2), Policy: password.Policy{MinLength: 8}, Profiles: profiles,
		AccessTTL: 10 * time.Minute, SessionTTL: 30 * 24 * time.Hour, SessionIdle: 14 * 24 * time.Hour, SessionLimit: 100,
		RefreshGrace: 10 * time.Second, RegistrationOpen: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	handler, err := gqlhttp.New(gqlhttp.Config{
		Schema: schema, Admit: func(context.Context, string) error { return nil }, Log: slog.New(slog.NewJSONHandler(i.log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return &speaker{handler, i}
}

// say runs a document in a dialect. The error is that of top level, nil when userErrors tell all.
func (s *speaker) say(dialect, credential, document string, variables map[string]any) (*answer, error) {
	doc, err := s.handler.Document(document)
	if err != nil {
		return nil, err
	}
	ctx := visit.With(context.Background(), &visit.Visit{
		RequestID: rand.Text(), IP: netip.MustParseAddr("192.0.2.1"), Dialect: dialect, Credential: credential,
	})
	a := &answer{}
	err = s.handler.Do(ctx, doc, variables, &a.Data)
	raw, _ := json.Marshal(a.Data)
	a.Raw = string(raw)
	return a, err
}

// must is say where no error of top level is expected.
func (s *speaker) must(t testing.TB, dialect, document string, variables map[string]any) *answer {
	t.Helper()
	a, err := s.say(dialect, "", document, variables)
	if err != nil {
		t.Fatalf("%s: %v", dialect, err)
	}
	return a
}

func (s *speaker) refresh(t testing.TB, dialect, refreshToken string) *answer {
	t.Helper()
	return s.must(t, dialect, refreshDoc, map[string]any{"token": refreshToken})
}

func (s *speaker) login(t testing.TB, dialect, email string) account {
	t.Helper()
	a := s.must(t, dialect, loginDoc, map[string]any{"input": map[string]any{"email": email, "password": goodPass}})
	if a.code() != "" {
		t.Fatalf("login: %s", a.Raw)
	}
	return account{
		ID: a.text("login", "user", "id"), Email: email, Session: a.text("login", "session", "id"),
		Access: a.text("login", "tokens", "accessToken"), Refresh: a.text("login", "tokens", "refreshToken"),
	}
}

func registration(email, pass string) map[string]any {
	return map[string]any{"input": map[string]any{"email": email, "password": pass}}
}

// SE-15, JW-05: an HS256 access token is an access token and nothing else, and dies with its session at once.
func TestSE15_HS256AccessToken(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		conn := dbtest.Beside(t, dsn)
		old := s.speaks(t, map[string]*profile.Profile{"old": {Access: profile.Access{HS256: true, TTL: time.Hour}}})
		modern := s.register(t, "ada@example.com")
		ada := old.login(t, "old", "ada@example.com")
		if !strings.HasPrefix(ada.Access, "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.") {
			t.Fatalf("header %v", segment(t, ada.Access, 0))
		}
		if segment(t, modern.Access, 0)["alg"] != "ES256" || segment(t, old.login(t, "graphql", "ada@example.com").Access, 0)["alg"] != "ES256" {
			t.Error("the profile of one dialect reached another")
		}
		if kind := s.graphql(t, ada.Access, currentDoc, nil).text("currentCredential", "kind"); kind != "ACCESS_TOKEN" {
			t.Errorf("as Bearer it is a %q", kind)
		}
		if a, err := old.say("old", modern.Access, meDoc, nil); err != nil || a.text("me", "id") != ada.ID {
			t.Errorf("an ES256 token in the dialect: %+v, %v", a, err)
		}
		if a := sendWith(t, s.URL, http.Header{"X-Api-Key": {ada.Access}}, currentDoc, nil); a.at("currentCredential") != nil {
			t.Errorf("as an API key: %s", a.Raw)
		}
		for _, credential := range []string{"", ada.Access} {
			if code := s.graphql(t, credential, refreshDoc, map[string]any{"token": ada.Access}).code(); code != "INVALID_TOKEN" {
				t.Errorf("as refresh token: %q", code)
			}
			if code := old.refresh(t, "old", ada.Access).code(); code != "INVALID_TOKEN" {
				t.Errorf("as refresh token in the dialect: %q", code)
			}
			a := s.graphql(t, credential, logoutDoc, map[string]any{"input": map[string]any{"refreshToken": ada.Access}})
			if a.code() != "INVALID_TOKEN" {
				t.Errorf("as refresh token of a logout: %q", a.code())
			}
		}
		if n := mustCount(t, conn, `SELECT count(*) FROM sessions WHERE revoked_at IS NOT NULL OR generation <> 0`); n > 0 {
			t.Fatal("a wrong kind rotated or ended a session")
		}
		// A refresh keeps to the form of the dialect that asks, not to that in which the session was made.
		for dialect, alg := range map[string]string{"old": "HS256", "graphql": "ES256"} {
			who := old.login(t, "old", "ada@example.com")
			if got := segment(t, old.refresh(t, dialect, who.Refresh).text("refresh", "tokens", "accessToken"), 0)["alg"]; got != alg {
				t.Errorf("refreshed over %s: %v", dialect, got)
			}
		}
		other := old.login(t, "old", "ada@example.com")
		if code := s.graphql(t, ada.Access, logoutDoc, nil).code(); code != "" {
			t.Fatalf("logout: %q", code)
		}
		if a, err := old.say("old", ada.Access, meDoc, nil); s.is(t, ada.Access, ada) || err != nil || a.at("me") != nil {
			t.Error("the token lives after its session")
		}
		if code := old.refresh(t, "old", ada.Refresh).code(); code != "INVALID_TOKEN" {
			t.Errorf("its refresh token: %q", code)
		}
		if !s.is(t, other.Access, ada) || !s.is(t, modern.Access, ada) {
			t.Error("other sessions ended too")
		}
		s.clock.add(time.Hour + 6*time.Second)
		if s.is(t, other.Access, ada) {
			t.Error("the token does not end")
		}
	})
}

// JW-11: claims of a profile are made of the person and the session as they are at that moment, named and written as in
// GraphQL, and from values that an expression can read.
func TestProfiles_Claims(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		conn := dbtest.Beside(t, dsn)
		p := s.speaks(t, map[string]*profile.Profile{"old": {Access: profile.Access{
			Claims: func(_ context.Context, subject map[string]any) (map[string]any, error) {
				if !plain(subject) {
					t.Errorf("not plain values: %#v", subject)
				}
				return subject, nil
			},
		}}})
		const whole = `{ me { id number email emailVerified username name metadata roles { name } status createdAt updatedAt }
			currentCredential { session { id number createdAt expiresAt } } }`
		check := func(when, access string) {
			t.Helper()
			a, claims := s.graphql(t, access, whole, nil), claimsOf(t, access)
			if a.at("me") == nil || !reflect.DeepEqual(claims["user"], a.at("me")) {
				t.Errorf("%s: the claim user %v, the account %s", when, claims["user"], a.Raw)
			}
			if !reflect.DeepEqual(claims["session"], a.at("currentCredential", "session")) {
				t.Errorf("%s: the claim session %v, the session %s", when, claims["session"], a.Raw)
			}
			if claims["sub"] != a.text("me", "id") || claims["roles"] == nil || claims["iss"] != s.app.PublicURL {
				t.Errorf("%s: claims %v", when, claims)
			}
		}
		full := p.must(t, "old", registerDoc, map[string]any{"input": map[string]any{
			"email": "ada@example.com", "password": goodPass, "username": "countess", "name": "Ada “<Lovelace>” & co",
			"metadata": map[string]any{"n": 1.5, "l": []any{nil, true, "x"}, "o": map[string]any{}},
		}})
		check("registered", full.text("register", "tokens", "accessToken"))
		check("registered with nothing", p.must(t, "old", registerDoc, registration("bob@example.com", goodPass)).text("register", "tokens", "accessToken"))
		s.clock.add(time.Minute)
		ada := p.login(t, "old", "ada@example.com")
		check("signed in", ada.Access)
		mustExec(t, conn, `UPDATE users SET name = 'Ada' WHERE username_canonical = 'countess'`)
		access := p.refresh(t, "old", ada.Refresh).text("refresh", "tokens", "accessToken")
		check("refreshed", access)
		if name := claimsOf(t, access)["user"].(map[string]any)["name"]; name != "Ada" {
			t.Errorf("the name in the refreshed token is %v", name)
		}
		if claims := claimsOf(t, s.loginAs(t, ada, "BODY").Access); claims["user"] != nil {
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
		"short": {SessionTTL: 3 * time.Hour, Refresh: profile.Refresh{TTL: 2 * time.Hour}, Access: profile.Access{TTL: time.Hour}},
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
			s := start(t, dsn)
			p := s.speaks(t, profiles)
			who := s.register(t, dialect+"@example.com")
			begin := s.clock.now()
			for way, a := range map[string]account{
				"login": p.login(t, dialect, who.Email),
				"register": func() account {
					a := p.must(t, dialect, registerDoc, registration("new-"+who.Email, goodPass))
					return account{Access: a.text("register", "tokens", "accessToken"), Refresh: a.text("register", "tokens", "refreshToken")}
				}(),
			} {
				claims := claimsOf(t, a.Access)
				if got := time.Duration(claims["exp"].(float64)-claims["iat"].(float64)) * time.Second; got != want.access {
					t.Errorf("%s, %s: access %v", dialect, way, got)
				}
				list := s.graphql(t, a.Access, `{ currentCredential { session { createdAt expiresAt } } }`, nil)
				end, err := time.Parse(time.RFC3339, list.text("currentCredential", "session", "expiresAt"))
				if err != nil || end.Sub(begin.Add(want.idle)).Abs() > time.Second {
					t.Errorf("%s, %s: it ends %v from now, %v", dialect, way, end.Sub(begin), err)
				}
			}
			a := p.login(t, dialect, who.Email)
			for s.clock.now().Before(begin.Add(want.life - want.idle)) { // used as late as may be, to the end of its life
				s.clock.add(min(want.idle-time.Second, begin.Add(want.life-time.Second).Sub(s.clock.now())))
				next := p.refresh(t, dialect, a.Refresh)
				if next.code() != "" {
					t.Fatalf("%s: %v after sign-in: %s", dialect, s.clock.now().Sub(begin), next.Raw)
				}
				a.Refresh = next.text("refresh", "tokens", "refreshToken")
			}
			s.clock.add(begin.Add(want.life).Sub(s.clock.now()) + time.Second)
			if code := p.refresh(t, dialect, a.Refresh).code(); code != "INVALID_TOKEN" {
				t.Errorf("%s: after its life: %q", dialect, code)
			}
		}
	})
}

// PW-01, PW-06, PW-08: a profile asks for another length, and may let a guessable password pass with a mark in the audit log.
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
		{"flag", goodPass, "", false},
		{"graphql", "password123", "PASSWORD_BREACHED", false},
		{"graphql", "zq7v", "PASSWORD_TOO_WEAK", false},
		{"graphql", goodPass, "", false},
	}
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		conn := dbtest.Beside(t, dsn)
		p := s.speaks(t, profiles)
		for n, row := range rows {
			mustExec(t, conn, `DELETE FROM audit_events`)
			email := string(rune('a'+n)) + "-person@example.com"
			a := p.must(t, row.dialect, registerDoc, registration(email, row.password))
			if a.code() != row.code || (a.at("register", "user") != nil) != (row.code == "") {
				t.Errorf("%s, %.20s: %s", row.dialect, row.password, a.Raw)
			}
			want := `outcome = 'failed' AND reason = '` + strings.ToLower(row.code) + `'`
			switch {
			case row.flagged:
				want = `outcome = 'ok' AND reason = 'guessable_password' AND user_id IS NOT NULL`
			case row.code == "":
				want = `outcome = 'ok' AND reason IS NULL`
			}
			if mustCount(t, conn, `SELECT count(*) FROM audit_events WHERE action = 'register' AND `+want) != 1 {
				t.Errorf("%s, %.20s: no event with %s", row.dialect, row.password, want)
			}
			if row.code == "" && s.login(t, email, row.password).code() != "" {
				t.Errorf("%s, %.20s: no sign-in by it", row.dialect, row.password)
			}
		}
		own := p.must(t, "lax", registerDoc, registration("grace.hopper@example.com", "grace.hopper1"))
		if own.code() != "" || mustCount(t, conn, `SELECT count(*) FROM audit_events WHERE action = 'register' AND reason = 'guessable_password'`) != 1 {
			t.Errorf("a password like the address: %s", own.Raw)
		}
		for dialect, want := range map[string][2]any{"lax": {4.0, false}, "strict": {12.0, true}, "graphql": {8.0, true}} {
			a := p.must(t, dialect, `{ serverInfo { passwordPolicy { minLength checksBreaches } } }`, nil)
			got := [2]any{a.at("serverInfo", "passwordPolicy", "minLength"), a.at("serverInfo", "passwordPolicy", "checksBreaches")}
			if got != want {
				t.Errorf("%s says of its policy: %v", dialect, got)
			}
		}
	})
}

// SE-10 with single use: what counts is the dialect of the present request. The predecessor is refused within the grace and
// harms nothing; after it, it ends the session as anywhere.
func TestSE10_SingleUse(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		conn := dbtest.Beside(t, dsn)
		p := s.speaks(t, map[string]*profile.Profile{"once": {Refresh: profile.Refresh{SingleUse: true}}})
		s.register(t, "ada@example.com")
		for _, made := range []string{"once", "graphql"} {
			ada := p.login(t, made, "ada@example.com")
			first := p.refresh(t, "once", ada.Refresh)
			next, access := first.text("refresh", "tokens", "refreshToken"), first.text("refresh", "tokens", "accessToken")
			for range 2 {
				if a := p.refresh(t, "once", ada.Refresh); a.code() != "INVALID_TOKEN" || a.at("refresh", "tokens") != nil || a.at("refresh", "user") != nil {
					t.Errorf("made in %s: used again at %v: %s", made, s.clock.now(), a.Raw)
				}
				if !s.is(t, access, ada) || !s.is(t, ada.Access, ada) {
					t.Fatalf("made in %s: the session is over", made)
				}
				s.clock.add(5 * time.Second)
			}
			if got := p.refresh(t, "graphql", ada.Refresh).text("refresh", "tokens", "refreshToken"); got != next { // at the bound of the grace
				t.Errorf("made in %s: over GraphQL the successor is %q", made, got)
			}
			s.clock.add(time.Microsecond)
			if code := p.refresh(t, "once", ada.Refresh).code(); code != "TOKEN_REUSED" || s.is(t, access, ada) {
				t.Errorf("made in %s: after the grace: %q", made, code)
			}
			if code := p.refresh(t, "once", next).code(); code != "INVALID_TOKEN" {
				t.Errorf("made in %s: the successor then: %q", made, code)
			}
		}
		lost := p.login(t, "once", "ada@example.com") // whoever lost the answer of a refresh can still sign out
		p.refresh(t, "once", lost.Refresh)
		if code := p.must(t, "once", logoutDoc, map[string]any{"input": map[string]any{"refreshToken": lost.Refresh}}).code(); code != "" || s.is(t, lost.Access, lost) {
			t.Errorf("logout by the predecessor: %q", code)
		}
		for reason, want := range map[string]int{"single_use": 4, "token_reused": 2, "session_over": 2} {
			query := `SELECT count(*) FROM audit_events WHERE action = 'refresh' AND outcome = 'failed' AND reason = '` + reason + `' AND dialect = 'once'`
			if n := mustCount(t, conn, query); n != want {
				t.Errorf("%d events %s", n, reason)
			}
		}
	})
}

// SE-09 with single use: of 64 redemptions one succeeds, the others are refused, and the session lives.
func TestSE09_SingleUseInParallel(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		p := s.speaks(t, map[string]*profile.Profile{"once": {Refresh: profile.Refresh{SingleUse: true}}})
		s.register(t, "ada@example.com")
		ada := p.login(t, "once", "ada@example.com")
		current := ada.Refresh
		for round := range amount(4, 200) {
			codes, nexts := make([]string, 64), make([]string, 64)
			begin := make(chan struct{})
			var wg sync.WaitGroup
			for n := range codes {
				wg.Go(func() {
					<-begin
					a, err := p.say("once", "", refreshDoc, map[string]any{"token": current})
					if err != nil {
						t.Errorf("round %d: %v", round, err)
						return
					}
					codes[n], nexts[n] = a.code(), a.text("refresh", "tokens", "refreshToken")
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
			if !s.is(t, ada.Access, ada) {
				t.Fatalf("round %d: the session is over", round)
			}
		}
	})
}

// Claims that cannot be made are an internal error, and leave no account and no session behind. A refresh has rotated by
// then: the same token gives the same successor afterwards, within the grace.
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
			return map[string]any{"x": strings.Repeat("x", 4000)}, nil
		},
		"no JSON": func(context.Context, map[string]any) (map[string]any, error) {
			return map[string]any{"x": make(chan int)}, nil
		},
	}
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		conn := dbtest.Beside(t, dsn)
		profiles := map[string]*profile.Profile{}
		for name, claims := range broken {
			profiles[name] = &profile.Profile{Access: profile.Access{Claims: claims}}
		}
		p := s.speaks(t, profiles)
		for name := range broken {
			ada := s.register(t, strings.ReplaceAll(name, " ", "-")+"@example.com")
			fails := func(document string, variables map[string]any) {
				t.Helper()
				a, err := p.say(name, "", document, variables)
				if err == nil || fault.From(err) != nil || strings.Contains(err.Error(), "broken") || strings.Contains(a.Raw, "eyJ") {
					t.Errorf("%s: %s, %v", name, a.Raw, err)
				}
			}
			rows := `SELECT (SELECT count(*) FROM users) + (SELECT count(*) FROM sessions) + (SELECT count(*) FROM audit_events)`
			before := mustCount(t, conn, rows)
			fails(registerDoc, registration("new-"+ada.Email, goodPass))
			fails(loginDoc, map[string]any{"input": map[string]any{"email": ada.Email, "password": goodPass}})
			if n := mustCount(t, conn, rows); n != before {
				t.Errorf("%s: something was left behind", name)
			}
			fails(refreshDoc, map[string]any{"token": ada.Refresh})
			if a := s.refresh(t, ada.Refresh); a.code() != "" || !s.is(t, a.text("refresh", "tokens", "accessToken"), ada) {
				t.Errorf("%s: the refresh token afterwards: %s", name, a.Raw)
			}
		}
		if !strings.Contains(s.log.String(), "broken by the test") {
			t.Error("the cause is not in the log")
		}
	})
}
