// Package outbox is the queue of what is to be done after a change and outside the database: a job is committed with
// the change that it follows from, and is done after it, at least once.
//
// A job holds ids. What there is to know of it stands in rows of its own, so that lists, retries and backups need
// nothing of the queue. Each kind of jobs has a queue and workers of its own: none waits for another kind. The instance
// that committed a job takes it up at once, and every other within Poll.
//
// River keeps the queue, and this package alone knows it. Of River it uses the table, the insert, the fetch and the
// attempts. What River does by an elected leader (retries that are due, jobs whose worker is gone, the end of finished
// ones) every instance does here for itself, by one statement that looks whether there is anything to do
// (docs/decisions/0017-outbox.md).
package outbox

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
)

// Kind is one sort of jobs, with T as what a job holds, in JSON.
type Kind[T any] struct {
	Name   string          // of the jobs and of their queue
	AtOnce int             // attempts at the same time in one instance
	Within time.Duration   // for one attempt
	Pauses []time.Duration // between the attempts: of these there is one more
}

// Job is one attempt of a job.
type Job[T any] struct {
	Args    T
	Attempt int           // the first is 1
	Last    bool          // whether none follows when this one fails
	Pause   time.Duration // until that one
}

// Queue takes in jobs. What does them is Start.
type Queue struct {
	conn     *sql.DB
	postgres bool
	client   *river.Client[*sql.Tx]

	mu      sync.Mutex
	workers map[*Workers]bool
	waiting map[*sql.Tx][]string // names of the queues that got jobs in transactions which have not ended yet
}

// Open makes a queue of a database. On SQLite conn is the one connection that writes.
func Open(conn *sql.DB, postgres bool) (*Queue, error) {
	q := &Queue{conn: conn, postgres: postgres, workers: map[*Workers]bool{}, waiting: map[*sql.Tx][]string{}}
	var err error
	q.client, err = river.NewClient(q.driver(nil), &river.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, fmt.Errorf("outbox: open: %w", err)
	}
	return q, nil
}

// Insert puts jobs into a queue in the transaction of the change that they follow from. Call Ended after it.
func (k *Kind[T]) Insert(ctx context.Context, q *Queue, tx *sql.Tx, jobs ...T) error {
	params := make([]river.InsertManyParams, len(jobs))
	for i, job := range jobs {
		text, err := json.Marshal(job)
		if err != nil {
			return fmt.Errorf("outbox: %s: %w", k.Name, err)
		}
		params[i] = river.InsertManyParams{
			Args: args{k.Name, text}, InsertOpts: &river.InsertOpts{Queue: k.Name, MaxAttempts: len(k.Pauses) + 1},
		}
	}
	if _, err := q.client.InsertManyTx(ctx, tx, params); err != nil {
		return fmt.Errorf("outbox: %s: %w", k.Name, err)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.workers) > 0 {
		q.waiting[tx] = append(q.waiting[tx], k.Name)
	}
	return nil
}

// Ended says how a transaction ended, so that the jobs that came with it are taken up at once. It goes for any
// transaction, also without jobs.
func (q *Queue) Ended(tx *sql.Tx, committed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	names := q.waiting[tx]
	delete(q.waiting, tx)
	if !committed {
		return
	}
	for w := range q.workers {
		for _, name := range names {
			w.bell.ring(name)
		}
	}
}

// pause is how long to wait after an attempt that failed: up to a tenth more or less than planned, always the same for
// the same job, so that what is written down is what happens.
func (k *Kind[T]) pause(job *rivertype.JobRow) time.Duration {
	if len(k.Pauses) == 0 {
		return 0
	}
	planned := k.Pauses[min(max(job.Attempt, 1), len(k.Pauses))-1]
	const steps = 21
	step := (job.ID*7 + int64(job.Attempt)*5) % steps // -10 … 10 hundredths
	return planned + planned*time.Duration(step-steps/2)/100
}

// args is what a job holds, as River wants it.
type args struct {
	kind string
	text json.RawMessage
}

// Kind is the name of the job.
func (a args) Kind() string { return a.kind }

// MarshalJSON gives the text as it is.
func (a args) MarshalJSON() ([]byte, error) { return a.text, nil }

// UnmarshalJSON keeps the text as it is.
func (a *args) UnmarshalJSON(text []byte) error {
	a.text = append(json.RawMessage(nil), text...)
	return nil
}
