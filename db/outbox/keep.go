package outbox

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"log/slog"
	"time"
)

const (
	// cleanEvery is how often jobs are looked for that have been over for an hour. What became of one is told by the
	// rows that it was about.
	cleanEvery = 10 * time.Minute
	// batch is how many jobs one statement takes.
	batch = 1000
)

// keeper does for one instance what has to be done besides the jobs. All times are by the clock of the database.
type keeper struct {
	queue *Queue
	bell  bell
	log   *slog.Logger
	sql   texts
	// the kinds of this instance as JSON, the first parameter of a statement about them: [{"name": …, "gone": seconds}]
	kinds string
}

// texts are the statements for one database. look is the one that an idle instance sends, as a row for each kind:
// whether there are jobs to be taken up, retries whose time has come, and jobs whose worker is gone. The last two are
// rare, and are seen to by due and freed: an attempt that was cut off by the end of its server is none.
type texts struct{ look, due, freed, clean string }

var onPostgres = texts{
	look: `SELECT k.name,
  EXISTS (SELECT 1 FROM river_job WHERE queue = k.name AND state = 'available' AND scheduled_at <= now()) AS ready,
  EXISTS (SELECT 1 FROM river_job WHERE queue = k.name AND state IN ('retryable', 'scheduled') AND scheduled_at <= ` +
		`now()) AS due,
  EXISTS (SELECT 1 FROM river_job WHERE queue = k.name AND state = 'running' AND attempted_at < now() - ` +
		`make_interval(secs => k.gone)) AS gone
FROM json_to_recordset($1::json) AS k(name text, gone double precision)`,
	due: `UPDATE river_job SET state = 'available' WHERE id IN (
  SELECT id FROM river_job WHERE queue IN (SELECT name FROM json_to_recordset($1::json) AS k(name text))
  AND state IN ('retryable', 'scheduled') AND scheduled_at <= now() ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED)`,
	freed: `UPDATE river_job SET state = 'available', scheduled_at = now(), attempt = CASE WHEN attempt > 0 THEN ` +
		`attempt - 1 ELSE 0 END
WHERE id IN (
  SELECT j.id FROM river_job j JOIN json_to_recordset($1::json) AS k(name text, gone double precision) ON k.name = ` +
		`j.queue
  WHERE j.state = 'running' AND j.attempted_at < now() - make_interval(secs => k.gone) ORDER BY j.id LIMIT $2 FOR ` +
		`UPDATE OF j SKIP LOCKED)`,
	clean: `DELETE FROM river_job WHERE id IN (
  SELECT id FROM river_job WHERE state IN ('cancelled', 'completed', 'discarded') AND finalized_at < now() - ` +
		`interval '1 hour'
  ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED)`,
}

var onSQLite = texts{
	look: `SELECT k.name,
  EXISTS (SELECT 1 FROM river_job WHERE queue = k.name AND state = 'available' AND scheduled_at <= datetime('now', ` +
		`'subsec')) AS ready,
  EXISTS (SELECT 1 FROM river_job WHERE queue = k.name AND state IN ('retryable', 'scheduled') AND scheduled_at <= ` +
		`datetime('now', 'subsec')) AS due,
  EXISTS (SELECT 1 FROM river_job WHERE queue = k.name AND state = 'running'
    AND attempted_at < datetime('now', 'subsec', '-' || k.gone || ' seconds')) AS gone
FROM (SELECT value ->> 'name' AS name, value ->> 'gone' AS gone FROM json_each(?1)) k`,
	due: `UPDATE river_job SET state = 'available' WHERE id IN (
  SELECT id FROM river_job WHERE queue IN (SELECT value ->> 'name' FROM json_each(?1))
  AND state IN ('retryable', 'scheduled') AND scheduled_at <= datetime('now', 'subsec') ORDER BY id LIMIT ?2)`,
	freed: `UPDATE river_job SET state = 'available', scheduled_at = datetime('now', 'subsec'),
  attempt = CASE WHEN attempt > 0 THEN attempt - 1 ELSE 0 END
WHERE id IN (
  SELECT j.id FROM river_job j JOIN (SELECT value ->> 'name' AS name, value ->> 'gone' AS gone FROM json_each(?1)) k ` +
		`ON k.name = j.queue
  WHERE j.state = 'running' AND j.attempted_at < datetime('now', 'subsec', '-' || k.gone || ' seconds') ORDER BY ` +
		`j.id LIMIT ?2)`,
	clean: `DELETE FROM river_job WHERE id IN (
  SELECT id FROM river_job WHERE state IN ('cancelled', 'completed', 'discarded') AND finalized_at < datetime('now', ` +
		`'subsec', '-1 hour')
  ORDER BY id LIMIT ?1)`,
}

