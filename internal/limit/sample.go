package limit

import (
	"context"
	"time"
)

// Sample chooses what of many like things is worth a line in a log, so that who causes them can not flood it (security
// rule AU-09): five in a minute for each key, and sixty in a minute in all. It is safe for concurrent use.
type Sample struct {
	store     *Memory
	each, all Rule
}

// NewSample makes a sample that has seen nothing yet.
func NewSample() *Sample {
	return &Sample{
		store: NewMemory(0),
		each:  Rule{Name: "each", Burst: 5, Window: time.Minute},
		all:   Rule{Name: "all", Burst: 60, Window: time.Minute},
	}
}

// Take tells whether what happened now under a key is one of those to write down.
func (s *Sample) Take(ctx context.Context, key string, now time.Time) bool {
	return s.take(ctx, s.each, key, now) && s.take(ctx, s.all, "", now)
}

func (s *Sample) take(ctx context.Context, r Rule, key string, now time.Time) bool {
	// A Memory never fails, and waits for nothing.
	_, taken, _ := s.store.Take(ctx, r.Name+":"+key, r.interval(), r.capacity(), now)
	return taken
}
