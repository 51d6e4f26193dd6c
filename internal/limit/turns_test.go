package limit

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

// Two hundred wrong passwords of each of a few accounts arrive at once. Only the first five get as far as a hash,
// because each attempt sees the failures of those before it.
func TestLG10_TurnsLetEachSeeTheOneBefore(t *testing.T) {
	t.Parallel()
	var turns Turns
	var all sync.WaitGroup
	var evaluated [3]int // guarded by the turns alone: the race detector watches
	var inside [3]atomic.Int32
	for i := range 600 {
		all.Go(func() {
			account := i % 3
			leave, _, err := turns.Enter(context.Background(), fmt.Sprint("account ", account))
			if err != nil {
				t.Error(err)
				return
			}
			defer leave()
			if inside[account].Add(1) != 1 {
				t.Error("two at once")
			}
			if Delay(evaluated[account]) == 0 {
				evaluated[account]++
			}
			inside[account].Add(-1)
		})
	}
	all.Wait()
	if evaluated != [3]int{5, 5, 5} {
		t.Errorf("evaluated %v", evaluated)
	}
	if len(turns.gates) != 0 {
		t.Errorf("%d keys stay behind", len(turns.gates))
	}
}

func TestTurns_OtherKeysDoNotWait(t *testing.T) {
	t.Parallel()
	var turns Turns
	leaveA, _, err := turns.Enter(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	leaveB, _, err := turns.Enter(t.Context(), "b")
	if err != nil {
		t.Fatal(err)
	}
	leaveB()
	leaveB() // does nothing
	leaveA()
	if len(turns.gates) != 0 {
		t.Errorf("%d keys stay behind", len(turns.gates))
	}
}

func TestTurns_AWaiterLeavesWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var turns Turns
		leave, _, err := turns.Enter(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				if leave, _, err := turns.Enter(ctx, "a"); leave != nil || !errors.Is(err, context.Canceled) {
					t.Errorf("a holder beside the holder: %v", err)
				}
			})
		}
		synctest.Wait()
		if n := turns.gates["a"].users; n != 51 {
			t.Errorf("%d users", n)
		}
		cancel()
		all.Wait()
		if n := turns.gates["a"].users; n != 1 {
			t.Errorf("%d users after all waiters left", n)
		}
		leave()
		if _, _, err := turns.Enter(ctx, "a"); !errors.Is(err, context.Canceled) || len(turns.gates) != 0 {
			t.Errorf("an ended context: %v, %d keys", err, len(turns.gates))
		}
	})
}
