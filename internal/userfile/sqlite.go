package userfile

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	_ "modernc.org/sqlite" // the driver
)

// sqliteStart is what every SQLite file begins with (SQLite, Database File Format, section 1.2).
const sqliteStart = "SQLite format 3\x00"

// sqliteTable reads the rows of one statement from an SQLite file, and writes nothing.
type sqliteTable struct {
	db    *sql.DB
	rows  *sql.Rows
	names []string
	count int
}

// newSQLiteTable opens the rows of a statement, as they are at one moment.
//
// With a write-ahead log beside the file a reader holds up nobody, and without one the application is closed: the file
// is read without a lock, so that a copy on a read-only disk serves as well. A file with the other kind of journal is
// copied under a lock first: reading it for minutes would stop the application, and reading it without a lock would
// take what is not committed.
func newSQLiteTable(path, statement string) (rows, error) {
	full, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	hasLog, err := writesAhead(full)
	if err != nil {
		return nil, err
	}
	query := "mode=ro&immutable=1"
	if wal, err := os.Stat(path + "-wal"); hasLog && err == nil && wal.Size() > 0 {
		query = lockedSQLite
	}
	if !hasLog {
		folder, err := os.MkdirTemp("", "dragoman-import-*") // 0700
		if err != nil {
			return nil, err
		}
		defer func() { _ = os.RemoveAll(folder) }() // the open connection goes on reading
		whole := filepath.Join(folder, "copy")
		if err := copySQLite(full, whole); err != nil {
			return nil, fmt.Errorf("this SQLite file: %w; stop the application that writes to it", err)
		}
		full = whole
	}
	return querySQLite(full, query, statement)
}

// lockedSQLite opens a file as its application does, and waits for it.
const lockedSQLite = "mode=ro&_pragma=busy_timeout(5000)"

// writesAhead tells whether a file has a write-ahead log (SQLite, Database File Format, section 1.3.3).
func writesAhead(path string) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	start := make([]byte, 20)
	_, err = io.ReadFull(f, start)
	return start[18] == 2, errors.Join(err, f.Close())
}

func openSQLite(path, query string) (*sql.DB, error) {
	uri := url.URL{Scheme: "file", OmitHost: true, Path: path}
	db, err := sql.Open("sqlite", uri.String()+"?"+query)
	if err == nil {
		db.SetMaxOpenConns(1)
	}
	return db, err
}

// copySQLite copies the state at one moment. The lock lasts as long as the copy takes.
func copySQLite(from, to string) error {
	db, err := openSQLite(from, lockedSQLite)
	if err != nil {
		return err
	}
	_, err = db.ExecContext(context.Background(), "VACUUM INTO ?", to)
	return errors.Join(err, db.Close())
}

func querySQLite(path, query, statement string) (rows, error) {
	db, err := openSQLite(path, query)
	if err != nil {
		return nil, err
	}
	all, err := db.QueryContext(context.Background(), statement)
	if err == nil {
		err = all.Err()
	}
	if err != nil {
		_ = db.Close()
		return nil, fmt.Errorf("this SQLite file: %w", err)
	}
	t := &sqliteTable{db: db, rows: all}
	if t.names, err = all.Columns(); err != nil {
		_ = t.Close()
		return nil, err
	}
	return t, nil
}

func (t *sqliteTable) next() (row, error) {
	if !t.rows.Next() {
		if err := t.rows.Err(); err != nil {
			return row{}, err
		}
		return row{}, io.EOF
	}
	t.count++
	values := make([]any, len(t.names))
	if err := t.rows.Scan(slices.Collect(pointers(values))...); err != nil {
		return row{}, err
	}
	where := "row " + strconv.Itoa(t.count)
	fields := make(map[string]any, len(values))
	for i, v := range values {
		name := t.names[i]
		switch v := v.(type) {
		case int64:
			fields[name] = json.Number(strconv.FormatInt(v, 10))
		case float64:
			fields[name] = json.Number(strconv.FormatFloat(v, 'f', -1, 64))
		case time.Time: // of a column that is declared as a date
			fields[name] = v.UTC().Format(time.RFC3339Nano)
		case []byte:
			fields[name] = string(v)
		default:
			fields[name] = v
		}
		if text, ok := fields[name].(string); ok && (!utf8.ValidString(text) || len(text) > maxRow) {
			return row{}, &Problem{where, name, "it is not UTF-8, or is longer than 1 MiB"}
		}
	}
	return row{where, fields}, nil
}

func pointers(values []any) func(yield func(any) bool) {
	return func(yield func(any) bool) {
		for i := range values {
			if !yield(&values[i]) {
				return
			}
		}
	}
}

// Close closes the file.
func (t *sqliteTable) Close() error {
	_ = t.rows.Close()
	return t.db.Close()
}
