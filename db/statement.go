package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	_ "modernc.org/sqlite" // the driver named sqlite
)

// statement is one hot operation as SQL for each database, with one list of numbered parameters for both: $1 and ?1.
//
// Postgres does a whole operation in one statement (WITH … INSERT … UPDATE …). SQLite has no writes inside WITH, so there
// an operation is a short script in one transaction, whose last step gives the answer; each step carries its own
// condition. A script of one step that only reads runs on the readers.
type statement struct {
	postgres string
	sqlite   []string
	reads    bool
}

// get runs st and scans its one row into dest, a struct with bun tags. It tells whether there was a row.
func (d *DB) get(ctx context.Context, st *statement, dest any, args ...any) (found bool, err error) {
	start := time.Now() // a stopwatch, not a clock
	defer func() {
		d.observe(ctx, start, err, st)
		err = wrap(err, "get")
	}()
	if d.Postgres() {
		// pgx takes the mode as first argument; bun's own QueryContext does not pass it on.
		rows, err := d.w.DB.QueryContext(ctx, st.postgres, append([]any{pgx.QueryExecModeCacheStatement}, args...)...)
		if err != nil {
			return false, err
		}
		return d.scanRow(ctx, rows, dest)
	}
	if st.reads {
		prepared, err := d.prepared.get(ctx, d.r.DB, st.sqlite[0])
		if err != nil {
			return false, err
		}
		rows, err := prepared.QueryContext(ctx, args...)
		if err != nil {
			return false, err
		}
		return d.scanRow(ctx, rows, dest)
	}
	return d.script(ctx, st.sqlite, nil, dest, nil, args)
}

func (d *DB) observe(ctx context.Context, start time.Time, err error, st *statement) {
	if d.Postgres() {
		d.observeTexts(ctx, start, err, st.postgres)
	} else {
		d.observeTexts(ctx, start, err, st.sqlite...)
	}
}

// getLocked is get while nobody else does so for the same account: for the rare condition that looks at several rows,
// which a statement's own snapshot can not hold against a statement beside it. SQLite has one writer in any case.
func (d *DB) getLocked(ctx context.Context, user UserID, st *statement, dest any, args ...any) (found bool, err error) {
	return d.getBehind(ctx, `SELECT 1 FROM users WHERE id = $1 FOR NO KEY UPDATE`, user, st, dest, args...)
}

// getBehind is getLocked behind a lock of the caller's choice, with the account as its one parameter. Whoever locks several
// accounts does so in the order of their ids, and before sessions and keys: then nobody waits in a circle.
func (d *DB) getBehind(ctx context.Context, lock string, user UserID, st *statement, dest any, args ...any) (found bool, err error) {
	if !d.Postgres() {
		return d.get(ctx, st, dest, args...)
	}
	return d.getThen(ctx, func(tx *sql.Tx) error { return lockBy(ctx, tx, lock, user) }, nil, st, dest, args...)
}

// then is a further step in the transaction of a statement. It reads what the statement answered from its dest, and what it
// fails with undoes the statement.
type then func(tx *sql.Tx) error

// getThen is get in one transaction with what comes before it, on Postgres alone, and with what follows when there was a row.
// Either may be nil.
func (d *DB) getThen(ctx context.Context, before, next then, st *statement, dest any, args ...any) (found bool, err error) {
	if !d.Postgres() {
		before = nil
	}
	return d.getAfter(ctx, before, next, st, dest, args...)
}

// getAfter is getThen with what comes before it on both databases.
func (d *DB) getAfter(ctx context.Context, before, next then, st *statement, dest any, args ...any) (found bool, err error) {
	start := time.Now()
	defer func() {
		d.observe(ctx, start, err, st)
		err = wrap(err, "in a transaction")
	}()
	if !d.Postgres() {
		return d.script(ctx, st.sqlite, before, dest, next, args)
	}
	tx, err := d.w.DB.BeginTx(ctx, nil)
	if err != nil {
		return false, err
	}
	defer func() { err = d.finish(tx, err) }()
	if before != nil {
		if err := before(tx); err != nil {
			return false, err
		}
	}
	rows, err := tx.QueryContext(ctx, st.postgres, append([]any{pgx.QueryExecModeCacheStatement}, args...)...)
	if err != nil {
		return false, err
	}
	found, err = d.scanRow(ctx, rows, dest)
	if err == nil && found && next != nil {
		err = next(tx)
	}
	return found, err
}

