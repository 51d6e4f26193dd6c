package outbox

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/riverqueue/river"
)

// Poll is how often an instance looks for the jobs of others, where nothing else is said: they are taken up within two
// seconds.
const Poll = 1800 * time.Millisecond

const (
	// fetchCooldown is the least time between two fetches of one queue.
	fetchCooldown = 100 * time.Millisecond
	// fetchAnyway is how often River itself looks, besides being told to.
	fetchAnyway = 10 * time.Minute
	// stopsWithin is how long an attempt that was cut off may take to notice.
	stopsWithin = time.Second
	// goneAfter is how long after the time for an attempt its job is taken up by another worker: two never have the
	// same job, as the first one has given up by then.
	goneAfter = 5 * time.Second
)

// GiveUp is what an attempt ends with whose failure a later one would meet as well.
func GiveUp(err error) error { return river.JobCancel(err) }

// Later is what an attempt ends with that counts as none: there is another after wait.
func Later(wait time.Duration) error { return river.JobSnooze(wait) }

// ErrPanic is what Guard makes of a panic.
var ErrPanic = errors.New("the server failed while it worked on it")

// Guard makes an error of a panic, and logs where it was and not its value, which may be a part of what was worked on.
func Guard(log *slog.Logger, work func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			log.Error("a panic in a job", "type", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
			err = ErrPanic
		}
	}()
	return work()
}

// Options are those of all workers of an instance.
type Options struct {
	Log  *slog.Logger
	Poll time.Duration // 0: Poll
}

// Works is a kind of jobs with what does them.
type Works struct {
	name   string
	gone   time.Duration // after which a running job has no worker any more
	atOnce int
	add    func(*river.Workers, *slog.Logger)
}

// Works says what does the jobs of a kind. An attempt ends with nil, with GiveUp, with Later, or with any other error,
// after which the next one follows, if there is one. Its error is kept for an hour; what there is to say of it work
// says itself.
func (k *Kind[T]) Works(work func(ctx context.Context, job *Job[T]) error) Works {
	return Works{
		name: k.Name, gone: k.Within + goneAfter, atOnce: k.AtOnce,
		add: func(all *river.Workers, log *slog.Logger) {
			river.AddWorkerArgs(all, args{kind: k.Name}, &worker[T]{kind: k, work: work, log: log})
		},
	}
}

// Workers do jobs until they are stopped.
type Workers struct {
	queue  *Queue
	client *river.Client[*sql.Tx]
	bell   bell
	rest   func() // ends what runs beside the client
}

// Start begins to do jobs. Any number of instances may do so on one database.
func (q *Queue) Start(ctx context.Context, how Options, works ...Works) (*Workers, error) {
	if how.Poll == 0 {
		how.Poll = Poll
	}
	log := slog.New(queueLog{how.Log.Handler()})
	w := &Workers{queue: q, bell: newBell()}
	config := &river.Config{
		Queues: map[string]river.QueueConfig{}, Workers: river.NewWorkers(), Logger: log,
		FetchPollInterval: fetchAnyway, FetchCooldown: min(how.Poll, fetchCooldown),
		LeaderElectionDisabled: true,
	}
	for _, one := range works {
		config.Queues[one.name] = river.QueueConfig{MaxWorkers: one.atOnce}
		one.add(config.Workers, how.Log)
	}
	keeper, err := newKeeper(q, w.bell, how.Log, works)
	if err != nil {
		return nil, fmt.Errorf("outbox: start: %w", err)
	}
	if w.client, err = river.NewClient(q.driver(w.bell), config); err != nil {
		return nil, fmt.Errorf("outbox: start: %w", err)
	}
	ctx = context.WithoutCancel(ctx)
	if err := w.client.Start(ctx); err != nil {
		return nil, fmt.Errorf("outbox: start: %w", err)
	}
	looking, cancel := context.WithCancel(ctx)
	var beside sync.WaitGroup
	beside.Go(func() { keeper.keep(looking, how.Poll) })
	w.rest = func() { cancel(); beside.Wait() }
	q.mu.Lock()
	defer q.mu.Unlock()
	q.workers[w] = true
	return w, nil
}

// Stop takes up no further jobs and waits for those under way. When ctx ends they are cut off, and are done after the
// next start, or by another instance. A second call does nothing.
func (w *Workers) Stop(ctx context.Context) error {
	w.queue.mu.Lock()
	delete(w.queue.workers, w)
	w.queue.mu.Unlock()
	w.rest()
	if w.client.Stop(ctx) == nil {
		return nil
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopsWithin)
	defer cancel()
	if err := w.client.StopAndCancel(end); err != nil {
		return fmt.Errorf("outbox: a job does not end: %w", err)
	}
	return nil
}

// worker is one kind, as River wants it.
type worker[T any] struct {
	river.WorkerDefaults[args]
	kind *Kind[T]
	work func(context.Context, *Job[T]) error
	log  *slog.Logger
}

// Timeout is that of one attempt.
func (w *worker[T]) Timeout(*river.Job[args]) time.Duration { return w.kind.Within }

// NextRetry goes by the time of the machine, as the queue does.
func (w *worker[T]) NextRetry(job *river.Job[args]) time.Time {
	return time.Now().Add(w.kind.pause(job.JobRow))
}

// Work is one attempt.
func (w *worker[T]) Work(ctx context.Context, job *river.Job[args]) error {
	attempt := &Job[T]{Attempt: job.Attempt, Last: job.Attempt >= job.MaxAttempts, Pause: w.kind.pause(job.JobRow)}
	if err := json.Unmarshal(job.Args.text, &attempt.Args); err != nil {
		w.log.Error("a job can not be read", "kind", w.kind.Name, "job", job.ID)
		return GiveUp(err)
	}
	return Guard(w.log.With("kind", w.kind.Name, "job", job.ID), func() error { return w.work(ctx, attempt) })
}
