package limit

import (
	"testing"
	"time"
)

// LG-27: a rule is read from what settings say, in one form, within bounds; what it is written as reads the same.
func TestLG27_Parse(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Rule{
		"60/15m": {"x", 60, 15 * time.Minute}, "1/1s": {"x", 1, time.Second}, "5/10s": {"x", 5, 10 * time.Second},
		"1000000/24h": {"x", 1_000_000, 24 * time.Hour}, "600/1h": {"x", 600, time.Hour},
		"600/60m": {"x", 600, time.Hour}, "7/1m30s": {"x", 7, 90 * time.Second},
	} {
		if got, ok := Parse("x", text); !ok || got != want {
			t.Errorf("%s: %+v, %t", text, got, ok)
		}
		if got, ok := Parse("x", want.String()); !ok || got != want {
			t.Errorf("%s is written as %s", text, want)
		}
	}
	for _, text := range []string{
		"", "60", "60/", "/15m", "0/15m", "-1/15m", "1.5/15m", "60/15", "60/0s", "60/999ms", "60/25h", "1000001/24h",
		"60 / 15m", "60/15m/1", "sixty/15m", "off", "60/-15m",
	} {
		if got, ok := Parse("x", text); ok {
			t.Errorf("%q was read: %+v", text, got)
		}
	}
	for _, e := range Table() {
		if got, ok := Parse(e.Name, e.String()); !ok || got != e.Rule {
			t.Errorf("%s is written as %s", e.Name, e)
		}
	}
}

// LG-31: several tries are taken at once, all or none, and come back as such.
func TestLG31_SeveralTries(t *testing.T) {
	t.Parallel()
	c := &clock{start}
	l := newLimiter(t, NewMemory(0), c.now, Rule{"query", 10, 10 * time.Second})
	take := func(tries int, want bool, left int, wait time.Duration) {
		t.Helper()
		d, err := l.allow(t.Context(), "query", "ada", tries)
		if err != nil || d.Allowed != want || d.Remaining != left || d.RetryAfter != wait {
			t.Errorf("%d tries: %+v, %v", tries, d, err)
		}
	}
	take(7, true, 3, 0)
	take(4, false, 0, time.Second)
	take(0, true, 2, 0)
	take(2, true, 0, 0)
	c.Time = c.Add(10 * time.Second)
	take(1000, true, 0, 0) // more than a full bucket is a full bucket
	take(1000, false, 0, 10*time.Second)
}
