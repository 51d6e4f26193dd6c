package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/riverqueue/river"
)

const (
	// mailWithin is how long one attempt may take.
	mailWithin = 25 * time.Second
	// mailAbandoned is after how long a job whose worker is gone is taken up by another. Two workers never have the same job,
	// as the first one has given up by then.
	mailAbandoned = mailWithin + 5*time.Second
	rescueEvery   = 10 * time.Second
	mailsAtOnce   = 4
	// stopsWithin is how long a send that was cut off may take to notice.
	stopsWithin = time.Second
)

// ErrUndeliverable is wrapped by what a later attempt would meet as well: the mail is given up at once.
var ErrUndeliverable = errors.New("the mail can not be delivered")

// Delivery is how queued mails are sent.
type Delivery struct {
	// Send hands a mail over. The text of its error is kept and shown to administrators: it holds nothing of the mail, and no
	// secret. It may be called again for a mail that was handed over already.
	Send func(ctx context.Context, l *Letter) error
	Now  func() time.Time
	Log  *slog.Logger
	Poll time.Duration   // how often to look for new mails
	Told func(MailState) // hears how each attempt ended; QUEUED where the mail waits for the next one
}

// MailWorker sends queued mails until it is stopped.
type MailWorker struct {
	client *river.Client[*sql.Tx]
	mailer *mailer
	rest   func() // ends what runs beside the client
}

// StartMail begins to send queued mails, several at once. Any number of servers may do so on one database.
func (d *DB) StartMail(ctx context.Context, how Delivery) (*MailWorker, error) {
	log := slog.New(queueLog{how.Log.Handler()})
	workers := river.NewWorkers()
	sending := &mailer{d: d, how: how}
	if err := river.AddWorkerSafely(workers, sending); err != nil {
		return nil, wrap(err, "start the queue")
	}
	client, err := river.NewClient(d.queueDriver(), &river.Config{
		Queues:            map[string]river.QueueConfig{mailQueue: {MaxWorkers: mailsAtOnce}},
		Workers:           workers,
		FetchPollInterval: how.Poll,
		FetchCooldown:     min(how.Poll, river.FetchCooldownDefault),
		JobTimeout:        mailWithin,
		RetryPolicy:       retries{},
		Logger:            log,
		// What is over is told by the mails themselves.
		CompletedJobRetentionPeriod: time.Hour, CancelledJobRetentionPeriod: time.Hour, DiscardedJobRetentionPeriod: time.Hour,
		ReindexerSchedule: never{}, // the role of the server may not be the owner of the tables
	})
	if err != nil {
		return nil, wrap(err, "start the queue")
	}
	ctx = context.WithoutCancel(ctx)
	if err := client.Start(ctx); err != nil {
		return nil, wrap(err, "start the queue")
	}
	freeing, cancel := context.WithCancel(ctx)
	var housekeeping sync.WaitGroup
	housekeeping.Go(func() { d.keepFreeing(freeing, how.Log) })
	return &MailWorker{client: client, mailer: sending, rest: func() { cancel(); housekeeping.Wait() }}, nil
}

// Stop takes up no further mails and waits for those under way. When ctx ends they are cut off, and are sent after the next
// start, or by another server. A second call does nothing.
func (w *MailWorker) Stop(ctx context.Context) error {
	w.rest()
	if w.client.Stop(ctx) == nil {
		return nil
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopsWithin)
	defer cancel()
	// The queue of River 0.31 never comes to its end when it is told to stop at the moment at which it became the leader: its
	// elector then waits for a reader who waits for the elector. Nothing is lost by leaving it behind while no mail is under way.
	if w.client.StopAndCancel(end) == nil || w.mailer.busy.Load() == 0 {
		return nil
	}
	return errors.New("db: the queue of mails does not stop")
}

var freeMails = statement{
	postgres: `WITH freed AS (
  UPDATE river_job SET state = 'available', scheduled_at = now()
  WHERE queue = $1 AND state = 'running' AND attempted_at < now() - make_interval(secs => $2) RETURNING 1)
SELECT count(*) AS n FROM freed`,
	sqlite: []string{
		`UPDATE river_job SET state = 'available', scheduled_at = datetime('now', 'subsec')
WHERE queue = ?1 AND state = 'running' AND attempted_at < datetime('now', 'subsec', '-' || ?2 || ' seconds')`,
		`SELECT changes() AS n`,
	},
}

