package program

import (
	"context"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// JW-14: the keys are rotated again and again while clients of two servers on one database refresh at one and show what
// they got at the other. No token is ever refused, whether it is of the key before, of this one, or of one that the
// other server has not seen yet.
func TestJW14_RotatedUnderLoad(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		env := append(harness.ProcessEnv(dsn), "DRAGOMAN_RATE_LIMITS=off",
			"DRAGOMAN_PUBLIC_URL=http://auth.example.com")
		urls := []string{harness.Spawn(t, env...).URL, harness.Spawn(t, env...).URL}
		first := (&harness.Instance{URL: urls[0]}).Register(t, "first@example.com")
		ctx, stop := context.WithCancel(t.Context())
		var checked, kids atomic.Int64
		var seen sync.Map
		var wg sync.WaitGroup
		for w := range 4 {
			wg.Go(func() {
				who := (&harness.Instance{URL: urls[0]}).Register(t, fmt.Sprintf("w%d@example.com", w))
				access, refresh := []string{who.Access}, who.Refresh
				for n := w; ctx.Err() == nil; n++ {
					a, err := harness.Send(urls[n%2], "", harness.RefreshDoc, map[string]any{"token": refresh})
					if err != nil || a.Text("refresh", "tokens", "accessToken") == "" {
						t.Errorf("refresh: %v %+v", err, a)
						return
					}
					refresh = a.Text("refresh", "tokens", "refreshToken")
					access = append(access, a.Text("refresh", "tokens", "accessToken"))
					header, _, _ := strings.Cut(access[len(access)-1], ".")
					if _, before := seen.LoadOrStore(header, true); !before {
						kids.Add(1)
					}
					// The newest at once at the other server, and an older one.
					for _, token := range []string{access[len(access)-1], access[(n*7)%len(access)]} {
						a, err := harness.Send(urls[(n+1)%2], token, harness.MeDoc, nil)
						if err != nil || a.Text("me", "id") != who.ID {
							t.Errorf("a token is refused: %v %+v", err, a)
						}
						checked.Add(1)
					}
				}
			})
		}
		// Forged tokens make now the one server look at the keys and then the other, so that each signs by new keys
		// long before the other would hear of them by itself.
		wg.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				if a, err := harness.Send(urls[n%2], harness.UnderNoKey(first.Access, n), harness.MeDoc,
					nil); err != nil || a.At("me") != nil {
					t.Errorf("a forged token: %v %+v", err, a)
				}
			}
		})
		settings := harness.SettingsOf(t, dsn)
		rounds := harness.Amount(25, 100)
		for range rounds {
			harness.Rotate(t, settings)
			// Tokens meet each rotation, however slow the machine is.
			for before, late := checked.Load(), time.Now().Add(10*time.Second); checked.Load() < before+8 &&
				time.Now().Before(late); {
				time.Sleep(5 * time.Millisecond)
			}
		}
		stop()
		wg.Wait()
		if i := (&harness.Instance{URL: urls[1]}); !i.Is(t, first.Access, first) {
			t.Error("the token of the first key is refused")
		}
		t.Logf("%d rotations, %d tokens checked, signed by %d keys", rounds, checked.Load(), kids.Load())
		if kids.Load() < int64(rounds)/4 || checked.Load() < 100 {
			t.Errorf("the load did not meet the rotations: %d tokens, %d keys", checked.Load(), kids.Load())
		}
		if n := harness.OpenSide(t, dsn).Count(t, "SELECT count(*) FROM signing_keys WHERE state = 'retired'"); n !=
			rounds {
			t.Errorf("%d retired keys", n)
		}
	})
}

