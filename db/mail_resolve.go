package db

import (
	"context"
	"time"

	"github.com/uptrace/bun"
)

// ResolvedMail is a mail that can be sent, with its recipient and its token.
type ResolvedMail struct {
	Mail  Mail
	User  User
	Token *OneTimeToken // nil for none
}

// Resolve finds the recipient of a mail and makes its token, at the first attempt to send it; later attempts get the
// same. Nil means that there is nothing to send: the mail is gone or sent, nobody has the address, or the mail does not
// apply any more.
//
// A mail that was requested by address goes to the address as the account has it, not as somebody wrote it (OT-10). A
// new token invalidates its predecessors (OT-03), except revert links to other addresses: whoever took an account over
// could end the owner's link by a second change.
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
	// The account is locked before the mail is read: of two servers that resolve a mail at once, the second sees the
	// result of the first. It is also locked before what belongs to it: this prevents deadlocks.
	user := tx.NewSelect().Model(&l.User).Where(`u.id = (SELECT m.user_id FROM mails m WHERE m.id = ?0)
OR u.email_canonical = (SELECT m.address_canonical FROM mails m WHERE m.id = ?0 AND m.user_id IS NULL)`, id)
	if d.Postgres() {
		user.For("NO KEY UPDATE")
	}
	missing := user.Scan(ctx)
	if ignoreNoRows(missing) != nil {
		return nil, missing
	}
	err := tx.NewSelect().Model(&l.Mail).Where("m.id = ?", id).Where("m.state = ?", MailQueued).Scan(ctx)
	if err != nil {
		return nil, ignoreNoRows(err)
	}
	if missing != nil || !stillApplies(&l) {
		_, err := tx.NewDelete().Model(&l.Mail).WherePK().Exec(ctx)
		return nil, err
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

// reuseToken gives a further attempt the token of the first. It replaces a token that expired before the mail could be
// sent: no mail starts with an expired link.
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

// resolveRecipient sets the recipient of a mail, and makes its token.
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
	_, err = tx.NewUpdate().Model(&l.Mail).Column("user_id", "address", "token_id", "ttl_seconds", "resolved_at").
		WherePK().Exec(ctx)
	return err
}

// stillApplies tells whether a mail still matches the account.
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
