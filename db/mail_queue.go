package db

import (
	"context"
	"database/sql"
	"time"

	"github.com/dragoman-auth/dragoman/db/outbox"
)

// mailJob is the job that sends one mail. The row of the mail holds the rest.
type mailJob struct {
	Mail MailID `json:"mail"`
}

// mailJobs are tried for a day in all: nobody waits longer for a mail.
var mailJobs = outbox.Kind[mailJob]{
	Name: "mail", AtOnce: 4, Within: 25 * time.Second,
	Pauses: []time.Duration{
		10 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute,
		time.Hour, 2 * time.Hour,
		4 * time.Hour, 4 * time.Hour, 6 * time.Hour, 6 * time.Hour,
	},
}

// wakeMails sends the mails that waited for an account to be active.
func (d *DB) wakeMails(ctx context.Context, tx *sql.Tx, user UserID) error {
	var mails []*Mail
	err := d.w.NewUpdate().Model(&mails).Set("next_attempt_at = NULL").
		Where("user_id = ? AND state = ? AND resolved_at IS NULL AND next_attempt_at IS NOT NULL", user, MailQueued).
		Returning("id").Conn(tx).Scan(ctx)
	if err != nil || len(mails) == 0 {
		return wrap(err, "wake mails")
	}
	return d.enqueueIn(ctx, tx, mails)
}

// enqueueIn makes the jobs that will send mails.
func (d *DB) enqueueIn(ctx context.Context, tx *sql.Tx, mails []*Mail) error {
	jobs := make([]mailJob, len(mails))
	for i, m := range mails {
		jobs[i].Mail = m.ID
	}
	return wrap(mailJobs.Insert(ctx, d.queue, tx, jobs...), "queue the jobs of mails")
}
