package db

import (
	"context"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"github.com/dragoman-auth/dragoman/internal/visit"
)

// The budget of a mailbox, over all kinds of mails and all accounts (OT-17): one mail of a kind within a minute, and
// these within an hour and within a day.
const (
	mailsAnHour = 12
	mailsADay   = 30
)

// A notice over the budget is held for shortHold. Where the budget is used up then too, it is held for longHold in all.
const (
	shortHold = time.Minute
	longHold  = time.Hour
)

// LimitMails gives each mailbox a budget. mailbox gives the keyed hash of the mailbox of a canonical address: no
// address is stored. It is called before the first mail is resolved. Without it mails are not limited.
func (d *DB) LimitMails(mailbox func(canonical string) []byte) { d.mailbox = mailbox }

// The texts for both databases differ in the functions of JSON alone. fits tells whether the budget has room for one
// more mail. Times ahead of now come from a clock that was put back since: they count as now.
const (
	mailsPostgres = `jsonb_to_recordset(b.mails) AS m (at bigint, kind text)`
	mailsSQLite   = `(SELECT value ->> 'at' AS at, value ->> 'kind' AS kind FROM json_each(b.mails)) AS m`

	fitsHead = `(SELECT count(*) < :a_day AND count(*) FILTER (WHERE m.at > :hour_ago) < :an_hour
    AND count(*) FILTER (WHERE m.at > :minute_ago AND m.kind = :kind) = 0 FROM `
	fitsTail     = ` WHERE m.at > :day_ago)`
	fitsPostgres = fitsHead + mailsPostgres + fitsTail
	fitsSQLite   = fitsHead + mailsSQLite + fitsTail

	countHead = `ON CONFLICT (mailbox) DO UPDATE SET counted_at = :now, over_budget = NOT `
	unnoted   = ` THEN b.unnoted WHEN b.noted_at > :noted_after THEN b.unnoted + 1 ELSE 1 END,
  noted_at = CASE WHEN `
	notedAt = ` OR b.noted_at > :noted_after THEN b.noted_at ELSE :now END`
)

// countMail counts a mail if the budget has room. Instances that resolve mails to one mailbox at once wait for its row.
// At most one mail an hour over the budget gets an event (AU-09): the one that makes unnoted 1.
var countMail = writes("countMail",
	`INSERT INTO mail_budgets AS b (mailbox, mails, counted_at)
VALUES (:mailbox, jsonb_build_array(jsonb_build_object('at', :at::bigint, 'kind', :kind::text)), :now)
`+countHead+fitsPostgres+`,
  mails = (SELECT jsonb_agg(jsonb_build_object('at', k.at, 'kind', k.kind)) FROM (
    SELECT least(m.at, :at) AS at, m.kind FROM `+mailsPostgres+` WHERE m.at > :day_ago
    UNION ALL SELECT :at, :kind WHERE `+fitsPostgres+`) AS k),
  unnoted = CASE WHEN `+fitsPostgres+unnoted+fitsPostgres+notedAt+`
RETURNING over_budget, unnoted`,
	`INSERT INTO mail_budgets AS b (mailbox, mails, counted_at)
VALUES (:mailbox, json_array(json_object('at', :at, 'kind', :kind)), :now)
`+countHead+fitsSQLite+`,
  mails = (SELECT json_group_array(json_object('at', k.at, 'kind', k.kind)) FROM (
    SELECT min(m.at, :at) AS at, m.kind FROM `+mailsSQLite+` WHERE m.at > :day_ago
    UNION ALL SELECT :at, :kind WHERE `+fitsSQLite+`) AS k),
  unnoted = CASE WHEN `+fitsSQLite+unnoted+fitsSQLite+notedAt,
	`SELECT over_budget, unnoted FROM mail_budgets WHERE mailbox = :mailbox`,
)

// OverBudget is what becomes of a mail over the budget of its mailbox.
type OverBudget struct {
	Outcome string    // dropped, held, or "" for a mail that is held already
	Until   time.Time // a held mail is looked at again then; zero for a mail that is gone
	Noted   bool      // whether the audit log has an event of it
}

