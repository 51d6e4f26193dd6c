package limit

import (
	"context"
	"fmt"
	"maps"
	"time"
)

// Store keeps one time for each key: the theoretical arrival time (TAT) of the generic cell rate algorithm (ITU-T
// I.371), the moment at which the key's bucket will be full again. A key that is not stored has a full bucket.
type Store interface {
	// Take takes one try, as one atomic step: with next = max(tat, now) + interval it stores and returns next when
	// next <= now + capacity, and changes nothing otherwise. In SQL, but for the clock:
	//
	//	INSERT INTO … (key, tat) VALUES (key, now + interval)
	//	ON CONFLICT (key) DO UPDATE SET tat = greatest(tat, now) + interval
	//	WHERE greatest(tat, now) + interval <= now + capacity RETURNING tat
	//
	// where no row means that the try is denied. A tat beyond now + capacity comes from a clock that was put back since:
	// it is cut to now + capacity, so that the wait is one interval and not the difference of the clocks (AV-05).
	// All times are whole microseconds, and capacity >= interval. On a
	// denial tat is the stored time, or the zero time from a store that does not tell it. An error means that nobody
	// knows whether there was a try left.
	Take(ctx context.Context, key string, interval, capacity time.Duration, now time.Time) (
		tat time.Time, allowed bool, err error)
}

// Limiter applies rules to callers. It is safe for concurrent use.
type Limiter struct {
	store Store
	rules map[string]Rule
	now   func() time.Time

	// Refused is told the rule by whose name Admit sends a caller away; nil for nobody. Set it before the limiter is used.
	Refused func(rule string)
}

// New makes a limiter with a rule for each name of what callers do. It fails when a rule cannot be applied.
func New(store Store, rules map[string]Rule, now func() time.Time) (*Limiter, error) {
	for name, rule := range rules {
		if err := rule.validate(); err != nil {
			return nil, fmt.Errorf("limit of %s: %w", name, err)
		}
	}
	return &Limiter{store: store, rules: maps.Clone(rules), now: now}, nil
}

// Allow takes one of the tries that the rule for name leaves to this address block. Any text is a block: callers
// without an address share the block that they are given (security rule LG-15). A name without a rule is not limited.
// An error is the store's; a caller that guards a credential then has to refuse.
func (l *Limiter) Allow(ctx context.Context, name, block string) (Decision, error) {
	rule, limited := l.rules[name]
	if !limited {
		return Decision{Allowed: true}, nil
	}
	// Cut for the same reason as the interval.
	now := l.now().Truncate(time.Microsecond)
	tat, allowed, err := l.store.Take(ctx, rule.Name+":"+block, rule.interval(), rule.capacity(), now)
	if err != nil {
		return Decision{}, fmt.Errorf("take from the limit of %s: %w", name, err)
	}
	if !allowed {
		return denied(rule, tat, now), nil
	}
	return granted(rule, tat, now), nil
}
