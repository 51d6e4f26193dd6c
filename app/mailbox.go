package app

import (
	"context"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/internal/config"
	"github.com/dragoman-auth/dragoman/internal/identity"
	"github.com/dragoman-auth/dragoman/internal/mail"
)

// mailboxSize is how many mails the local mailbox shows at once.
const mailboxSize = 50

// LocalMailbox gives the function that reads the local mailbox, the newest mail first. to filters by address and id by
// mail; "" does not filter. It is nil where there is none: see config.Settings.LocalMailbox.
func LocalMailbox(
	settings *config.Settings, database *db.DB, letters *MailRenderer,
) func(ctx context.Context, to, id string) ([]mail.StoredMail, error) {
	if !settings.LocalMailbox() {
		return nil
	}
	return func(ctx context.Context, to, id string) ([]mail.StoredMail, error) {
		var canonical string
		var mailID db.MailID
		if to != "" {
			if _, canonical, _ = identity.Email(to); canonical == "" { // no address: there is no mail to it
				return nil, nil
			}
		}
		if id != "" {
			if _ = mailID.UnmarshalText([]byte(id)); mailID.IsZero() { // no id: there is no mail with it
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