func newKeeper(q *Queue, b bell, log *slog.Logger, works []Works) (*keeper, error) {
	type kind struct {
		Name string  `json:"name"`
		Gone float64 `json:"gone"`
	}
	kinds := make([]kind, len(works))
	for i, one := range works {
		kinds[i] = kind{one.name, one.gone.Seconds()}
	}
	text, err := json.Marshal(kinds)
	k := &keeper{queue: q, bell: b, log: log, sql: onSQLite, kinds: string(text)}
	if q.postgres {
		k.sql = onPostgres
	}
	return k, err
}

// keep looks and cleans at once, and then every so often, until ctx ends.
func (k *keeper) keep(ctx context.Context, every time.Duration) {
	looks, cleans := time.NewTicker(every), time.NewTicker(cleanEvery)
	defer looks.Stop()
	defer cleans.Stop()
	k.look(ctx)
	k.clean(ctx)
	for {
		select {
		case <-looks.C:
			k.look(ctx)
		case <-cleans.C:
			k.clean(ctx)
		case <-ctx.Done():
			return
		}
	}
}

func (k *keeper) look(ctx context.Context) {
	if err := k.see(ctx); err != nil && ctx.Err() == nil {
		k.log.Error("the queue can not be looked at", "error", err)
	}
}

func (k *keeper) clean(ctx context.Context) {
	if _, err := k.all(ctx, k.sql.clean, batch); err != nil && ctx.Err() == nil {
		k.log.Error("finished jobs were not removed from the queue", "error", err)
	}
}

// see finds out what there is to do, does it, and has jobs taken up.
func (k *keeper) see(ctx context.Context) error {
	found, err := k.found(ctx)
	if err != nil {
		return err
	}
	var due, gone bool
	for _, f := range found {
		due, gone = due || f.due, gone || f.gone
	}
	if due {
		if _, err := k.all(ctx, k.sql.due, k.kinds, batch); err != nil {
			return err
		}
	}
	if gone {
		n, err := k.all(ctx, k.sql.freed, k.kinds, batch)
		if err != nil {
			return err
		}
		if n > 0 {
			k.log.Warn("jobs were abandoned by a server that is gone, and are done now", "jobs", n)
		}
	}
	for _, f := range found {
		if f.ready || f.due || f.gone {
			k.bell.ring(f.name)
		}
	}
	return nil
}

type found struct {
	name             string
	ready, due, gone bool
}

func (k *keeper) found(ctx context.Context) (all []found, err error) {
	rows, err := k.queue.conn.QueryContext(ctx, k.sql.look, k.kinds)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var f found
		if err := rows.Scan(&f.name, &f.ready, &f.due, &f.gone); err != nil {
			return nil, err
		}
		all = append(all, f)
	}
	return all, rows.Err()
}

// all runs a statement until it finds less than it takes at once, and counts.
func (k *keeper) all(ctx context.Context, text string, args ...any) (total int64, err error) {
	for {
		var done sql.Result
		if done, err = k.queue.conn.ExecContext(ctx, text, args...); err != nil {
			return total, err
		}
		n, err := done.RowsAffected()
		total += n
		if err != nil || n < batch {
			return total, err
		}
	}
}
