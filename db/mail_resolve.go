package db

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/uptrace/bun"
)

// ResolvedMail is a mail that can be sent, to whom, and with which token.
type ResolvedMail struct {
	Mail  Mail
	User  User
	Token *OneTimeToken // nil for none
}

// Resolve finds out whose mail it is and makes its token, at the first attempt to send it; every later attempt gets the same.
// Nil says that there is nothing to send: the mail is gone or sent, nobody has the address, or what it asked for is no more.
//
// A mail that was asked for by an address goes to the address as the account has it, and not as somebody wrote it (OT-10). A
// new token makes the ones before it worthless (OT-03), but for those that take back another address: whoever took an account over
// would have the link of its owner die by a second change.
func (d *DB) Resolve(ctx context.Context, id MailID, now time.Time) (*ResolvedMail, error) {
	var mail *ResolvedMail
	err := d.w.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
		var err error
		mail, err = d.resolveIn(ctx, tx, id, now)
		return err
	})
	return mail, wrap(err, "resolve a mail")
}

func (d *DB) resolveIn(ctx context.Context, tx bun.Tx, id MailID, now time.Time) (*ResolvedMail, error) {
	var l ResolvedMail
	mail := tx.NewSelect().Model(&l.Mail).Where("m.id = ?", id).Where("m.state = ?", MailQueued)
	if err := mail.Scan(ctx); err != nil {
		return nil, ignoreNoRows(err)
	}
	user := tx.NewSelect().Model(&l.User)
	if l.Mail.UserID.IsZero() {
		user.Where("u.email_canonical = ?", l.Mail.AddressCanonical)
	} else {
		user.Where("u.id = ?", l.Mail.UserID)
	}
	if d.Postgres() {
		user.For("NO KEY UPDATE") // one at a time for an account, and before anything that hangs on it: nobody waits in a circle
	}
	err := user.Scan(ctx)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, err
	}
	if err != nil || !stillApplies(&l) {
		_, err := tx.NewDelete().Model(&l.Mail).WherePK().Exec(ctx)
		return nil, err
	}
	if err := mail.Scan(ctx); err != nil { // as it is now that the account is ours
		return nil, ignoreNoRows(err)
	}
	if l.Mail.ResolvedAt == nil {
		err = resolveRecipient(ctx, tx, &l, now)
	} else if !l.Mail.TokenID.IsZero() {
		return reuseToken(ctx, tx, &l, now)
	}
	if err != nil {
		return nil, err
	}
	return &l, nil
}

// reuseToken is for a further attempt, which has the token of the first. One that expired while the mail could not be sent gives way
// to another: a mail does not begin with a link that is over.
func reuseToken(ctx context.Context, tx bun.Tx, l *ResolvedMail, now time.Time) (*ResolvedMail, error) {
	l.Token = &OneTimeToken{}
	err := tx.NewSelect().Model(l.Token).Where("t.id = ?", l.Mail.TokenID).Scan(ctx)
	if err == nil && (l.Token.InvalidatedAt != nil || l.Token.ExpiresAt.After(now)) {
		return l, nil
	}
	if ignoreNoRows(err) != nil {
		return nil, err
	}
	return l, resolveRecipient(ctx, tx, l, now)
}

// resolveRecipient writes on a mail to whom it goes, and makes its token.
func resolveRecipient(ctx context.Context, tx bun.Tx, l *ResolvedMail, now time.Time) (err error) {
	if l.Mail.UserID.IsZero() {
		l.Mail.UserID, l.Mail.Address = l.User.ID, *l.User.Email
	}
	l.Token = nil
	if over, err := isSuperseded(ctx, tx, &l.Mail, now); err != nil {
		return err
	} else if over {
		l.Mail.TTLSeconds, l.Mail.TokenID = 0, TokenID{}
	}
	if l.Mail.Purpose() != "" {
		if l.Token, err = issueToken(ctx, tx, &l.Mail, now); err != nil {
			return err
		}
		l.Mail.TokenID = l.Token.ID
	}
	l.Mail.ResolvedAt = &now
	_, err = tx.NewUpdate().Model(&l.Mail).Column("user_id", "address", "token_id", "ttl_seconds", "resolved_at").WherePK().Exec(ctx)
	return err
}

// stillApplies tells whether a mail still makes sense for the account as it is now.
func stillApplies(l *ResolvedMail) bool {
	m, u := &l.Mail, &l.User
	if u.Email == nil || u.Status != UserActive {
		return false
	}
	switch m.Kind {
	case MailVerifyEmail:
		return !u.EmailVerified() && u.EmailCanonical == m.AddressCanonical
	case MailResetPassword, MailSetPassword, MailMagicLink:
		return u.EmailCanonical == m.AddressCanonical
	case MailConfirmChange:
		return u.PendingEmailCanonical != nil && *u.PendingEmailCanonical == m.AddressCanonical
	case MailChangeAsked:
		return u.PendingEmail != nil
	}
	return true
}
