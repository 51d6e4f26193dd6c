package db

import (
	"context"
	"database/sql"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/uptrace/bun"
)

const setMailSent = `UPDATE mails
SET state = 'SENT', sent_at = :now, attempts = attempts + 1, last_error = NULL, next_attempt_at = NULL
WHERE id = :mail AND state = 'QUEUED'`

var markMailSent = writes("markMailSent",
	`WITH sent AS (`+setMailSent+` RETURNING 1) SELECT count(*) AS n FROM sent`,
	setMailSent,
	`SELECT changes() AS n`,
)

// MarkMailSent marks a mail as sent.
func (d *DB) MarkMailSent(ctx context.Context, id MailID, now time.Time) error {
	_, err := d.count(ctx, markMailSent, params{{"mail", id}, {"now", now}})
	return err
}

var markMailFailed = writes("markMailFailed",
	`WITH failed AS (
  UPDATE mails SET state = CASE WHEN :next_attempt_at::timestamptz IS NULL THEN 'FAILED' ELSE 'QUEUED' END,
    attempts = attempts + 1, last_error = :error, next_attempt_at = :next_attempt_at
  WHERE id = :mail AND state = 'QUEUED'
  RETURNING 1)
SELECT count(*) AS n FROM failed`,
	`UPDATE mails SET state = CASE WHEN :next_attempt_at IS NULL THEN 'FAILED' ELSE 'QUEUED' END,
  attempts = attempts + 1, last_error = :error, next_attempt_at = :next_attempt_at
WHERE id = :mail AND state = 'QUEUED'`,
	`SELECT changes() AS n`,
)

// MarkMailFailed writes down a failed attempt and the time of the next one; nil gives the mail up.
func (d *DB) MarkMailFailed(ctx context.Context, id MailID, why string, next *time.Time) error {
	_, err := d.count(ctx, markMailFailed, params{{"mail", id}, {"error", why}, {"next_attempt_at", next}})
	return err
}

// Template gives the name of its templates.
func (m *Mail) Template() string { return string(m.Kind) }

// MailPage is a part of the list of mails, the newest first.
type MailPage struct {
	State *MailState // nil for any
	After MailID     // exclusive; zero for the beginning
	Limit int
}

// Mails lists mails, the newest first, and tells whether there are more.
func (d *DB) Mails(ctx context.Context, page MailPage) (mails []*Mail, more bool, err error) {
	mails = []*Mail{}
	q := d.r.NewSelect().Model(&mails)
	if page.State != nil {
		q = q.Where("m.state = ?", string(*page.State))
	}
	if !page.After.IsZero() {
		q = q.Where("m.id < ?", page.After)
	}
	if err := q.Order("m.id DESC").Limit(int64(page.Limit) + 1).Scan(ctx); err != nil {
		return nil, false, wrap(err, "mails")
	}
	if more = len(mails) > page.Limit; more {
		mails = mails[:page.Limit]
	}
	return mails, more, d.withOwners(ctx, mails)
}

// withOwners reads the recipients of mails.
func (d *DB) withOwners(ctx context.Context, mails []*Mail) error {
	owners := map[UserID]*User{}
	for _, m := range mails {
		if !m.UserID.IsZero() {
			owners[m.UserID] = nil
		}
	}
	if len(owners) == 0 {
		return nil
	}
	var users []*User
	ids := slices.Collect(maps.Keys(owners))
	q := d.r.NewSelect().Model(&users).ExcludeColumn("password_hash").Where("u.id IN (?)", bun.List(ids))
	if err := q.Scan(ctx); err != nil {
		return wrap(err, "owners of mails")
	}
	for _, u := range users {
		owners[u.ID] = u
	}
	for _, m := range mails {
		m.Owner = owners[m.UserID]
	}
	return nil
}

var requeueMail = writes("requeueMail",
	`WITH m AS (
  UPDATE mails SET state = 'QUEUED', next_attempt_at = NULL WHERE id = :mail AND state = 'FAILED' RETURNING *
), a AS (`+insertEventWithActor+` SELECT :event_id, :event_at, :event_action, :event_outcome, :event_reason,
  coalesce(:event_user, m.user_id), :event_session, :event_key, :event_methods,
  :event_dialect, :event_ip, :event_user_agent, :event_request, :event_actor FROM m
) SELECT * FROM m`,
	`UPDATE mails SET state = 'QUEUED', next_attempt_at = NULL WHERE id = :mail AND state = 'FAILED'`,
	insertEventWithActor+` SELECT :event_id, :event_at, :event_action, :event_outcome, :event_reason,
  coalesce(:event_user, m.user_id), :event_session, :event_key, :event_methods,
  :event_dialect, :event_ip, :event_user_agent, :event_request, :event_actor
FROM mails m WHERE m.id = :mail AND changes() = 1`,
	`SELECT * FROM mails WHERE id = :mail`+ifRecorded,
)

// RetryMail queues a failed mail again, with its event e. It gives the mail and whether this call queued it; nil for no
// mail.
func (d *DB) RetryMail(ctx context.Context, id MailID, e Event, now time.Time) (mail *Mail, queued bool, err error) {
	mail = &Mail{}
	enqueue := func(tx *sql.Tx) error { return d.enqueueIn(ctx, tx, []*Mail{mail}) }
	p := params{{"mail", id}}.with(eventWithActorParams(ctx, e, now))
	queued, err = d.queryRow(ctx, requeueMail, p, mail, after(enqueue))
	if err == nil && !queued {
		err = d.r.NewSelect().Model(mail).Where("m.id = ?", id).Scan(ctx)
	}
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, false, nil
	case err != nil:
		return nil, false, wrap(err, "retry a mail")
	}
	return mail, queued, d.withOwners(ctx, []*Mail{mail})
}

// QueuedMails lists the mails that can be resolved at now and are not, the oldest first.
func (d *DB) QueuedMails(ctx context.Context, now time.Time) ([]MailID, error) {
	var mails []*Mail
	q := d.r.NewSelect().Model(&mails).Column("id").
		Where("m.state = ? AND m.resolved_at IS NULL", MailQueued).
		Where("m.next_attempt_at IS NULL OR m.next_attempt_at <= ?", now).Order("m.id")
	if err := q.Scan(ctx); err != nil {
		return nil, wrap(err, "queued mails")
	}
	ids := make([]MailID, len(mails))
	for i, m := range mails {
		ids[i] = m.ID
	}
	return ids, nil
}
