package signin

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// flood lets a hundred addresses sign in, each again as soon as it was answered, with two calls at once. place gives
// the address. The flood ends with stop, which tells how many calls were judged and how many sent away.
func flood(s *harness.Instance, place func(n int) string) (stop func() (judged, away int)) {
	end, judged, away := make(chan struct{}), 0, 0
	var mu sync.Mutex
	var all sync.WaitGroup
	for n := range 200 {
		all.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-end:
					return
				default:
				}
				input := harness.InputOf("email", fmt.Sprintf("nobody%d.%d@example.com", n, i), "password",
					harness.WrongPass)
				a, err := harness.Send(s.URL, "", harness.LoginDoc, input, "X-Forwarded-For", place(n%100))
				if err != nil {
					continue
				}
				mu.Lock()
				if a.Status == http.StatusServiceUnavailable {
					away++
				} else {
					judged++
				}
				mu.Unlock()
				if a.Status == http.StatusServiceUnavailable {
					time.Sleep(200 * time.Millisecond)
				}
			}
		})
	}
	return func() (int, int) {
		close(end)
		all.Wait()
		return judged, away
	}
}

// TestLG34_Flood: while a hundred addresses sign in without a pause, of one network and of a hundred, an owner with a
// device token comes in 15 times of 15, from wherever. Without one, from a network that does not flood, they come in
// at least 14 times of 15.
func TestLG34_Flood(t *testing.T) {
	for name, place := range map[string]func(int) string{
		"one network":        func(n int) string { return fmt.Sprintf("198.51.100.%d", n) },
		"a hundred networks": func(n int) string { return fmt.Sprintf("10.%d.1.7", n) },
	} {
		t.Run(name, func(t *testing.T) {
			s := harness.Limited(t, harness.NewClock(), dbtest.SQLite(t), append(limits(), harness.RealHashes)...)
			const email = "ada@example.com"
			device := registered(t, s, email, "ada.l")
			stop := flood(s, place)
			time.Sleep(2 * time.Second)
			known, stranger := 0, 0
			for n := range 15 {
				if a := s.LoginOn(t, place(n), device, email, harness.GoodPass); a.Code() == "" {
					known++
				} else {
					t.Logf("with a token: %d %s", a.Status, a.Raw)
				}
				if a := s.LoginOn(t, fmt.Sprintf("203.0.%d.5", n), "", email, harness.GoodPass); a.Code() == "" {
					stranger++
				} else {
					t.Logf("without: %d %s", a.Status, a.Raw)
				}
			}
			judged, away := stop()
			t.Logf("%d and %d of 15; the flood: %d judged, %d sent away", known, stranger, judged, away)
			if known != 15 || stranger < 14 || away == 0 {
				t.Errorf("%d of 15 with a device token, %d of 15 without, %d of the flood sent away", known, stranger,
					away)
			}
		})
	}
}

// TestLG35_NoTryIsUsedUp: calls that the queue of hashes sends away, at the door or after they waited, leave the limit
// of their address as it was.
func TestLG35_NoTryIsUsedUp(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Limited(t, harness.NewClock(), dsn, append(limits("LOGIN", "200/15m"), harness.RealHashes)...)
		const address, calls = "192.0.2.1", 190
		answers := make([]*harness.Answer, calls)
		var all sync.WaitGroup
		for n := range calls { // of one network: the first hundred or so find a place
			all.Go(func() {
				a, err := harness.Send(s.URL, "", harness.LoginDoc, harness.InputOf("email",
					fmt.Sprintf("nobody%d@example.com", n), "password", harness.WrongPass), "X-Forwarded-For", address)
				if err == nil {
					answers[n] = a
				}
			})
		}
		all.Wait()
		judged, away := 0, 0
		for _, a := range answers {
			switch {
			case a == nil:
				t.Error("no answer")
			case a.Status == http.StatusServiceUnavailable:
				away++
			case a.Code() == "INVALID_CREDENTIALS":
				judged++
			default:
				t.Errorf("%d %s", a.Status, a.Raw)
			}
		}
		a := s.LoginFrom(t, address, "email", "nobody@example.com", harness.WrongPass)
		want := fmt.Sprintf(`"login";r=%d;`, 200-judged-1)
		if got := a.Header.Get("RateLimit"); len(got) < len(want) || got[:len(want)] != want || away == 0 {
			t.Errorf("%d judged, %d sent away, and %s, want %s", judged, away, got, want)
		}
	})
}
