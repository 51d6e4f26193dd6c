package limit

import (
	"context"
	"time"
)

// Sample limits repeated lines of a log, so that callers cannot flood it (AU-09): five a minute for each key, and sixty
// a minute in all. It is safe for concurrent use.
type Sample struct {
	store     *Memory
	each, all Rule
}

// NewSample makes an empty sample.
func NewSample() *Sample {
	return &Sample{
		store: NewMemory(0),
		each:  Rule{Name: "each", Burst: 5, Window: time.Minute},
		all:   Rule{Name: "all", Burst: 60, Window: time.Minute},
	}
}

// Take tells whether to log an event with this key.
func (s *Sample) Take(ctx context.Context, key string, now time.Time) bool {
	return s.take(ctx, s.each, key, now) && s.take(ctx, s.all, "", now)
}

func (s *Sample) take(ctx context.Context, r Rule, key string, now time.Time) bool {
	// A Memory never fails, and never waits.
	_, taken, _ := s.store.Take(ctx, r.Name+":"+key, r.interval(), r.capacity(), now)
	return taken
}
