package db

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/dragoman-auth/dragoman/db/outbox"
)

// mailWaits is how long a mail waits after an error of the database.
const mailWaits = 10 * time.Second

// ErrUndeliverable marks a permanent failure: the mail is not retried.
var ErrUndeliverable = errors.New("the mail can not be delivered")

// Delivery is how queued mails are sent.
type Delivery struct {
	// Send hands a mail over. Administrators see the text of its error, which must hold neither the mail nor a secret.
	// Send may be called again for a mail that was handed over already.
	Send      func(ctx context.Context, l *ResolvedMail) error
	Now       func() time.Time
	Log       *slog.Logger
	Poll      time.Duration   // how often to look for mails of other servers; 0 for outbox.Poll
	OnAttempt func(MailState) // called after each attempt; QUEUED where another attempt follows

	// OnLimited is called for a mail over the budget of its mailbox, which is dropped, or held for a digest.
	OnLimited func(outcome string)
}

// MailWorker sends queued mails until it is stopped.
type MailWorker = outbox.Workers

// StartMail starts to send queued mails, several at once. Any number of servers may do so on one database.
func (d *DB) StartMail(ctx context.Context, how Delivery) (*MailWorker, error) {
	m := &mailer{d, how}
	return d.queue.Start(ctx, outbox.Options{Log: how.Log, Poll: how.Poll}, mailJobs.Works(m.work))
}

// mailer sends one mail after the other.
type mailer struct {
	d   *DB
	how Delivery
}

// work is one attempt. The queue only learns what comes next; the row of the mail holds the rest.
func (m *mailer) work(ctx context.Context, job *outbox.Job[mailJob]) error {
	id, log := job.Args.Mail, m.how.Log.With("mail", job.Args.Mail)
	now := Clock(m.how.Now())
	mail, over, err := m.d.ResolveInBudget(ctx, id, now)
	switch {
	case err != nil:
		return m.later(ctx, log, err)
	case over != nil:
		return m.limited(log, over, now)
	case mail == nil:
		return nil
	}
	failure := m.send(ctx, log, mail)
	after := context.WithoutCancel(ctx) // the result is written in any case
	switch {
	case failure == nil:
		m.how.OnAttempt(MailSent)
		if err := m.d.MarkMailSent(after, id, Clock(m.how.Now())); err != nil {
			return m.later(ctx, log, err) // the mail is sent again, under the same Message-ID
		}
		return nil
	case errors.Is(ctx.Err(), context.Canceled): // the server stops: no failed attempt
		return outbox.Later(0)
	}
	var next *time.Time
	if !errors.Is(failure, ErrUndeliverable) && !job.Last {
		at := Clock(m.how.Now().Add(job.Pause))
		next = &at
	}
	if err := m.d.MarkMailFailed(after, id, failure.Error(), next); err != nil {
		return m.later(ctx, log, err)
	}
	if next == nil {
		m.how.OnAttempt(MailFailed)
		log.Error("a mail was given up", "attempt", job.Attempt, "error", failure)
		return outbox.GiveUp(failure)
	}
	m.how.OnAttempt(MailQueued)
	log.Warn("a mail was not sent, and will be tried again", "attempt", job.Attempt, "at", next, "error", failure)
	return failure
}

// limited ends the attempt at a mail over the budget of its mailbox. It counts as none.
func (m *mailer) limited(log *slog.Logger, over *OverBudget, now time.Time) error {
	if over.Outcome != "" && m.how.OnLimited != nil {
		m.how.OnLimited(over.Outcome)
	}
	if over.Noted {
		log.Info("a mailbox has too many mails: one was " + over.Outcome)
	}
	if over.Until.IsZero() {
		return nil
	}
	return outbox.Later(over.Until.Sub(now))
}

// later retries after an error of the database, which counts as no attempt.
func (m *mailer) later(ctx context.Context, log *slog.Logger, err error) error {
	if ctx.Err() != nil {
		return outbox.Later(0)
	}
	log.Error("a mail waits for the database", "error", err)
	return outbox.Later(mailWaits)
}

// send turns a panic into an error, which the row of the mail keeps.
func (m *mailer) send(ctx context.Context, log *slog.Logger, mail *ResolvedMail) error {
	err := outbox.Guard(log, func() error { return m.how.Send(ctx, mail) })
	if errors.Is(err, outbox.ErrPanic) {
		return errors.New("the server failed while it made the mail")
	}
	return err
}
