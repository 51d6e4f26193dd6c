package password

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dragoman-auth/dragoman/internal/fault"
)

// crowd is a queue with callers whose work takes cost, and what became of them by their share.
type crowd struct {
	*queue
	all sync.WaitGroup

	mu          sync.Mutex
	served      map[string]int
	sentAway    map[string]int
	longestWait time.Duration
}

const hashCost = 40 * time.Millisecond

func newCrowd(slots int) *crowd {
	return &crowd{queue: newQueue(slots, ""), served: map[string]int{}, sentAway: map[string]int{}}
}

// comes lets a caller come; done is called at the end, nil for none.
func (c *crowd) comes(ctx context.Context, who Caller, done func(error)) {
	c.all.Go(func() {
		began := time.Now()
		leave, err := c.enter(ctx, who, "")
		waited := time.Since(began)
		if err == nil {
			time.Sleep(hashCost)
			leave()
		}
		c.mu.Lock()
		c.longestWait = max(c.longestWait, waited)
		if err == nil {
			c.served[who.share()]++
		} else if fault.Is(err, fault.Unavailable) {
			c.sentAway[who.share()]++
		}
		c.mu.Unlock()
		if done != nil {
			done(err)
		}
	})
}

// comeAgain lets n callers come, each again soon after it was answered, until the context ends.
func (c *crowd) comeAgain(ctx context.Context, who Caller, n int) {
	for i := range n {
		c.all.Go(func() {
			time.Sleep(time.Duration(i) * time.Millisecond)
			for ctx.Err() == nil {
				leave, err := c.enter(ctx, who, "")
				if err == nil {
					time.Sleep(hashCost)
					leave()
					c.mu.Lock()
					c.served[who.share()]++
					c.mu.Unlock()
				}
				time.Sleep(50 * time.Millisecond)
			}
		})
	}
}

// waits is how many callers of a share wait.
func (c *crowd) waits(who Caller) int {
	c.queue.mu.Lock()
	defer c.queue.mu.Unlock()
	return len(c.lanes[who.lane()].shares[who.share()])
}

func network(n int) Caller { return Caller{Network: fmt.Sprintf("192.0.%d.0/24", n)} }

func account(n int) Caller { return Caller{Network: "192.0.0.0/24", Account: fmt.Sprintf("user%d", n)} }

// LG-33: one network fills the queue while nobody else waits, and gives up to half of it when a second one comes, a
// third when a third one does.
func TestLG33_SharedOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(2)
		for n, want := range [][]int{{100}, {50, 50}, {34, 33, 33}} {
			for range 500 {
				c.comes(t.Context(), network(n), nil)
			}
			synctest.Wait()
			for m, want := range want {
				if got := c.waits(network(m)); got < want-3 || got > want+3 {
					t.Errorf("network %d of %d: %d wait, want %d", m, n+1, got, want)
				}
			}
			if err := c.admit(network(n)); !fault.Is(err, fault.Unavailable) {
				t.Errorf("a further caller of network %d: %v", n, err)
			}
			if err := c.admit(network(n + 1)); err != nil {
				t.Errorf("a caller of a network that holds nothing: %v", err)
			}
		}
		c.all.Wait()
		if c.longestWait > patience {
			t.Errorf("somebody waited for %v", c.longestWait)
		}
	})
}

// LG-33: a hundred networks that come again and again leave a newcomer from another one the next slot but those that
// are taken, whether each of them waits with one call or with ten.
func TestLG33_Newcomer(t *testing.T) {
	t.Parallel()
	for _, each := range []int{1, 2, 10} {
		synctest.Test(t, func(t *testing.T) {
			c := newCrowd(2)
			ctx, cancel := context.WithCancel(t.Context())
			for n := range 100 {
				c.comeAgain(ctx, network(n), each)
			}
			time.Sleep(3 * time.Second)
			for n := range 20 {
				began := time.Now()
				leave, err := c.enter(t.Context(), network(1000+n), "")
				if waited := time.Since(began); err != nil || waited > 2*hashCost {
					t.Fatalf("newcomer %d of networks with %d calls: %v after %v", n, each, err, waited)
				}
				time.Sleep(hashCost)
				leave()
			}
			cancel()
			c.all.Wait()
		})
	}
}

// LG-33: networks that come again and again get the same, however many calls each of them has.
func TestLG33_EqualShares(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(2)
		ctx, cancel := context.WithCancel(t.Context())
		for n := range 10 {
			c.comeAgain(ctx, network(n), 10+n*5)
		}
		time.Sleep(20 * time.Second)
		cancel()
		c.all.Wait()
		for n := range 10 { // 50 hashes a second, 100 for each
			if got := c.served[network(n).share()]; got < 75 || got > 125 {
				t.Errorf("network %d got %d hashes of 1000", n, got)
			}
		}
	})
}

