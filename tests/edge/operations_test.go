package edge

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// TestSlowStatements has every statement logged, on both databases: each with its name and its text with placeholders,
// and none with an argument (AU-02).
func TestSlowStatements(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn, "DRAGOMAN_SLOW_STATEMENT=1ns", "DRAGOMAN_RATE_LIMITS=on")
		ada := s.Register(t, "canary@example.com")
		s.Login(t, ada.Email, "a canary of a password")
		s.GraphQL(t, "", harness.LoginDoc, harness.InputOf("username", "canary", "password", harness.GoodPass))
		login := s.Login(t, ada.Email, harness.GoodPass)
		s.GraphQL(t, ada.Access, `{ me { id email } sessions { id } keys { id name } }`, nil)
		s.GraphQL(t, ada.Access, harness.CreateKey, harness.InputOf("name", "canary"))
		s.Refresh(t, ada.Refresh)
		s.Refresh(t, ada.Refresh)
		s.GraphQL(t, login.Text("login", "tokens", "accessToken"), harness.LogoutDoc, nil)
		names, texts := map[string]bool{}, ""
		for line := range strings.SplitSeq(s.Logged.String(), "\n") {
			var entry struct {
				Msg, Level, Statement, SQL string
				Duration                   int64
				RequestID                  string `json:"request_id"`
			}
			if json.Unmarshal([]byte(line), &entry) != nil || entry.Msg != "slow statement" {
				continue
			}
			names[entry.Statement] = true
			texts += line + "\n"
			if entry.Level != "WARN" || entry.Duration <= 0 || entry.SQL == "" ||
				!regexp.MustCompile(`^[A-Z][A-Za-z]+$`).MatchString(entry.Statement) {
				t.Errorf("%s", line)
			}
		}
		for _, name := range []string{
			"Register", "Attempt", "Login", "LoginFailed", "Rotate", "Replay", "CreateKey",
			"Keys", "Sessions",
		} {
			if !names[name] {
				t.Errorf("there is no statement %s: %v", name, names)
			}
		}
		for _, private := range []string{
			"canary", "127.0.0.1", harness.GoodPass, ada.ID[5:], ada.Session[5:], ada.Access, ada.Refresh, "$argon2",
			"Go-http-client",
		} {
			if strings.Contains(texts, private) {
				t.Errorf("the log of statements tells %q", private)
			}
		}
	})
	t.Run("off", func(t *testing.T) {
		t.Parallel()
		s := harness.Start(t, dbtest.SQLite(t), "DRAGOMAN_SLOW_STATEMENT=0")
		s.Register(t, "ada@example.com")
		if strings.Contains(s.Logged.String(), "slow statement") {
			t.Error(s.Logged.String())
		}
	})
}

