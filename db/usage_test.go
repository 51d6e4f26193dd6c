package db_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
)

func use(d *db.DB, route, agent string, at time.Time) {
	d.CountUse(db.Use{
		Dialect: "some-api", Route: route, Kind: db.CallerUserAgent, Caller: agent,
		Block: "203.0.113.0/24", At: at,
	})
}

// uses gives the calls that are written, of each route and in all.
func uses(t *testing.T, d *db.DB) (routes map[string]int, all int) {
	t.Helper()
	list, err := d.DialectUsage(t.Context(), nil, db.UsageFilter{Callers: db.MaxDialectCallers})
	if err != nil {
		t.Fatal(err)
	}
	routes = map[string]int{}
	for _, u := range list {
		routes[u.Route] += u.Count
		all += u.Count
	}
	return routes, all
}

// What could not be written is written the next time, once.
func TestFlushUsage_KeepsWhatFails(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		d := dbtest.Open(t, dsn)
		for n := range 2500 { // three batches
			use(d, fmt.Sprint("GET /", n/150), fmt.Sprint("agent ", n), noon())
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if err := d.FlushUsage(ended); err == nil {
			t.Fatal("it is written without a database")
		}
		use(d, "GET /0", "agent 0", noon().Add(time.Second))
		if err := d.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if routes, all := uses(t, d); all != 2501 || routes["GET /0"] != 151 || len(routes) != 17 {
			t.Errorf("%d calls of %v", all, routes)
		}
	})
}

// Instances that write the same rows at the same time lose nothing and never wait in a circle; callers may be a few
// more than the bound, as each of them may fill the room that was left.
func TestFlushUsage_SideBySide(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		const writers, rounds, agents = 4, 10, 130
		first := dbtest.Open(t, dsn)
		var side sync.WaitGroup
		for writer := range writers {
			d := first
			if d.Postgres() && writer > 0 {
				d = dbtest.Open(t, dsn)
			}
			side.Go(func() {
				for round := range rounds {
					for n := range agents {
						use(d, fmt.Sprint("GET /", n%3), fmt.Sprint("agent ", n), noon())
						use(d, "GET /busy", fmt.Sprint("agent ", writer, " ", round, " ", n), noon())
					}
					if err := d.FlushUsage(t.Context()); err != nil {
						t.Error(err)
					}
				}
			})
		}
		side.Wait()
		if _, all := uses(t, first); all != writers*rounds*agents*2 {
			t.Errorf("%d calls, not %d", all, writers*rounds*agents*2)
		}
		if n := count(t, dbtest.Beside(t, dsn), "dialect_usage WHERE route = 'GET /busy'"); n < 201 || n > 201*writers {
			t.Errorf("%d callers of one route", n)
		}
	})
}

// A User-Agent is anybody's choice: however many there are, they take no room from API keys that were good.
func TestFlushUsage_KeysHaveRoom(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		d := dbtest.Open(t, dsn)
		side := dbtest.Beside(t, dsn)
		for n, key := range []string{"sk_live_one", "sk_live_two"} { // in memory, and in the table
			for agent := range 250 {
				use(d, "GET /me", fmt.Sprint("agent ", n, " ", agent), noon())
			}
			d.CountUse(db.Use{Dialect: "some-api", Route: "GET /me", Kind: db.CallerAPIKey, Caller: key, At: noon()})
			if err := d.FlushUsage(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if keys, all := count(t, side, "dialect_usage WHERE kind = 'API_KEY'"),
			count(t, side, "dialect_usage"); keys != 2 || all != 203 {
			t.Errorf("%d keys among %d callers", keys, all)
		}
		if _, all := uses(t, d); all != 502 {
			t.Errorf("%d calls", all)
		}
	})
}

// The header is cut between two characters, and every character of it comes back as it was.
func TestCountUse_Names(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		d := dbtest.Open(t, dsn)
		for given, want := range map[string]string{
			"": "", strings.Repeat("a", 100): strings.Repeat("a", 100),
			strings.Repeat("a", 101):      strings.Repeat("a", 100),
			"x" + strings.Repeat("é", 50): "x" + strings.Repeat("é", 49), "a" + strings.Repeat("🦉", 30): "a" +
				strings.Repeat("🦉", 24),
			`'"\ { } % _ ? $1`: `'"\ { } % _ ? $1`,
		} {
			route := fmt.Sprintf("GET /%x", given)
			use(d, route, given, noon())
			if err := d.FlushUsage(t.Context()); err != nil {
				t.Fatal(err)
			}
			list, err := d.DialectUsage(t.Context(), nil, db.UsageFilter{Callers: 1})
			if err != nil {
				t.Fatal(err)
			}
			for _, u := range list {
				if got := u.Callers(nil); u.Route == route &&
					(len(got) != 1 || got[0].Value != want || *got[0].AddressBlock != "203.0.113.0/24") {
					t.Errorf("%q became %+v", given, got[0])
				}
			}
		}
	})
}

func BenchmarkCountUse(b *testing.B) {
	d := &db.DB{}
	at := noon()
	b.ReportAllocs()
	for b.Loop() {
		use(d, "GET /me", "curl/8.5", at)
	}
}
