package password

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/dragoman-auth/dragoman/internal/fault"
)

const (
	patience  = 2 * time.Second       // the longest wait for a slot (PW-14)
	firstCost = 40 * time.Millisecond // the assumed cost of a hash before the first one
	leastCost = time.Millisecond      // bounds the length of the queue if hashes are very fast
	lookBack  = 8                     // the number of hashes in the moving average, about

	forgetHalf = 10 * time.Second // in this time half of what a share asked for and got is forgotten
	maxShares  = 8192             // of more shares the lightest are forgotten at once
)

// queue lets a fixed number of callers work at once. The others wait. The queue is full if a new caller would wait for
// more than two seconds.
//
// The places are shared out (LG-33): a free slot goes to the share that got the fewest hashes lately. A new caller
// before a full queue pushes out the newest waiter of the share that waits for and lately got the most, or is sent away
// if that share is its own. Of equal shares the one that asked less often comes first.
type queue struct {
	slots int

	mu       sync.Mutex
	working  int
	lanes    [2]lane
	last     int               // the lane of the last caller who got a slot
	joined   int               // numbers the waiters in the order of arrival
	recent   map[string]recent // by share
	halvedAt time.Time
	cost     time.Duration // moving average of the time that a caller works

	waited func(time.Duration) // called with the wait of each caller, also without a slot; may be nil
}

// recent is what a share asked for and got lately, in hashes.
type recent struct{ asked, got int }

// lane holds the waiters of strangers, or those of callers with a device token. The lanes take turns (LG-34).
type lane struct {
	waiting int
	shares  map[string][]*waiter // oldest first; no share is empty
}

// waiter is a caller who waits for a slot.
type waiter struct {
	Caller
	number  int
	granted chan bool // true: the waiter has a slot; false: it was pushed out
}

func newQueue(slots int) *queue {
	q := &queue{slots: max(slots, 1), cost: firstCost, recent: map[string]recent{}}
	for i := range q.lanes {
		q.lanes[i].shares = map[string][]*waiter{}
	}
	return q
}

// admit returns an error if the caller would be sent away.
func (q *queue) admit(c Caller) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.working < q.slots || !q.isOver(c.lane(), 1) {
		return nil
	}
	// The caller is sent away if its share would be the heaviest with it. It has the newest waiter then.
	own := q.weight(c.lane(), c.share())
	own.holds, own.asked = own.holds+1, own.asked+1
	for share := range q.lanes[c.lane()].shares {
		if share != c.share() && own.less(q.weight(c.lane(), share)) {
			return nil
		}
	}
	q.ask(c.share())
	return busy()
}

// load returns the number of working and of waiting callers.
func (q *queue) load() (working, waiting int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.working, q.lanes[0].waiting + q.lanes[1].waiting
}

// enter waits for a slot, at most for patience. The caller must call leave once, after its work.
func (q *queue) enter(ctx context.Context, c Caller) (leave func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	began := time.Now()
	err = q.wait(ctx, q.join(c))
	if q.waited != nil {
		q.waited(time.Since(began))
	}
	if err != nil {
		return nil, err
	}
	start := time.Now() // measures a duration alone, so it is not the clock that callers pass in
	return func() { q.leave(time.Since(start)) }, nil
}

// join takes a slot, or a place in the queue. A waiter that finds no place is pushed out already.
func (q *queue) join(c Caller) *waiter {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.joined++
	w := &waiter{Caller: c, number: q.joined, granted: make(chan bool, 1)}
	q.ask(c.share())
	if q.working < q.slots {
		q.grant(w)
		q.working++
		return w
	}
	l := &q.lanes[c.lane()]
	l.shares[c.share()] = append(l.shares[c.share()], w)
	l.waiting++
	for i := range q.lanes { // a longer lane makes the other one slower
		for q.isOver(i, 0) {
			out := q.heaviest(i)
			q.remove(out)
			out.granted <- false
		}
	}
	return w
}

