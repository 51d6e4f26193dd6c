package db

import (
	"context"
	"time"

	"github.com/uptrace/bun"
)

// OneTimeToken is what a mail lets somebody do once: a row of one_time_tokens. The token and the code are made from its
// id (token.Codec.OneTime) and stored nowhere (SE-03).
type OneTimeToken struct {
	bun.BaseModel `bun:"table:one_time_tokens,alias:t"`

	ID               TokenID    `bun:"id,pk"`
	Purpose          Purpose    `bun:"purpose"`
	UserID           UserID     `bun:"user_id"`         // zero while a registration waits for the token
	RegistrationID   UserID     `bun:"registration_id"` // that it was mailed for, zero for none
	Address          string     `bun:"address"`         // the token confirms it, or reverts to it, and no other (OT-11)
	AddressCanonical string     `bun:"address_canonical"`
	MailID           MailID     `bun:"mail_id"`   // the mail that it was made for: see isOvertaken
	ReturnTo         string     `bun:"return_to"` // where a sign-in goes on; "" for nowhere
	CreatedAt        time.Time  `bun:"created_at"`
	ExpiresAt        time.Time  `bun:"expires_at"`
	InvalidatedAt    *time.Time `bun:"invalidated_at"`
	Redeemed         bool       `bun:"redeemed"` // whether its use invalidated it
}

// issueToken makes the token of a mail and invalidates its predecessors. Revert links to other addresses stay good.
func issueToken(ctx context.Context, tx bun.Tx, l *ResolvedMail, now time.Time) (*OneTimeToken, error) {
	m := &l.Mail
	t := &OneTimeToken{
		ID: newTokenID(), Purpose: m.Purpose(), UserID: m.UserID, RegistrationID: m.RegistrationID, Address: m.Address,
		AddressCanonical: m.AddressCanonical, MailID: m.ID, ReturnTo: m.Data.ReturnTo, CreatedAt: now,
		ExpiresAt: now.Add(time.Duration(m.TTLSeconds) * time.Second),
	}
	if t.Purpose == PurposeCancelChange {
		t.CreatedAt = m.CreatedAt // the order of changes decides which address came first, not the order of mails
	}
	if l.Registration != nil {
		return t, issueForRegistration(ctx, tx, t)
	}
	before := tx.NewUpdate().Model((*OneTimeToken)(nil)).Set("invalidated_at = ?", now).
		Where("user_id = ? AND purpose = ? AND invalidated_at IS NULL", m.UserID, t.Purpose).
		Where("purpose <> ? OR address_canonical = ?", PurposeCancelChange, m.AddressCanonical)
	if m.Kind == MailResetPassword { // anybody asks for one
		before = before.Where("mail_id NOT IN (?)", setupMails(tx, m.UserID))
	}
	if _, err := before.Exec(ctx); err != nil {
		return nil, err
	}
	_, err := tx.NewInsert().Model(t).Exec(ctx)
	return t, err
}

// setupMails are the mails with which the owner of an account chooses a password, as an administrator caused them.
// Mails that a stranger asks for neither end nor overtake them (OT-54).
func setupMails(tx bun.Tx, user UserID) *bun.SelectQuery {
	return tx.NewSelect().Model((*Mail)(nil)).Column("id").Where("m.user_id = ? AND m.kind = ?", user, MailSetPassword)
}

// issueForRegistration makes a token for a registration, which waits as long as its token. Earlier tokens stay good:
// any of them serves whoever registered, and somebody else who registers with the address ends none (OT-48).
func issueForRegistration(ctx context.Context, tx bun.Tx, t *OneTimeToken) error {
	_, err := tx.NewUpdate().Model((*Registration)(nil)).Set("expires_at = ?", t.ExpiresAt).
		Where("id = ? AND expires_at < ?", t.RegistrationID, t.ExpiresAt).Exec(ctx)
	if err != nil {
		return err
	}
	_, err = tx.NewInsert().Model(t).Exec(ctx)
	return err
}

// isOvertaken tells whether a newer mail of the same kind was sent first: its token counts, and the older mail is not
// sent any more (OT-03). Mails are sent in any order; their ids have the order in which they were asked for.
func isOvertaken(ctx context.Context, tx bun.Tx, l *ResolvedMail) (bool, error) {
	purpose := l.Mail.Purpose()
	if purpose == "" || purpose == PurposeCancelChange || l.Registration != nil {
		return false, nil
	}
	newer := tx.NewSelect().Model((*OneTimeToken)(nil)).
		Where("t.user_id = ? AND t.purpose = ? AND t.mail_id > ?", l.User.ID, purpose, l.Mail.ID)
	if l.Mail.Kind == MailSetPassword {
		newer = newer.Where("t.mail_id IN (?)", setupMails(tx, l.User.ID))
	}
	n, err := newer.Count(ctx)
	return n > 0, err
}

// Purpose is what a one-time token is good for.
type Purpose string

// The purposes that there are.
const (
	PurposeVerifyEmail   Purpose = "VERIFY_EMAIL"
	PurposeResetPassword Purpose = "RESET_PASSWORD"
	PurposeMagicLink     Purpose = "MAGIC_LINK"
	PurposeConfirmChange Purpose = "CONFIRM_CHANGE"
	PurposeCancelChange  Purpose = "CANCEL_CHANGE" // of a pending change, or of one that took place
)

// CodeGroup gives the purpose that wrong codes are counted for. One door takes the codes of an address of the account
// and of one that it waits for, so both have the same tries.
func (p Purpose) CodeGroup() Purpose {
	if p == PurposeConfirmChange {
		return PurposeVerifyEmail
	}
	return p
}

func purposes() []Purpose {
	return []Purpose{
		PurposeVerifyEmail, PurposeResetPassword, PurposeMagicLink, PurposeConfirmChange, PurposeCancelChange,
	}
}
