package signin

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// wait is the retryAfterSeconds of the refusal, 0 for none.
func wait(a *harness.Answer) int {
	if payload, ok := a.Data["login"].(map[string]any); ok {
		if list, ok := payload["userErrors"].([]any); ok && len(list) > 0 {
			seconds, _ := list[0].(map[string]any)["retryAfterSeconds"].(float64)
			return int(seconds)
		}
	}
	return 0
}

// TestLG06_OneCountForAllSpellings fails by one address in five spellings: that is one count. The username has another
// (LG-22), and no spelling of a name has a further one.
func TestLG06_OneCountForAllSpellings(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Limited(t, harness.NewClock(), dsn)
		if a := harness.Asked(t, s.URL, "", harness.RegisterDoc,
			harness.InputOf("email", "ada@b\u00fccher.example", "username", "ada.l", "password", harness.GoodPass),
			"X-Forwarded-For", harness.Owner); a.Code() != "" {
			t.Fatal(a.Raw)
		}
		conn := harness.OpenSide(t, dsn)
		for n, tries := range [][][2]string{
			{
				{"email", "ada@b\u00fccher.example"},
				{"email", "ADA@B\u00dcCHER.EXAMPLE"},
				{"email", "ada@b\u00fccher.example "},
				{"email", "Ada@xn--bcher-kva.example"},
				{"email", " ada@xn--bcher-kva.example"},
			},
			{
				{"username", "ada.l"},
				{"username", "ADA.L"},
				{"username", "Ada.l"},
				{"username", "aDa.L"},
				{"username", "adA.l"},
			},
		} {
			for i, try := range tries { // from an address each: only the name is the same
				if a := s.LoginFrom(t, fmt.Sprintf("198.51.100.%d", i), try[0], try[1],
					harness.WrongPass); a.Code() != "INVALID_CREDENTIALS" {
					t.Fatalf("%s: %s", try, a.Raw)
				}
			}
			for _, try := range tries {
				if a := s.LoginFrom(t, harness.Attacker, try[0], try[1],
					harness.GoodPass); a.Code() != "ACCOUNT_LOCKED" {
					t.Errorf("%s after five failures: %s", try, a.Raw)
				}
			}
			if got := conn.Texts(t, "SELECT failures FROM throttles WHERE scope <> '*'"); len(got) != n+1 ||
				got[n] != "5" {
				t.Errorf("failures are counted as %s", got)
			}
		}
		if got := conn.Count(t, "SELECT failures FROM throttles WHERE scope = '*'"); got != 10 {
			t.Errorf("%d failures of the account", got)
		}
	})
}

// TestLG08_LG11_Delays walks through the delays, for an account and for an identifier that nobody has: the answers are
// the same all along.
func TestLG08_LG11_Delays(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Limited(t, harness.NewClock(), dsn)
		if a := harness.Asked(t, s.URL, "", harness.RegisterDoc,
			harness.InputOf("email", "ada@example.com", "password", harness.GoodPass), "X-Forwarded-For",
			harness.Owner); a.Code() != "" {
			t.Fatal(a.Raw)
		}
		// both sends the same attempt for the account and for nobody, and demands the same answer.
		both := func(password, code string, seconds int) {
			t.Helper()
			known := s.LoginFrom(t, harness.Attacker, "email", "ada@example.com", password)
			unknown := s.LoginFrom(t, "198.51.100.8", "email", "nobody@example.com", password)
			if known.Code() != code || wait(known) != seconds || known.Status != http.StatusOK {
				t.Fatalf("%d %s, want %s and %d seconds", known.Status, known.Raw, code, seconds)
			}
			if unknown.Raw != known.Raw || unknown.Status != known.Status {
				t.Fatalf("an unknown account: %s, a known one: %s", unknown.Raw, known.Raw)
			}
		}
		for range 5 {
			both(harness.WrongPass, "INVALID_CREDENTIALS", 0)
		}
		delays := []int{2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900}
		if !harness.FullRun {
			delays = []int{2, 4, 8, 16, 32, 64, 128, 256, 512, 900}
		}
		for i, delay := range delays {
			both(harness.GoodPass, "ACCOUNT_LOCKED", delay) // the right password is refused like any other
			s.Clock.Add(time.Duration(delay)*time.Second - time.Millisecond)
			both(harness.WrongPass, "ACCOUNT_LOCKED", 1)
			s.Clock.Add(time.Millisecond) // and not prolonged by attempts in between
			if i < len(delays)-1 {
				both(harness.WrongPass, "INVALID_CREDENTIALS", 0)
			}
		}
		// Nobody is one account by any spelling, and two nobodies are two.
		both(harness.WrongPass, "INVALID_CREDENTIALS", 0)
		if a := s.LoginFrom(t, harness.Attacker, "email", "NOBODY@example.com",
			harness.WrongPass); a.Code() != "ACCOUNT_LOCKED" {
			t.Errorf("an unknown account in upper case: %s", a.Raw)
		}
		if a := s.LoginFrom(t, harness.Attacker, "email", "nobody.else@example.com",
			harness.WrongPass); a.Code() != "INVALID_CREDENTIALS" {
			t.Errorf("another unknown account: %s", a.Raw)
		}
		s.Clock.Add(15 * time.Minute)
		if a := s.LoginFrom(t, harness.Attacker, "email", "ada@example.com", harness.GoodPass); a.Code() != "" {
			t.Fatalf("the right password after the delay: %s", a.Raw)
		}
		// It starts from the beginning, for everybody.
		for range 5 {
			if a := s.LoginFrom(t, "198.51.100.9", "email", "ada@example.com",
				harness.WrongPass); a.Code() != "INVALID_CREDENTIALS" {
				t.Fatalf("after a success: %s", a.Raw)
			}
		}
		if a := s.LoginFrom(t, "198.51.100.9", "email", "ada@example.com",
			harness.GoodPass); a.Code() != "ACCOUNT_LOCKED" || wait(a) != 2 {
			t.Errorf("the next five failures: %s", a.Raw)
		}
		// A day without failures is forgotten too.
		s.Clock.Add(25 * time.Hour)
		for range 2 {
			if a := s.LoginFrom(t, "198.51.100.9", "email", "ada@example.com",
				harness.WrongPass); a.Code() != "INVALID_CREDENTIALS" {
				t.Errorf("a day later: %s", a.Raw)
			}
		}
	})
}