// checkBudget counts a mail at its first resolution. It gives nil for a mail that is sent: within the budget, or
// because it may neither be dropped nor wait any longer. A dropped mail makes no token, so that an older link stays
// good (OT-31). The account is locked.
func (d *DB) checkBudget(ctx context.Context, tx bun.Tx, l *ResolvedMail, now time.Time) (*OverBudget, error) {
	m := &l.Mail
	if d.mailbox == nil || m.ResolvedAt != nil {
		return nil, nil
	}
	if m.isHeld(now) {
		return &OverBudget{Until: *m.NextAttemptAt}, nil
	}
	var row struct {
		OverBudget bool `bun:"over_budget"`
		Unnoted    int  `bun:"unnoted"`
	}
	ago := func(d time.Duration) int64 { return now.Add(-d).UnixMicro() }
	if _, err := d.queryRowIn(ctx, tx.Tx, countMail, params{
		{"mailbox", d.mailbox(m.AddressCanonical)},
		{"kind", m.Kind},
		{"now", now},
		{"at", now.UnixMicro()},
		{"minute_ago", ago(time.Minute)},
		{"hour_ago", ago(time.Hour)},
		{"day_ago", ago(24 * time.Hour)},
		{"an_hour", mailsAnHour},
		{"a_day", mailsADay},
		{"noted_after", now.Add(-time.Hour)},
	}, &row); err != nil || !row.OverBudget {
		return nil, wrap(err, "count a mail")
	}
	over, err := d.limitMail(ctx, tx, l, now)
	if err != nil || over == nil || over.Outcome == "" || row.Unnoted > 1 {
		return over, err
	}
	over.Noted = true
	e := Event{Action: ActionMailLimited, Note: over.Outcome + " " + string(m.Kind), User: l.User.ID}
	return over, d.recordIn(visit.With(ctx, &visit.Visit{Dialect: m.Dialect, RequestID: m.ID.String()}), tx.Tx, e, now)
}

// limitMail decides on a mail over the budget: it is dropped, held, or sent all the same (nil).
func (d *DB) limitMail(ctx context.Context, tx bun.Tx, l *ResolvedMail, now time.Time) (*OverBudget, error) {
	m := &l.Mail
	if !l.mustArrive() {
		_, err := tx.NewDelete().Model(m).WherePK().Exec(ctx)
		return &OverBudget{Outcome: "dropped"}, err
	}
	if m.Purpose() == PurposeCancelChange {
		if linked, err := hasRevertLink(ctx, tx, m, now); err != nil || !linked {
			return nil, err
		}
	}
	switch since := m.Data.HeldSince; {
	case since == nil:
		return holdMail(ctx, tx, l, now)
	case now.Sub(*since) < longHold && !now.Before(*since):
		return holdUntil(ctx, tx, m, since.Add(longHold))
	}
	return nil, nil
}

// mustArrive tells whether a mail is never dropped: a notice to an address that somebody proved to own (OT-32), and the
// mail with which the owner of an account chooses a password, where an administrator caused it (OT-54). Whoever asks
// for mails, or puts the address of somebody else into their account, sends no more than the budget.
func (l *ResolvedMail) mustArrive() bool {
	m, u := &l.Mail, &l.User
	switch m.Kind {
	case MailVerifyEmail, MailResetPassword, MailMagicLink, MailLoginCode, MailConfirmChange, MailAddressTaken,
		MailWelcome:
		return false
	case MailSetPassword:
		return u.Invited // else somebody registered without a password, perhaps with the address of a stranger
	}
	return !m.Data.Unconfirmed || u.EmailVerified() && u.EmailCanonical == m.AddressCanonical
}

// hasRevertLink tells whether the reader of a notice has a link already that does what its link would do, good for
// another day. Else the notice is sent over the budget: nobody can have the owner's link folded into a digest (OT-33).
func hasRevertLink(ctx context.Context, tx bun.Tx, m *Mail, now time.Time) (bool, error) {
	n, err := tx.NewSelect().Model((*OneTimeToken)(nil)).
		Where("t.user_id = ? AND t.purpose = ? AND t.address_canonical = ?",
			m.UserID, PurposeCancelChange, m.AddressCanonical).
		Where("t.invalidated_at IS NULL AND t.expires_at > ?", now.Add(24*time.Hour)).Count(ctx)
	return n > 0, err
}

