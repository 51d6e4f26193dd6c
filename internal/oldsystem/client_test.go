package oldsystem

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/internal/secret"
)

const whsec = "whsec_c2lnbnMgcXVlc3Rpb25zIGZvciB0aGUgb2xkIHN5c3RlbSE3"

var asked = Question{Kind: "email", Identifier: "ada@example.com", Password: "canary", RequestID: "x"}

func client(t *testing.T, url string) *Client {
	t.Helper()
	c, err := New(secret.Text(url), whsec, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// MI-11: a server with a certificate that nobody vouches for gets no password, and the environment names no proxy.
func TestMI11_Certificate(t *testing.T) {
	t.Parallel()
	got := atomic.Bool{}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter,
		*http.Request,
	) {
		got.Store(true)
	}))
	server.Config.ErrorLog = nil
	server.StartTLS()
	t.Cleanup(server.Close)
	c := client(t, server.URL+"/?token=canary")
	_, err := c.Ask(t.Context(), asked)
	failed, _ := errors.AsType[*Failure](err)
	if failed == nil || !failed.Down || !strings.Contains(failed.Reason, "certificate") ||
		strings.Contains(failed.Reason, "canary") || got.Load() {
		t.Errorf("%v, asked %t", err, got.Load())
	}
	if transport, ok := c.client.Transport.(*http.Transport); !ok || transport.Proxy != nil {
		t.Error("a proxy of the environment would see passwords")
	}
}

// MI-11: a text of the answer is told in part at most.
func TestMI11_LongReason(t *testing.T) {
	t.Parallel()
	_, err := read(http.StatusOK, []byte(`{"`+strings.Repeat("x", 60<<10)+`": 1}`))
	if failed, _ := errors.AsType[*Failure](err); failed == nil || len(failed.Reason) > 400 {
		t.Errorf("%d bytes", len(err.Error()))
	}
}

// MI-13: callers who go away say nothing about the old system, and give their place back.
func TestMI13_CallersGone(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}))
	t.Cleanup(server.Close)
	c := client(t, server.URL)
	for range 2 * atOnce {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		if _, err := c.Ask(ctx, asked); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		cancel()
	}
	if c.breaker.failures != 0 || !c.breaker.since.IsZero() || len(c.places) != 0 {
		t.Errorf("%d failures, %d places", c.breaker.failures, len(c.places))
	}
}

// MI-13: a question from before a pause neither counts as the one after it nor begins another pause; one that succeeds
// ends it.
func TestMI13_Breaker(t *testing.T) {
	t.Parallel()
	now := time.Now()
	b := breaker{now: func() time.Time { return now }}
	for n := range failuresInARow {
		if may, probe := b.enter(); !may || probe {
			t.Fatal("it pauses too early")
		}
		if b.leave(down, false) != (n == failuresInARow-1) {
			t.Fatalf("failure %d", n)
		}
	}
	began := b.since
	now = now.Add(pause)
	may, probe := b.enter()
	if !may || !probe || b.leave(down, false) || !b.since.Equal(began) { // one of before
		t.Errorf("%t, %t, since %v", may, probe, b.since)
	}
	if may, _ := b.enter(); may {
		t.Error("two go through at once")
	}
	if b.leave(unknown, true); b.probing {
		t.Error("a caller who went away keeps the place of the next one")
	}
	if may, probe := b.enter(); !may || !probe || !b.leave(down, true) || b.since.Equal(began) {
		t.Error("a failure after a pause begins none")
	}
	if b.leave(up, false); !b.since.IsZero() || b.failures != 0 {
		t.Error("a success does not end the pause")
	}
}
