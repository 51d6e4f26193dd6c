package tokens

import (
	"bytes"
	"context"
	"slices"
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

// Two rotations at once: one takes place, or they follow one another; each that is refused says so and changes nothing.
func TestKeysRotate_AtOnce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		harness.Start(t, dsn)
		settings := harness.SettingsOf(t, dsn)
		var done, refused atomic.Int32
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				err := operator.RotateKeys(context.Background(), settings, &bytes.Buffer{}, true)
				switch {
				case err == nil:
					done.Add(1)
				case strings.Contains(err.Error(), "rotated concurrently"):
					refused.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		wg.Wait()
		side := harness.OpenSide(t, dsn)
		if got := side.Count(t, "SELECT count(*) FROM signing_keys WHERE state = 'retired'"); got != int(done.Load()) ||
			got == 0 || done.Load()+refused.Load() != 8 {
			t.Errorf("%d retired by %d rotations, %d refused", got, done.Load(), refused.Load())
		}
		for _, state := range []string{"active", "next"} {
			if n := side.Count(t, "SELECT count(*) FROM signing_keys WHERE state = '"+state+"'"); n != 1 {
				t.Errorf("%d keys are %s", n, state)
			}
		}
		if n := side.Count(t, "SELECT count(*) FROM audit_events WHERE action = 'signing_key.rotated' AND dialect = "+
			"'terminal'"); n != int(done.Load()) {
			t.Errorf("%d events", n)
		}
	})
}

// JW-08: tokens under keys that nobody has make a server look no more than ten times a second, however many come, and a
// token under a key that is new passes among them.
func TestJW08_NoStorm(t *testing.T) {
	t.Parallel()
	s, dsn := harness.BudgetServer(t)
	ada := s.Register(t, "ada@example.com")
	forged := func(n int) string { return harness.UnderNoKey(ada.Access, n) }
	other := harness.StartWithClock(t, s.Clock, dsn, "DRAGOMAN_PUBLIC_URL="+s.URL)
	harness.Rotate(t, harness.SettingsOf(t, dsn))
	if err := other.App.Keys.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	rotated := other.Refresh(t, ada.Refresh).Text("refresh", "tokens", "accessToken")
	began := time.Now()
	var took time.Duration
	_, lines := harness.Statements(t, dsn, func() {
		var wg sync.WaitGroup
		for w := range 8 {
			wg.Go(func() {
				for n := range harness.Amount(10, 100) {
					if a, err := harness.Send(s.URL, forged(100*w+n), harness.MeDoc, nil); err != nil ||
						a.At("me") != nil || a.Code() != "UNAUTHENTICATED" ||
						!strings.Contains(a.Header.Get("WWW-Authenticate"), "invalid_token") {
						t.Errorf("a forged token: %v %+v", err, a)
					}
				}
			})
		}
		if !s.Is(t, rotated, ada) {
			t.Error("a token under a new key is refused among forged ones")
		}
		wg.Wait()
		took = time.Since(began)
	})
	looks := len(slices.DeleteFunc(lines, func(line string) bool { return !strings.Contains(line, "signing_keys") }))
	if most := int(took/(100*time.Millisecond)) + 2; looks > most || looks == 0 {
		t.Errorf("%d looks in %s", looks, took)
	}
	t.Logf("%d looks at the keys for %d tokens in %s", looks, 8*harness.Amount(10, 100), took.Round(time.Millisecond))
	// A database that does not answer is an error, and no refusal of a token that may be good (AV-01).
	side := harness.OpenSide(t, dsn)
	side.MustExec(t, `ALTER TABLE signing_keys RENAME TO gone`)
	if a := s.GraphQL(t, forged(1), harness.MeDoc, nil); a.Code() != "INTERNAL_SERVER_ERROR" {
		t.Errorf("without an answer: %s", a.Raw)
	}
	if a := s.GraphQL(t, forged(1), harness.LogoutDoc, nil); a.Code() != "INTERNAL_SERVER_ERROR" {
		t.Errorf("logout without an answer: %s", a.Raw)
	}
	side.MustExec(t, `ALTER TABLE gone RENAME TO signing_keys`)
}

// JW-01, JW-12: with each algorithm a server signs by it, and somebody who has nothing but the key set can check.
func TestJWTAlg(t *testing.T) {
	t.Parallel()
	for _, alg := range []jose.SignatureAlgorithm{jose.ES256, jose.EdDSA, jose.RS256} {
		t.Run(string(alg), func(t *testing.T) {
			t.Parallel()
			dbtest.Each(t, func(t *testing.T, dsn string) {
				s := harness.Start(t, dsn, "DRAGOMAN_JWT_ALG="+string(alg))
				ada := s.Register(t, "ada@example.com")
				if got := harness.Segment(t, ada.Access, 0)["alg"]; got != string(alg) || !s.Is(t, ada.Access, ada) {
					t.Errorf("signed by %v", got)
				}
				set, raw := harness.KeySet(t, s.URL)
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
				again := harness.StartWithClock(t, s.Clock, dsn, "DRAGOMAN_JWT_ALG=ES256", "DRAGOMAN_PUBLIC_URL="+s.URL)
				if !again.Is(t, ada.Access, ada) {
					t.Error("a key of another algorithm does not verify any more")
				}
				for range 2 {
					harness.Rotate(t, harness.SettingsOf(t, dsn, "DRAGOMAN_JWT_ALG=ES256"))
				}
				if err := again.App.Keys.Refresh(t.Context()); err != nil {
					t.Fatal(err)
				}
				in := again.Refresh(t, ada.Refresh).Text("refresh", "tokens", "accessToken")
				if harness.Segment(t, in, 0)["alg"] != "ES256" || !s.Is(t, in, ada) || !again.Is(t, ada.Access, ada) {
					t.Error("after the change of the algorithm")
				}
			})
		})
	}
}
