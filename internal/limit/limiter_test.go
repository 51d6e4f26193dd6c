package limit

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var start = time.Date(2031, 5, 1, 12, 0, 0, 0, time.UTC)

// clock is a time that the test moves.
type clock struct{ time.Time }

func (c *clock) now() time.Time { return c.Time }

func newLimiter(t interface {
	Helper()
	Fatal(...any)
}, store Store, now func() time.Time, rules ...Rule,
) *Limiter {
	t.Helper()
	byName := map[string]Rule{}
	for _, r := range rules {
		byName[r.Name] = r
	}
	l, err := New(store, byName, now)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// The model is a bucket that holds tries as a number and fills with time, in whole microseconds times the rate, so
// that it needs no rounding.
func TestLG13_LimiterIsATokenBucket(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		burst := rapid.IntRange(1, 20).Draw(t, "burst")
		step := time.Duration(rapid.IntRange(1, 5000).Draw(t, "step")) * time.Millisecond
		c := &clock{start}
		l := newLimiter(t, NewMemory(8), c.now, Rule{"r", burst, step * time.Duration(burst)})
		level, last := time.Duration(burst)*step, c.Time // the level in units of the time that fills it
		for range rapid.IntRange(1, 100).Draw(t, "tries") {
			c.Time = c.Add(time.Duration(rapid.IntRange(0, int(2*step/time.Microsecond)).Draw(t,
				"gap")) * time.Microsecond)
			level, last = min(level+c.Sub(last), time.Duration(burst)*step), c.Time
			d, err := l.Allow(t.Context(), "r", "192.0.2.1")
			if err != nil {
				t.Fatal(err)
			}
			if want := level >= step; d.Allowed != want {
				t.Fatalf("allowed %v at a level of %v with steps of %v", d.Allowed, level, step)
			}
			if !d.Allowed {
				if d.RetryAfter != step-level || d.Reset != step-level || d.Remaining != 0 {
					t.Fatalf("denied with %+v at a level of %v", d, level)
				}
				continue
			}
			level -= step
			if d.Remaining != int(level/step) || d.RetryAfter != 0 {
				t.Fatalf("allowed with %+v at a level of %v", d, level)
			}
			if full := time.Duration(burst)*step - level; d.Remaining > 0 && d.Reset != full ||
				d.Remaining == 0 && d.Reset != step-level {
				t.Fatalf("reset of %v at a level of %v", d.Reset, level)
			}
		}
	})
}

func TestLG10_ParallelTakesAllowExactlyTheBurst(t *testing.T) {
	t.Parallel()
	l := newLimiter(t, NewMemory(0), func() time.Time { return start }, Rule{"login", 60, 15 * time.Minute})
	var all sync.WaitGroup
	var allowed, denied atomic.Int32
	for range 500 {
		all.Go(func() {
			d, err := l.Allow(t.Context(), "login", "192.0.2.1")
			switch {
			case err != nil:
				t.Error(err)
			case d.Allowed:
				allowed.Add(1)
			default:
				denied.Add(1)
			}
		})
	}
	all.Wait()
	if allowed.Load() != 60 || denied.Load() != 440 {
		t.Errorf("%d allowed, %d denied", allowed.Load(), denied.Load())
	}
}

func TestAllow_Keys(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	rules := map[string]Rule{
		"login": {"login", 1, time.Minute}, "loginWithPasskey": {"login", 1, time.Minute},
		"refresh": {"refresh", 1, time.Minute},
	}
	l, err := New(NewMemory(0), rules, func() time.Time { return start })
	if err != nil {
		t.Fatal(err)
	}
	clear(rules) // the limiter keeps its own
	for _, c := range []struct {
		why, name, block string
		want             bool
	}{
		{"first", "login", "192.0.2.1", true},
		{"used up", "login", "192.0.2.1", false},
		{"another name for the same bucket", "loginWithPasskey", "192.0.2.1", false},
		{"another rule", "refresh", "192.0.2.1", true},
		{"another block", "login", "2001:db8::/64", true},
		{"LG-15 without an address", "login", "unknown", true},
		{"LG-15 without an address, used up", "login", "unknown", false},
		{"no rule", "me", "192.0.2.1", true},
		{"no rule, again", "me", "192.0.2.1", true},
	} {
		if d, err := l.Allow(ctx, c.name, c.block); err != nil || d.Allowed != c.want {
			t.Errorf("%s: %+v, %v", c.why, d, err)
		}
	}
}

// brokenStore denies everything, with an error or without a time.
type brokenStore struct{ err error }

func (s brokenStore) Take(context.Context, string, time.Duration, time.Duration, time.Time) (time.Time, bool, error) {
	return time.Time{}, false, s.err
}

