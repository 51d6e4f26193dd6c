package limit

import (
	"context"
	"strconv"
	"time"
)

// Sample limits repeated lines of a log, so that callers cannot flood it (AU-09). It has levels, each with so many
// lines a minute for each of its keys. It is safe for concurrent use.
type Sample struct {
	store  *Memory
	levels []Rule
}

// NewSample makes an empty sample: five a minute for each key, and sixty a minute in all.
func NewSample() *Sample { return NewLeveledSample(5, 60) }

// NewLeveledSample makes an empty sample with so many a minute at each level, the narrowest first.
func NewLeveledSample(aMinute ...int) *Sample {
	s := &Sample{store: NewMemory(0)}
	for n, most := range aMinute {
		s.levels = append(s.levels, Rule{Name: strconv.Itoa(n), Burst: most, Window: time.Minute})
	}
	return s
}

// Take tells whether to log an event. It has a key for each level, the narrowest first; the key of a level that is not
// given is "", which all events share.
func (s *Sample) Take(ctx context.Context, now time.Time, keys ...string) bool {
	for n, r := range s.levels {
		key := ""
		if n < len(keys) {
			key = keys[n]
		}
		// A Memory never fails, and never waits.
		_, taken, _ := s.store.Take(ctx, r.Name+":"+key, r.interval(), r.capacity(), now)
		if !taken {
			return false
		}
	}
	return true
}
