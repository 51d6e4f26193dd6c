package db_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
)

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
		if logins := count(t, conn, "audit_events WHERE action = 'login.succeeded'"); sessions != logins ||
			sessions < last {
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
