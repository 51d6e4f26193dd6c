package db_test

import (
	"context"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
)

// Writing last uses never waits for somebody who is changing a row: two who wait for one another are a deadlock.
func TestFlushTouches_PassesOverLockedRows(t *testing.T) {
	t.Parallel()
	dsn := dbtest.Postgres(t)
	d := dbtest.Open(t, dsn)
	u := join(t, d, "ada@example.com")
	locked := enter(t, d, u, "", time.Hour, time.Hour, noon())
	free := enter(t, d, u, "", time.Hour, time.Hour, noon())
	tx, err := dbtest.Beside(t, dsn).BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.ExecContext(t.Context(), `SELECT 1 FROM sessions WHERE id = $1 FOR UPDATE`, locked.ID); err != nil {
		t.Fatal(err)
	}
	later := noon().Add(10 * time.Minute)
	for _, s := range []*db.Session{locked, free} {
		if err := d.Touch(t.Context(), &db.Caller{User: *u, Session: *s}, 0, later); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := d.FlushTouches(ctx); err != nil {
		t.Fatal(err)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	for id, want := range map[db.SessionID]time.Time{locked.ID: noon(), free.ID: later} {
		s, err := d.SessionOf(t.Context(), u.ID, id, 0, later)
		if err != nil || s == nil || !s.LastUsedAt.Equal(want) {
			t.Errorf("last used: %+v %v, want %s", s, err, want)
		}
	}
}
