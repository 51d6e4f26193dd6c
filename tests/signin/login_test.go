package signin

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// TestLG01_SameAnswer compares the answers to every sign-in that fails, byte by byte.
func TestLG01_SameAnswer(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		for _, name := range []string{"ada", "eve"} {
			if a := s.Registers(t, "email", name+"@example.com", "username", name+".x", "password", harness.GoodPass); a.Code() != "" {
				t.Fatal(a.Raw)
			}
		}
		harness.OpenSide(t, dsn).MustExec(t, `UPDATE users SET status = 'SUSPENDED' WHERE email_canonical = 'eve@example.com'`)
		const wrong = "wrong horse battery staple"
		cases := map[string]map[string]any{
			"wrong password by email":             harness.InputOf("email", "ada@example.com", "password", wrong),
			"wrong password by username":          harness.InputOf("username", "ada.x", "password", wrong),
			"unknown email":                       harness.InputOf("email", "nobody@example.com", "password", harness.GoodPass),
			"unknown username":                    harness.InputOf("username", "nobody.x", "password", harness.GoodPass),
			"no email at all":                     harness.InputOf("email", "not an address", "password", harness.GoodPass),
			"suspended":                           harness.InputOf("email", "eve@example.com", "password", harness.GoodPass),
			"suspended by username":               harness.InputOf("username", "eve.x", "password", harness.GoodPass),
			"suspended with a wrong password":     harness.InputOf("email", "eve@example.com", "password", wrong),
			"empty password":                      harness.InputOf("email", "ada@example.com", "password", ""),
			"empty password of nobody":            harness.InputOf("email", "nobody@example.com", "password", ""),
			"a username where an address belongs": harness.InputOf("email", "ada.x", "password", harness.GoodPass),
			"an address where a username belongs": harness.InputOf("username", "ada@example.com", "password", harness.GoodPass),
			"another delivery":                    harness.InputOf("email", "nobody@example.com", "password", wrong, "tokenDelivery", "SESSION_TOKEN"),
		}
		want := s.Login(t, "ada@example.com", wrong)
		if want.Status != http.StatusOK || want.Code() != "INVALID_CREDENTIALS" || want.At("login", "tokens") != nil {
			t.Fatalf("%d %s", want.Status, want.Raw)
		}
		for name, variables := range cases {
			got := s.GraphQL(t, "", harness.LoginDoc, variables)
			if got.Status != want.Status || got.Raw != want.Raw {
				t.Errorf("%s: %d %s, want %d %s", name, got.Status, got.Raw, want.Status, want.Raw)
			}
			for _, header := range []http.Header{got.Header, want.Header} {
				header.Del("X-Request-Id")
				header.Del("Date")
			}
			if fmt.Sprint(got.Header) != fmt.Sprint(want.Header) {
				t.Errorf("%s: headers %v, want %v", name, got.Header, want.Header)
			}
		}
	})
}

// TestLG01_RevealAccounts is the switch that tells accounts apart, and what it still does not tell.
func TestLG01_RevealAccounts(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn, "DRAGOMAN_REVEAL_ACCOUNTS=on")
		s.Register(t, "ada@example.com")
		s.Register(t, "eve@example.com")
		harness.OpenSide(t, dsn).MustExec(t, `UPDATE users SET status = 'SUSPENDED' WHERE email_canonical = 'eve@example.com'`)
		for email, want := range map[string]string{
			"nobody@example.com": "NOT_FOUND", "ada@example.com": "INVALID_CREDENTIALS", "eve@example.com": "INVALID_CREDENTIALS",
		} {
			if a := s.Login(t, email, "wrong horse battery staple"); a.Code() != want {
				t.Errorf("%s: %s, want %s", email, a.Raw, want)
			}
		}
		if a := s.GraphQL(t, "", harness.LoginDoc, harness.InputOf("username", "nobody", "password", harness.GoodPass)); a.Code() != "NOT_FOUND" {
			t.Errorf("unknown username: %s", a.Raw)
		}
		if a := s.Login(t, "ada@example.com", harness.GoodPass); a.Code() != "" {
			t.Errorf("the right password: %s", a.Raw)
		}
	})
}

// TestLG03_Timing compares how long an unknown account, a wrong password and a suspended account take, in interleaved
// samples. Nothing else of this package runs beside it. In full the medians may differ by five percent.
func TestLG03_Timing(t *testing.T) { //nolint:paralleltest // it measures
	pairs, bound := 30, 0.6
	if harness.FullRun {
		pairs, bound = 200, 0.05
	}
	for name, dsn := range map[string]func(testing.TB) string{"sqlite": dbtest.SQLite, "postgres": dbtest.Postgres} {
		t.Run(name, func(t *testing.T) {
			dsn := dsn(t)
			s := harness.Start(t, dsn, harness.RealHashes)
			for _, email := range []string{"ada@example.com", "eve@example.com"} {
				s.Register(t, email)
			}
			harness.OpenSide(t, dsn).MustExec(t, `UPDATE users SET status = 'SUSPENDED' WHERE email_canonical = 'eve@example.com'`)
			classes := []string{"ada@example.com", "nobody@example.com", "eve@example.com"}
			took := map[string][]time.Duration{}
			for i := range pairs + 2 {
				for n := range classes {
					class := classes[(n+i)%len(classes)]
					began := time.Now()
					if a := s.Login(t, class, "wrong horse battery staple"); a.Code() != "INVALID_CREDENTIALS" {
						t.Fatal(a.Raw)
					}
					if i >= 2 { // the first ones prepare statements
						took[class] = append(took[class], time.Since(began))
					}
				}
			}
			median := func(class string) time.Duration {
				slices.Sort(took[class])
				return took[class][len(took[class])/2]
			}
			wrong, unknown, suspended := median(classes[0]), median(classes[1]), median(classes[2])
			t.Logf("medians of %d: wrong password %v, unknown account %v, suspended %v", pairs, wrong, unknown, suspended)
			for class, d := range map[string]time.Duration{"unknown": unknown, "suspended": suspended} {
				if difference := (d - wrong).Abs().Seconds() / wrong.Seconds(); difference > bound {
					t.Errorf("%s differs from a wrong password by %.1f %%", class, 100*difference)
				}
			}
		})
	}
}
