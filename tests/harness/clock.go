package harness

import (
	"sync"
	"time"
)

// Clock is a time that a test moves by hand; it stands still otherwise.
type Clock struct {
	mu sync.Mutex
	At time.Time
}

// NewClock makes a clock that stands at the present time.
func NewClock() *Clock { return &Clock{At: time.Now()} }

// Now is the time of the clock.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.At
}

// Add moves the clock; back where d is negative.
func (c *Clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.At = c.At.Add(d)
}
