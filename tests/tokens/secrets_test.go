package tokens

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	josejwt "github.com/go-jose/go-jose/v4/jwt"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/operator"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// post sends JSON to a dialect and reads the answer.
func post(url, path, bearer string, body map[string]any) (status int, answer map[string]any, err error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return 0, nil, err
	}
	method := http.MethodPost
	if body == nil {
		method, raw = http.MethodGet, nil
	}
	r, err := http.NewRequest(method, url+path, bytes.NewReader(raw))
	if err != nil {
		return 0, nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	if bearer != "" {
		r.Header.Set("Authorization", "Bearer "+bearer)
	}
	res, err := harness.Client.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	if json.NewDecoder(res.Body).Decode(&answer) != nil {
		answer = nil // a list
	}
	return res.StatusCode, answer, nil
}

// pair is two servers behind what sends requests to either of them, which can be swapped while requests come.
type pair struct {
	t     *testing.T
	dsn   string
	clock *harness.Clock
	urls  [2]atomic.Value
}

// swap puts a server with other secrets in the place of one of the two, which goes on with what it has begun. A minute
// passes, so that the next use of each API key is written down.
func (p *pair) swap(n int, secret string, previous ...string) {
	p.t.Helper()
	p.clock.Add(time.Minute)
	i := harness.StartWithClock(p.t, p.clock, p.dsn, "DRAGOMAN_PUBLIC_URL=http://auth.example.com", "DRAGOMAN_SECRET="+
		secret,
		"DRAGOMAN_SECRET_PREVIOUS="+strings.Join(previous, "\n"))
	p.urls[n].Store(i.URL)
	if err := i.App.Keys.Renew(context.Background()); err != nil {
		p.t.Error(err)
	}
}

func (p *pair) url(n int) string { return p.urls[n%2].Load().(string) }

// clients use everything that a server secret made, until stopped.
func (p *pair) clients(ctx context.Context, wg *sync.WaitGroup, w int, done *atomic.Int64) {
	t := p.t
	one := &harness.Instance{URL: p.url(0)}
	who := one.Register(t, fmt.Sprintf("w%d@example.com", w))
	_, key := one.NewKey(t, who.Access, nil)
	idle := one.LoginAs(t, who, "SESSION_TOKEN").Refresh
	_, in, err := post(p.url(0), "/api/v1/auth/login", "",
		map[string]any{"username": who.Email, "password": harness.GoodPass})
	if err != nil || in["token"] == nil {
		t.Fatalf("login: %v %v", in, err)
	}
	firstHS256, hs256 := in["token"].(string), in["refreshToken"].(string)
	access, refresh := who.Access, who.Refresh
	wg.Go(func() {
		for n := w; ctx.Err() == nil; n++ {
			a, err := harness.Send(p.url(n), "", harness.RefreshDoc, map[string]any{"token": refresh})
			if err != nil || a.Code() != "" {
				t.Errorf("refresh: %v %+v", err, a)
				return
			}
			access, refresh = a.Text("refresh", "tokens", "accessToken"), a.Text("refresh", "tokens", "refreshToken")
			_, fresh, err := post(p.url(n), "/api/v1/auth/refresh", "", map[string]any{"refreshToken": hs256})
			if err != nil || fresh["token"] == nil {
				t.Errorf("refresh in a dialect: %v %v", fresh, err)
				return
			}
			hs256 = fresh["refreshToken"].(string)
			credentials := map[string]string{
				"access token": access, "first access token": who.Access, "session token": idle, "API key": key,
				"HS256 token": fresh["token"].(string), "first HS256 token": firstHS256,
			}
			for what, credential := range credentials {
				for m := range 2 {
					if a, err := harness.Send(p.url(n+m), credential, harness.MeDoc, nil); err != nil ||
						a.Text("me", "id") != who.ID {
						t.Errorf("%s: %v %+v", what, err, a)
						return
					}
					done.Add(1)
				}
			}
		}
	})
}

