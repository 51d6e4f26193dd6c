package db

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/dragoman-auth/dragoman/db/outbox"
	"github.com/dragoman-auth/dragoman/internal/visit"
)

// ErrSMSRefused marks a permanent failure: the message is not tried again.
var ErrSMSRefused = errors.New("the message is refused")

// SMSDelivery is how queued messages are sent.
type SMSDelivery struct {
	// Send hands a message over. Its error must hold neither the message nor a secret. Send may be called again for a
	// message that was handed over already.
	Send      func(ctx context.Context, m *SMS, u *User) error
	Now       func() time.Time
	Log       *slog.Logger
	Poll      time.Duration      // as in Delivery
	OnAttempt func(MailState)    // called after each attempt; QUEUED where another one follows
	OnLimited func(limit string) // called for a message over a limit
}

// StartSMS starts to send queued messages, as StartMail does for mails.
func (d *DB) StartSMS(ctx context.Context, how SMSDelivery) (*MailWorker, error) {
	w := &smsWorker{d, how}
	return d.queue.Start(ctx, outbox.Options{Log: how.Log, Poll: how.Poll}, smsJobs.Works(w.work))
}

type smsWorker struct {
	d   *DB
	how SMSDelivery
}

// work is one attempt.
func (w *smsWorker) work(ctx context.Context, job *outbox.Job[smsJob]) error {
	id, log := job.Args.SMS, w.how.Log.With("sms", job.Args.SMS)
	m, u, limited, err := w.d.ResolveSMS(ctx, id, Clock(w.how.Now()))
	switch {
	case err != nil:
		return w.later(ctx, log, err)
	case limited != "":
		log.Info("a message to a phone is over a limit, and was dropped", "limit", limited)
		w.how.OnLimited(limited)
		return nil
	case m == nil:
		return nil
	}
	failure := outbox.Guard(log, func() error { return w.how.Send(ctx, m, u) })
	after := context.WithoutCancel(ctx)
	switch {
	case failure == nil:
		w.how.OnAttempt(MailSent)
		if err := w.d.markSMSSent(after, m, Clock(w.how.Now())); err != nil {
			return w.later(ctx, log, err) // it is sent again, under the same id
		}
		return nil
	case errors.Is(ctx.Err(), context.Canceled): // the server stops: no failed attempt
		return outbox.Later(0)
	case errors.Is(failure, outbox.ErrPanic):
		failure = errors.New("the server failed while it made the message")
	}
	var next *time.Time
	if at := Clock(w.how.Now().Add(job.Pause)); !job.Last && !errors.Is(failure, ErrSMSRefused) &&
		at.Before(m.ExpiresAt) {
		next = &at
	}
	if err := w.d.markSMSFailed(after, m, failure.Error(), next, Clock(w.how.Now())); err != nil {
		return w.later(ctx, log, err)
	}
	if next == nil {
		w.how.OnAttempt(MailFailed)
		log.Error("a message to a phone was given up", "attempt", job.Attempt, "error", failure)
		return outbox.GiveUp(failure)
	}
	w.how.OnAttempt(MailQueued)
	log.Warn("a message to a phone was not sent, and will be tried again", "attempt", job.Attempt, "at", next,
		"error", failure)
	return failure
}

func (w *smsWorker) later(ctx context.Context, log *slog.Logger, err error) error {
	if ctx.Err() != nil {
		return outbox.Later(0)
	}
	log.Error("a message to a phone waits for the database", "error", err)
	return outbox.Later(mailWaits)
}

const setSMSSent = `UPDATE sms SET state = 'SENT', sent_at = :now, attempts = attempts + 1, last_error = NULL,
  next_attempt_at = NULL WHERE id = :sms AND state = 'QUEUED'`

var smsSent = writes("smsSent",
	`WITH m AS (`+setSMSSent+` RETURNING id
), a AS (`+insertEvent+` SELECT `+eventValues+` FROM m
) SELECT count(*) AS n FROM m`,
	setSMSSent,
	insertEvent+` SELECT `+eventValues+` WHERE changes() = 1`,
	`SELECT 1 AS n`,
)

// markSMSSent writes that a message was handed over, with its event.
func (d *DB) markSMSSent(ctx context.Context, m *SMS, now time.Time) error {
	e := Event{Action: ActionSMSSent, Note: m.note(), User: m.UserID}
	p := params{{"sms", m.ID}, {"now", now}}
	_, err := d.count(ctx, smsSent, p.with(eventParams(m.visit(ctx), e, now)))
	return err
}

const setSMSFailed = `UPDATE sms SET attempts = attempts + 1, last_error = :error, next_attempt_at = :next,
  state = CASE WHEN :last THEN 'FAILED' ELSE 'QUEUED' END WHERE id = :sms AND state = 'QUEUED'`

var smsFailed = writes("smsFailed",
	`WITH m AS (`+setSMSFailed+` RETURNING id
), a AS (`+insertEvent+` SELECT `+eventValues+` FROM m WHERE :last
) SELECT count(*) AS n FROM m`,
	setSMSFailed,
	insertEvent+` SELECT `+eventValues+` WHERE changes() = 1 AND :last`,
	`SELECT 1 AS n`,
)

// markSMSFailed writes that an attempt failed, and with nil for next that it was the last one.
func (d *DB) markSMSFailed(ctx context.Context, m *SMS, problem string, next *time.Time, now time.Time) error {
	e := Event{Action: ActionSMSSent, Reason: "given_up", User: m.UserID}
	p := params{{"sms", m.ID}, {"error", problem}, {"next", next}, {"last", next == nil}}
	_, err := d.count(ctx, smsFailed, p.with(eventParams(m.visit(ctx), e, now)))
	return err
}

// note is the remark in the event of a message.
func (m *SMS) note() string {
	if m.Purpose == SMSLogin {
		return "login"
	}
	return "verify_phone"
}

// visit is that of events which follow a request later.
func (m *SMS) visit(ctx context.Context) context.Context {
	return visit.With(ctx, &visit.Visit{Dialect: m.Dialect, RequestID: m.ID.String()})
}
