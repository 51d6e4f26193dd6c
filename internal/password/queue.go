package password

import (
	"context"
	"sync"
	"time"

	"github.com/dragoman-auth/dragoman/internal/fault"
)

const (
	patience  = 2 * time.Second       // the longest wait for a slot (PW-14)
	firstCost = 40 * time.Millisecond // the assumed cost of a hash before the first one
	leastCost = time.Millisecond      // bounds the length of the queue if hashes are very fast
	lookBack  = 8                     // the number of hashes in the moving average, about
)

// queue lets a fixed number of callers work at once. The others wait in the order of arrival. The queue is full if a
// new caller would wait for more than two seconds.
type queue struct {
	slots chan struct{} // holds one element for each working caller

	mu      sync.Mutex
	waiting int
	cost    time.Duration // moving average of the time that a caller works

	waited func(time.Duration) // called with the wait of each caller, also without a slot; may be nil
}

func newQueue(slots int) *queue {
	return &queue{slots: make(chan struct{}, max(slots, 1)), cost: firstCost}
}

// admit returns an error if the queue is full.
func (q *queue) admit() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.isFull() {
		return busy()
	}
	return nil
}

// load returns the number of working and of waiting callers.
func (q *queue) load() (working, waiting int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.slots), q.waiting
}

// isFull estimates the wait of a new caller. The caller of isFull holds the lock.
func (q *queue) isFull() bool {
	if len(q.slots) < cap(q.slots) {
		return false
	}
	wait := time.Duration(q.waiting+1) * q.cost / time.Duration(cap(q.slots))
	return wait > patience
}

// enter waits for a slot, at most for patience. The caller must call leave once, after its work.
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
	start := time.Now() // measures a duration alone, so it is not the clock that callers pass in
	return func() {
		q.learn(time.Since(start))
		<-q.slots
	}, nil
}

// join counts the caller as waiting, or returns an error if the queue is full.
func (q *queue) join() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.isFull() {
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
	// If ctx ended as a slot became free, select picks either case. The work would be for nobody (PW-15).
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