// KE-02: the server secret is changed on two servers, one after the other, while clients use tokens, keys and sessions
// of every kind at both. Nothing is refused. Then the status says that nothing depends on the old secret, and servers
// that never heard of it serve all.
func TestKE02_SecretRotatedUnderLoad(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		p := &pair{t: t, dsn: dsn, clock: harness.NewClock()}
		p.swap(0, harness.Secret)
		p.swap(1, harness.Secret)
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		var wg sync.WaitGroup
		var done atomic.Int64
		for w := range 3 {
			p.clients(ctx, &wg, w, &done)
		}
		seen := func() {
			t.Helper()
			for enough := done.Load() + int64(harness.Amount(150, 2000)); done.Load() < enough && !t.Failed(); {
				time.Sleep(5 * time.Millisecond)
			}
		}
		steps := []struct {
			secret   string
			previous []string
		}{{harness.Secret, []string{harness.NextSecret}}, {harness.NextSecret, []string{harness.Secret}}}
		seen()
		for _, step := range steps {
			for n := range 2 {
				p.swap(n, step.secret, step.previous...)
				seen()
			}
		}
		stop()
		wg.Wait()
		t.Logf("%d requests with credentials, none refused", done.Load())
		side := harness.OpenSide(t, dsn)
		if n := side.Count(t, "SELECT count(DISTINCT substr(private_key, 1, 4)) FROM signing_keys"); n != 1 {
			t.Errorf("signing keys are sealed under %d secrets", n)
		}
		if n := side.Count(t, "SELECT count(DISTINCT substr(hash, 1, 3)) FROM api_keys"); n != 1 {
			t.Errorf("API keys are kept under %d secrets", n)
		}
	})
}

// KE-02: what an operator is told about the previous secret is so: before, what it names ends with the secret; after,
// nothing.
func TestKE02_Status(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		const url = "DRAGOMAN_PUBLIC_URL=http://auth.example.com"
		old := harness.Start(t, dsn, url)
		ada, bob := old.Register(t, "ada@example.com"), old.Register(t, "bob@example.com")
		_, used := old.NewKey(t, ada.Access, nil)
		_, unused := old.NewKey(t, ada.Access, nil)
		status := func(says ...string) {
			t.Helper()
			var out bytes.Buffer
			settings := harness.SettingsOf(t, dsn, "DRAGOMAN_SECRET="+harness.NextSecret, "DRAGOMAN_SECRET_PREVIOUS="+
				harness.Secret)
			if err := operator.SecretStatus(context.Background(), settings, &out); err != nil {
				t.Fatal(err)
			}
			for _, text := range says {
				if !strings.Contains(out.String(), text) {
					t.Errorf("the status lacks %q: %s", text, out.String())
				}
			}
			for _, secret := range []string{harness.Secret, harness.NextSecret} {
				if strings.Contains(out.String(), secret) {
					t.Error("the status shows a secret")
				}
			}
		}
		status("present   not yet", "previous  20", "sessions      2 (", "API keys      2 ", "signing keys  2 ",
			"Do not take away")
		side := harness.OpenSide(t, dsn)
		// As if the old secret was in use until an hour ago.
		past := func(column, table string, ago time.Duration) {
			t.Helper()
			at := time.Now().UTC().Add(-ago).Format("2006-01-02 15:04:05.999999-07:00")
			if _, err := side.Exec("UPDATE "+table+" SET "+column+" = $1", at); err != nil {
				t.Fatal(err)
			}
		}
		past("last_used_at", "server_secrets", time.Hour)
		past("created_at", "sessions", 2*time.Hour)
		fresh := harness.Start(t, dsn, url, "DRAGOMAN_SECRET="+harness.NextSecret, "DRAGOMAN_SECRET_PREVIOUS="+
			harness.Secret)
		if err := fresh.App.Keys.Renew(t.Context()); err != nil {
			t.Fatal(err)
		}
		if !fresh.Is(t, used, ada) || fresh.Refresh(t, ada.Refresh).Code() != "" {
			t.Fatal("what the old secret made is refused")
		}
		status("previous  20", "present   20", "sessions      1 (", "API keys      1 ", "signing keys  0 ",
			"Do not take away")
		alone := harness.Start(t, dsn, url, "DRAGOMAN_SECRET="+harness.NextSecret)
		if alone.Is(t, unused, ada) || alone.Refresh(t, bob.Refresh).Code() != "INVALID_TOKEN" {
			t.Error("what depends on the old secret does without it")
		}
		if !alone.Is(t, used, ada) {
			t.Error("a key that went over does not do without the old secret")
		}
		if !fresh.Is(t, unused, ada) || fresh.Refresh(t, bob.Refresh).Code() != "" {
			t.Error("what the old secret made is refused")
		}
		status("sessions      0\n", "API keys      0 ", "signing keys  0 ",
			"Do not take away the previous secret before")
		past("last_used_at", "server_secrets", 25*time.Hour)
		status("Nothing depends on another secret than the present one.")
	})
}

