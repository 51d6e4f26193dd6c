package limit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/internal/fault"
	"github.com/dragoman-auth/dragoman/internal/visit"
)

// AU-09: a sample is a few of each key and a bounded number in all, whoever causes how many.
func TestAU09_Sample(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	s := NewSample()
	taken := func(key string, times int) (n int) {
		for range times {
			if s.Take(context.Background(), now, key) {
				n++
			}
		}
		return n
	}
	if n := taken("a", 1000); n != 5 {
		t.Errorf("%d of one key", n)
	}
	if n := taken("b", 3); n != 3 {
		t.Errorf("%d of another key", n)
	}
	total := 8
	for k := range 1000 {
		total += taken(fmt.Sprint("k", k), 10)
	}
	if total != 60 {
		t.Errorf("%d in all", total)
	}
	now = now.Add(time.Minute)
	if n := taken("a", 1000); n != 5 {
		t.Errorf("%d a minute later", n)
	}
}

// AU-09: what the limits send away is in the log, with its address and without anything that was typed; what passes is
// not.
func TestAU09_Logged(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := LogRefusals(func() time.Time { return time.Unix(1e9, 0) }, slog.New(slog.NewJSONHandler(&out, nil)))
	ctx := visit.With(context.Background(), &visit.Visit{
		IP: netip.MustParseAddr("2001:db8::17"), RequestID: "R1", Dialect: "graphql", Credential: "canary-secret",
		UserAgent: "canary-agent",
	})
	for _, err := range []error{nil, errors.New("the store is gone")} {
		if log(ctx, "login", err); out.Len() > 0 {
			t.Errorf("%v is in the log: %s", err, out.String())
		}
	}
	for range 1000 {
		log(ctx, "login", fault.Wait(fault.RateLimited, "Too many requests.", time.Minute))
	}
	if n := strings.Count(out.String(),
		`"msg":"request sent away","code":"RATE_LIMITED","field":"login","block":"2001:db8::/64"`); n != 5 {
		t.Errorf("%d lines: %s", n, out.String())
	}
	if strings.Contains(out.String(), "canary") || !strings.Contains(out.String(), `"request_id":"R1"`) {
		t.Error(out.String())
	}
}