func (s brokenStore) GiveBack(context.Context, string, time.Duration) error { return s.err }

func TestAllow_FailsClosed(t *testing.T) {
	t.Parallel()
	lost := errors.New("connection lost")
	rule := Rule{"login", 60, 15 * time.Minute}
	d, err := newLimiter(t, brokenStore{lost}, time.Now, rule).Allow(t.Context(), "login", "192.0.2.1")
	if d.Allowed || !errors.Is(err, lost) {
		t.Errorf("%+v, %v", d, err)
	}
	// A store that denies without telling the time: a full interval is always enough.
	d, err = newLimiter(t, brokenStore{}, time.Now, rule).Allow(t.Context(), "login", "192.0.2.1")
	if d.Allowed || err != nil || d.RetryAfter != 15*time.Second {
		t.Errorf("%+v, %v", d, err)
	}
}

// LG-35: a try that is given back can be taken again, and a bucket never holds more than its burst.
func TestLG35_GiveBack(t *testing.T) {
	t.Parallel()
	now := time.Now()
	l := newLimiter(t, NewMemory(0), func() time.Time { return now }, Rule{"login", 2, time.Minute})
	left := func() (n int) {
		for {
			d, err := l.Allow(t.Context(), "login", "192.0.2.1")
			if err != nil {
				t.Fatal(err)
			}
			if !d.Allowed {
				return n
			}
			n++
		}
	}
	back := func(n int) {
		for range n {
			if err := l.GiveBack(t.Context(), "login", "192.0.2.1"); err != nil {
				t.Fatal(err)
			}
		}
	}
	back(1) // nothing was taken
	if n := left(); n != 2 {
		t.Errorf("a full bucket gave %d", n)
	}
	back(1)
	if n := left(); n != 1 {
		t.Errorf("one back gave %d", n)
	}
	back(2)
	now = now.Add(time.Minute)
	back(1)
	if n := left(); n != 2 {
		t.Errorf("more back than were taken gave %d", n)
	}
	lost := errors.New("connection lost")
	if err := newLimiter(t, brokenStore{lost}, time.Now, Rule{"login", 2, time.Minute}).GiveBack(t.Context(), "login",
		"192.0.2.1"); !errors.Is(err, lost) {
		t.Errorf("a lost store: %v", err)
	}
}

func TestNewRefusesRulesThatCannotBeApplied(t *testing.T) {
	t.Parallel()
	for _, r := range []Rule{
		{"x", 0, time.Minute},
		{"x", -1, time.Minute},
		{"x", 1, 0},
		{"x", 1, -time.Second},
		{"x", 10, time.Microsecond},
		{"", 1, time.Minute},
		{"a b", 1, time.Minute},
		{`x"`, 1, time.Minute},
		{"x:y", 1, time.Minute},
	} {
		if _, err := New(NewMemory(1), map[string]Rule{"x": r}, time.Now); err == nil {
			t.Errorf("%+v was accepted", r)
		}
	}
	if _, err := New(NewMemory(1), Defaults(), time.Now); err != nil {
		t.Error(err)
	}
	if got := slices.Sorted(maps.Keys(Defaults())); !slices.Equal(got, []string{
		"account", "accountExport", "accountMutation", "accountQuery", "cancelEmailChange", "createUser", "keyMutation",
		"keyQuery", "login", "migration", "mutation", "network", "recovery", "refresh", "refused", "register", "sessionRefresh",
		"verification",
	}) {
		t.Errorf("defaults for %v", got)
	}
}

func TestDecision_Fields(t *testing.T) {
	t.Parallel()
	c := &clock{start}
	l := newLimiter(t, NewMemory(0), c.now, Rule{"login", 60, 15 * time.Minute})
	d, _ := l.Allow(t.Context(), "login", "192.0.2.1")
	if got, want := d.LimitField(), `"login";r=59;t=15`; got != want {
		t.Errorf("RateLimit: %s, want %s", got, want)
	}
	if got, want := d.PolicyField(), `"login";q=60;w=900`; got != want {
		t.Errorf("RateLimit-Policy: %s, want %s", got, want)
	}
	for range 59 {
		d, _ = l.Allow(t.Context(), "login", "192.0.2.1")
	}
	if got, want := d.LimitField(), `"login";r=0;t=15`; got != want || !d.Allowed {
		t.Errorf("RateLimit at the last try: %s, want %s", got, want)
	}
	c.Time = c.Add(2500 * time.Millisecond)
	d, _ = l.Allow(t.Context(), "login", "192.0.2.1")
	if d.Allowed || d.LimitField() != `"login";r=0;t=13` {
		t.Errorf("denied: %s", d.LimitField())
	}
}
