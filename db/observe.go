package db

import (
	"context"
	"database/sql"
	"errors"
	"runtime"
	"strings"
	"time"

	"github.com/uptrace/bun"
)

// QueryEvent describes a statement, or a script of SQLite, that ended.
type QueryEvent struct {
	Start time.Time
	Took  time.Duration // from the wait for a connection to the last row
	Err   error         // may hold values of rows: not for a log of statements, nor for a trace

	text string
}

// SQL gives the text with its placeholders, and never an argument. A query that bun put together has its arguments in
// its text: SQL gives the operation and the table instead.
func (e QueryEvent) SQL() string { return e.text }

const methods = "github.com/dragoman-auth/dragoman/db.(*DB)."

// Name gives the exported function of this package that ran the statement, such as Rotate. It reads the stack: it works
// only while the observer runs, and costs about a microsecond, so call it only where the name is shown.
func (e QueryEvent) Name() string {
	var at [48]uintptr
	frames := runtime.CallersFrames(at[:runtime.Callers(2, at[:])])
	name := "statement"
	for {
		frame, more := frames.Next()
		if method, ok := strings.CutPrefix(frame.Function, methods); ok && method[0] >= 'A' && method[0] <= 'Z' {
			name, _, _ = strings.Cut(method, ".") // a closure is a part of its function
		}
		if !more {
			return name
		}
	}
}

// Observe has observer called after every statement. Call it before the database is used.
func (d *DB) Observe(observer func(ctx context.Context, e QueryEvent)) {
	d.observer = observer
	d.w = d.w.WithQueryHook(queryHook{observer})
	if d.Postgres() {
		d.r = d.w
		return
	}
	d.r = d.r.WithQueryHook(queryHook{observer})
}

// observe calls the observer for a statement that bun does not run.
func (d *DB) observe(ctx context.Context, start time.Time, err error, st *statement) {
	if d.observer != nil {
		text := st.script(d.Postgres())
		d.observer(ctx, QueryEvent{Start: start, Took: time.Since(start), Err: err, text: text})
	}
}

// queryHook calls the observer for the statements that bun runs.
type queryHook struct {
	observer func(ctx context.Context, e QueryEvent)
}

func (queryHook) BeforeQuery(ctx context.Context, _ *bun.QueryEvent) context.Context { return ctx }

func (h queryHook) AfterQuery(ctx context.Context, e *bun.QueryEvent) {
	text := e.QueryTemplate
	if e.IQuery != nil { // bun put it together: its template holds the arguments
		text = e.IQuery.Operation() + " " + e.IQuery.GetTableName()
	}
	err := e.Err
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	h.observer(ctx, QueryEvent{Start: e.StartTime, Took: time.Since(e.StartTime), Err: err, text: text})
}

// Pools gives the state of every pool of connections by its name: postgres; or writer and reader, of SQLite.
func (d *DB) Pools() map[string]sql.DBStats {
	if d.Postgres() {
		return map[string]sql.DBStats{"postgres": d.w.DB.Stats()}
	}
	return map[string]sql.DBStats{"writer": d.w.DB.Stats(), "reader": d.r.DB.Stats()}
}
