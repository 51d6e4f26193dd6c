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
	// Take takes one try in one atomic step. With next = max(tat, now) + interval, it stores and returns next if
	// next <= now + capacity, otherwise it changes nothing. In SQL, except for the clock:
	//
	//	INSERT INTO … (key, tat) VALUES (key, now + interval)
	//	ON CONFLICT (key) DO UPDATE SET tat = greatest(tat, now) + interval
	//	WHERE greatest(tat, now) + interval <= now + capacity RETURNING tat
	//
	// where no row means that the try is denied. A tat beyond now + capacity means that the clock was set back: it is
	// cut to now + capacity, so that the wait is one interval and not the difference of the clocks (AV-05). All times
	// are whole microseconds, and capacity >= interval. On a denial, tat is the stored time, or the zero time if the
	// store does not return it. On an error it is unknown whether a try was left.
	Take(ctx context.Context, key string, interval, capacity time.Duration, now time.Time) (
		tat time.Time, allowed bool, err error)

	// GiveBack undoes one Take of a key, in one atomic step: tat = tat - interval. It does nothing for a key that is
	// not stored.
	GiveBack(ctx context.Context, key string, interval time.Duration) error
}

// Limiter applies rules to callers. It is safe for concurrent use.
type Limiter struct {
	store Store
	rules map[string]Rule
	now   func() time.Time

	// OnLimited is called with the name of the rule when Admit rejects a caller. It may be nil. Set it before the first
	// use.
	OnLimited func(rule string)
}

// New makes a limiter with a rule for each name. It fails if a rule is invalid.
func New(store Store, rules map[string]Rule, now func() time.Time) (*Limiter, error) {
	for name, rule := range rules {
		if err := rule.validate(); err != nil {
			return nil, fmt.Errorf("limit: the rule of %s: %w", name, err)
		}
	}
	return &Limiter{store: store, rules: maps.Clone(rules), now: now}, nil
}

// Allow takes one try of the rule for name, for this key. Any text is a key; callers without an address share one
// (LG-15). A name without a rule is not limited. An error comes from the store; a caller that guards a credential must
// then reject the request.
func (l *Limiter) Allow(ctx context.Context, name, key string) (Decision, error) {
	return l.allow(ctx, name, key, 1)
}

// GiveBack gives back a try that Allow, Admit or AdmitAs took: nothing came of it.
func (l *Limiter) GiveBack(ctx context.Context, name, key string) error {
	rule, limited := l.rules[name]
	if !limited {
		return nil
	}
	if err := l.store.GiveBack(ctx, rule.Name+":"+key, rule.interval()); err != nil {
		return fmt.Errorf("limit: give a try of %s back: %w", name, err)
	}
	return nil
}

// allow takes several tries at once, all or none. More than a full bucket holds count as a full bucket.
func (l *Limiter) allow(ctx context.Context, name, key string, tries int) (Decision, error) {
	rule, limited := l.rules[name]
	if !limited {
		return Decision{Allowed: true}, nil
	}
	step := rule.interval() * time.Duration(min(max(tries, 1), rule.Burst))
	// Microseconds, as in interval.
	now := l.now().Truncate(time.Microsecond)
	tat, allowed, err := l.store.Take(ctx, rule.Name+":"+key, step, rule.capacity(), now)
	if err != nil {
		return Decision{}, fmt.Errorf("limit: take a try of %s: %w", name, err)
	}
	if !allowed {
		return denied(rule, step, tat, now), nil
	}
	return granted(rule, tat, now), nil
}