// KE-02, LG-08: who failed at an account that does not exist stays throttled there while the secret changes, like
// anybody who failed at one that does.
func TestKE02_StandIns(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		c := harness.NewClock()
		limits := "DRAGOMAN_RATE_LIMITS=on"
		old := harness.StartWithClock(t, c, dsn, limits)
		for range 5 {
			old.Login(t, "nobody@example.com", "x")
		}
		for _, secrets := range [][]string{
			{"DRAGOMAN_SECRET=" + harness.Secret, "DRAGOMAN_SECRET_PREVIOUS=" + harness.NextSecret},
			{"DRAGOMAN_SECRET=" + harness.NextSecret, "DRAGOMAN_SECRET_PREVIOUS=" + harness.Secret},
			{"DRAGOMAN_SECRET=" + harness.Secret, "DRAGOMAN_SECRET_PREVIOUS=" + harness.NextSecret},
		} {
			if code := harness.StartWithClock(t, c, dsn, append(secrets, limits)...).Login(t, "nobody@example.com",
				"x").Code(); code != "ACCOUNT_LOCKED" {
				t.Errorf("%s: %s", secrets, code)
			}
		}
	})
}

// JW-07: with a key of its own the HS256 tokens of dialects can be checked by a backend that shares it, and by nobody
// else; what was signed before by the derived key stays good.
func TestJW07_SharedHS256Key(t *testing.T) {
	t.Parallel()
	const shared = "backend-Wn5Tq8Zr2Kx7Lc4Vb9Mj3Hf6Gd1"
	dbtest.Each(t, func(t *testing.T, dsn string) {
		derived := harness.Start(t, dsn, "DRAGOMAN_PUBLIC_URL=http://auth.example.com")
		ada := derived.Register(t, "ada@example.com")
		token := func(i *harness.Instance) string {
			t.Helper()
			_, in, err := post(i.URL, "/api/v1/auth/login", "",
				map[string]any{"username": ada.Email, "password": harness.GoodPass})
			if err != nil || in["token"] == nil {
				t.Fatalf("%v %v", in, err)
			}
			return in["token"].(string)
		}
		file := t.TempDir() + "/key"
		if err := os.WriteFile(file, []byte(shared+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		before := token(derived)
		i := harness.Start(t, dsn, "DRAGOMAN_PUBLIC_URL=http://auth.example.com", "DRAGOMAN_JWT_HS256_SECRET_FILE="+
			file)
		after := token(i)
		backend := func(text string) bool {
			parsed, err := josejwt.ParseSigned(text, []jose.SignatureAlgorithm{jose.HS256})
			if err != nil {
				t.Fatal(err)
			}
			var claims josejwt.Claims
			return parsed.Claims([]byte(shared), &claims) == nil && claims.Subject == ada.ID
		}
		if !backend(after) || backend(before) {
			t.Error("the backend takes the wrong one")
		}
		if !i.Is(t, after, ada) || !i.Is(t, before, ada) || derived.Is(t, after, ada) {
			t.Error("the server takes the wrong one")
		}
	})
}

// TestKE02_CookiesAndCursors: what a server secret made for browsers and for lists is good under the next one while the
// former is accepted, and no longer.
func TestKE02_CookiesAndCursors(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		clock := harness.NewClock()
		with := func(secret, previous string) *harness.Instance {
			return harness.StartWithClock(t, clock, dsn, "DRAGOMAN_PUBLIC_URL=http://localhost:8080",
				"DRAGOMAN_SECRET="+secret, "DRAGOMAN_SECRET_PREVIOUS="+previous)
		}
		before := with(harness.Secret, "")
		root := before.Admin(t, dsn, "root@example.com")
		before.Register(t, "ada@example.com")
		c, _ := before.BrowserIn(t, root.Email)
		page := map[string]any{"first": 1}
		page["after"] = before.GraphQL(t, root.Access, harness.UsersDoc, page).Text("users", "pageInfo", "endCursor")
		between := with(harness.NextSecret, harness.Secret)
		if a := harness.Asked(t, between.URL, "", harness.UsersDoc, page, harness.Carrying(c)...); a.Code() != "" ||
			a.At("users", "totalCount") != 2.0 || harness.CookieOf(t, a) != nil {
			t.Errorf("while both count: %s", a.Raw)
		}
		if err := between.App.Keys.Renew(t.Context()); err != nil { // the signing keys go over
			t.Fatal(err)
		}
		after := with(harness.NextSecret, "")
		fresh := after.LoginAs(t, root, "BODY")
		if a := harness.Asked(t, after.URL, "", harness.MeDoc, nil, harness.Carrying(c)...); a.At("me") != nil ||
			!harness.Cleared(t, a, c) {
			t.Errorf("afterwards: %s %v", a.Raw, a.Header)
		}
		if a := after.GraphQL(t, fresh.Access, harness.UsersDoc, page); a.Code() != "BAD_USER_INPUT" {
			t.Errorf("afterwards: %s", a.Raw)
		}
	})
}