// JW-14: a key is published before it signs, and a rotation that comes too early is refused. What was rotated is
// published and signs on all servers within five seconds, without a restart.
func TestJW14_PublishedBeforeUse(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		env := append(harness.ProcessEnv(dsn), "DRAGOMAN_RATE_LIMITS=off",
			"DRAGOMAN_PUBLIC_URL=http://auth.example.com")
		servers := []*harness.Process{harness.Spawn(t, env...), harness.Spawn(t, env...)}
		ada := (&harness.Instance{URL: servers[0].URL}).Register(t, "ada@example.com")
		before, _ := harness.KeySet(t, servers[0].URL)
		if len(before.Keys) != 2 || before.Keys[0].KeyID != harness.Segment(t, ada.Access, 0)["kid"] {
			t.Fatalf("keys %+v", before)
		}
		side := harness.OpenSide(t, dsn)
		dir := t.TempDir()
		early := command(t, dir, harness.ProcessEnv(dsn), "keys", "rotate")
		if early.code != 1 || !strings.Contains(early.stderr, "--force") ||
			side.Count(t, "SELECT count(*) FROM signing_keys") != 2 {
			t.Fatalf("too early: %+v", early)
		}
		at := time.Now().UTC().Add(-307 * time.Second).Format("2006-01-02 15:04:05.999999-07:00")
		if _, err := side.Exec(`UPDATE signing_keys SET created_at = $1 WHERE state = 'next'`, at); err != nil {
			t.Fatal(err)
		}
		done := command(t, dir, append(harness.ProcessEnv(dsn), "DRAGOMAN_JWT_ALG=EdDSA"), "keys", "rotate")
		if done.code != 0 || !strings.Contains(done.stdout, "active   "+before.Keys[1].KeyID+" ES256\nretired  "+
			before.Keys[0].KeyID) {
			t.Fatalf("rotate: %+v", done)
		}
		began := time.Now()
		for _, p := range servers {
			for {
				set, _ := harness.KeySet(t, p.URL)
				if len(set.Keys) == 3 && set.Keys[0].KeyID == before.Keys[1].KeyID &&
					set.Keys[1].Algorithm == "EdDSA" && set.Keys[2].KeyID == before.Keys[0].KeyID {
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
			i := &harness.Instance{URL: p.URL}
			in := i.Login(t, ada.Email, harness.GoodPass).Text("login", "tokens", "accessToken")
			if harness.Segment(t, in, 0)["kid"] != before.Keys[1].KeyID || !i.Is(t, ada.Access, ada) ||
				!i.Is(t, in, ada) {
				t.Error("the key that signs is another one, or a token is refused")
			}
		}
		list := command(t, dir, harness.ProcessEnv(dsn), "keys", "list")
		line := func(kid, rest string) *regexp.Regexp {
			return regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(kid) + `  ` + rest +
				` +\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$`)
		}
		for kid, rest := range map[string]string{
			before.Keys[1].KeyID: "ES256  active",
			before.Keys[0].KeyID: "ES256  retired",
		} {
			if !line(kid, rest).MatchString(list.stdout) {
				t.Errorf("the list lacks %s %s: %s", kid, rest, list.stdout)
			}
		}
		if !regexp.MustCompile(`(?m)^[0-9A-Za-z_-]{43}  EdDSA  next +\d`).MatchString(list.stdout) {
			t.Errorf("the list lacks the next key: %s", list.stdout)
		}
	})
}

// KE-08: a role that may not change the schema is enough to run the server, once another one has made it.
func TestKE08_LeastPrivilege(t *testing.T) {
	t.Parallel()
	dsn := dbtest.Postgres(t)
	owner := harness.OpenSide(t, dsn)
	role := "dragoman_runtime_" + regexp.MustCompile(`/(\w+)(\?|$)`).FindStringSubmatch(dsn)[1]
	for _, statement := range []string{
		`CREATE ROLE ` + role + ` LOGIN`,
		`REVOKE CREATE ON SCHEMA public FROM PUBLIC`,
		`GRANT USAGE ON SCHEMA public TO ` + role,
		`GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO ` + role,
		`GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO ` + role,
	} {
		owner.MustExec(t, statement)
	}
	t.Cleanup(func() {
		owner.MustExec(t, `DROP OWNED BY `+role)
		owner.MustExec(t, `DROP ROLE `+role)
	})
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.User(role)
	runtime := u.String()
	env := []string{"DATABASE_URL=" + runtime, "DRAGOMAN_SECRET=" + harness.Secret, "DRAGOMAN_MIGRATE=off"}
	p := harness.Spawn(t, env...)
	limited := harness.OpenSide(t, runtime)
	if _, err := limited.Exec(`CREATE TABLE x (y int)`); err == nil {
		t.Fatal("the role may change the schema: this test proves nothing")
	}
	if _, err := limited.Exec(`ALTER TABLE users ADD COLUMN x int`); err == nil {
		t.Fatal("the role may change a table")
	}
	i := &harness.Instance{URL: p.URL}
	ada := i.Register(t, "ada@example.com")
	_, key := i.NewKey(t, ada.Access, nil)
	if !i.Is(t, key, ada) || i.Refresh(t, ada.Refresh).Code() != "" ||
		i.Login(t, ada.Email, "wrong password").Code() != "INVALID_CREDENTIALS" {
		t.Error("the server does not work under the role")
	}
	for _, args := range [][]string{
		{"keys", "rotate", "--force"},
		{"keys", "list"},
		{"secret", "status"},
		{"restore-finish"},
	} {
		if got := command(t, t.TempDir(), env, args...); got.code != 0 {
			t.Errorf("%s: %+v", args, got)
		}
	}
	a := harness.Start(t, runtime, "DRAGOMAN_MIGRATE=off")
	if _, err := a.App.DB.Sweep(t.Context(), time.Now().Add(100*24*time.Hour)); err != nil {
		t.Errorf("sweep: %v", err)
	}
}