func lockBy(ctx context.Context, tx *sql.Tx, lock string, user UserID) error {
	_, err := tx.ExecContext(ctx, lock, pgx.QueryExecModeCacheStatement, user)
	return err
}

// finish commits what went well and undoes the rest. Jobs that were committed are taken up at once.
func (d *DB) finish(tx *sql.Tx, err error) error {
	if err == nil {
		err = tx.Commit()
	} else {
		_ = tx.Rollback()
	}
	d.queue.Ended(tx, err == nil)
	return err
}

// count runs an operation that answers with the number of rows it changed.
func (d *DB) count(ctx context.Context, st *statement, args ...any) (int, error) {
	var answer struct {
		N int `bun:"n"`
	}
	found, err := d.get(ctx, st, &answer, args...)
	if err == nil && !found {
		err = errors.New("db: the statement gave no count")
	}
	return answer.N, err
}

func (d *DB) script(ctx context.Context, steps []string, before then, dest any, next then, args []any) (found bool, err error) {
	// Prepared before the transaction takes the one connection there is.
	stmts := make([]*sql.Stmt, len(steps))
	for i, step := range steps {
		if stmts[i], err = d.prepared.get(ctx, d.w.DB, step); err != nil {
			return false, err
		}
	}
	tx, err := d.w.DB.BeginTx(ctx, nil)
	if err != nil {
		return false, err
	}
	defer func() { err = d.finish(tx, err) }()
	if before != nil {
		if err := before(tx); err != nil {
			return false, err
		}
	}
	last := len(steps) - 1
	for _, stmt := range stmts[:last] {
		if _, err := tx.StmtContext(ctx, stmt).ExecContext(ctx, args...); err != nil {
			return false, err
		}
	}
	rows, err := tx.StmtContext(ctx, stmts[last]).QueryContext(ctx, args...)
	if err != nil {
		return false, err
	}
	found, err = d.scanRow(ctx, rows, dest)
	if err == nil && found && next != nil {
		err = next(tx)
	}
	return found, err
}

func (d *DB) scanRow(ctx context.Context, rows *sql.Rows, dest any) (found bool, err error) {
	defer func() { err = errors.Join(err, rows.Close()) }()
	if !rows.Next() {
		return false, rows.Err()
	}
	if err := d.w.ScanRow(ctx, rows, dest); err != nil {
		return false, err
	}
	return true, rows.Err()
}

// prepared keeps the statements of SQLite; database/sql prepares each anew on every connection that needs it.
type prepared struct {
	mu    sync.Mutex
	stmts map[string]*sql.Stmt
}

func (p *prepared) get(ctx context.Context, pool *sql.DB, text string) (*sql.Stmt, error) {
	p.mu.Lock()
	stmt, ok := p.stmts[text]
	p.mu.Unlock()
	if ok {
		return stmt, nil
	}
	// Outside the lock: on the one writer connection this waits for the transaction that holds it.
	stmt, err := pool.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if first, ok := p.stmts[text]; ok {
		return first, stmt.Close()
	}
	if p.stmts == nil {
		p.stmts = map[string]*sql.Stmt{}
	}
	p.stmts[text] = stmt
	return stmt, nil
}

func (p *prepared) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, stmt := range p.stmts {
		_ = stmt.Close()
	}
	p.stmts = nil
}

// wrap names the query that failed.
func wrap(err error, what string) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("db: %s: %w", what, err)
}

// ignoreNoRows is no error for what is not there.
func ignoreNoRows(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	return err
}
