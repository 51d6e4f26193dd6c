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

	maxKinds = 64 // of hashes whose costs are known apart; those of any further kind count as the average

	forgetHalf = 10 * time.Second // in this time half of what a share asked for and got is forgotten
	maxShares  = 8192             // of more shares the lightest are forgotten at once
)

// queue lets a fixed number of callers work at once. The others wait. The queue is full if a new caller would wait for
// more than two seconds.
//
// The places are shared out (LG-33): a free slot goes to the share that got the fewest hashes lately, where one that
// costs several of ours counts as so many. A new caller
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

	costs map[string]time.Duration // the same for each kind of hash
	own   string                   // the kind of our hashes

	waited func(time.Duration) // called with the wait of each caller, also without a slot; may be nil
}

// recent is what a share asked for and got lately, in hashes of ours.
type recent struct{ asked, got int }

// lane holds the waiters of strangers, or those of callers with a device token. The lanes take turns (LG-34).
type lane struct {
	waiting int
	kinds   map[string]int       // the kinds of the hashes that they wait for
	shares  map[string][]*waiter // oldest first; no share is empty
}

// waiter is a caller who waits for a slot.
type waiter struct {
	Caller
	kind    string // of the hash
	hashes  int    // of ours that it counts as
	number  int
	granted chan bool // true: the waiter has a slot; false: it was pushed out
}

// newQueue returns a queue for hashes of ours, of the kind own, and of others.
func newQueue(slots int, own string) *queue {
	q := &queue{
		slots: max(slots, 1), own: own, cost: firstCost,
		recent: map[string]recent{}, costs: map[string]time.Duration{own: firstCost},
	}
	for i := range q.lanes {
		q.lanes[i].shares, q.lanes[i].kinds = map[string][]*waiter{}, map[string]int{}
	}
	return q
}

// admit returns an error if the caller would be sent away.
func (q *queue) admit(c Caller) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.working < q.slots || !q.isOver(c.lane(), q.cost) {
		return nil
	}
	// The caller is sent away if its share would be the heaviest with it. It has the newest waiter then.
	own := q.weight(c.lane(), c.share())
	own.holds, own.asked = own.holds+1, own.asked+1 // of which kind is not known yet
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

// enter waits for a slot for a hash of a kind, at most for patience. The caller must call leave once, after its work.
func (q *queue) enter(ctx context.Context, c Caller, kind string) (leave func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	began := time.Now()
	err = q.wait(ctx, q.join(c, kind))
	if q.waited != nil {
		q.waited(time.Since(began))
	}
	if err != nil {
		return nil, err
	}
	start := time.Now() // measures a duration alone, so it is not the clock that callers pass in
	return func() { q.leave(kind, time.Since(start)) }, nil
}

// join takes a slot, or a place in the queue. A waiter that finds no place is pushed out already.
func (q *queue) join(c Caller, kind string) *waiter {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.joined++
	w := &waiter{Caller: c, kind: kind, hashes: q.hashes(kind), number: q.joined, granted: make(chan bool, 1)}
	q.ask(c.share())
	if q.working < q.slots {
		q.grant(w)
		q.working++
		return w
	}
	l := &q.lanes[c.lane()]
	l.shares[c.share()] = append(l.shares[c.share()], w)
	l.waiting++
	l.kinds[kind]++
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
func (q *queue) leave(kind string, took time.Duration) {
	q.learn(kind, took)
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
	r.got += w.hashes
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
	if l.kinds[w.kind]--; l.kinds[w.kind] == 0 {
		delete(l.kinds, w.kind)
	}
	if l.waiting--; len(share) == 1 {
		delete(l.shares, w.share())
	} else {
		l.shares[w.share()] = slices.Delete(share, at, at+1)
	}
	return true
}

// isOver estimates whether the last of the waiters of a lane, and of more work, would wait for too long.
func (q *queue) isOver(i int, more time.Duration) bool {
	own, other := q.work(i)+more, q.work(1-i)
	ahead := own + min(own, other) // the lanes take turns
	return ahead/time.Duration(q.slots) > patience
}

// work is how long the waiters of a lane will work in all.
func (q *queue) work(i int) (all time.Duration) {
	for kind, n := range q.lanes[i].kinds {
		all += time.Duration(n) * q.costOf(kind)
	}
	return all
}

// costOf is how long a hash of a kind takes; that of an unknown kind takes as long as the average.
func (q *queue) costOf(kind string) time.Duration {
	if cost, ok := q.costs[kind]; ok {
		return cost
	}
	return q.cost
}

// hashes is how many hashes of ours one of a kind counts as.
func (q *queue) hashes(kind string) int {
	own := q.costOf(q.own)
	return max(1, int((q.costOf(kind)+own/2)/own))
}

// weight is how much a share takes of the queue.
type weight struct {
	holds int // the hashes that it waits for and those that it got lately
	asked int // the hashes that it asked for lately
}

func (w weight) less(than weight) bool {
	return w.holds < than.holds || w.holds == than.holds && w.asked < than.asked
}

func (q *queue) weight(i int, share string) weight {
	r := q.recent[share]
	holds := r.got
	for _, w := range q.lanes[i].shares[share] {
		holds += w.hashes
	}
	return weight{holds, r.asked}
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

// learn notes how long a hash of a kind took.
func (q *queue) learn(kind string, took time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	average := func(cost time.Duration) time.Duration { return max(cost+(took-cost)/lookBack, leastCost) }
	q.cost = average(q.cost)
	if cost, known := q.costs[kind]; known {
		q.costs[kind] = average(cost)
	} else if len(q.costs) < maxKinds {
		q.costs[kind] = max(took, leastCost)
	}
}

func busy() error {
	return fault.Wait(fault.Unavailable, "The server is busy. Please try again in a moment.", patience)
}
