package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	josejwt "github.com/go-jose/go-jose/v4/jwt"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/internal/config"
	"github.com/dragoman-auth/dragoman/operator"
)

// settingsOf are the settings of a command beside a server on the database of dsn.
func settingsOf(t testing.TB, dsn string, more ...string) *config.Settings {
	t.Helper()
	values := map[string]string{}
	for _, e := range append(processEnv(dsn), more...) {
		name, value, _ := strings.Cut(e, "=")
		values[name] = value
	}
	settings, err := config.Load(func(name string) string { return values[name] })
	if err != nil {
		t.Fatal(err)
	}
	return settings
}

// rotate is `dragoman keys rotate --force`.
func rotate(t testing.TB, settings *config.Settings) {
	t.Helper()
	if err := operator.RotateKeys(context.Background(), settings, &bytes.Buffer{}, true); err != nil {
		t.Error(err)
	}
}

// underNoKey is a token that says it is of a key that there never was; another one for each n.
func underNoKey(access string, n int) string {
	_, rest, _ := strings.Cut(access, ".")
	kid := base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%032d", n))
	return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"ES256","typ":"at+jwt","kid":"`+kid+`"}`)) + "." + rest
}

// keySet reads what a server publishes.
func keySet(t testing.TB, url string) (set jose.JSONWebKeySet, raw string) {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, url+"/.well-known/jwks.json", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := receive(r)
	if err != nil || res.Status != 200 || res.Header.Get("Cache-Control") != "public, max-age=300" {
		t.Fatalf("key set: %+v %v", res, err)
	}
	if err := json.Unmarshal([]byte(res.Raw), &set); err != nil {
		t.Fatal(err)
	}
	return set, res.Raw
}

// JW-14: the keys are rotated again and again while clients of two servers on one database refresh at one and show what they
// got at the other. No token is ever refused, whether it is of the key before, of this one, or of one that the other
// server has not seen yet. Acceptance line 2 of the fourth release.
func TestJW14_RotatedUnderLoad(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		env := append(processEnv(dsn), "DRAGOMAN_RATE_LIMITS=off", "DRAGOMAN_PUBLIC_URL=http://auth.example.com")
		urls := []string{spawn(t, env...).URL, spawn(t, env...).URL}
		first := (&instance{URL: urls[0]}).register(t, "first@example.com")
		ctx, stop := context.WithCancel(t.Context())
		var checked, kids atomic.Int64
		var seen sync.Map
		var wg sync.WaitGroup
		for w := range 4 {
			wg.Go(func() {
				who := (&instance{URL: urls[0]}).register(t, fmt.Sprintf("w%d@example.com", w))
				access, refresh := []string{who.Access}, who.Refresh
				for n := w; ctx.Err() == nil; n++ {
					a, err := send(urls[n%2], "", refreshDoc, map[string]any{"token": refresh})
					if err != nil || a.text("refresh", "tokens", "accessToken") == "" {
						t.Errorf("refresh: %v %+v", err, a)
						return
					}
					refresh = a.text("refresh", "tokens", "refreshToken")
					access = append(access, a.text("refresh", "tokens", "accessToken"))
					header, _, _ := strings.Cut(access[len(access)-1], ".")
					if _, before := seen.LoadOrStore(header, true); !before {
						kids.Add(1)
					}
					// The newest at once at the other server, and an older one.
					for _, token := range []string{access[len(access)-1], access[(n*7)%len(access)]} {
						a, err := send(urls[(n+1)%2], token, meDoc, nil)
						if err != nil || a.text("me", "id") != who.ID {
							t.Errorf("a token is refused: %v %+v", err, a)
						}
						checked.Add(1)
					}
				}
			})
		}
		// Forged tokens make now the one server look at the keys and then the other, so that each signs by new keys long
		// before the other would hear of them by itself.
		wg.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				if a, err := send(urls[n%2], underNoKey(first.Access, n), meDoc, nil); err != nil || a.at("me") != nil {
					t.Errorf("a forged token: %v %+v", err, a)
				}
			}
		})
		settings := settingsOf(t, dsn)
		rounds := amount(25, 100)
		for range rounds {
			rotate(t, settings)
			time.Sleep(30 * time.Millisecond) // under load, and not in one instant
		}
		stop()
		wg.Wait()
		if i := (&instance{URL: urls[1]}); !i.is(t, first.Access, first) {
			t.Error("the token of the first key is refused")
		}
		t.Logf("%d rotations, %d tokens checked, signed by %d keys", rounds, checked.Load(), kids.Load())
		if kids.Load() < int64(rounds)/4 || checked.Load() < 100 {
			t.Errorf("the load did not meet the rotations: %d tokens, %d keys", checked.Load(), kids.Load())
		}
		if n := openSide(t, dsn).count(t, "SELECT count(*) FROM signing_keys WHERE state = 'retired'"); n != rounds {
			t.Errorf("%d retired keys", n)
		}
	})
}

// JW-14: a key is published before it signs, and a rotation that comes too early is refused. What was rotated is published
// and signs on all servers within five seconds, without a restart.
func TestJW14_PublishedBeforeUse(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		env := append(processEnv(dsn), "DRAGOMAN_RATE_LIMITS=off", "DRAGOMAN_PUBLIC_URL=http://auth.example.com")
		servers := []*process{spawn(t, env...), spawn(t, env...)}
		ada := (&instance{URL: servers[0].URL}).register(t, "ada@example.com")
		before, _ := keySet(t, servers[0].URL)
		if len(before.Keys) != 2 || before.Keys[0].KeyID != segment(t, ada.Access, 0)["kid"] {
			t.Fatalf("keys %+v", before)
		}
		side := openSide(t, dsn)
		dir := t.TempDir()
		early := command(t, dir, processEnv(dsn), "keys", "rotate")
		if early.code != 1 || !strings.Contains(early.stderr, "--force") || side.count(t, "SELECT count(*) FROM signing_keys") != 2 {
			t.Fatalf("too early: %+v", early)
		}
		at := time.Now().UTC().Add(-307 * time.Second).Format("2006-01-02 15:04:05.999999-07:00")
		if _, err := side.Exec(`UPDATE signing_keys SET created_at = $1 WHERE state = 'next'`, at); err != nil {
			t.Fatal(err)
		}
		done := command(t, dir, append(processEnv(dsn), "DRAGOMAN_JWT_ALG=EdDSA"), "keys", "rotate")
		if done.code != 0 || !strings.Contains(done.stdout, "active   "+before.Keys[1].KeyID+" ES256\nretired  "+before.Keys[0].KeyID) {
			t.Fatalf("rotate: %+v", done)
		}
		began := time.Now()
		for _, p := range servers {
			for {
				set, _ := keySet(t, p.URL)
				if len(set.Keys) == 3 && set.Keys[0].KeyID == before.Keys[1].KeyID && set.Keys[1].Algorithm == "EdDSA" && set.Keys[2].KeyID == before.Keys[0].KeyID {
					break
				}
				if time.Since(began) > 5*time.Second {
					t.Fatalf("after %s: %+v", time.Since(began), set)
				}
				time.Sleep(20 * time.Millisecond)
			}
		}
		t.Logf("taken up within %s", time.Since(began).Round(time.Millisecond))
		for _, p := range servers {
			i := &instance{URL: p.URL}
			in := i.login(t, ada.Email, goodPass).text("login", "tokens", "accessToken")
			if segment(t, in, 0)["kid"] != before.Keys[1].KeyID || !i.is(t, ada.Access, ada) || !i.is(t, in, ada) {
				t.Error("the key that signs is another one, or a token is refused")
			}
		}
		list := command(t, dir, processEnv(dsn), "keys", "list")
		line := func(kid, rest string) *regexp.Regexp {
			return regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(kid) + `  ` + rest + ` +\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$`)
		}
		for kid, rest := range map[string]string{before.Keys[1].KeyID: "ES256  active", before.Keys[0].KeyID: "ES256  retired"} {
			if !line(kid, rest).MatchString(list.stdout) {
				t.Errorf("the list lacks %s %s: %s", kid, rest, list.stdout)
			}
		}
		if !regexp.MustCompile(`(?m)^[0-9A-Za-z_-]{43}  EdDSA  next +\d`).MatchString(list.stdout) {
			t.Errorf("the list lacks the next key: %s", list.stdout)
		}
	})
}

// Two rotations at once: one takes place, or they follow one another; each that is refused says so and changes nothing.
func TestKeysRotate_AtOnce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		start(t, dsn)
		settings := settingsOf(t, dsn)
		var done, refused atomic.Int32
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				err := operator.RotateKeys(context.Background(), settings, &bytes.Buffer{}, true)
				switch {
				case err == nil:
					done.Add(1)
				case strings.Contains(err.Error(), "somebody else rotates"):
					refused.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		wg.Wait()
		side := openSide(t, dsn)
		if got := side.count(t, "SELECT count(*) FROM signing_keys WHERE state = 'retired'"); got != int(done.Load()) || got == 0 || done.Load()+refused.Load() != 8 {
			t.Errorf("%d retired by %d rotations, %d refused", got, done.Load(), refused.Load())
		}
		for _, state := range []string{"active", "next"} {
			if n := side.count(t, "SELECT count(*) FROM signing_keys WHERE state = '"+state+"'"); n != 1 {
				t.Errorf("%d keys are %s", n, state)
			}
		}
		if n := side.count(t, "SELECT count(*) FROM audit_events WHERE action = 'rotate_signing_keys' AND dialect = 'terminal'"); n != int(done.Load()) {
			t.Errorf("%d events", n)
		}
	})
}

// JW-08: tokens under keys that nobody has make a server look no more than ten times a second, however many come, and a token
// under a key that is new passes among them.
func TestJW08_NoStorm(t *testing.T) {
	t.Parallel()
	s, dsn := budgetServer(t)
	ada := s.register(t, "ada@example.com")
	forged := func(n int) string { return underNoKey(ada.Access, n) }
	other := startWithClock(t, s.clock, dsn, "DRAGOMAN_PUBLIC_URL="+s.URL)
	rotate(t, settingsOf(t, dsn))
	if err := other.app.Keys.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	rotated := other.refresh(t, ada.Refresh).text("refresh", "tokens", "accessToken")
	began := time.Now()
	var took time.Duration
	_, lines := statements(t, dsn, func() {
		var wg sync.WaitGroup
		for w := range 8 {
			wg.Go(func() {
				for n := range amount(10, 100) {
					if a, err := send(s.URL, forged(100*w+n), meDoc, nil); err != nil || a.at("me") != nil || len(a.Errors) > 0 ||
						!strings.Contains(a.Header.Get("WWW-Authenticate"), "invalid_token") {
						t.Errorf("a forged token: %v %+v", err, a)
					}
				}
			})
		}
		if !s.is(t, rotated, ada) {
			t.Error("a token under a new key is refused among forged ones")
		}
		wg.Wait()
		took = time.Since(began)
	})
	looks := len(slices.DeleteFunc(lines, func(line string) bool { return !strings.Contains(line, "signing_keys") }))
	if most := int(took/(100*time.Millisecond)) + 2; looks > most || looks == 0 {
		t.Errorf("%d looks in %s", looks, took)
	}
	t.Logf("%d looks at the keys for %d tokens in %s", looks, 8*amount(10, 100), took.Round(time.Millisecond))
	// A database that does not answer is an error, and no refusal of a token that may be good (AV-01).
	side := openSide(t, dsn)
	side.exec(t, `ALTER TABLE signing_keys RENAME TO gone`)
	if a := s.graphql(t, forged(1), meDoc, nil); a.code() != "INTERNAL_SERVER_ERROR" {
		t.Errorf("without an answer: %s", a.Raw)
	}
	if a := s.graphql(t, forged(1), logoutDoc, nil); a.code() != "INTERNAL_SERVER_ERROR" {
		t.Errorf("logout without an answer: %s", a.Raw)
	}
	side.exec(t, `ALTER TABLE gone RENAME TO signing_keys`)
}

// JW-01, JW-12: with each algorithm a server signs by it, and somebody who has nothing but the key set can check.
func TestJWTAlg(t *testing.T) {
	t.Parallel()
	for _, alg := range []jose.SignatureAlgorithm{jose.ES256, jose.EdDSA, jose.RS256} {
		t.Run(string(alg), func(t *testing.T) {
			t.Parallel()
			dbtest.Each(t, func(t *testing.T, dsn string) {
				s := start(t, dsn, "DRAGOMAN_JWT_ALG="+string(alg))
				ada := s.register(t, "ada@example.com")
				if got := segment(t, ada.Access, 0)["alg"]; got != string(alg) || !s.is(t, ada.Access, ada) {
					t.Errorf("signed by %v", got)
				}
				set, raw := keySet(t, s.URL)
				for _, private := range []string{`"d"`, `"p"`, `"q"`, `"dp"`, `"k"`} {
					if strings.Contains(raw, private) {
						t.Errorf("the key set holds %s", private)
					}
				}
				parsed, err := josejwt.ParseSigned(ada.Access, []jose.SignatureAlgorithm{alg})
				if err != nil {
					t.Fatal(err)
				}
				var claims josejwt.Claims
				if err := parsed.Claims(set, &claims); err != nil || claims.Subject != ada.ID {
					t.Errorf("an outside backend refuses the token: %v", err)
				}
				// Another setting makes other keys from now on; those that are there keep working.
				again := startWithClock(t, s.clock, dsn, "DRAGOMAN_JWT_ALG=ES256", "DRAGOMAN_PUBLIC_URL="+s.URL)
				if !again.is(t, ada.Access, ada) {
					t.Error("a key of another algorithm does not verify any more")
				}
				for range 2 {
					rotate(t, settingsOf(t, dsn, "DRAGOMAN_JWT_ALG=ES256"))
				}
				if err := again.app.Keys.Refresh(t.Context()); err != nil {
					t.Fatal(err)
				}
				in := again.refresh(t, ada.Refresh).text("refresh", "tokens", "accessToken")
				if segment(t, in, 0)["alg"] != "ES256" || !s.is(t, in, ada) || !again.is(t, ada.Access, ada) {
					t.Error("after the change of the algorithm")
				}
			})
		})
	}
}

// KE-08: a role that may not change the schema is enough to run the server, once another one has made it.
func TestKE08_LeastPrivilege(t *testing.T) {
	t.Parallel()
	dsn := dbtest.Postgres(t)
	owner := openSide(t, dsn)
	role := "dragoman_runtime_" + regexp.MustCompile(`/(\w+)(\?|$)`).FindStringSubmatch(dsn)[1]
	for _, statement := range []string{
		`CREATE ROLE ` + role + ` LOGIN`,
		`REVOKE CREATE ON SCHEMA public FROM PUBLIC`,
		`GRANT USAGE ON SCHEMA public TO ` + role,
		`GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO ` + role,
		`GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO ` + role,
	} {
		owner.exec(t, statement)
	}
	t.Cleanup(func() {
		owner.exec(t, `DROP OWNED BY `+role)
		owner.exec(t, `DROP ROLE `+role)
	})
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.User(role)
	runtime := u.String()
	env := []string{"DATABASE_URL=" + runtime, "DRAGOMAN_SECRET=" + testSecret, "DRAGOMAN_MIGRATE=off"}
	p := spawn(t, env...)
	limited := openSide(t, runtime)
	if _, err := limited.Exec(`CREATE TABLE x (y int)`); err == nil {
		t.Fatal("the role may change the schema: this test proves nothing")
	}
	if _, err := limited.Exec(`ALTER TABLE users ADD COLUMN x int`); err == nil {
		t.Fatal("the role may change a table")
	}
	i := &instance{URL: p.URL}
	ada := i.register(t, "ada@example.com")
	_, key := i.newKey(t, ada.Access, nil)
	if !i.is(t, key, ada) || i.refresh(t, ada.Refresh).code() != "" || i.login(t, ada.Email, "wrong password").code() != "INVALID_CREDENTIALS" {
		t.Error("the server does not work under the role")
	}
	for _, args := range [][]string{{"keys", "rotate", "--force"}, {"keys", "list"}, {"secret", "status"}, {"restore-finish"}} {
		if got := command(t, t.TempDir(), env, args...); got.code != 0 {
			t.Errorf("%s: %+v", args, got)
		}
	}
	a := start(t, runtime, "DRAGOMAN_MIGRATE=off")
	if _, err := a.app.DB.Sweep(t.Context(), time.Now().Add(100*24*time.Hour)); err != nil {
		t.Errorf("sweep: %v", err)
	}
}
