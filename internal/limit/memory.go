package limit

import (
	"context"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// DefaultSize is how many keys a Memory holds by default.
const DefaultSize = 65536

// Memory is the Store of a server that runs alone. It holds a bounded number of keys and forgets the one that was
// tried least recently (security rule LG-16): whoever keeps trying stays known.
type Memory struct {
	mu   sync.Mutex
	tats *simplelru.LRU[string, int64] // in microseconds since 1970: a third of the size of a time.Time
}

// NewMemory makes an empty store for at most size keys; less than one stands for DefaultSize.
func NewMemory(size int) *Memory {
	if size < 1 {
		size = DefaultSize
	}
	tats, err := simplelru.NewLRU[string, int64](size, nil)
	if err != nil {
		panic(err) // only for a size below one
	}
	return &Memory{tats: tats}
}

// Take is Store.Take. It tells the time on a denial too, and never fails.
func (m *Memory) Take(_ context.Context, key string, interval, capacity time.Duration, now time.Time) (
	time.Time, bool, error,
) {
	at, step, room := now.UnixMicro(), interval.Microseconds(), capacity.Microseconds()
	m.mu.Lock()
	defer m.mu.Unlock()
	tat, known := m.tats.Get(key)
	if known && tat > at+room {
		// The clock was set back. The bucket is empty, but not for longer than an empty bucket takes to fill.
		tat = at + room
		m.tats.Add(key, tat)
	}
	next := at + step
	if known {
		next = max(tat, at) + step
	}
	if next > at+room {
		return time.UnixMicro(tat), false, nil
	}
	m.tats.Add(key, next)
	return time.UnixMicro(next), true, nil
}

// GiveBack is Store.GiveBack, and never fails.
func (m *Memory) GiveBack(_ context.Context, key string, interval time.Duration) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if tat, known := m.tats.Get(key); known {
		m.tats.Add(key, tat-interval.Microseconds())
	}
	return nil
}

// Len is the number of keys that the store holds.
func (m *Memory) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.tats.Len()
}
