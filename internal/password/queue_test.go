package password

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dragoman-auth/dragoman/internal/fault"
)

// gated is a hasher whose derivations wait for the gate to close; it counts them and the most at one time.
type gated struct {
	*Hasher
	gate              chan struct{}
	now, most, worked atomic.Int32
}

func newGated(slots int) *gated {
	g := &gated{Hasher: NewHasher(slots), gate: make(chan struct{})}
	g.derive = func(_ []byte, p phc) []byte {
		n := g.now.Add(1)
		for seen := g.most.Load(); n > seen && !g.most.CompareAndSwap(seen, n); seen = g.most.Load() {
		}
		<-g.gate
		g.now.Add(-1)
		g.worked.Add(1)
		return p.sum
	}
	return g
}

// start sends n callers, and answers a function that waits for them and counts their errors by code.
func (g *gated) start(ctx context.Context, n int) (wait func() map[string]int) {
	var all sync.WaitGroup
	var mu sync.Mutex
	outcome := map[string]int{}
	for range n {
		all.Go(func() {
			_, err := g.Verify(ctx, "", "correct horse")
			mu.Lock()
			defer mu.Unlock()
			switch f := fault.From(err); {
			case err == nil:
				outcome["done"]++
			case f != nil && f.RetryAfter == patience:
				outcome[string(f.Code)]++
			case errors.Is(err, context.Canceled):
				outcome["canceled"]++
			default:
				outcome["other"]++
			}
		})
	}
	return func() map[string]int { all.Wait(); return outcome }
}

// With two slots and hashes of 40 ms, a hundred can wait for two seconds; the others learn at once that they cannot.
func TestPW14_FiveHundredAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g, began := newGated(2), time.Now()
		if err := g.Admit(); err != nil {
			t.Errorf("refused while idle: %v", err)
		}
		wait := g.start(t.Context(), 500)
		synctest.Wait() // two work, the line is full, and the rest has gone
		if err := g.Admit(); !fault.Is(err, fault.Unavailable) {
			t.Errorf("Admit with a full line: %v", err)
		}
		close(g.gate)
		outcome := wait()
		if outcome["done"] != 102 || outcome["SERVICE_UNAVAILABLE"] != 398 {
			t.Errorf("outcome %v", outcome)
		}
		if g.most.Load() != 2 {
			t.Errorf("%d at once", g.most.Load())
		}
		if waited := time.Since(began); waited != 0 {
			t.Errorf("somebody waited for a timer: %v", waited)
		}
		if err := g.Admit(); err != nil {
			t.Errorf("refused after the rush: %v", err)
		}
	})
}

func TestPW14_NobodyWaitsForMoreThanTwoSeconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g, began := newGated(1), time.Now()
		first := g.start(t.Context(), 1)
		synctest.Wait()
		outcome := g.start(t.Context(), 3)()
		if outcome["SERVICE_UNAVAILABLE"] != 3 || time.Since(began) != patience {
			t.Errorf("outcome %v after %v", outcome, time.Since(began))
		}
		close(g.gate)
		if outcome := first(); outcome["done"] != 1 || g.worked.Load() != 1 {
			t.Errorf("outcome %v, %d derivations", outcome, g.worked.Load())
		}
	})
}

func TestPW15_WhoGoesAwayIsNotHashed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGated(2)
		first := g.start(t.Context(), 2)
		synctest.Wait()
		for range 100 { // a hundred rounds of a full line: ten thousand aborted logins
			ctx, cancel := context.WithCancel(t.Context())
			wait := g.start(ctx, 100)
			synctest.Wait()
			cancel()
			if outcome := wait(); outcome["canceled"] != 100 {
				t.Fatalf("outcome %v", outcome)
			}
			if err := g.Admit(); err != nil {
				t.Fatalf("the line did not empty: %v", err)
			}
		}
		close(g.gate)
		first()
		if g.worked.Load() != 2 || g.queue.waiting != 0 {
			t.Errorf("%d derivations, %d waiting", g.worked.Load(), g.queue.waiting)
		}
	})
}

func TestPW15_AnEndedContextNeverHashes(t *testing.T) {
	t.Parallel()
	g := newGated(1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := g.Hash(ctx, "correct horse"); !errors.Is(err, context.Canceled) || g.worked.Load() != 0 {
		t.Errorf("%v, %d derivations", err, g.worked.Load())
	}
	if len(g.queue.slots) != 0 || g.queue.waiting != 0 {
		t.Error("a place stays taken")
	}
}

// The estimate follows what hashes really cost here.
func TestPW14_TheLineFollowsTheCost(t *testing.T) {
	t.Parallel()
	for cost, room := range map[time.Duration]int{40 * time.Millisecond: 50, 500 * time.Millisecond: 4, 0: 2000} {
		q := newQueue(1)
		for range 200 {
			q.learn(cost)
		}
		q.slots <- struct{}{}
		for q.waiting = 0; q.admit() == nil; q.waiting++ {
		}
		if diff := q.waiting - room; diff < -1 || diff > 1 {
			t.Errorf("hashes of %v: %d may wait, want %d", cost, q.waiting, room)
		}
	}
}
