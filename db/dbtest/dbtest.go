// Package dbtest gives every test a database of its own, on SQLite and on Postgres.
//
// Postgres is a throw-away cluster: made at the first need, listening on a Unix socket in a temporary folder, shared by
// all test programs that run at the same time, and gone after the last one. A template database is migrated once and
// cloned for each test; its name holds a checksum of the migrations. TEST_DATABASE_URL names a server to use instead.
// Where there is no Postgres at all the Postgres half of a test is skipped with a message that says how to get it; with
// CI=true it fails.
package dbtest

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/dragoman-auth/dragoman/db"
)

// Each runs test once for each database, in parallel, with the DSN of a fresh migrated database.
func Each(t *testing.T, test func(t *testing.T, dsn string)) {
	t.Helper()
	EachKind(t, func(t *testing.T, fresh func(testing.TB) string) { test(t, fresh(t)) })
}

// EachKind is Each for a test that makes its databases itself: fresh gives the DSN of another one.
func EachKind(t *testing.T, test func(t *testing.T, fresh func(testing.TB) string)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, SQLite)
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, Postgres)
	})
}

// SQLite gives the DSN of a fresh migrated database file.
func SQLite(t testing.TB) string {
	t.Helper()
	sqlite.once.Do(func() {
		path := filepath.Join(t.TempDir(), "dragoman.db")
		if sqlite.err = migrate(t.Context(), "sqlite:"+path); sqlite.err == nil {
			sqlite.file, sqlite.err = os.ReadFile(path)
		}
	})
	if sqlite.err != nil {
		t.Fatalf("make a migrated database: %v", sqlite.err)
	}
	path := filepath.Join(t.TempDir(), "dragoman.db")
	if err := os.WriteFile(path, sqlite.file, 0o600); err != nil {
		t.Fatal(err)
	}
	return "sqlite:" + path
}

// sqlite is a migrated database file, made once: the migrations take longer than most tests.
var sqlite struct {
	once sync.Once
	file []byte
	err  error
}

// Open opens a database for the length of a test.
func Open(t *testing.T, dsn string) *db.DB {
	t.Helper()
	d, err := db.Open(context.Background(), dsn)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return d
}

// Beside opens a connection to a database that is the test's own and not the server's.
func Beside(t testing.TB, dsn string) *sql.DB {
	t.Helper()
	driver, source := "pgx", dsn
	if path, ok := strings.CutPrefix(dsn, "sqlite:"); ok {
		escaped := strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path)
		driver, source = "sqlite", "file:"+escaped+"?_pragma=busy_timeout(10000)"
	}
	conn, err := sql.Open(driver, source)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func migrate(ctx context.Context, dsn string) error {
	d, err := db.Open(ctx, dsn)
	if err != nil {
		return err
	}
	return errors.Join(d.Migrate(ctx), d.Close())
}
