package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// ErrNoBackup says that Dragoman does not back Postgres up.
var ErrNoBackup = errors.New("db: Postgres has programs of its own for backups")

// Backup writes the state of an SQLite database at one moment into a new file that only its owner can read. Servers
// keep reading and writing meanwhile. Backup never overwrites a file, and leaves no incomplete file behind.
func (d *DB) Backup(ctx context.Context, path string) (err error) {
	if d.Postgres() {
		return ErrNoBackup
	}
	if path, err = filepath.Abs(path); err != nil { // SQLite might take another name for a URI
		return err
	}
	// SQLite writes into an empty file that is there, and takes its mode.
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err = errors.Join(err, f.Close()); err != nil {
			err = errors.Join(err, os.Remove(path))
		}
	}()
	if _, err := d.w.DB.ExecContext(ctx, "VACUUM INTO ?", path); err != nil {
		return wrap(err, "backup")
	}
	if err := f.Sync(); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path)) // the name has to survive a power cut as well
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close(), intact(ctx, path))
}

// intact has SQLite check a database file, without writing to it.
func intact(ctx context.Context, path string) (err error) {
	copied, err := sql.Open("sqlite", "file:"+fileURI(path)+"?mode=ro")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, copied.Close()) }()
	var found string // the first of its findings, or ok
	if err := copied.QueryRowContext(ctx, "PRAGMA integrity_check").Scan(&found); err != nil {
		return wrap(err, "check the backup")
	}
	if found != "ok" {
		return fmt.Errorf("db: the backup is not intact: %.200s", found)
	}
	return nil
}
