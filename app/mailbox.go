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

// LocalMailbox reads the local mailbox: the newest mails, those to an address unless that is "", the one of an id
// unless that is "". It is nil where there is none: see config.Settings.LocalMailbox.
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
			if _, canonical, _ = identity.Email(to); canonical == "" { // no mail goes to what is no address
				return nil, nil
			}
		}
		if id != "" {
			if _ = mailID.UnmarshalText([]byte(id)); mailID.IsZero() { // nor is it the id of one
				return nil, nil
			}
		}
		found, err := database.Mailbox(ctx, canonical, mailID, mailboxSize)
		if err != nil {
			return nil, err
		}
		kept := make([]mail.StoredMail, len(found))
		for i, letter := range found {
			if kept[i], err = letters.stored(letter); err != nil {
				return nil, err
			}
		}
		return kept, nil
	}
}

func (l *MailRenderer) stored(letter *db.ResolvedMail) (mail.StoredMail, error) {
	message := l.message(letter)
	words, err := l.templates.Render(message)
	kept := mail.StoredMail{
		ID: letter.Mail.ID.String(), To: letter.Mail.Address, CreatedAt: letter.Mail.CreatedAt, Rendered: words,
		Links: []string{}, Code: message.Code,
	}
	if message.Link != "" {
		kept.Links = append(kept.Links, message.Link)
	}
	return kept, err
}
