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

var markMailSent = statement{
	postgres: `WITH sent AS (
  UPDATE mails SET state = 'SENT', sent_at = $2, attempts = attempts + 1, last_error = NULL, next_attempt_at = NULL
  WHERE id = $1 AND state = 'QUEUED' RETURNING 1)
SELECT count(*) AS n FROM sent`,
	sqlite: []string{
		`UPDATE mails SET state = 'SENT', sent_at = ?2, attempts = attempts + 1, last_error = NULL, next_attempt_at = NULL
WHERE id = ?1 AND state = 'QUEUED'`,
		`SELECT changes() AS n`,
	},
}

// MarkMailSent marks a mail that was taken.
func (d *DB) MarkMailSent(ctx context.Context, id MailID, now time.Time) error {
	_, err := d.count(ctx, &markMailSent, id, now)
	return err
}

var markMailFailed = statement{
	postgres: `WITH failed AS (
  UPDATE mails SET state = CASE WHEN $3::timestamptz IS NULL THEN 'FAILED' ELSE 'QUEUED' END, attempts = attempts + 1, last_error = $2,
    next_attempt_at = $3
  WHERE id = $1 AND state = 'QUEUED' RETURNING 1)
SELECT count(*) AS n FROM failed`,
	sqlite: []string{
		`UPDATE mails SET state = CASE WHEN ?3 IS NULL THEN 'FAILED' ELSE 'QUEUED' END, attempts = attempts + 1, last_error = ?2, next_attempt_at = ?3
WHERE id = ?1 AND state = 'QUEUED'`,
		`SELECT changes() AS n`,
	},
}

// MarkMailFailed writes down an attempt that failed and when the next one is; nil gives the mail up.
func (d *DB) MarkMailFailed(ctx context.Context, id MailID, why string, next *time.Time) error {
	_, err := d.count(ctx, &markMailFailed, id, why, next)
	return err
}

// Template is the name of the kind, which is that of its templates.
func (m *Mail) Template() string { return string(m.Kind) }

// MailPage is a part of the list of mails, which begins with the newest.
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

// withOwners reads whose mails they are.
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
	if err := d.r.NewSelect().Model(&users).ExcludeColumn("password_hash").Where("u.id IN (?)", bun.List(ids)).Scan(ctx); err != nil {
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

var requeueMail = statement{
	postgres: `WITH m AS (
  UPDATE mails SET state = 'QUEUED', next_attempt_at = NULL WHERE id = $1 AND state = 'FAILED' RETURNING *
), a AS (` + insertEventWithActor + ` SELECT $2, $3, $4, $5, $6, coalesce($7, m.user_id), $8, $9, $10, $11, $12, $13, $14, $15 FROM m
) SELECT * FROM m`,
	sqlite: []string{
		`UPDATE mails SET state = 'QUEUED', next_attempt_at = NULL WHERE id = ?1 AND state = 'FAILED'`,
		insertEventWithActor + ` SELECT ?2, ?3, ?4, ?5, ?6, coalesce(?7, m.user_id), ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15
FROM mails m WHERE m.id = ?1 AND changes() = 1`,
		`SELECT * FROM mails WHERE id = ?1 AND EXISTS (SELECT 1 FROM audit_events WHERE id = ?2)`,
	},
}

// RetryMail queues a mail again that was given up, with its event e. It gives the mail as it is now and whether it was queued
// by this call; nil where there is no such mail.
func (d *DB) RetryMail(ctx context.Context, id MailID, e Event, now time.Time) (mail *Mail, queued bool, err error) {
	mail = &Mail{}
	enqueue := func(tx *sql.Tx) error { return d.enqueueIn(ctx, tx, []*Mail{mail}) }
	queued, err = d.getThen(ctx, nil, enqueue, &requeueMail, mail, append([]any{id}, eventWithActorArgs(ctx, e, now)...)...)
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

// QueuedMails are those that are not resolved, the oldest first.
func (d *DB) QueuedMails(ctx context.Context) ([]MailID, error) {
	var mails []*Mail
	if err := d.r.NewSelect().Model(&mails).Column("id").Where("m.state = ? AND m.resolved_at IS NULL", MailQueued).Order("m.id").Scan(ctx); err != nil {
		return nil, wrap(err, "queued mails")
	}
	ids := make([]MailID, len(mails))
	for i, m := range mails {
		ids[i] = m.ID
	}
	return ids, nil
}
