package db

import (
	"context"
	"database/sql"
	"log/slog"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverdatabasesql"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivertype"
)

const mailQueue = "mail"

// mailJob is the job that sends one mail. Whatever else there is to know stands in the row of the mail.
type mailJob struct {
	Mail MailID `json:"mail"`
}

// Kind is the name of the job in the queue.
func (mailJob) Kind() string { return "mail" }

// InsertOpts says in which queue the job waits and how often it is tried.
func (mailJob) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: mailQueue, MaxAttempts: len(mailPauses) + 1}
}

// mailPauses are between the attempts to send a mail: a day in all, after which nobody waits for it any more.
var mailPauses = []time.Duration{
	10 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour,
	4 * time.Hour, 4 * time.Hour, 6 * time.Hour, 6 * time.Hour,
}

// mailPause is how long to wait after the attempt that failed, the first being 1: up to a tenth more or less than planned,
// always the same for the same job, so that what is written down is what happens.
func mailPause(job *rivertype.JobRow) time.Duration {
	planned := mailPauses[min(max(job.Attempt, 1), len(mailPauses))-1]
	const steps = 21
	step := (job.ID*7 + int64(job.Attempt)*5) % steps // -10 … 10 hundredths
	return planned + planned*time.Duration(step-steps/2)/100
}

// retries tells the queue when a job is tried again. It goes by the time of the machine, as the queue does.
type retries struct{}

// NextRetry is when.
func (retries) NextRetry(job *rivertype.JobRow) time.Time { return time.Now().Add(mailPause(job)) }

// quietly is the driver of Postgres without NOTIFY: nobody listens on these connections, and every commit with a NOTIFY in it
// waits for all the others of the whole cluster.
type quietly struct{ *riverdatabasesql.Driver }

// SupportsListenNotify is asked at every insert.
func (quietly) SupportsListenNotify() bool { return false }

func (d *DB) queueDriver() riverdriver.Driver[*sql.Tx] {
	if d.Postgres() {
		return quietly{riverdatabasesql.New(d.w.DB)}
	}
	return riversqlite.New(d.w.DB)
}

// openQueue makes what puts jobs into the queue. What takes them out of it is StartMail.
func (d *DB) openQueue() (err error) {
	d.queue, err = river.NewClient(d.queueDriver(), &river.Config{Logger: slog.New(slog.DiscardHandler)})
	return wrap(err, "open the queue")
}

// enqueueIn makes the jobs that will send mails.
func (d *DB) enqueueIn(ctx context.Context, tx *sql.Tx, mails []*Mail) error {
	jobs := make([]river.InsertManyParams, len(mails))
	for i, m := range mails {
		jobs[i].Args = mailJob{m.ID}
	}
	_, err := d.queue.InsertManyTx(ctx, tx, jobs)
	return wrap(err, "queue the jobs of mails")
}