func (q *queue) wait(ctx context.Context, w *waiter) error {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	granted, ended := false, error(nil)
	select {
	case granted = <-w.granted:
	case <-ctx.Done():
		ended = ctx.Err()
	case <-timer.C:
		ended = busy()
	}
	if ended != nil {
		granted = q.giveUp(w)
	}
	// If ctx ended as a slot became free, select picks either case. The work would be for nobody (PW-15).
	if err := ctx.Err(); err != nil {
		if granted {
			q.next()
		}
		return err
	}
	if !granted {
		return busy()
	}
	return nil
}

// giveUp removes a waiter from the queue. It returns true if the waiter has got a slot meanwhile.
func (q *queue) giveUp(w *waiter) (granted bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.remove(w) {
		return false
	}
	return <-w.granted
}

// leave ends the work of a caller.
func (q *queue) leave(took time.Duration) {
	q.learn(took)
	q.next()
}

// next gives a slot that became free to a waiter.
func (q *queue) next() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, i := range []int{1 - q.last, q.last} {
		if w := q.lightest(i); w != nil {
			q.remove(w)
			q.grant(w)
			q.last = i
			return
		}
	}
	q.working--
}

// grant gives a slot to a caller. The caller of grant holds the lock, as do those of all methods below.
func (q *queue) grant(w *waiter) {
	r := q.recent[w.share()]
	r.got++
	q.recent[w.share()] = r
	w.granted <- true
}

// ask notes that a caller came, whether it finds a place or not.
func (q *queue) ask(share string) {
	if now := time.Now(); now.Sub(q.halvedAt) >= forgetHalf || len(q.recent) >= maxShares {
		q.halvedAt = now
		for name, r := range q.recent {
			if r = (recent{r.asked / 2, r.got / 2}); r == (recent{}) {
				delete(q.recent, name)
			} else {
				q.recent[name] = r
			}
		}
	}
	r := q.recent[share]
	r.asked++
	q.recent[share] = r
}

// remove takes a waiter out of its lane. It returns false if the waiter is in none.
func (q *queue) remove(w *waiter) bool {
	l := &q.lanes[w.lane()]
	share := l.shares[w.share()]
	at := slices.Index(share, w)
	if at < 0 {
		return false
	}
	if l.waiting--; len(share) == 1 {
		delete(l.shares, w.share())
	} else {
		l.shares[w.share()] = slices.Delete(share, at, at+1)
	}
	return true
}

// isOver estimates whether the last of the waiters of a lane, and of more of them, would wait for too long.
func (q *queue) isOver(i, more int) bool {
	own, other := q.lanes[i].waiting+more, q.lanes[1-i].waiting
	ahead := time.Duration(own + min(own, other)) // the lanes take turns
	return ahead*q.cost/time.Duration(q.slots) > patience
}

// weight is how much a share takes of the queue.
type weight struct {
	holds int // the places that it waits in and the hashes that it got lately
	asked int // the hashes that it asked for lately
}

func (w weight) less(than weight) bool {
	return w.holds < than.holds || w.holds == than.holds && w.asked < than.asked
}

func (q *queue) weight(i int, share string) weight {
	r := q.recent[share]
	return weight{len(q.lanes[i].shares[share]) + r.got, r.asked}
}

// heaviest returns the waiter of a lane that is pushed out if the queue is too long: the newest of the heaviest share.
func (q *queue) heaviest(i int) (out *waiter) {
	var most weight
	for name, waiters := range q.lanes[i].shares {
		newest, w := waiters[len(waiters)-1], q.weight(i, name)
		if out == nil || most.less(w) || most == w && newest.number > out.number {
			out, most = newest, w
		}
	}
	return out
}

// lightest returns the oldest waiter of the share of a lane that lately got the fewest hashes, nil for none; of several
// shares the one that asked less often, then the one that waits for longest.
func (q *queue) lightest(i int) (next *waiter) {
	var least weight
	for name, waiters := range q.lanes[i].shares {
		oldest, w := waiters[0], weight{q.recent[name].got, q.recent[name].asked}
		if next == nil || w.less(least) || w == least && oldest.number < next.number {
			next, least = oldest, w
		}
	}
	return next
}

func (q *queue) learn(took time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.cost = max(q.cost+(took-q.cost)/lookBack, leastCost)
}

func busy() error {
	return fault.Wait(fault.Unavailable, "The server is busy. Please try again in a moment.", patience)
}
