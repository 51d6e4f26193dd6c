package program

import (
	"crypto/rand"
	"fmt"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// TestAU04_KillWhileRegistering kills the server, with a signal that nothing can catch, while accounts are made as fast
// as they go, and starts it again: everybody who was told of their account signs in, and accounts, sessions and audit
// rows match one to one.
func TestAU04_KillWhileRegistering(t *testing.T) {
	t.Parallel()
	rounds, sample, workers := 2, 20, 6
	if harness.FullRun {
		rounds, sample = 20, 1<<30
	}
	dbtest.Each(t, func(t *testing.T, dsn string) {
		sideways := harness.OpenSide(t, dsn)
		env := append(harness.ProcessEnv(dsn), "DRAGOMAN_RATE_LIMITS=off")
		total := 0
		var slowest time.Duration
		for round := range rounds {
			p := harness.Spawn(t, env...)
			acknowledged := registerUntilKilled(t, p, round, workers)
			began := time.Now()
			p = harness.Spawn(t, env...)
			slowest = max(slowest, time.Since(began))
			total += len(acknowledged)
			checkPairs(t, sideways)
			for i, email := range acknowledged {
				if i >= sample {
					break
				}
				a, err := harness.Send(p.URL, "", harness.LoginDoc,
					harness.InputOf("email", email, "password", harness.GoodPass))
				if err != nil || a.Text("login", "tokens", "accessToken") == "" {
					t.Errorf("round %d: %s was made and is gone: %v %+v", round, email, err, a)
				}
			}
			// Those whose sign-in is not tried are there at least.
			missing := map[string]bool{}
			for _, email := range acknowledged {
				missing[email] = true
			}
			for _, email := range sideways.Texts(t, "SELECT email FROM users") {
				delete(missing, email)
			}
			if len(missing) > 0 {
				t.Errorf("round %d: %d acknowledged accounts are gone", round, len(missing))
			}
			_ = p.Cmd.Process.Kill()
			_ = p.Cmd.Wait()
		}
		t.Logf("%d acknowledged registrations over %d kills; up again within %v", total, rounds,
			slowest.Round(time.Millisecond))
	})
}

// registerUntilKilled registers from several sides and kills the server at a moment of chance. It gives the addresses
// that the server said are registered.
func registerUntilKilled(t *testing.T, p *harness.Process, round, workers int) []string {
	t.Helper()
	var mu sync.Mutex
	var acknowledged []string
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for n := 0; ; n++ {
				email := fmt.Sprintf("r%d-w%d-n%d@example.com", round, w, n)
				a, err := harness.Send(p.URL, "", harness.RegisterDoc,
					harness.InputOf("email", email, "password", harness.GoodPass))
				if err != nil {
					return // killed
				}
				if a.Code() == "" && a.Text("register", "user", "email") == email {
					mu.Lock()
					acknowledged = append(acknowledged, email)
					mu.Unlock()
				} else if a.Status != 503 {
					t.Errorf("%d %s", a.Status, a.Raw)
				}
			}
		})
	}
	chance, err := rand.Int(rand.Reader, big.NewInt(800))
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		mu.Lock()
		under := len(acknowledged) > 0
		mu.Unlock()
		if under {
			break
		}
	}
	time.Sleep(300*time.Millisecond + time.Duration(chance.Int64())*time.Millisecond) // the moment is the experiment
	if err := p.Cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = p.Cmd.Wait()
	wg.Wait()
	if len(acknowledged) == 0 {
		t.Fatalf("nobody was registered before the kill: %s", p.Out)
	}
	return acknowledged
}

// checkPairs demands for each account one session at least, and exactly one audit row that says that it was registered.
func checkPairs(t *testing.T, s *harness.Side) {
	t.Helper()
	for what, query := range map[string]string{
		"accounts without their one event": `SELECT count(*) FROM users u WHERE 1 <> (SELECT count(*) FROM ` +
			`audit_events e
WHERE e.user_id = u.id AND e.action = 'user.created' AND e.outcome = 'ok')`,
		"events without account": `SELECT count(*) FROM audit_events e WHERE e.action = 'user.created' AND e.outcome ` +
			`= 'ok'
AND NOT EXISTS (SELECT 1 FROM users u WHERE u.id = e.user_id)`,
		"accounts without session": `SELECT count(*) FROM users u WHERE NOT EXISTS (SELECT 1 FROM sessions s WHERE ` +
			`s.user_id = u.id)`,
		"sessions without event": `SELECT count(*) FROM sessions s WHERE 1 <> (SELECT count(*) FROM audit_events e
WHERE e.session_id = s.id AND e.action IN ('user.created', 'login.succeeded') AND e.outcome = 'ok')`,
		"logins without session": `SELECT count(*) FROM audit_events e WHERE e.action IN ('user.created', ` +
			`'login.succeeded') AND e.outcome = 'ok'
AND NOT EXISTS (SELECT 1 FROM sessions s WHERE s.id = e.session_id)`,
	} {
		if n := s.Count(t, query); n != 0 {
			t.Errorf("%d %s", n, what)
		}
	}
	if s.Postgres {
		return
	}
	if got := strings.Join(s.Texts(t, "PRAGMA integrity_check"), ","); got != "ok" {
		t.Errorf("integrity: %s", got)
	}
}
