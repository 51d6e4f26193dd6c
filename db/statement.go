package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// txStep is one more step in the transaction of a statement. Its error undoes the statement.
type txStep func(tx *sql.Tx) error

// txSteps are the steps around a statement, in the order in which they run. Any of them may be nil.
type txSteps struct {
	lock   txStep // Postgres only
	before txStep
	after  txStep // only where the statement gave a row; it reads the answer from dest
}

// option adds a step to a statement. A statement with a step runs in a transaction.
type option func(ctx context.Context, steps *txSteps)

// locking takes a lock before the statement, on Postgres; SQLite has one writer in any case. A lock serves the rare
// condition that reads several rows: the snapshot of a statement alone does not hold such a condition against a
// concurrent statement. Whoever locks several accounts takes them in the order of their ids, and before sessions and
// keys: this prevents deadlocks.
func locking(lock *statement, p params) option {
	return func(ctx context.Context, steps *txSteps) {
		steps.lock = func(tx *sql.Tx) error { return lockIn(ctx, tx, lock, p) }
	}
}

// before runs step before the statement, on both databases.
func before(step txStep) option {
	return func(_ context.Context, steps *txSteps) { steps.before = step }
}

// after runs step after the statement gave a row. A nil step adds nothing, and needs no transaction.
func after(step txStep) option {
	return func(_ context.Context, steps *txSteps) { steps.after = step }
}

// lockUser locks one account.
var lockUser = onPostgres("lockUser", `SELECT 1 FROM users WHERE id = :user FOR NO KEY UPDATE`)

// queryRow runs st and scans its one row into dest, a struct with bun tags. It tells whether there was a row. A
// statement that only reads takes no options: SQLite would ignore them.
func (d *DB) queryRow(
	ctx context.Context, st *statement, p params, dest any, options ...option,
) (found bool, err error) {
	start := time.Now() // a stopwatch, not a clock
	defer func() {
		d.observe(ctx, start, err, st)
		err = wrap(err, st.name)
	}()
	values, err := st.bind(p)
	if err != nil {
		return false, err
	}
	var steps txSteps
	for _, add := range options {
		add(ctx, &steps)
	}
	switch {
	case !d.Postgres() && st.reads:
		prepared, err := d.prepared.get(ctx, d.r.DB, st.sqlite[0].text)
		if err != nil {
			return false, err
		}
		return d.preparedRow(ctx, prepared, st.sqlite[0].args(values), dest)
	case !d.Postgres():
		return d.script(ctx, st, values, dest, steps)
	case steps.lock == nil && steps.before == nil && steps.after == nil:
		return d.postgresRow(ctx, d.w.DB, st, values, dest)
	}
	tx, err := d.w.DB.BeginTx(ctx, nil)
	if err != nil {
		return false, err
	}
	defer func() { err = d.finish(tx, err) }()
	return steps.around(tx, func() (bool, error) { return d.postgresRow(ctx, tx, st, values, dest) })
}

// postgresMode is the first argument of every statement on Postgres; bun's own QueryContext does not pass it on.
const postgresMode = pgx.QueryExecModeCacheStatement

// around runs the steps and the statement between them.
func (s *txSteps) around(tx *sql.Tx, run func() (found bool, err error)) (found bool, err error) {
	for _, step := range []txStep{s.lock, s.before} {
		if step != nil {
			if err := step(tx); err != nil {
				return false, err
			}
		}
	}
	found, err = run()
	if err == nil && found && s.after != nil {
		err = s.after(tx)
	}
	return found, err
}

// script runs the steps of a statement on SQLite in one transaction. The last one gives the answer.
func (d *DB) script(ctx context.Context, st *statement, values []any, dest any, steps txSteps) (found bool, err error) {
	// Prepared before the transaction takes the one connection there is.
	prepared := make([]*sql.Stmt, len(st.sqlite))
	for i, q := range st.sqlite {
		if prepared[i], err = d.prepared.get(ctx, d.w.DB, q.text); err != nil {
			return false, err
		}
	}
	steps.lock = nil
	tx, err := d.w.DB.BeginTx(ctx, nil)
	if err != nil {
		return false, err
	}
	defer func() { err = d.finish(tx, err) }()
	return steps.around(tx, func() (bool, error) {
		last := len(prepared) - 1
		for i, step := range prepared[:last] {
			if _, err := tx.StmtContext(ctx, step).ExecContext(ctx, st.sqlite[i].args(values)...); err != nil {
				return false, err
			}
		}
		return d.preparedRow(ctx, tx.StmtContext(ctx, prepared[last]), st.sqlite[last].args(values), dest)
	})
}

// queryRowIn is queryRow as a part of a transaction. SQLite does not prepare the statement: its one connection is
// taken.
func (d *DB) queryRowIn(ctx context.Context, tx *sql.Tx, st *statement, p params, dest any) (found bool, err error) {
	values, err := st.bind(p)
	if err != nil {
		return false, err
	}
	if d.Postgres() {
		return d.postgresRow(ctx, tx, st, values, dest)
	}
	last := len(st.sqlite) - 1
	for i := range last {
		if _, err := tx.ExecContext(ctx, st.sqlite[i].text, st.sqlite[i].args(values)...); err != nil {
			return false, err
		}
	}
	rows, err := tx.QueryContext(ctx, st.sqlite[last].text, st.sqlite[last].args(values)...)
	if err != nil {
		return false, err
	}
	return d.scanRow(ctx, rows, dest)
}

// lockIn takes a lock of Postgres.
func lockIn(ctx context.Context, tx *sql.Tx, lock *statement, p params) error {
	values, err := lock.bind(p)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, lock.postgres.text, lock.postgres.args(values, postgresMode)...)
	return err
}

// finish commits after success and rolls back after an error. The queue takes up jobs that were committed at once.
func (d *DB) finish(tx *sql.Tx, err error) error {
	if err == nil {
		err = tx.Commit()
	} else {
		_ = tx.Rollback()
	}
	d.queue.Ended(tx, err == nil)
	return err
}

// count runs a statement that answers with the number of rows it changed.
func (d *DB) count(ctx context.Context, st *statement, p params) (int, error) {
	var answer struct {
		N int `bun:"n"`
	}
	found, err := d.queryRow(ctx, st, p, &answer)
	if err == nil && !found {
		err = fmt.Errorf("db: %s: no count came back; end the statement with a SELECT of n", st.name)
	}
	return answer.N, err
}

// querier is a pool or a transaction.
type querier interface {
	QueryContext(ctx context.Context, text string, args ...any) (*sql.Rows, error)
}

func (d *DB) postgresRow(
	ctx context.Context, on querier, st *statement, values []any, dest any,
) (found bool, err error) {
	rows, err := on.QueryContext(ctx, st.postgres.text, st.postgres.args(values, postgresMode)...)
	if err != nil {
		return false, err
	}
	return d.scanRow(ctx, rows, dest)
}

func (d *DB) preparedRow(ctx context.Context, stmt *sql.Stmt, args []any, dest any) (found bool, err error) {
	rows, err := stmt.QueryContext(ctx, args...)
	if err != nil {
		return false, err
	}
	return d.scanRow(ctx, rows, dest)
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

// ignoreNoRows gives nil where a query found no row.
func ignoreNoRows(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	return err
}
