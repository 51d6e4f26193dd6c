package db

import (
	"database/sql"
	"path/filepath"
	"testing"
)

// KE-07: every connection of both pools of SQLite is set up as it must be. This test is inside the package, because
// nothing outside may run statements on these pools.
func TestKE07_Pragmas(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d, err := Open(ctx, "sqlite:"+filepath.Join(t.TempDir(), "dragoman.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	if err := d.Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	if open := d.w.DB.Stats().MaxOpenConnections; open != 1 {
		t.Errorf("%d writers", open)
	}
	for name, pool := range map[string]struct {
		*sql.DB
		queryOnly string
	}{"writer": {d.w.DB, "0"}, "readers": {d.r.DB, "1"}} {
		for range pool.Stats().MaxOpenConnections { // held until the end, so that each is another one
			conn, err := pool.Conn(ctx)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			for pragma, want := range map[string]string{
				"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "5000",
				"query_only": pool.queryOnly,
			} {
				var got string
				if err := conn.QueryRowContext(ctx, "PRAGMA "+pragma).Scan(&got); err != nil || got != want {
					t.Errorf("%s: %s is %s, %v", name, pragma, got, err)
				}
			}
			if name == "readers" {
				if _, err := conn.ExecContext(ctx, "DELETE FROM users"); err == nil {
					t.Error("a reader writes")
				}
			}
		}
	}
}

// KE-07: a transaction of the writer takes the lock at its start, so a second writer waits and never fails half-way.
func TestKE07_TransactionsLockAtOnce(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "dragoman.db")
	d, err := Open(ctx, "sqlite:"+path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	tx, err := d.w.BeginTx(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback() //nolint:errcheck // nothing was done
	impatient, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(0)")
	if err != nil {
		t.Fatal(err)
	}
	defer impatient.Close()
	if _, err := impatient.ExecContext(ctx, "BEGIN IMMEDIATE"); err == nil {
		t.Error("two transactions hold the lock")
	}
}
