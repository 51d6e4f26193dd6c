package app

import (
	"context"
	"slices"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/internal/config"
	"github.com/dragoman-auth/dragoman/internal/identity"
	"github.com/dragoman-auth/dragoman/internal/mail"
)

// mailboxSize is how many mails the local mailbox shows at once.
const mailboxSize = 50

// LocalMailbox gives the function that reads the local mailbox, the newest message first: mails, and messages to phones
// unless a provider sends them. to filters by address or number and id by message; "" does not filter. It is nil where
// there is none: see config.Settings.LocalMailbox.
func LocalMailbox(
	settings *config.Settings, database *db.DB, letters *MailRenderer, texts *SMSWriter,
) func(ctx context.Context, to, id string) ([]mail.StoredMail, error) {
	if !settings.LocalMailbox() {
		return nil
	}
	return func(ctx context.Context, to, id string) ([]mail.StoredMail, error) {
		stored, err := storedMails(ctx, database, letters, to, id)
		if err != nil || settings.SMS.Sent() {
			return stored, err
		}
		phones, err := storedSMS(ctx, database, texts, to, id)
		stored = append(stored, phones...)
		slices.SortStableFunc(stored, func(a, b mail.StoredMail) int { return b.CreatedAt.Compare(a.CreatedAt) })
		return stored[:min(len(stored), mailboxSize)], err
	}
}

// storedMails reads mails. There is none to what is no address, and none with what is no id.
func storedMails(
	ctx context.Context, database *db.DB, letters *MailRenderer, to, id string,
) ([]mail.StoredMail, error) {
	var canonical string
	var mailID db.MailID
	if to != "" {
		if _, canonical, _ = identity.Email(to); canonical == "" {
			return nil, nil
		}
	}
	if id != "" {
		if _ = mailID.UnmarshalText([]byte(id)); mailID.IsZero() {
			return nil, nil
		}
	}
	found, err := database.Mailbox(ctx, canonical, mailID, mailboxSize)
	if err != nil {
		return nil, err
	}
	stored := make([]mail.StoredMail, len(found))
	for i, letter := range found {
		if stored[i], err = letters.stored(letter); err != nil {
			return nil, err
		}
	}
	return stored, nil
}

// storedSMS is storedMails for messages to phones.
func storedSMS(
	ctx context.Context, database *db.DB, texts *SMSWriter, to, id string,
) (stored []mail.StoredMail, err error) {
	var phone string
	var smsID db.SMSID
	if to != "" {
		if phone, _ = identity.Phone(to); phone == "" {
			return nil, nil
		}
	}
	if id != "" {
		if _ = smsID.UnmarshalText([]byte(id)); smsID.IsZero() {
			return nil, nil
		}
	}
	found, err := database.SMSList(ctx, phone, smsID, mailboxSize)
	for _, m := range found {
		message, code := texts.message(m, nil)
		one := mail.StoredMail{
			ID: message.ID, SMS: true, To: m.Phone, CreatedAt: m.CreatedAt, Links: []string{}, Code: code,
		}
		one.Subject, one.Text = "SMS", message.Text
		stored = append(stored, one)
	}
	return stored, err
}

func (l *MailRenderer) stored(letter *db.ResolvedMail) (mail.StoredMail, error) {
	message := l.message(letter)
	words, err := l.templates.Render(message)
	stored := mail.StoredMail{
		ID:        letter.Mail.ID.String(),
		To:        letter.Mail.Address,
		CreatedAt: letter.Mail.CreatedAt,
		Rendered:  words,
		Links:     []string{},
		Code:      message.Code,
	}
	if message.Link != "" {
		stored.Links = append(stored.Links, message.Link)
	}
	return stored, err
}
