package db

import (
	"context"
	"time"

	"github.com/uptrace/bun"
)

// ResolvedMail is a mail that can be sent, with its recipient and its token.
type ResolvedMail struct {
	Mail  Mail
	User  User          // the account that a registration would make, where the mail is about one
	Token *OneTimeToken // nil for none

	Registration *Registration // nil for a mail to an account
}

// Resolve finds the recipient of a mail and makes its token, at the first attempt to send it; later attempts get the
// same. Nil means that there is nothing to send now: the mail is gone or sent, nobody has the address, the mail does
// not apply any more, or its mailbox had too many.
//
// A mail that was requested by address goes to the address as the account has it, not as somebody wrote it (OT-10), and
// not to an address that is only shown: that one recovers nothing (OT-24). A
// new token invalidates its predecessors (OT-03), except revert links to other addresses: whoever took an account over
// could end the owner's link by a second change. A mail that a newer one of its kind overtook is not sent.
func (d *DB) Resolve(ctx context.Context, id MailID, now time.Time) (*ResolvedMail, error) {
	mail, _, err := d.ResolveInBudget(ctx, id, now)
	return mail, err
}

// ResolveInBudget is Resolve, and tells what became of a mail over the budget of its mailbox.
func (d *DB) ResolveInBudget(
	ctx context.Context, id MailID, now time.Time,
) (mail *ResolvedMail, over *OverBudget, err error) {
	err = d.w.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) (err error) {
		mail, err = d.readMail(ctx, tx, id, now)
		if err != nil || mail == nil {
			return err
		}
		mail, over, err = d.resolveIn(ctx, tx, mail, now)
		return err
	})
	if err != nil {
		return nil, nil, wrap(err, "resolve a mail")
	}
	return mail, over, nil
}

// readMail reads a mail that waits, and locks its account or its registration. It deletes a mail that does not apply
// any more.
func (d *DB) readMail(ctx context.Context, tx bun.Tx, id MailID, now time.Time) (*ResolvedMail, error) {
	var l ResolvedMail
	// The account is locked before the mail is read: of two servers that resolve a mail at once, the second sees the
	// result of the first. It is also locked before what belongs to it: this prevents deadlocks.
	user := tx.NewSelect().Model(&l.User).Where(`u.id = (SELECT coalesce(m.user_id,
  (SELECT h.id FROM users h WHERE h.email_canonical = m.address_canonical),
  (SELECT h.id FROM users h WHERE h.pending_shown AND h.pending_email_canonical = m.address_canonical))
FROM mails m WHERE m.id = ?)`, id)
	if d.Postgres() {
		user.For("NO KEY UPDATE")
	}
	missing := user.Scan(ctx)
	if ignoreNoRows(missing) != nil {
		return nil, missing
	}
	waiting, err := d.lockRegistration(ctx, tx, id, now)
	if err != nil {
		return nil, err
	}
	err = tx.NewSelect().Model(&l.Mail).Where("m.id = ?", id).Where("m.state = ?", MailQueued).Scan(ctx)
	if err != nil {
		return nil, ignoreNoRows(err)
	}
	if waiting == nil && !l.Mail.RegistrationID.IsZero() { // it made room for another one while this waited for its row
		if waiting, err = d.lockRegistration(ctx, tx, id, now); err != nil {
			return nil, err
		}
	}
	if l.Mail.forRegistration() && toRegistration(&l, waiting) {
		return &l, nil
	}
	if missing == nil && l.Mail.UserID.IsZero() && l.Mail.AddressCanonical != l.User.EmailCanonical {
		// Somebody asked by the address that is only shown, perhaps its owner: where they go on is theirs (OT-53).
		l.Mail.AddressCanonical, l.Mail.Data.ReturnTo = l.User.EmailCanonical, ""
	}
	if missing != nil || l.Mail.forRegistration() && !l.Mail.RegistrationID.IsZero() || !stillApplies(&l) {
		_, err := tx.NewDelete().Model(&l.Mail).WherePK().Exec(ctx)
		return nil, err
	}
	return &l, nil
}