// FreeMails has mails sent again whose worker is gone, and counts them. The queue does so too, but by its leader alone, who may be
// the one that is gone. It goes by the clock of the database, as the queue does.
func (d *DB) FreeMails(ctx context.Context) (int, error) {
	return d.count(ctx, &freeMails, mailQueue, int(mailAbandoned/time.Second))
}

func (d *DB) keepFreeing(ctx context.Context, log *slog.Logger) {
	ticks := time.NewTicker(rescueEvery)
	defer ticks.Stop()
	for {
		n, err := d.FreeMails(ctx)
		switch {
		case err != nil && ctx.Err() == nil:
			log.Error("abandoned mails were not taken up", "error", err)
		case n > 0:
			log.Warn("mails were abandoned by a server that is gone, and are sent now", "mails", n)
		}
		select {
		case <-ticks.C:
		case <-ctx.Done():
			return
		}
	}
}

// never is the schedule of what the queue does not do here.
type never struct{}

// Next is a hundred years away.
func (never) Next(now time.Time) time.Time { return now.AddDate(100, 0, 0) }

// mailer sends one mail after the other.
type mailer struct {
	river.WorkerDefaults[mailJob]
	d    *DB
	how  Delivery
	busy atomic.Int32 // attempts under way
}

// Work is one attempt. To the queue it only tells what comes next; what there is to say of the mail stands in its row.
func (m *mailer) Work(ctx context.Context, job *river.Job[mailJob]) error {
	m.busy.Add(1)
	defer m.busy.Add(-1)
	id, log := job.Args.Mail, m.how.Log.With("mail", job.Args.Mail)
	letter, err := m.d.Resolve(ctx, id, Clock(m.how.Now()))
	if err != nil {
		return m.later(ctx, log, err)
	}
	if letter == nil {
		return nil
	}
	failure := m.send(ctx, log, letter)
	after := context.WithoutCancel(ctx) // what happened is written down in any case
	switch {
	case failure == nil:
		m.how.Told(MailSent)
		if err := m.d.mailSent(after, id, Clock(m.how.Now())); err != nil {
			return m.later(ctx, log, err) // it goes out once more, under the same Message-ID
		}
		return nil
	case errors.Is(ctx.Err(), context.Canceled): // told to stop: nobody's fault
		return river.JobSnooze(0)
	}
	var next *time.Time
	if !errors.Is(failure, ErrUndeliverable) && job.Attempt < job.MaxAttempts {
		at := Clock(m.how.Now().Add(mailPause(job.JobRow)))
		next = &at
	}
	if err := m.d.mailFailed(after, id, failure.Error(), next); err != nil {
		return m.later(ctx, log, err)
	}
	if next == nil {
		m.how.Told(MailFailed)
		log.Error("a mail was given up", "attempt", job.Attempt, "error", failure)
		return river.JobCancel(failure)
	}
	m.how.Told(MailQueued)
	log.Warn("a mail was not sent, and will be tried again", "attempt", job.Attempt, "at", next, "error", failure)
	return failure
}

// later is for trouble with our own database, which counts as no attempt.
func (m *mailer) later(ctx context.Context, log *slog.Logger, err error) error {
	if ctx.Err() != nil {
		return river.JobSnooze(0)
	}
	log.Error("a mail waits for the database", "error", err)
	return river.JobSnooze(mailPauses[0])
}

// send does not let a panic through: the queue would log its value, which may be a part of the mail.
func (m *mailer) send(ctx context.Context, log *slog.Logger, letter *Letter) (err error) {
	defer func() {
		if p := recover(); p != nil {
			log.Error("a panic while a mail was sent", "type", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
			err = errors.New("the server failed while it made the mail")
		}
	}()
	return m.how.Send(ctx, letter)
}

// queueLog is what the queue says that an operator should hear: its warnings and errors, but for failed attempts, which the
// worker tells with more to it.
type queueLog struct{ slog.Handler }

// Enabled leaves out how the queue is doing.
func (h queueLog) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && h.Handler.Enabled(ctx, level)
}

// Handle leaves out failed attempts.
func (h queueLog) Handle(ctx context.Context, r slog.Record) error {
	if strings.Contains(r.Message, "Job errored") {
		return nil
	}
	r.Message = "queue: " + r.Message
	return h.Handler.Handle(ctx, r)
}

// WithAttrs keeps the filter.
func (h queueLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	return queueLog{h.Handler.WithAttrs(attrs)}
}

// WithGroup keeps the filter.
func (h queueLog) WithGroup(name string) slog.Handler { return queueLog{h.Handler.WithGroup(name)} }
