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

func NewClock() *Clock { return &Clock{At: time.Now()} }

func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.At
}

func (c *Clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.At = c.At.Add(d)
}
