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

// gated is a hasher whose derivations wait until the channel gate is closed. It counts the derivations (worked) and the
// most at one time.
type gated struct {
	*Hasher
	gate              chan struct{}
	now, most, worked atomic.Int32
}

func newGated(slots int) *gated {
	g := &gated{Hasher: NewHasher(slots), gate: make(chan struct{})}
	g.derive = func(_ []byte, p stored) []byte {
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

// start starts n callers. It returns a function that waits for them and counts their outcomes by the code of the error.
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

// PW-14: with two slots and hashes of 40 ms, a hundred callers wait for at most two seconds. The others get an error at
// once.
func TestPW14_FiveHundredAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g, began := newGated(2), time.Now()
		if err := g.Admit(t.Context()); err != nil {
			t.Errorf("refused while idle: %v", err)
		}
		wait := g.start(t.Context(), 500)
		synctest.Wait() // two callers work, a hundred wait, and the others have got an error
		if err := g.Admit(t.Context()); !fault.Is(err, fault.Unavailable) {
			t.Errorf("Admit with a full queue: %v", err)
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
		if err := g.Admit(t.Context()); err != nil {
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
		for range 100 { // ten thousand cancelled callers in all
			ctx, cancel := context.WithCancel(t.Context())
			wait := g.start(ctx, 100)
			synctest.Wait()
			cancel()
			if outcome := wait(); outcome["canceled"] != 100 {
				t.Fatalf("outcome %v", outcome)
			}
			if err := g.Admit(t.Context()); err != nil {
				t.Fatalf("the queue is still full: %v", err)
			}
		}
		close(g.gate)
		first()
		if working, waiting := g.Load(); g.worked.Load() != 2 || working != 0 || waiting != 0 {
			t.Errorf("%d derivations, %d working, %d waiting", g.worked.Load(), working, waiting)
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
	if working, waiting := g.Load(); working != 0 || waiting != 0 {
		t.Error("a slot or a place in the queue was not released")
	}
}

// PW-14: the length of the queue follows the measured cost of the hashes.
func TestPW14_TheLineFollowsTheCost(t *testing.T) {
	t.Parallel()
	for cost, room := range map[time.Duration]int{40 * time.Millisecond: 50, 500 * time.Millisecond: 4, 0: 2000} {
		q := newQueue(1, "")
		for range 200 {
			q.learn("", cost)
		}
		for n := 0; q.admit(Caller{}) == nil; n++ {
			q.join(Caller{}, "")
		}
		if _, waiting := q.load(); waiting < room-1 || waiting > room+1 {
			t.Errorf("hashes of %v: %d may wait, want %d", cost, waiting, room)
		}
	}
}
