package db_test

import (
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db/dbtest"
)

// AV-05: a clock that is put back gives no tries away, and costs one interval and not the difference of the clocks.
func TestTake_ClockPutBack(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, dbtest.Postgres(t))
	const interval, capacity = time.Minute, 3 * time.Minute
	take := func(at time.Time) bool {
		t.Helper()
		_, allowed, err := d.Take(t.Context(), "login:192.0.2.1", interval, capacity, at)
		if err != nil {
			t.Fatal(err)
		}
		return allowed
	}
	for n, want := range []bool{true, true, true, false} {
		if take(noon()) != want {
			t.Fatalf("try %d: %v", n+1, !want)
		}
	}
	back := noon().Add(-time.Hour)
	for n := range 3 {
		if take(back) {
			t.Fatalf("try %d after the clock was put back is allowed", n+1)
		}
	}
	if take(back.Add(interval)) == take(back.Add(interval+time.Second)) {
		t.Error("not one try, an interval and a second later")
	}
}

// LG-35: a try that is given back can be taken again; a key that is not stored stays so.
func TestLG35_GiveBackOnPostgres(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, dbtest.Postgres(t))
	const interval, capacity, key = time.Minute, 2 * time.Minute, "login:192.0.2.1"
	back := func(key string) {
		t.Helper()
		if err := d.GiveBack(t.Context(), key, interval); err != nil {
			t.Fatal(err)
		}
	}
	back(key)
	back("login:192.0.2.2")
	for n, want := range []bool{true, true, false, false, true, false} {
		if n == 4 {
			back(key)
		}
		_, allowed, err := d.Take(t.Context(), key, interval, capacity, noon())
		if err != nil || allowed != want {
			t.Errorf("try %d: %v %v", n+1, allowed, err)
		}
	}
}
