package outbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"
)

const (
	// keptFor is how long a job that is over stays in the table. What became of it is told by the rows that it was about.
	keptFor = time.Hour
	// cleanEvery is how often those are looked for.
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
}

// texts are the statements, with the kinds written into them: names and durations of this program.
type texts struct{ look, due, freed, clean string }

// The one statement that an idle instance sends, as a kind with: jobs to be taken up, retries whose time has come, and jobs whose
// worker is gone. The last two are rare, and are seen to by statements of their own.
const look = `SELECT k.name,
  EXISTS (SELECT 1 FROM river_job WHERE queue = k.name AND state = 'available' AND scheduled_at <= {now}) AS ready,
  EXISTS (SELECT 1 FROM river_job WHERE queue = k.name AND state IN ('retryable', 'scheduled') AND scheduled_at <= {now}) AS due,
  EXISTS (SELECT 1 FROM river_job WHERE queue = k.name AND state = 'running' AND attempted_at < k.since) AS gone
FROM (SELECT '' AS name, {now} AS since WHERE false {kinds}) k`

const due = `UPDATE river_job SET state = 'available' WHERE id IN (
  SELECT id FROM river_job WHERE queue IN ({names}) AND state IN ('retryable', 'scheduled') AND scheduled_at <= {now}
  ORDER BY id LIMIT {batch} {lock})`

// An attempt that was cut off by the end of its server is none.
const freed = `UPDATE river_job SET state = 'available', scheduled_at = {now}, attempt = CASE WHEN attempt > 0 THEN attempt - 1 ELSE 0 END
WHERE id IN (
  SELECT j.id FROM river_job j JOIN (SELECT '' AS name, {now} AS since WHERE false {kinds}) k ON k.name = j.queue
  WHERE j.state = 'running' AND j.attempted_at < k.since ORDER BY j.id LIMIT {batch} {lockjob})`

const clean = `DELETE FROM river_job WHERE id IN (
  SELECT id FROM river_job WHERE state IN ('cancelled', 'completed', 'discarded') AND finalized_at < {old}
  ORDER BY id LIMIT {batch} {lock})`

func newKeeper(q *Queue, b bell, log *slog.Logger, works []Works) *keeper {
	now, ago := "datetime('now', 'subsec')", "datetime('now', 'subsec', '-%d seconds')"
	lock, lockJob := "", ""
	if q.postgres {
		now, ago = "now()", "now() - interval '%d seconds'"
		lock, lockJob = "FOR UPDATE SKIP LOCKED", "FOR UPDATE OF j SKIP LOCKED"
	}
	var kinds strings.Builder
	names := make([]string, len(works))
	for i, one := range works {
		fmt.Fprintf(&kinds, " UNION ALL SELECT '%s', "+ago, one.name, int(one.gone.Seconds()))
		names[i] = "'" + one.name + "'"
	}
	fill := strings.NewReplacer(
		"{now}", now, "{old}", fmt.Sprintf(ago, int(keptFor.Seconds())), "{kinds}", kinds.String(), "{names}", strings.Join(names, ", "),
		"{batch}", fmt.Sprint(batch), "{lock}", lock, "{lockjob}", lockJob,
	).Replace
	return &keeper{q, b, log, texts{fill(look), fill(due), fill(freed), fill(clean)}}
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
	if _, err := k.all(ctx, k.sql.clean); err != nil && ctx.Err() == nil {
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
		if _, err := k.all(ctx, k.sql.due); err != nil {
			return err
		}
	}
	if gone {
		n, err := k.all(ctx, k.sql.freed)
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
	rows, err := k.queue.conn.QueryContext(ctx, k.sql.look)
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
func (k *keeper) all(ctx context.Context, text string) (total int64, err error) {
	for {
		var done sql.Result
		if done, err = k.queue.conn.ExecContext(ctx, text); err != nil {
			return total, err
		}
		n, err := done.RowsAffected()
		total += n
		if err != nil || n < batch {
			return total, err
		}
	}
}
