package app

import (
	"cmp"
	"net/url"
	"strings"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/internal/config"
	"github.com/dragoman-auth/dragoman/internal/mail"
	"github.com/dragoman-auth/dragoman/internal/token"
)

// accountPage is our page for what a token is good for. The code of a mail is typed there; one to cancel a change has
// none.
var accountPage = map[db.Purpose]string{
	db.PurposeVerifyEmail: "verify-email", db.PurposeResetPassword: "reset-password", db.PurposeMagicLink: "sign-in",
	db.PurposeConfirmChange: "confirm-email", db.PurposeCancelChange: "cancel-email-change",
}

// MailRenderer words the mails of the database.
type MailRenderer struct {
	templates  *mail.Templates
	codec      *token.Codec
	home, site string
}

// NewMailRenderer words mails by templates, with links to a public URL (without a trailing slash), in the name of site.
func NewMailRenderer(templates *mail.Templates, codec *token.Codec, publicURL, site string) *MailRenderer {
	return &MailRenderer{templates: templates, codec: codec, home: publicURL, site: site}
}

// OpenMailRenderer is NewMailRenderer by the settings.
func OpenMailRenderer(settings *config.Settings, templates *mail.Templates, codec *token.Codec) *MailRenderer {
	home := settings.URL()
	_, site, _ := strings.Cut(home, "://")
	if from := settings.MailFrom; from != nil {
		site = cmp.Or(from.Name, site) // the operator has said what the service is called
	}
	return NewMailRenderer(templates, codec, home, site)
}

// Render words a letter. The same letter always gives the same words, whenever and how often it is sent. The result
// holds the token: it goes to the mail server and nowhere else (AU-02).
func (l *MailRenderer) Render(letter *db.ResolvedMail) (mail.Rendered, error) {
	return l.templates.Render(l.message(letter))
}

func (l *MailRenderer) message(letter *db.ResolvedMail) mail.Message {
	m, u, none := &letter.Mail, &letter.User, new(string)
	message := mail.Message{
		Kind: string(m.Kind), Accept: m.Locale, Site: l.site, Home: l.home, To: m.Address, At: m.CreatedAt,
		Device: m.Data.Device, IP: m.Data.IP, Failures: m.Data.Failures, NewAddress: m.Data.NewAddress,
		Locale: *cmp.Or(u.Locale, none), Name: *cmp.Or(u.Name, none), Account: *cmp.Or(u.Email, u.Username, none),
	}
	switch m.Kind {
	case db.MailConfirmChange:
		// the reader may be a stranger, whom the address in use is none of the business
		message.Account = *cmp.Or(u.Username, none)
	case db.MailEmailChanged:
		message.Account = *cmp.Or(u.Username, none)
		message.NewAddress = cmp.Or(message.NewAddress, *cmp.Or(u.Email, none))
	case db.MailChangeAsked:
		message.NewAddress = cmp.Or(message.NewAddress, *cmp.Or(u.PendingEmail, none))
	}
	purpose := m.Purpose()
	if purpose == "" {
		return message
	}
	page := l.home + "/account/" + accountPage[purpose]
	message.LinkFor = time.Duration(m.TTLSeconds) * time.Second
	if letter.Token == nil { // swept: a mail of long ago, in the local mailbox
		message.Link = page
		return message
	}
	message.Link = l.link(page, m, l.codec.OneTime(letter.Token.ID.UUID).Reveal())
	if purpose != db.PurposeCancelChange {
		message.Page, message.Code = page, l.codec.Code(letter.Token.ID.UUID).Reveal()
		message.CodeFor = min(db.CodeLives, message.LinkFor)
	}
	return message
}

// link is made of the configured public URL, or of the link that a dialect documents, and never of a request (OT-07).
// {token} and {email} may stand in its path as well as in its query.
func (l *MailRenderer) link(page string, m *db.Mail, token string) string {
	if m.Link == "" {
		return page + "#token=" + token
	}
	return strings.NewReplacer("{token}", escape(token), "{email}", escape(m.Address)).Replace(m.Link)
}

// escape is url.QueryEscape with %20 for a space, which a path reads too.
func escape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }
