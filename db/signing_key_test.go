package db_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
)

// equals tells whether a stored hash is this one.
func equals(hash []byte) func([]byte) bool {
	return func(stored []byte) bool { return hmac.Equal(stored, hash) }
}

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
		for _, k := range []db.SigningKey{signingKey("a", db.KeyActive, noon()), signingKey("b", db.KeyNext, noon()), signingKey("x", db.KeyNext, noon())} {
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
					fresh := signingKey(fmt.Sprintf("k%d-%02d", round, n), db.KeyNext, noon().Add(time.Duration(round)*time.Hour))
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
			if got[0] != next+" active" || got[1] != winner.Load().(string)+" next" || got[2][len(got[2])-7:] != "retired" || len(got) != round+3 {
				t.Fatalf("keys %v", got)
			}
			active, next = next, winner.Load().(string)
		}
		rows, err := d.SigningKeys(ctx)
		if err != nil || !rows[0].Since().Equal(noon().Add(time.Hour)) || !rows[2].Since().Equal(noon().Add(time.Hour)) || !rows[1].Since().Equal(rows[1].CreatedAt) {
			t.Errorf("since %+v, %v", rows, err)
		}
		if n := count(t, dbtest.Beside(t, dsn), "audit_events WHERE action = 'rotate_signing_keys'"); n != 5 {
			t.Errorf("%d events", n)
		}
		// What is not active or next any more is not rotated, and leaves all as it is.
		before := states(t, d)
		for _, pair := range [][2]string{{"a", next}, {active, "a"}, {next, active}, {"none", "none"}} {
			if ok, err := d.RotateSigningKeys(ctx, pair[0], pair[1], signingKey("y", db.KeyNext, noon()), noon()); ok || err != nil {
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
		if ok, err := d.RotateSigningKeys(ctx, "a", "b", signingKey("c", db.KeyNext, noon()), noon()); err != nil || !ok {
			t.Fatal(err)
		}
		for _, step := range []struct {
			after time.Duration
			keys  int
		}{{24*time.Hour + 5*time.Second, 3}, {25 * time.Hour, 3}, {25*time.Hour + time.Microsecond, 2}, {9000 * time.Hour, 2}} {
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
			{"stale", "x", "sealed a"}, {"sealed a", "\x00one", "\x00one"}, {"sealed a", "two", "\x00one"}, {"\x00one", "two", "two"},
		} {
			if err := d.ResealSigningKey(ctx, "a", []byte(step.old), []byte(step.sealed)); err != nil || sealed() != step.want {
				t.Errorf("%q for %q: %q, %v", step.sealed, step.old, sealed(), err)
			}
		}
	})
}

// KE-02: what depends on an earlier secret is counted exactly, and a key that goes over does so once.
func TestKE02_Dependents(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		ctx, d := from(t, ""), dbtest.Open(t, dsn)
		u := join(t, d, "ada@example.com")
		month, change := 720*time.Hour, noon().Add(time.Hour)
		old := enter(t, d, u, "", month, month, noon())
		refreshed := enter(t, d, u, "", month, month, noon())
		enter(t, d, u, "", month, month, change.Add(time.Microsecond))
		enter(t, d, u, "", time.Minute, time.Minute, noon()) // has ended
		enter(t, d, u, "", month, 5*time.Minute, noon())     // was idle for too long
		if _, err := d.Rotate(ctx, refreshed.ID, 0, change.Add(time.Microsecond)); err != nil {
			t.Fatal(err)
		}
		ends := noon().Add(time.Minute)
		addKey(t, d, u, "aaaaaaaa", noon(), nil)
		addKey(t, d, u, "bbbbbbbb", noon(), &ends)
		k := addKey(t, d, u, "cccccccc", noon(), nil)
		label, moved := []byte{0, 0xff, 'x'}, []byte{0, 0xff, 'x', 1, 2, 0}
		now := change.Add(time.Hour)
		check := func(sessions, keys int) {
			t.Helper()
			n, err := d.Dependents(ctx, change, label, now)
			if err != nil || n.Sessions != sessions || n.Keys != keys || sessions > 0 && !n.SessionsEnd.Equal(old.AbsoluteEnd) {
				t.Errorf("%+v, %v", n, err)
			}
		}
		check(1, 2)
		recent := now.Add(-time.Second)
		used := *k
		used.LastUsedAt = &recent
		for _, step := range []struct {
			key  *db.ApiKey
			keys int
		}{{&used, 2}, {k, 1}, {k, 1}} {
			if err := d.RehashKey(ctx, step.key, moved, now); err != nil {
				t.Fatal(err)
			}
			check(1, step.keys)
		}
		if c, err := d.CallerByKey(ctx, "cccccccc", equals(moved), now); err != nil || c == nil {
			t.Errorf("the key went over to nothing: %v", err)
		}
		if n, err := d.Dependents(ctx, time.Time{}, label, now); err != nil || n.Sessions != 0 || !n.SessionsEnd.IsZero() {
			t.Errorf("without another secret: %+v %v", n, err)
		}
	})
}

func TestUseSecret(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		ctx, d := from(t, ""), dbtest.Open(t, dsn)
		at := func(h int) time.Time { return noon().Add(time.Duration(h) * time.Hour) }
		for _, use := range []struct {
			id string
			at int
		}{{"old", 0}, {"new", 1}, {"old", 3}, {"old", 2}} {
			if err := d.UseSecret(ctx, use.id, at(use.at)); err != nil {
				t.Fatal(err)
			}
		}
		all, err := d.ServerSecrets(ctx)
		if err != nil || len(all) != 2 || all[0].ID != "old" || !all[0].FirstUsedAt.Equal(at(0)) || !all[0].LastUsedAt.Equal(at(3)) || !all[1].LastUsedAt.Equal(at(1)) {
			t.Errorf("%+v %v", all, err)
		}
		if _, err := d.Sweep(ctx, at(400*24+2)); err != nil {
			t.Fatal(err)
		}
		if all, err = d.ServerSecrets(ctx); err != nil || len(all) != 1 || all[0].ID != "old" {
			t.Errorf("%+v %v", all, err)
		}
	})
}

// A backup is whole while others write, belongs to its owner, and overwrites nothing.
func TestBackup(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, dbtest.SQLite(t))
	u := join(t, d, "ada@example.com")
	stop, written := make(chan struct{}), make(chan int)
	go func() {
		n := 0
		for ; ; n++ {
			select {
			case <-stop:
				written <- n
				return
			default:
				enter(t, d, u, "", time.Hour, time.Hour, noon())
			}
		}
	}()
	dir := filepath.Join(t.TempDir(), "with space?#%41")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	last := 0
	for n := range 5 {
		path := filepath.Join(dir, fmt.Sprintf("%d.db", n))
		if err := d.Backup(t.Context(), path); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
			t.Errorf("%v %v", info, err)
		}
		conn := dbtest.Beside(t, "sqlite:"+path)
		sessions := count(t, conn, "sessions")
		if logins := count(t, conn, "audit_events WHERE action = 'login'"); sessions != logins || sessions < last {
			t.Errorf("%d sessions, %d events of their making, %d before", sessions, logins, last)
		}
		last = sessions
		content, _ := os.ReadFile(path)
		if err := d.Backup(t.Context(), path); !errors.Is(err, os.ErrExist) {
			t.Errorf("once more into one file: %v", err)
		}
		if again, _ := os.ReadFile(path); !bytes.Equal(content, again) {
			t.Error("a file was overwritten")
		}
	}
	close(stop)
	t.Logf("%d sessions were made beside 5 backups, %d of them in the last", <-written, last)
	if err := d.Backup(t.Context(), filepath.Join(dir, "none", "x.db")); err == nil {
		t.Error("into a folder that is not there")
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := d.Backup(gone, filepath.Join(dir, "cut.db")); err == nil {
		t.Error("a backup was made for nobody")
	}
	if _, err := os.Stat(filepath.Join(dir, "cut.db")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a part of a backup is left behind: %v", err)
	}
}

func TestBackup_Postgres(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x")
	if err := dbtest.Open(t, dbtest.Postgres(t)).Backup(t.Context(), path); !errors.Is(err, db.ErrNoBackup) {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("it made a file")
	}
}
