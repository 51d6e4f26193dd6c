package program

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
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// TestPW14_LoginStorm sends far more sign-ins at once than can be hashed. What would wait too long is sent away with
// 503, memory stays bounded, and what needs no hash is answered meanwhile.
func TestPW14_LoginStorm(t *testing.T) {
	storm, slowest, env := 120, 2*time.Second, "GOMAXPROCS=1"
	if harness.FullRun {
		storm, slowest, env = 500, 100*time.Millisecond, "GOMAXPROCS="+strconv.Itoa(runtime.GOMAXPROCS(0))
	} else {
		t.Parallel()
	}
	for name, dsn := range map[string]func(testing.TB) string{"sqlite": dbtest.SQLite, "postgres": dbtest.Postgres} {
		t.Run(name, func(t *testing.T) {
			p := harness.Spawn(t, append(harness.ProcessEnv(dsn(t)), "DRAGOMAN_RATE_LIMITS=off", env)...)
			if a, err := harness.Send(p.URL, "", harness.RegisterDoc,
				harness.InputOf("email", "ada@example.com", "password", harness.GoodPass)); err != nil ||
				a.Code() != "" {
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
					res, err := harness.Client.Get(p.URL + "/healthz")
					if err != nil || res.StatusCode != http.StatusOK {
						t.Errorf("healthz: %v", err)
						return
					}
					_ = res.Body.Close()
					health = append(health, time.Since(began))
				}
			})
			answers := make([]*harness.Answer, storm)
			var logins sync.WaitGroup
			for i := range storm {
				logins.Go(func() {
					email := fmt.Sprintf("u%d@example.com", i)
					if i%2 == 0 {
						email = "ada@example.com"
					}
					a, err := harness.Send(p.URL, "", harness.LoginDoc,
						harness.InputOf("email", email, "password", "wrong horse battery staple"))
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
					if err != nil || retry < 1 || strings.Contains(a.Raw, `"data"`) || len(a.Errors) != 1 ||
						a.Code() != "RATE_LIMITED" {
						t.Fatalf("sent away with Retry-After %q: %s", a.Header.Get("Retry-After"), a.Raw)
					}
				case a.Status == http.StatusOK && a.Code() == "INVALID_CREDENTIALS":
					judged++
				default:
					t.Errorf("%d %s", a.Status, a.Raw)
				}
			}
			if judged == 0 || away == 0 {
				t.Errorf("%d were judged, %d sent away", judged, away)
			}
			peak := peakMemory(t, p.Cmd.Process.Pid)
			slices.Sort(health)
			p99 := health[len(health)*99/100]
			t.Logf("%d logins at once: %d judged, %d sent away; peak RSS %d MB; healthz p99 %v of %d", storm, judged,
				away, peak>>20, p99, len(health))
			if peak >= 200<<20 {
				t.Errorf("peak RSS %d MB", peak>>20)
			}
			if p99 >= slowest {
				t.Errorf("healthz p99 %v", p99)
			}
			if a, err := harness.Send(p.URL, "", harness.LoginDoc,
				harness.InputOf("email", "ada@example.com", "password", harness.GoodPass)); err != nil ||
				a.Code() != "" {
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