// TestPW15_AbortedLogins has callers who hang up at once: their places in the line for a hash are free again, and
// somebody who waits for an answer gets one within two seconds.
func TestPW15_AbortedLogins(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, dbtest.SQLite(t), harness.RealHashes, "DRAGOMAN_METRICS_TOKEN="+harness.MetricsToken)
	ada := s.Register(t, "ada@example.com")
	body, err := json.Marshal(map[string]any{
		"query":     harness.LoginDoc,
		"variables": harness.InputOf("email", "nobody@example.com", "password", harness.GoodPass),
	})
	if err != nil {
		t.Fatal(err)
	}
	total := harness.Amount(600, 10_000)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			for range total / 20 {
				conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
				if err != nil {
					continue // the machine ran out of ports for a moment
				}
				_, _ = io.WriteString(conn, harness.RawPost("/graphql", string(body)))
				_ = conn.Close()
			}
		})
	}
	wg.Wait()
	began := time.Now()
	for {
		a := s.Login(t, ada.Email, harness.GoodPass)
		if a.Code() == "" {
			break
		}
		if a.Status != http.StatusServiceUnavailable || time.Since(began) > 10*time.Second {
			t.Fatalf("%d %s", a.Status, a.Raw)
		}
	}
	took := time.Since(began)
	for time.Since(began) < 10*time.Second {
		if working, waiting := scrapeQueue(t, s.URL); working+waiting == 0 {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	empty := time.Since(began)
	t.Logf("%d aborted sign-ins; the next one answered after %v, the line empty after %v", total,
		took.Round(time.Millisecond), empty.Round(time.Millisecond))
	if most := 2 * time.Second; took > most || empty > most {
		t.Errorf("answered after %v, empty after %v", took, empty)
	}
}

func scrapeQueue(t *testing.T, url string) (working, waiting float64) {
	got, _ := harness.Scrape(t, url, harness.MetricsToken)
	return got["dragoman_hash_working"], got["dragoman_hash_waiting"]
}

// TestAV05_ClockSetBack puts the clock of the server back by an hour. What was ended stays ended, nobody is locked out
// for the hour, and refresh tokens go on. docs/operations.md tells what a wrong clock does all the same.
func TestAV05_ClockSetBack(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn, "DRAGOMAN_RATE_LIMITS=on")
		ada, out := s.Register(t, "ada@example.com"), s.Register(t, "out@example.com")
		if a := s.GraphQL(t, out.Access, harness.LogoutDoc, nil); a.Code() != "" {
			t.Fatal(a.Raw)
		}
		for range 5 { // into the delay
			s.Login(t, ada.Email, "a wrong password")
		}
		if a := s.Login(t, ada.Email, harness.GoodPass); a.Code() != "ACCOUNT_LOCKED" {
			t.Fatal(a.Raw)
		}
		s.Clock.Add(-time.Hour)
		if s.Is(t, out.Access, out) || s.Refresh(t, out.Refresh).Code() != "INVALID_TOKEN" {
			t.Error("a session that was ended lives again")
		}
		// An access token that seems to come from the future is refused, which a client answers with a refresh.
		if s.Is(t, ada.Access, ada) {
			t.Error("an access token from the future counts")
		}
		next := s.Refresh(t, ada.Refresh)
		if next.Code() != "" || !s.Is(t, next.Text("refresh", "tokens", "accessToken"), ada) {
			t.Errorf("refresh: %s", next.Raw)
		}
		if a := s.Login(t, ada.Email, harness.GoodPass); a.Code() != "RATE_LIMITED" {
			t.Errorf("the limit by address gave tries away: %s", a.Raw)
		}
		s.Clock.Add(time.Minute) // in which the limit gives a few tries back, and not an hour
		if a := s.Login(t, ada.Email, "a wrong password"); a.Code() != "RATE_LIMITED" {
			t.Errorf("the limit by network gave tries away: %s", a.Raw)
		}
		// each limit notices the clock at its own first try, and gives tries back from there
		s.Clock.Add(10 * time.Second)
		if a := s.Login(t, ada.Email, "a wrong password"); a.Code() != "INVALID_CREDENTIALS" {
			t.Errorf("locked out for the difference of the clocks: %s", a.Raw)
		}
		if a := s.Login(t, ada.Email, harness.GoodPass); a.Code() != "ACCOUNT_LOCKED" {
			t.Errorf("the failures before are forgotten: %s", a.Raw)
		}
		s.Clock.Add(time.Minute)
		if a := s.Login(t, ada.Email, harness.GoodPass); a.Code() != "" {
			t.Errorf("locked out for the difference of the clocks: %s", a.Raw)
		}
		s.Clock.Add(time.Hour) // and forward again
		if s.Is(t, out.Access, out) || s.Refresh(t, out.Refresh).Code() != "INVALID_TOKEN" {
			t.Error("a session that was ended lives again")
		}
		if a := s.Refresh(t, next.Text("refresh", "tokens", "refreshToken")); a.Code() != "" {
			t.Errorf("refresh: %s", a.Raw)
		}
	})
}
