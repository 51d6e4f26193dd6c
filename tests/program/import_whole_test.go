package program

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// The bounds of a whole import, of 200,000 accounts.
const (
	importWithin = 5 * time.Minute
	importMemory = 150 << 10 // KiB
)

// manyUsers writes a file of n accounts with hashes of harness.GoodPass.
func manyUsers(t *testing.T, n int) string {
	t.Helper()
	hashes := make([]string, 8)
	for i := range hashes {
		b, err := bcrypt.GenerateFromPassword([]byte(harness.GoodPass),
			harness.Amount(bcrypt.MinCost, bcrypt.DefaultCost))
		if err != nil {
			t.Fatal(err)
		}
		hashes[i] = string(b)
	}
	var out bytes.Buffer
	for i := range n {
		fmt.Fprintf(&out, `{"id":"old|%d","number":%d,"email":"user%d@example.com","emailVerified":true,`+
			`"username":"user%d",`+
			`"name":"User %d","createdAt":%d,"metadata":{"n":%d},"passwordHash":%q}`+"\n",
			i, i+1, i, i, i, 1577836800+i, i, hashes[i%len(hashes)])
	}
	path := filepath.Join(t.TempDir(), "users.ndjson")
	if err := os.WriteFile(path, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// doors are the sign-ins of GraphQL and of the five dialects.
var doors = map[string]func(s *harness.Instance, n int) (harness.Reply, error){
	"authcompanion": func(s *harness.Instance, n int) (harness.Reply, error) {
		return s.Call("POST "+harness.Companion+"/login",
			harness.CompanionBody("email", emailOf(n), "password", harness.GoodPass))
	},
	"wolfpal": func(s *harness.Instance, n int) (harness.Reply, error) {
		return s.Call("POST /auth/login", harness.FormOf("email", emailOf(n), "password", harness.GoodPass),
			"Content-Type", "application/x-www-form-urlencoded")
	},
	"service-authentication": func(s *harness.Instance, n int) (harness.Reply, error) {
		return s.Call("POST /login", harness.Credentials("email", emailOf(n), harness.GoodPass))
	},
	"generic-v1": func(s *harness.Instance, n int) (harness.Reply, error) {
		return s.Call("POST "+harness.Generic+"/login",
			harness.Credentials("username", fmt.Sprintf("user%d", n), harness.GoodPass))
	},
	"authentication-zero": func(s *harness.Instance, n int) (harness.Reply, error) {
		return s.Call("POST /sign_in", harness.Credentials("email", emailOf(n), harness.GoodPass))
	},
}

// drawn is a number below n by chance.
func drawn(t *testing.T, n int) int {
	t.Helper()
	b, err := rand.Int(rand.Reader, big.NewInt(int64(n)))
	if err != nil {
		t.Fatal(err)
	}
	return int(b.Int64())
}

func emailOf(n int) string { return fmt.Sprintf("user%d@example.com", n) }

// MI-07: an import that is killed, at any moment and several times, and then run to its end leaves every account once
// and whole. Their people sign in through GraphQL and each dialect, and have hashes of ours from then on. A whole run
// has the size, the time and the memory of a real move.
func TestMI07_ImportKilled(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		n := harness.Amount(6000, 200_000)
		file, env, side := manyUsers(t, n), harness.ProcessEnv(dsn), harness.OpenSide(t, dsn)
		s := harness.Start(t, dsn)
		args := []string{"users", "import", "--on-error=skip", file}
		for range harness.Amount(3, 6) {
			cmd := program(t, t.TempDir(), env, args...)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			const count = `SELECT count(*) FROM users`
			for before, end := side.Count(t, count), time.Now().Add(30*time.Second); side.Count(t, count) == before &&
				time.Now().Before(end); {
				time.Sleep(10 * time.Millisecond)
			}
			time.Sleep(time.Duration(drawn(t, harness.Amount(200, 15_000))) * time.Millisecond)
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			if got := side.Count(t, `SELECT count(*) FROM users u WHERE NOT EXISTS (
				SELECT 1 FROM audit_events a WHERE a.user_id = u.id AND a.action = 'user.imported')`); got != 0 {
				t.Errorf("%d accounts have no event", got)
			}
		}
		began, out := time.Now(), &harness.LogSink{}
		cmd := program(t, t.TempDir(), env, args...)
		cmd.Stdout, cmd.Stderr = out, out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		peak := peakOf(cmd.Process.Pid)
		if err := cmd.Wait(); err != nil || !strings.Contains(out.String(), fmt.Sprintf("%d records: ", n)) ||
			!strings.Contains(out.String(), "are there already") {
			t.Fatalf("%v %s", err, out)
		}
		took, most := time.Since(began), peak()
		t.Logf("%d accounts: %.1f s for the last run, %d KiB at most; %s", n, took.Seconds(), most, out)
		if took > importWithin || most > importMemory {
			t.Errorf("%s and %d KiB", took, most)
		}
		if got := side.Count(t, `SELECT count(*) FROM users WHERE external_id IS NOT NULL AND number BETWEEN 1 AND `+
			fmt.Sprint(n)); got != n {
			t.Errorf("%d accounts with their numbers", got)
		}
		signInSome(t, s, side, n)
	})
}

// peakOf watches the memory of a process. What it returns gives the most that was resident, in KiB, once the process is
// over. The figure of wait4 would not do: it counts what the process that started it had.
func peakOf(pid int) func() int {
	most := make(chan int)
	go func() {
		seen := 0
		for {
			status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
			_, rest, found := strings.Cut(string(status), "VmHWM:")
			if err != nil || !found {
				most <- seen
				return
			}
			_, _ = fmt.Sscan(rest, &seen)
			time.Sleep(20 * time.Millisecond)
		}
	}()
	return func() int { return <-most }
}

// signInSome has people drawn at random sign in, each through another door.
func signInSome(t *testing.T, s *harness.Instance, side *harness.Side, n int) {
	t.Helper()
	tried := map[int]bool{}
	for len(tried) < harness.Amount(18, 1000) {
		who := drawn(t, n)
		if tried[who] {
			continue
		}
		tried[who] = true
		if len(tried)%6 == 0 {
			harness.Fine(t, s.Login(t, emailOf(who), harness.GoodPass))
			continue
		}
		for name, sign := range doors {
			reply, err := sign(s, who)
			if err != nil || reply.Status >= http.StatusMultipleChoices {
				t.Errorf("%s: %s: %d %s %v", name, emailOf(who), reply.Status, reply.Body, err)
			}
			break // a map begins anywhere
		}
	}
	if got := side.Count(t, `SELECT count(*) FROM users WHERE password_hash LIKE '$argon2id$%'`); got != len(tried) {
		t.Errorf("%d of %d have hashes of ours", got, len(tried))
	}
}