// isHeld tells whether a notice waits for others, to become a digest. A clock that was put back holds nothing for
// longer.
func (m *Mail) isHeld(now time.Time) bool {
	return m.ResolvedAt == nil && m.NextAttemptAt != nil &&
		m.NextAttemptAt.After(now) && !m.NextAttemptAt.After(now.Add(longHold))
}

// holdMail holds a notice, or adds it to the one to the same address that is held already, which becomes a digest: what
// it was about may be off before it is sent, and the others must arrive (OT-50). The mail to choose a password is held
// alone.
func holdMail(ctx context.Context, tx bun.Tx, l *ResolvedMail, now time.Time) (*OverBudget, error) {
	m := &l.Mail
	if m.Kind == MailSetPassword {
		m.Data.HeldSince = &now
		return holdUntil(ctx, tx, m, now.Add(shortHold))
	}
	var held Mail
	err := tx.NewSelect().Model(&held).
		Where("m.user_id = ? AND m.address_canonical = ? AND m.id <> ?", l.User.ID, m.AddressCanonical, m.ID).
		Where("m.kind <> ?", MailSetPassword).
		Where("m.state = ? AND m.resolved_at IS NULL AND m.next_attempt_at IS NOT NULL", MailQueued).
		Order("m.id").Limit(1).Scan(ctx)
	switch {
	case ignoreNoRows(err) != nil:
		return nil, err
	case err != nil:
		m.Data.HeldSince = &now
		return holdUntil(ctx, tx, m, now.Add(shortHold))
	}
	if held.Kind != MailDigest {
		held.becomeDigest()
	}
	held.addRepeat(m)
	if _, err := tx.NewUpdate().Model(&held).Column("kind", "ttl_seconds", "data").WherePK().Exec(ctx); err != nil {
		return nil, err
	}
	_, err = tx.NewDelete().Model(m).WherePK().Exec(ctx)
	return &OverBudget{Outcome: "held"}, err
}

func holdUntil(ctx context.Context, tx bun.Tx, m *Mail, until time.Time) (*OverBudget, error) {
	outcome := "held"
	if m.NextAttemptAt != nil {
		outcome = ""
	}
	m.NextAttemptAt = &until
	_, err := tx.NewUpdate().Model(m).Column("data", "next_attempt_at").WherePK().Exec(ctx)
	return &OverBudget{Outcome: outcome, Until: until}, err
}

// Repeat is a line of a digest: how many notices of a kind it stands for.
type Repeat struct {
	Kind   MailKind  `json:"kind"`
	Change string    `json:"change,omitempty"` // of an API key or a number
	Count  int       `json:"count"`
	Since  time.Time `json:"since"`
}

func (m *Mail) addRepeat(other *Mail) {
	all := m.Data.Repeats
	var change string
	if key := other.Data.Key; key != nil {
		change = string(key.Change)
	} else if phone := other.Data.Phone; phone != nil {
		change = string(phone.Change)
	}
	i := slices.IndexFunc(all, func(r Repeat) bool { return r.Kind == other.Kind && r.Change == change })
	if i < 0 {
		i = len(all)
		all = append(all, Repeat{Kind: other.Kind, Change: change, Since: other.CreatedAt})
	}
	all[i].Count++
	if other.CreatedAt.Before(all[i].Since) {
		all[i].Since = other.CreatedAt
	}
	m.Data.Repeats = all
}

// becomeDigest makes a held notice a digest of itself. It keeps nothing that its line does not say.
func (m *Mail) becomeDigest() {
	m.addRepeat(m)
	m.Kind, m.TTLSeconds = MailDigest, 0
	m.Data = MailData{HeldSince: m.Data.HeldSince, Repeats: m.Data.Repeats, Unconfirmed: m.Data.Unconfirmed}
}
