// Package db holds the rows, which are the GraphQL types, and the named queries on them. Its files are named subject
// first.
//
// Two databases serve the same models: SQLite, embedded, in one file, and Postgres. Lists and rare statements go
// through bun. bun writes arguments into the text of a statement, and Postgres then plans every call anew. The hot
// statements are therefore SQL with named parameters, which every connection prepares once (see statement).
//
// The caller passes times in, in UTC and cut to microseconds: both databases can hold that.
package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/dragoman-auth/dragoman/db/outbox"
)

// DB is an open database. It is safe for concurrent use.
type DB struct {
	w *bun.DB // writes; on SQLite the one writer connection
	r *bun.DB // reads; on Postgres the same pool

	pg       *pgx.ConnConfig // Postgres only
	prepared prepared        // SQLite only
	touches  touches
	usage    usage
	observer func(context.Context, QueryEvent) // nil for none: see Observe
	queue    *outbox.Queue
	mailbox  func(canonical string) []byte // nil: mails are not limited; see LimitMails

	smsLimits *SMSLimits // nil: messages to phones are not limited; see LimitSMS
}

// Open opens a database without touching its schema. The DSN is a postgres:// URL or sqlite:PATH.
func Open(ctx context.Context, dsn string) (*DB, error) {
	d := &DB{}
	var err error
	if path, ok := strings.CutPrefix(dsn, "sqlite:"); ok {
		err = d.openSQLite(path)
	} else {
		err = d.openPostgres(dsn)
	}
	if err != nil {
		return nil, err
	}
	if d.queue, err = outbox.Open(d.w.DB, d.Postgres()); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	// The writer first: it makes the file of SQLite.
	if err := d.firstPing(ctx); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

func (d *DB) openPostgres(dsn string) error {
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil {
		// The parser's own message may repeat the password.
		return errors.New("DATABASE_URL is not a valid Postgres URL: expected postgres://user:password@host:5432/name")
	}
	cfg.DefaultQueryExecMode = pgx.QueryExecModeExec
	cfg.RuntimeParams["timezone"] = "UTC"
	cfg.RuntimeParams["standard_conforming_strings"] = "on" // bun quotes by that rule (KE-06)
	if cfg.RuntimeParams["application_name"] == "" {
		cfg.RuntimeParams["application_name"] = "dragoman"
	}
	pool := stdlib.OpenDB(*cfg, stdlib.OptionShouldPing(
		func(context.Context, stdlib.ShouldPingParams) bool { return false }))
	size := max(8, 4*runtime.GOMAXPROCS(0))
	if text, ok := cfg.RuntimeParams["pool_max_conns"]; ok { // the parameter that pgx's own pool reads
		delete(cfg.RuntimeParams, "pool_max_conns")
		if size, err = strconv.Atoi(text); err != nil || size < 1 {
			return errors.New("DATABASE_URL: pool_max_conns is not a positive number")
		}
	}
	pool.SetMaxOpenConns(size)
	pool.SetMaxIdleConns(size)
	pool.SetConnMaxIdleTime(5 * time.Minute)
	d.w = bun.NewDB(pool, pgdialect.New(), bun.WithDiscardUnknownColumns())
	d.r, d.pg = d.w, cfg
	return nil
}

// openSQLite opens one writer and a pool of readers that can not write (KE-07). Every transaction takes the write lock
// at its start, so two writers wait for one another and never fail half-way.
func (d *DB) openSQLite(path string) error {
	path = fileURI(path)
	params := "?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)" +
		"&_pragma=foreign_keys(1)&_time_format=sqlite"
	w, err := sql.Open("sqlite", "file:"+path+params+"&_txlock=immediate")
	if err != nil {
		return err
	}
	w.SetMaxOpenConns(1)
	r, err := sql.Open("sqlite", "file:"+path+params+"&_pragma=query_only(1)")
	if err != nil {
		return errors.Join(err, w.Close())
	}
	readers := max(4, runtime.GOMAXPROCS(0))
	r.SetMaxOpenConns(readers)
	r.SetMaxIdleConns(readers)
	d.w = bun.NewDB(w, sqlitedialect.New(), bun.WithDiscardUnknownColumns())
	d.r = bun.NewDB(r, sqlitedialect.New(), bun.WithDiscardUnknownColumns())
	return nil
}

// fileURI escapes a path for a URI.
func fileURI(path string) string {
	return strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path)
}

// Postgres tells whether the database is Postgres. Else it is SQLite.
func (d *DB) Postgres() bool { return d.pg != nil }

// Ready gives nil when the database answers.
func (d *DB) Ready(ctx context.Context) error { return ping(ctx, d.r) }

// firstPing makes the first connection. On SQLite that one may switch a new file to WAL, for which SQLite needs the
// file for itself and does not wait (its busy handler is not asked): several instances that start at once try again for
// a while.
func (d *DB) firstPing(ctx context.Context) error {
	for end := time.Now().Add(busyTime); ; {
		err := ping(ctx, d.w)
		failure, ok := errors.AsType[*sqlite.Error](err)
		if !ok || failure.Code()&0xff != sqlite3.SQLITE_BUSY || time.Now().After(end) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// busyTime is how long a connection of SQLite waits for another one, as in busy_timeout.
const busyTime = 5 * time.Second

func ping(ctx context.Context, pool *bun.DB) error {
	var one int
	if err := pool.DB.QueryRowContext(ctx, "SELECT 1").Scan(&one); err != nil {
		return fmt.Errorf("db: not ready: %w", err)
	}
	return nil
}

// Close closes every connection. Call Flush before.
func (d *DB) Close() error {
	d.prepared.close()
	err := d.w.Close()
	if !d.Postgres() {
		err = errors.Join(err, d.r.Close())
	}
	return err
}

// Clock cuts a time to microseconds, in UTC: both databases can hold that.
func Clock(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// Flush writes what was gathered in memory: last uses, and calls of dialects.
func (d *DB) Flush(ctx context.Context) error {
	return errors.Join(d.FlushTouches(ctx), d.FlushUsage(ctx))
}
