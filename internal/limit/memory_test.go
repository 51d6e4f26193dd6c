package limit

import (
	"context"
	"fmt"
	"testing"
	"time"
)

func TestLG16_MemoryIsBounded(t *testing.T) {
	t.Parallel()
	m, ctx := NewMemory(1000), context.Background()
	const interval, capacity = time.Minute, time.Minute
	for i := range 20_000 {
		if i%500 == 0 { // one that keeps trying stays known, and denied
			if _, allowed, _ := m.Take(ctx, "persistent", interval, capacity, start); allowed != (i == 0) {
				t.Fatalf("allowed %v at the try of number %d", allowed, i)
			}
		}
		if _, allowed, err := m.Take(ctx, fmt.Sprint("login:", i), interval, capacity, start); !allowed || err != nil {
			t.Fatalf("key %d: %v, %v", i, allowed, err)
		}
	}
	if m.Len() != 1000 {
		t.Errorf("%d keys", m.Len())
	}
	if _, allowed, _ := m.Take(ctx, "login:0", interval, capacity, start); !allowed {
		t.Error("the oldest key is still known")
	}
}

func TestAV05_AClockSetBackDeniesForOneWindowAtMost(t *testing.T) {
	t.Parallel()
	m, ctx := NewMemory(1), context.Background()
	const interval, capacity = time.Second, 3 * time.Second
	take := func(now time.Time) bool {
		_, allowed, err := m.Take(ctx, "k", interval, capacity, now)
		if err != nil {
			t.Fatal(err)
		}
		return allowed
	}
	take(start)
	back := start.Add(-time.Hour)
	if take(back) {
		t.Error("setting the clock back gave tries away")
	}
	if !take(back.Add(interval)) {
		t.Error("still denied an interval later")
	}
}

// What a full store holds resident: `go test -bench Memory -benchtime 1x`.
func BenchmarkMemoryFull(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		m := NewMemory(0)
		for i := range DefaultSize {
			_, _, _ = m.Take(context.Background(), fmt.Sprintf("login:2001:db8:1234:%x::/64", i), time.Second,
				time.Minute, start)
		}
	}
}