// TestLG10_Volley guesses 200 times at once, from as many addresses: five guesses are judged, and on Postgres, where
// two instances share the work, one more.
func TestLG10_Volley(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		c := harness.NewClock()
		instances := []*harness.Instance{harness.Limited(t, c, dsn)}
		if strings.HasPrefix(dsn, "postgres") {
			instances = append(instances, harness.Limited(t, c, dsn))
		}
		if a := harness.Asked(t, instances[0].URL, "", harness.RegisterDoc,
			harness.InputOf("email", "ada@example.com", "password", harness.GoodPass), "X-Forwarded-For",
			harness.Owner); a.Code() != "" {
			t.Fatal(a.Raw)
		}
		var wg sync.WaitGroup
		for i := range 200 {
			wg.Go(func() {
				a, err := harness.Send(instances[i%len(instances)].URL, "", harness.LoginDoc,
					harness.InputOf("email", "ada@example.com", "password", fmt.Sprintf("guess number %d", i)),
					"X-Forwarded-For", fmt.Sprintf("10.%d.0.1", i))
				if err != nil || a.At("login", "tokens") != nil {
					t.Errorf("%v %+v", err, a)
				} else if code := a.Code(); code != "INVALID_CREDENTIALS" && code != "ACCOUNT_LOCKED" &&
					a.Status != http.StatusServiceUnavailable {
					t.Errorf("%d %s", a.Status, a.Raw)
				}
			})
		}
		wg.Wait()
		sideways := harness.OpenSide(t, dsn)
		judged := sideways.Count(t, "SELECT count(*) FROM audit_events WHERE reason = 'wrong_password'")
		counted := sideways.Count(t, "SELECT failures FROM throttles WHERE scope <> '*'")
		if judged < 5 || judged > 4+len(instances) || counted != judged {
			t.Errorf("%d guesses were judged and %d counted, with %d instances", judged, counted, len(instances))
		}
	})
}

