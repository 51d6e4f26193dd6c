package program

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// TestCommands_NoDatabase runs the commands that are for the database of a server where there is none: in another
// directory, or with the wrong DATABASE_URL. They must say so. A restore-finish that ends nothing in a database that it
// made itself would leave the restored one as it is, and look like success.
func TestCommands_NoDatabase(t *testing.T) {
	t.Parallel()
	commands := [][]string{
		{"restore-finish"},
		{"keys", "list"},
		{"keys", "rotate"},
		{"secret", "status"},
		{"admin", "promote", "ada@example.com"},
		{"admin", "demote", "ada@example.com"},
	}
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		for _, args := range commands {
			got := command(t, dir, nil, args...)
			if got.code != 1 || got.stdout != "" || !strings.Contains(got.stderr, "there is no database in ./data") ||
				!strings.Contains(got.stderr, "DRAGOMAN_DATA_DIR") || !strings.Contains(got.stderr, "DATABASE_URL") ||
				!strings.Contains(got.stderr, "dragoman migrate") {
				t.Errorf("%s: %+v", args, got)
			}
		}
		if left, _ := os.ReadDir(dir); len(left) != 0 {
			t.Errorf("made %v", left)
		}
		// A file without a schema is none either.
		if err := os.Mkdir(filepath.Join(dir, "data"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "data", "dragoman.db"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if got := command(t, dir, nil, "restore-finish"); got.code != 1 || !strings.Contains(got.stderr, "empty") {
			t.Errorf("an empty file: %+v", got)
		}
		if left, _ := os.ReadDir(filepath.Join(dir, "data")); len(left) != 1 {
			t.Errorf("made %v", left)
		}
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		dsn := dbtest.EmptyPostgres(t)
		for _, args := range commands {
			if got := command(t, t.TempDir(), harness.ProcessEnv(dsn), args...); got.code != 1 || got.stdout != "" ||
				!strings.Contains(got.stderr, "is empty") || !strings.Contains(got.stderr, "DATABASE_URL") {
				t.Errorf("%s: %+v", args, got)
			}
		}
		var tables int
		if err := harness.OpenSide(t, dsn).QueryRow("SELECT count(*) FROM information_schema.tables WHERE " +
			"table_schema = 'public'").Scan(&tables); err != nil || tables != 0 {
			t.Errorf("made %d tables, %v", tables, err)
		}
	})
}