// LG-34: callers with a device token have every second slot, however many strangers wait. An account has one share of
// the lane, so that one with many devices does not take it.
func TestLG34_Lane(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(2)
		ctx, cancel := context.WithCancel(t.Context())
		for n := range 300 { // each from a network of its own
			c.comeAgain(ctx, network(n), 1)
		}
		c.comeAgain(ctx, account(0), 100)
		time.Sleep(3 * time.Second)
		for n := range 20 {
			began := time.Now()
			leave, err := c.enter(t.Context(), account(1+n%2), "")
			if waited := time.Since(began); err != nil || waited > 4*hashCost {
				t.Fatalf("caller %d with a device token: %v after %v", n, err, waited)
			}
			time.Sleep(hashCost)
			leave()
		}
		if waits, most := c.waits(account(0)), 55; waits > most {
			t.Errorf("%d of the account that comes again and again wait, at most %d", waits, most)
		}
		cancel()
		c.all.Wait()
	})
}

// draws gives numbers below a bound, the same ones for the same seed.
func draws(seed uint64) func(bound int) int {
	n := uint64(0)
	return func(bound int) int {
		n++
		sum := sha256.Sum256(binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, seed), n))
		return int(binary.BigEndian.Uint32(sum[:4])) % bound
	}
}

// PW-14, PW-15 and LG-33: whoever comes, goes away and is pushed out, at random: no more work than there are slots,
// nobody waits beyond the patience, everybody is answered once, and nothing is left behind.
func TestLG33_Property(t *testing.T) {
	t.Parallel()
	for seed := range uint64(10) {
		synctest.Test(t, func(t *testing.T) {
			drawn := draws(seed)
			slots, networks := 1+drawn(4), 1+drawn(150)
			c := newCrowd(slots)
			var mu sync.Mutex
			answered, canceled, n := 0, 0, 1000
			for i := range n {
				who := network(drawn(networks))
				if drawn(4) == 0 {
					who = account(drawn(networks))
				}
				ctx, cancel := context.WithCancel(t.Context())
				if drawn(5) == 0 {
					time.AfterFunc(time.Duration(drawn(500))*time.Millisecond, cancel)
				}
				c.comes(ctx, who, func(err error) {
					cancel()
					mu.Lock()
					defer mu.Unlock()
					answered++
					if errors.Is(err, context.Canceled) {
						canceled++
					}
				})
				if drawn(10) == 0 {
					time.Sleep(time.Duration(drawn(100)) * time.Millisecond)
				}
				if i%50 == 0 {
					synctest.Wait()
					working, waiting := c.load()
					if most := int(patience / c.cost * time.Duration(slots)); working > slots || waiting > most+1 ||
						working < slots && waiting > 0 {
						t.Fatalf("seed %d: %d working, %d waiting, at most %d", seed, working, waiting, most)
					}
				}
			}
			c.all.Wait()
			if working, waiting := c.load(); working != 0 || waiting != 0 || answered != n {
				t.Errorf("seed %d: %d working, %d waiting, %d of %d answered", seed, working, waiting, answered, n)
			}
			total := canceled
			for _, of := range []map[string]int{c.served, c.sentAway} {
				for _, k := range of {
					total += k
				}
			}
			if total != n || c.longestWait > patience {
				t.Errorf("seed %d: %d of %d, the longest wait %v", seed, total, n, c.longestWait)
			}
		})
	}
}

// LG-33: on real processors too, nothing is lost and no more callers work than there are slots.
func TestLG33_Parallel(t *testing.T) {
	t.Parallel()
	q, working, most := newQueue(3, ""), 0, 0
	var mu sync.Mutex
	var all sync.WaitGroup
	for n := range 64 {
		all.Go(func() {
			for i := range 200 {
				who := network(n % 8)
				if n%3 == 0 {
					who = account(n % 5)
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(1+i%3)*time.Millisecond)
				leave, err := q.enter(ctx, who, "")
				if err == nil {
					mu.Lock()
					working++
					most = max(most, working)
					mu.Unlock()
					time.Sleep(10 * time.Microsecond)
					mu.Lock()
					working--
					mu.Unlock()
					leave()
				}
				cancel()
			}
		})
	}
	all.Wait()
	if a, b := q.load(); a != 0 || b != 0 || most > 3 {
		t.Errorf("%d working, %d waiting, at most %d at once", a, b, most)
	}
}