// TestLG13_LimitsByAddress uses each limit up: the next try is 429, for that address block alone, until a try comes
// back.
func TestLG13_LimitsByAddress(t *testing.T) {
	t.Parallel()
	rules := []struct {
		field  string
		burst  int
		window time.Duration
	}{{"login", 60, 15 * time.Minute}, {"register", 60, 15 * time.Minute}, {"refresh", 150, 5 * time.Minute}}
	dbtest.Each(t, func(t *testing.T, dsn string) {
		c := harness.NewClock()
		s := harness.Limited(t, c, dsn)
		instances := []*harness.Instance{s}
		if strings.HasPrefix(dsn, "postgres") { // where all count together
			instances = append(instances, harness.Limited(t, c, dsn))
		}
		from := func(n int, address, field string) *harness.Answer {
			t.Helper()
			document, variables := harness.Counted(t, field)
			return harness.Asked(t, instances[n%len(instances)].URL, "", document, variables, "X-Forwarded-For",
				address)
		}
		for _, rule := range rules {
			for n := range rule.burst {
				a := from(n, "192.0.2.1", rule.field)
				want := fmt.Sprintf("%q;r=%d;", rule.field, rule.burst-1-n)
				if a.Status != http.StatusOK || a.Data == nil || !strings.HasPrefix(a.Header.Get("RateLimit"), want) {
					t.Fatalf("%s number %d: %d %s, RateLimit %q", rule.field, n+1, a.Status, a.Raw,
						a.Header.Get("RateLimit"))
				}
			}
			interval := int(rule.window.Seconds()) / rule.burst
			for n := range instances {
				a := from(n, "192.0.2.1", rule.field)
				h := a.Header
				if a.Status != http.StatusTooManyRequests || strings.Contains(a.Raw, `"data"`) || len(a.Errors) != 1 ||
					a.Code() != "RATE_LIMITED" ||
					h.Get("Retry-After") != strconv.Itoa(interval) ||
					h.Get("RateLimit") != fmt.Sprintf("%q;r=0;t=%d", rule.field, interval) ||
					h.Get("RateLimit-Policy") != fmt.Sprintf("%q;q=%d;w=%d", rule.field, rule.burst,
						int(rule.window.Seconds())) {
					t.Errorf("%s number %d, instance %d: %d %s %v", rule.field, rule.burst+1, n, a.Status, a.Raw, h)
				}
			}
			if a := from(0, "192.0.2.2", rule.field); a.Status != http.StatusOK {
				t.Errorf("%s from another address: %d", rule.field, a.Status)
			}
			s.Clock.Add(time.Duration(interval) * time.Second)
			if first, second := from(0, "192.0.2.1", rule.field),
				from(1, "192.0.2.1", rule.field); first.Status != http.StatusOK ||
				second.Status != http.StatusTooManyRequests {
				t.Errorf("%s after %d s: %d, then %d", rule.field, interval, first.Status, second.Status)
			}
		}
		// The limits of the fields are apart, and what needs no secret has none.
		if a := s.GraphQL(t, "", harness.MeDoc, nil); a.Status != http.StatusOK || a.Header.Get("RateLimit") != "" {
			t.Errorf("me: %d %v", a.Status, a.Header)
		}
		// One customer of an IPv6 network has a /64.
		for n := range 60 {
			if a := from(n, fmt.Sprintf("2001:db8:0:1:%x::%x", n, n+1), "login"); a.Status != http.StatusOK {
				t.Fatalf("IPv6 number %d: %d", n, a.Status)
			}
		}
		for address, want := range map[string]int{
			"2001:db8:0:1:ffff::": 429, "2001:db8:0:2::1": 200,
			"2001:db8:1:1::1": 200,
		} {
			if a := from(0, address, "login"); a.Status != want {
				t.Errorf("from %s: %d, want %d", address, a.Status, want)
			}
		}
	})
}

// TestLG15_UnknownAddress asks from nowhere: all of those share one bucket, and are limited like anybody.
func TestLG15_UnknownAddress(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn, "DRAGOMAN_RATE_LIMITS=on")
		document, variables := harness.Counted(t, "login")
		body, err := json.Marshal(map[string]any{"query": document, "variables": variables})
		if err != nil {
			t.Fatal(err)
		}
		nowhere := []string{"", "@", "/tmp/socket", "not an address:1", "1.2.3.4"}
		ask := func(n int) int {
			r := httptest.NewRequest(http.MethodPost, "/graphql", bytes.NewReader(body))
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("X-Forwarded-For", fmt.Sprintf("10.0.0.%d", n))
			r.RemoteAddr = nowhere[n%len(nowhere)]
			w := httptest.NewRecorder()
			s.App.Handler.ServeHTTP(w, r)
			return w.Code
		}
		for n := range 60 {
			if code := ask(n); code != http.StatusOK {
				t.Fatalf("number %d: %d", n+1, code)
			}
		}
		for n := range nowhere {
			if code := ask(n); code != http.StatusTooManyRequests {
				t.Errorf("number 61, from %q: %d", nowhere[n], code)
			}
		}
		if a := harness.Asked(t, s.URL, "", document, variables); a.Status != http.StatusOK {
			t.Errorf("from an address: %d", a.Status)
		}
	})
}

// TestRateLimitsOff is the switch: neither the limits by address nor the delays.
func TestRateLimitsOff(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		s.Register(t, "ada@example.com")
		for range 7 {
			s.Login(t, "ada@example.com", harness.WrongPass)
		}
		if a := s.Login(t, "ada@example.com", harness.GoodPass); a.Code() != "" {
			t.Errorf("after seven failures: %s", a.Raw)
		}
		for range 160 {
			if a := s.Refresh(t, "junk"); a.Status != http.StatusOK || a.Header.Get("RateLimit") != "" {
				t.Fatalf("%d %v", a.Status, a.Header)
			}
		}
	})
}
