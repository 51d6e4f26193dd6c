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

// Seen is one statement, or one script of SQLite, as it ended.
type Seen struct {
	Start time.Time
	Took  time.Duration // from the wait for a connection to the last row
	Err   error         // may hold values of rows: not for a log of statements, nor for a trace

	texts []string
}

// SQL is the text with its placeholders. It never holds an argument: where bun writes arguments into the text it is what is
// done to which table instead.
func (s Seen) SQL() string { return strings.Join(s.texts, "; ") }

const methods = "github.com/dragoman-auth/dragoman/db.(*DB)."

// Name is the exported function of this package that ran the statement, such as Rotate. It looks at the stack, so it answers
// only while the observer is being called, and it costs about a microsecond: ask for it when something is to be told.
func (s Seen) Name() string {
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

// Observe has every statement told to seen once it ended. Call it before the database is used.
func (d *DB) Observe(seen func(ctx context.Context, s Seen)) {
	d.seen = seen
	d.w = d.w.WithQueryHook(observed{seen})
	if d.Postgres() {
		d.r = d.w
		return
	}
	d.r = d.r.WithQueryHook(observed{seen})
}

// tell is for the statements that pass by bun.
func (d *DB) tell(ctx context.Context, start time.Time, err error, texts ...string) {
	if d.seen != nil {
		d.seen(ctx, Seen{Start: start, Took: time.Since(start), Err: err, texts: texts})
	}
}

// observed is for those that bun runs.
type observed struct {
	seen func(ctx context.Context, s Seen)
}

func (observed) BeforeQuery(ctx context.Context, _ *bun.QueryEvent) context.Context { return ctx }

func (o observed) AfterQuery(ctx context.Context, e *bun.QueryEvent) {
	text := e.QueryTemplate
	if e.IQuery != nil { // put together by bun: its template has the arguments in it
		text = e.IQuery.Operation() + " " + e.IQuery.GetTableName()
	}
	err := e.Err
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	o.seen(ctx, Seen{Start: e.StartTime, Took: time.Since(e.StartTime), Err: err, texts: []string{text}})
}

// Pools gives the state of every pool of connections by its name: postgres; or writer and reader, of SQLite.
func (d *DB) Pools() map[string]sql.DBStats {
	if d.Postgres() {
		return map[string]sql.DBStats{"postgres": d.w.DB.Stats()}
	}
	return map[string]sql.DBStats{"writer": d.w.DB.Stats(), "reader": d.r.DB.Stats()}
}
