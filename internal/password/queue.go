package password

import (
	"context"
	"sync"
	"time"

	"github.com/dragoman-auth/dragoman/internal/fault"
)

const (
	patience  = 2 * time.Second       // the longest wait for a slot (security rule PW-14)
	firstCost = 40 * time.Millisecond // what a hash is taken to cost until some were seen
	leastCost = time.Millisecond      // bounds the queue, however fast the hashes seem to be
	lookBack  = 8                     // the moving average looks back at about this many hashes
)

// queue lets a fixed number of callers work at once, and keeps the line behind them as short as two seconds need.
// Whoever waits is served in the order of arrival.
type queue struct {
	slots chan struct{} // holds one element for every caller at work

	mu      sync.Mutex
	waiting int
	cost    time.Duration // moving average of how long a caller works

	waited func(time.Duration) // told how long each stood in line, also in vain; nil for nobody
}

func newQueue(slots int) *queue {
	return &queue{slots: make(chan struct{}, max(slots, 1)), cost: firstCost}
}

// admit refuses when a newcomer would have to wait for longer than patience.
func (q *queue) admit() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.overfull() {
		return busy()
	}
	return nil
}

// load counts who works and who waits.
func (q *queue) load() (working, waiting int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.slots), q.waiting
}

// overfull estimates a newcomer's wait. The caller holds the lock.
func (q *queue) overfull() bool {
	if len(q.slots) < cap(q.slots) {
		return false
	}
	wait := time.Duration(q.waiting+1) * q.cost / time.Duration(cap(q.slots))
	return wait > patience
}

// enter waits for a slot, at most for patience. The caller works and then calls leave, once.
func (q *queue) enter(ctx context.Context) (leave func(), err error) {
	if err := q.join(); err != nil {
		return nil, err
	}
	began := time.Now()
	err = q.wait(ctx)
	if q.waited != nil {
		q.waited(time.Since(began))
	}
	q.mu.Lock()
	q.waiting--
	q.mu.Unlock()
	if err != nil {
		return nil, err
	}
	// A stopwatch, not a clock: no decision about anybody's validity hangs on it.
	start := time.Now()
	return func() {
		q.learn(time.Since(start))
		<-q.slots
	}, nil
}

// join takes a place in the line.
func (q *queue) join() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.overfull() {
		return busy()
	}
	q.waiting++
	return nil
}

func (q *queue) wait(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case q.slots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return busy()
	}
	// Both may have come true at once, and select picks either. Nobody is left to read this caller's answer.
	if err := ctx.Err(); err != nil {
		<-q.slots
		return err
	}
	return nil
}

func (q *queue) learn(took time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.cost = max(q.cost+(took-q.cost)/lookBack, leastCost)
}

func busy() error {
	return fault.Wait(fault.Unavailable, "The server is busy. Please try again in a moment.", patience)
}
