package password

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dragoman-auth/dragoman/internal/fault"
)

// PW-14: where hashes of several kinds wait, the length of the queue follows the work that waits, whatever was worked
// on last.
func TestPW14_TheLineOfSeveralKinds(t *testing.T) {
	t.Parallel()
	costs := map[string]time.Duration{"own": 40 * time.Millisecond, "cheap": time.Millisecond, "dear": time.Second}
	for name, kinds := range map[string][]string{
		"ours":           {"own"},
		"cheap":          {"cheap"},
		"dear":           {"dear"},
		"ours and dear":  {"own", "own", "own", "own", "own", "own", "own", "own", "own", "dear"},
		"ours and cheap": {"own", "cheap"},
	} {
		q := newQueue(1, "own")
		for _, kind := range []string{"dear", "own", "cheap"} {
			for range 100 {
				q.learn(kind, costs[kind])
			}
		}
		for n := range 3000 {
			q.join(network(1), kinds[n%len(kinds)])
		}
		work := time.Duration(0)
		for kind, n := range q.lanes[0].kinds {
			work += time.Duration(n) * costs[kind]
		}
		if least := patience - costs[kinds[0]]; work < least || work > patience {
			t.Errorf("%s: %v of work wait, want %v to %v", name, work, least, patience)
		}
	}
}

// LG-33: who asks for hashes that cost ten of ours gets a tenth as many.
func TestLG33_DearHashes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &crowd{queue: newQueue(1, "own"), served: map[string]int{}, sentAway: map[string]int{}}
		ctx, cancel := context.WithCancel(t.Context())
		again := func(who Caller, kind string, takes time.Duration) {
			for range 3 {
				c.all.Go(func() {
					for ctx.Err() == nil {
						leave, err := c.enter(ctx, who, kind)
						if fault.Is(err, fault.Unavailable) {
							time.Sleep(50 * time.Millisecond)
						}
						if err != nil {
							continue
						}
						time.Sleep(takes)
						leave()
						c.mu.Lock()
						c.served[kind]++
						c.mu.Unlock()
					}
				})
			}
		}
		again(network(1), "own", hashCost)
		again(network(2), "dear", 10*hashCost)
		time.Sleep(time.Minute)
		cancel()
		c.all.Wait()
		// A minute has 1500 hashes of ours: half of them, and 75 dear ones.
		if own, dear := c.served["own"], c.served["dear"]; own < 550 || own > 950 || dear < 55 || dear > 95 {
			t.Errorf("%d hashes of ours, and %d that cost ten each", own, dear)
		}
	})
}
