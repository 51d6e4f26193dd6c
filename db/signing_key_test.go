package db_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
)

func signingKey(kid string, state db.KeyState, at time.Time) db.SigningKey {
	return db.SigningKey{KID: kid, Alg: "ES256", State: state, Sealed: []byte("sealed " + kid), CreatedAt: at}
}

// states are the keys in their order, as "kid state".
func states(t *testing.T, d *db.DB) (all []string) {
	t.Helper()
	rows, err := d.SigningKeys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		all = append(all, row.KID+" "+string(row.State))
	}
	return all
}

// Of many rotations of the same two keys one takes place, whole, with one event (JW-14).
func TestRotateSigningKeys_OneWins(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		ctx, d := from(t, ""), dbtest.Open(t, dsn)
		for _, k := range []db.SigningKey{
			signingKey("a", db.KeyActive, noon()), signingKey("b", db.KeyNext, noon()),
			signingKey("x", db.KeyNext, noon()),
		} {
			if err := d.AddSigningKey(ctx, k); err != nil {
				t.Fatal(err)
			}
		}
		active, next := "a", "b"
		for round := range 5 {
			var won atomic.Int32
			var winner atomic.Value
			var wg sync.WaitGroup
			for n := range 16 {
				wg.Go(func() {
					fresh := signingKey(fmt.Sprintf("k%d-%02d", round, n), db.KeyNext,
						noon().Add(time.Duration(round)*time.Hour))
					ok, err := d.RotateSigningKeys(ctx, active, next, fresh, noon().Add(time.Hour))
					if err != nil {
						t.Error(err)
					}
					if ok {
						won.Add(1)
						winner.Store(fresh.KID)
					}
				})
			}
			wg.Wait()
			if won.Load() != 1 {
				t.Fatalf("%d rotations took place", won.Load())
			}
			got := states(t, d)
			if got[0] != next+" active" || got[1] != winner.Load().(string)+" next" ||
				got[2][len(got[2])-7:] != "retired" || len(got) != round+3 {
				t.Fatalf("keys %v", got)
			}
			active, next = next, winner.Load().(string)
		}
		rows, err := d.SigningKeys(ctx)
		if err != nil || !rows[0].Since().Equal(noon().Add(time.Hour)) ||
			!rows[2].Since().Equal(noon().Add(time.Hour)) || !rows[1].Since().Equal(rows[1].CreatedAt) {
			t.Errorf("since %+v, %v", rows, err)
		}
		if n := count(t, dbtest.Beside(t, dsn), "audit_events WHERE action = 'signing_key.rotated'"); n != 5 {
			t.Errorf("%d events", n)
		}
		// What is not active or next any more is not rotated, and leaves all as it is.
		before := states(t, d)
		for _, pair := range [][2]string{{"a", next}, {active, "a"}, {next, active}, {"none", "none"}} {
			if ok, err := d.RotateSigningKeys(ctx, pair[0], pair[1], signingKey("y", db.KeyNext, noon()), noon()); ok ||
				err != nil {
				t.Errorf("%v: %t %v", pair, ok, err)
			}
		}
		if after := states(t, d); fmt.Sprint(after) != fmt.Sprint(before) {
			t.Errorf("%v became %v", before, after)
		}
	})
}

// A retired key goes when the last token that it can have signed has ended, and no other key ever does.
func TestSweep_SigningKeys(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		ctx, d := from(t, ""), dbtest.Open(t, dsn)
		for _, k := range []db.SigningKey{signingKey("a", db.KeyActive, noon()), signingKey("b", db.KeyNext, noon())} {
			if err := d.AddSigningKey(ctx, k); err != nil {
				t.Fatal(err)
			}
		}
		if ok, err := d.RotateSigningKeys(ctx, "a", "b", signingKey("c", db.KeyNext, noon()), noon()); err != nil ||
			!ok {
			t.Fatal(err)
		}
		for _, step := range []struct {
			after time.Duration
			keys  int
		}{
			{24*time.Hour + 5*time.Second, 3},
			{25 * time.Hour, 3},
			{25*time.Hour + time.Microsecond, 2},
			{9000 * time.Hour, 2},
		} {
			if _, err := d.Sweep(ctx, noon().Add(step.after)); err != nil {
				t.Fatal(err)
			}
			if got := states(t, d); len(got) != step.keys || got[0] != "b active" || got[1] != "c next" {
				t.Errorf("after %s: %v", step.after, got)
			}
		}
	})
}

func TestResealSigningKey(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		ctx, d := from(t, ""), dbtest.Open(t, dsn)
		if err := d.AddSigningKey(ctx, signingKey("a", db.KeyActive, noon())); err != nil {
			t.Fatal(err)
		}
		sealed := func() string {
			rows, err := d.SigningKeys(ctx)
			if err != nil {
				t.Fatal(err)
			}
			return string(rows[0].Sealed)
		}
		for _, step := range []struct{ old, sealed, want string }{
			{"stale", "x", "sealed a"},
			{"sealed a", "\x00one", "\x00one"},
			{"sealed a", "two", "\x00one"},
			{"\x00one", "two", "two"},
		} {
			if err := d.ResealSigningKey(ctx, "a", []byte(step.old), []byte(step.sealed)); err != nil ||
				sealed() != step.want {
				t.Errorf("%q for %q: %q, %v", step.sealed, step.old, sealed(), err)
			}
		}
	})
}
