package main

import (
	"fmt"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db/dbtest"
)

// TestLG01_SameAnswer compares the answers to every sign-in that fails, byte by byte.
func TestLG01_SameAnswer(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		for _, name := range []string{"ada", "eve"} {
			if a := s.registers(t, "email", name+"@example.com", "username", name+".x", "password", goodPass); a.code() != "" {
				t.Fatal(a.Raw)
			}
		}
		openSide(t, dsn).exec(t, `UPDATE users SET status = 'SUSPENDED' WHERE email_canonical = 'eve@example.com'`)
		const wrong = "wrong horse battery staple"
		cases := map[string]map[string]any{
			"wrong password by email":             inputOf("email", "ada@example.com", "password", wrong),
			"wrong password by username":          inputOf("username", "ada.x", "password", wrong),
			"unknown email":                       inputOf("email", "nobody@example.com", "password", goodPass),
			"unknown username":                    inputOf("username", "nobody.x", "password", goodPass),
			"no email at all":                     inputOf("email", "not an address", "password", goodPass),
			"suspended":                           inputOf("email", "eve@example.com", "password", goodPass),
			"suspended by username":               inputOf("username", "eve.x", "password", goodPass),
			"suspended with a wrong password":     inputOf("email", "eve@example.com", "password", wrong),
			"empty password":                      inputOf("email", "ada@example.com", "password", ""),
			"empty password of nobody":            inputOf("email", "nobody@example.com", "password", ""),
			"a username where an address belongs": inputOf("email", "ada.x", "password", goodPass),
			"an address where a username belongs": inputOf("username", "ada@example.com", "password", goodPass),
			"another delivery":                    inputOf("email", "nobody@example.com", "password", wrong, "tokenDelivery", "SESSION_TOKEN"),
		}
		want := s.login(t, "ada@example.com", wrong)
		if want.Status != http.StatusOK || want.code() != "INVALID_CREDENTIALS" || want.at("login", "tokens") != nil {
			t.Fatalf("%d %s", want.Status, want.Raw)
		}
		for name, variables := range cases {
			got := s.graphql(t, "", loginDoc, variables)
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
		s := start(t, dsn, "DRAGOMAN_REVEAL_ACCOUNTS=on")
		s.register(t, "ada@example.com")
		s.register(t, "eve@example.com")
		openSide(t, dsn).exec(t, `UPDATE users SET status = 'SUSPENDED' WHERE email_canonical = 'eve@example.com'`)
		for email, want := range map[string]string{
			"nobody@example.com": "NOT_FOUND", "ada@example.com": "INVALID_CREDENTIALS", "eve@example.com": "INVALID_CREDENTIALS",
		} {
			if a := s.login(t, email, "wrong horse battery staple"); a.code() != want {
				t.Errorf("%s: %s, want %s", email, a.Raw, want)
			}
		}
		if a := s.graphql(t, "", loginDoc, inputOf("username", "nobody", "password", goodPass)); a.code() != "NOT_FOUND" {
			t.Errorf("unknown username: %s", a.Raw)
		}
		if a := s.login(t, "ada@example.com", goodPass); a.code() != "" {
			t.Errorf("the right password: %s", a.Raw)
		}
	})
}