func (d *DB) resolveIn(
	ctx context.Context, tx bun.Tx, l *ResolvedMail, now time.Time,
) (*ResolvedMail, *OverBudget, error) {
	if l.User.Status != UserActive {
		over, err := holdUntil(ctx, tx, &l.Mail, now.Add(longHold))
		return nil, over, err
	}
	switch {
	case l.Mail.ResolvedAt == nil:
	case l.Mail.TokenID.IsZero():
		return l, nil, nil
	default:
		reusable, err := reuseToken(ctx, tx, l, now)
		if err != nil || reusable {
			return l, nil, err
		}
	}
	if late, err := isOvertaken(ctx, tx, l); err != nil {
		return nil, nil, err
	} else if late {
		_, err := tx.NewDelete().Model(&l.Mail).WherePK().Exec(ctx)
		return nil, nil, err
	}
	if over, err := d.checkBudget(ctx, tx, l, now); err != nil || over != nil {
		return nil, over, err
	}
	l.Mail.NextAttemptAt = nil
	if err := resolveRecipient(ctx, tx, l, now); err != nil {
		return nil, nil, err
	}
	return l, nil, nil
}

// reuseToken gives a further attempt the token of the first, and tells whether it did. A token that expired before the
// mail could be sent is no good: no mail starts with an expired link.
func reuseToken(ctx context.Context, tx bun.Tx, l *ResolvedMail, now time.Time) (reusable bool, err error) {
	l.Token = &OneTimeToken{}
	err = tx.NewSelect().Model(l.Token).Where("t.id = ?", l.Mail.TokenID).Scan(ctx)
	if err != nil {
		return false, ignoreNoRows(err)
	}
	return l.Token.InvalidatedAt != nil || l.Token.ExpiresAt.After(now), nil
}

// resolveRecipient sets the recipient of a mail, and makes its token.
func resolveRecipient(ctx context.Context, tx bun.Tx, l *ResolvedMail, now time.Time) (err error) {
	switch {
	case l.Registration != nil:
		l.Mail.RegistrationID, l.Mail.Address = l.Registration.ID, l.Registration.Address
	case l.Mail.UserID.IsZero():
		l.Mail.UserID, l.Mail.Address = l.User.ID, *l.User.Email
	}
	l.Token = nil
	if over, err := isSuperseded(ctx, tx, &l.Mail, now); err != nil {
		return err
	} else if over {
		l.Mail.TTLSeconds, l.Mail.TokenID = 0, TokenID{}
	}
	if l.Mail.Purpose() != "" {
		if l.Token, err = issueToken(ctx, tx, l, now); err != nil {
			return err
		}
		l.Mail.TokenID = l.Token.ID
	}
	if l.Mail.Kind == MailPassword || l.Mail.Kind == MailDigest {
		if l.Mail.Data.Keys, err = mailKeys(ctx, tx, l.Mail.UserID, now); err != nil {
			return err
		}
	}
	l.Mail.Data.TakesOver = l.Token != nil && (&TokenWithUser{Token: *l.Token, User: l.User}).TakesOver()
	l.Mail.ResolvedAt = &now
	_, err = tx.NewUpdate().Model(&l.Mail).
		Column("kind", "user_id", "registration_id", "address", "address_canonical", "token_id", "ttl_seconds", "data",
			"next_attempt_at", "resolved_at").WherePK().Exec(ctx)
	return err
}

// mailKeys lists the working API keys of a person for a mail.
func mailKeys(ctx context.Context, tx bun.Tx, user UserID, now time.Time) ([]MailKey, error) {
	var keys []*ApiKey
	err := workingKeys(tx.NewSelect().Model(&keys), user, now).
		Order("k.created_at DESC", "k.id DESC").Limit(MaxKeys).Scan(ctx)
	listed := make([]MailKey, len(keys))
	for i, k := range keys {
		listed[i] = MailKey{Name: k.Name, LastUsedAt: k.LastUsedAt}
	}
	return listed, err
}

// stillApplies tells whether a mail still matches the account. What must arrive waits until a suspended account is
// active (OT-51). An account without an address confirms another one, and its notices go where they went (OT-52).
func stillApplies(l *ResolvedMail) bool {
	m, u := &l.Mail, &l.User
	if u.Email == nil && m.UserID.IsZero() || u.Status != UserActive && !l.mustArrive() {
		return false
	}
	switch m.Kind {
	case MailVerifyEmail:
		return !u.EmailVerified() && u.EmailCanonical == m.AddressCanonical
	case MailResetPassword, MailSetPassword, MailMagicLink, MailLoginCode:
		return u.EmailCanonical == m.AddressCanonical
	case MailConfirmChange:
		return u.isWaitingFor(m.AddressCanonical)
	case MailChangeAsked:
		return u.PendingEmail != nil
	}
	return true
}