// TestLG03_Timing compares how long an unknown account, a wrong password and a suspended account take, in interleaved
// samples. Nothing else of this package runs beside it. In full the medians may differ by five percent.
func TestLG03_Timing(t *testing.T) { //nolint:paralleltest // it measures
	pairs, bound := 30, 0.6
	if fullRun {
		pairs, bound = 200, 0.05
	}
	for name, dsn := range map[string]func(testing.TB) string{"sqlite": dbtest.SQLite, "postgres": dbtest.Postgres} {
		t.Run(name, func(t *testing.T) {
			dsn := dsn(t)
			s := start(t, dsn, realHashes)
			for _, email := range []string{"ada@example.com", "eve@example.com"} {
				s.register(t, email)
			}
			openSide(t, dsn).exec(t, `UPDATE users SET status = 'SUSPENDED' WHERE email_canonical = 'eve@example.com'`)
			classes := []string{"ada@example.com", "nobody@example.com", "eve@example.com"}
			took := map[string][]time.Duration{}
			for i := range pairs + 2 {
				for n := range classes {
					class := classes[(n+i)%len(classes)]
					began := time.Now()
					if a := s.login(t, class, "wrong horse battery staple"); a.code() != "INVALID_CREDENTIALS" {
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

// TestPW14_LoginStorm sends far more sign-ins at once than can be hashed. What would wait too long is sent away with 503,
// memory stays bounded, and what needs no hash is answered meanwhile.
func TestPW14_LoginStorm(t *testing.T) {
	storm, slowest, env := 120, 2*time.Second, "GOMAXPROCS=1"
	if fullRun {
		storm, slowest, env = 500, 100*time.Millisecond, "GOMAXPROCS="+strconv.Itoa(runtime.GOMAXPROCS(0))
	} else {
		t.Parallel()
	}
	for name, dsn := range map[string]func(testing.TB) string{"sqlite": dbtest.SQLite, "postgres": dbtest.Postgres} {
		t.Run(name, func(t *testing.T) {
			p := spawn(t, append(processEnv(dsn(t)), "DRAGOMAN_RATE_LIMITS=off", env)...)
			if a, err := send(p.URL, "", registerDoc, inputOf("email", "ada@example.com", "password", goodPass)); err != nil || a.code() != "" {
				t.Fatalf("%v %+v", err, a)
			}
			var wg sync.WaitGroup
			done := make(chan struct{})
			var health []time.Duration
			wg.Go(func() {
				for {
					select {
					case <-done:
						return
					case <-time.After(5 * time.Millisecond):
					}
					began := time.Now()
					res, err := client.Get(p.URL + "/healthz")
					if err != nil || res.StatusCode != http.StatusOK {
						t.Errorf("healthz: %v", err)
						return
					}
					_ = res.Body.Close()
					health = append(health, time.Since(began))
				}
			})
			answers := make([]*answer, storm)
			var logins sync.WaitGroup
			for i := range storm {
				logins.Go(func() {
					email := fmt.Sprintf("u%d@example.com", i)
					if i%2 == 0 {
						email = "ada@example.com"
					}
					a, err := send(p.URL, "", loginDoc, inputOf("email", email, "password", "wrong horse battery staple"))
					if err != nil {
						t.Error(err)
						return
					}
					answers[i] = a
				})
			}
			logins.Wait()
			close(done)
			wg.Wait()
			judged, away := 0, 0
			for _, a := range answers {
				switch {
				case a == nil:
				case a.Status == http.StatusServiceUnavailable:
					away++
					retry, err := strconv.Atoi(a.Header.Get("Retry-After"))
					if err != nil || retry < 1 || strings.Contains(a.Raw, `"data"`) || len(a.Errors) != 1 || a.code() != "RATE_LIMITED" {
						t.Fatalf("sent away with Retry-After %q: %s", a.Header.Get("Retry-After"), a.Raw)
					}
				case a.Status == http.StatusOK && a.code() == "INVALID_CREDENTIALS":
					judged++
				default:
					t.Errorf("%d %s", a.Status, a.Raw)
				}
			}
			if judged == 0 || away == 0 {
				t.Errorf("%d were judged, %d sent away", judged, away)
			}
			peak := peakMemory(t, p.cmd.Process.Pid)
			slices.Sort(health)
			p99 := health[len(health)*99/100]
			t.Logf("%d logins at once: %d judged, %d sent away; peak RSS %d MB; healthz p99 %v of %d", storm, judged, away, peak>>20, p99, len(health))
			if peak >= 200<<20 {
				t.Errorf("peak RSS %d MB", peak>>20)
			}
			if p99 >= slowest {
				t.Errorf("healthz p99 %v", p99)
			}
			if a, err := send(p.URL, "", loginDoc, inputOf("email", "ada@example.com", "password", goodPass)); err != nil || a.code() != "" {
				t.Errorf("after the storm: %v %+v", err, a)
			}
		})
	}
}

// peakMemory is the most that a process ever held resident, in bytes.
func peakMemory(t *testing.T, pid int) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.SplitSeq(string(status), "\n") {
		if text, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kb, err := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(text, "kB")))
			if err != nil {
				t.Fatal(err)
			}
			return kb << 10
		}
	}
	t.Fatal("no VmHWM")
	return 0
}

// processEnv is what a process needs to work on the database of dsn.
func processEnv(dsn string) []string {
	if path, ok := strings.CutPrefix(dsn, "sqlite:"); ok {
		return []string{"DRAGOMAN_SECRET=" + testSecret, "DRAGOMAN_DATA_DIR=" + strings.TrimSuffix(path, "/dragoman.db")}
	}
	return []string{"DRAGOMAN_SECRET=" + testSecret, "DATABASE_URL=" + dsn}
}
