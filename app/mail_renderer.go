package app

import (
	"cmp"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/internal/config"
	"github.com/dragoman-auth/dragoman/internal/identity"
	"github.com/dragoman-auth/dragoman/internal/mail"
	"github.com/dragoman-auth/dragoman/internal/profile"
	"github.com/dragoman-auth/dragoman/internal/site"
	"github.com/dragoman-auth/dragoman/internal/token"
)

// accountPage maps the purpose of a token to its page below /account/. The page takes the code of the mail too; a
// revert link has no code.
var accountPage = map[db.Purpose]string{
	db.PurposeVerifyEmail:   "verify-email",
	db.PurposeResetPassword: "reset-password",
	db.PurposeMagicLink:     "sign-in",
	db.PurposeConfirmChange: "confirm-email",
	db.PurposeCancelChange:  "cancel-email-change",
}

// MailRenderer renders the mails of the database.
type MailRenderer struct {
	templates *mail.Templates
	codec     *token.Codec
	at        site.Site
	site      string // the name of the service
}

// NewMailRenderer makes a renderer with links to a server. name is the name of the service.
func NewMailRenderer(templates *mail.Templates, codec *token.Codec, at site.Site, name string) *MailRenderer {
	return &MailRenderer{templates: templates, codec: codec, at: at, site: name}
}

// OpenMailRenderer makes a renderer from the settings. The service has the name in DRAGOMAN_MAIL_FROM, or its host.
func OpenMailRenderer(settings *config.Settings, templates *mail.Templates, codec *token.Codec) *MailRenderer {
	at := settings.Site()
	return NewMailRenderer(templates, codec, at, serviceName(settings, at))
}

// serviceName is the name of the service in messages.
func serviceName(settings *config.Settings, at site.Site) string {
	if from := settings.MailFrom; from != nil {
		return cmp.Or(from.Name, at.Name())
	}
	return at.Name()
}

// Render renders a mail. A retry renders the same text. The result holds the token: it goes to the mail server and
// nowhere else (AU-02).
func (l *MailRenderer) Render(letter *db.ResolvedMail) (mail.Rendered, error) {
	return l.templates.Render(l.message(letter))
}

func (l *MailRenderer) message(letter *db.ResolvedMail) mail.Message {
	m, u, none := &letter.Mail, &letter.User, new(string)
	message := mail.Message{
		Kind:        string(m.Kind),
		Accept:      m.Locale,
		Site:        l.site,
		Home:        l.at.URL(""),
		To:          m.Address,
		At:          m.CreatedAt,
		Device:      m.Data.Device,
		IP:          m.Data.IP,
		Failures:    m.Data.Failures,
		NewAddress:  m.Data.NewAddress,
		TakesOver:   m.Data.TakesOver,
		Unconfirmed: m.Data.Unconfirmed,
		Locale:      *cmp.Or(u.Locale, none),
		Name:        *cmp.Or(u.Name, none),
		Account:     *cmp.Or(u.Email, u.Username, none),
	}
	addKeys(&message, &m.Data)
	addOccasion(&message, m, u)
	l.addToken(&message, letter)
	return message
}

// addOccasion says what a mail of some kinds is about.
func addOccasion(message *mail.Message, m *db.Mail, u *db.User) {
	none := new(string)
	switch m.Kind {
	case db.MailPhoneChanged:
		message.Phone = &mail.Phone{Number: m.Data.Phone.Number, Change: string(m.Data.Phone.Change)}
	case db.MailDigest:
		message.At, message.Device, message.IP = time.Time{}, "", "" // of the first notice alone
		for _, r := range m.Data.Repeats {
			message.Repeats = append(message.Repeats, mail.Repeat{
				Kind: string(r.Kind), Change: r.Change, Count: r.Count, Since: r.Since,
			})
		}
	case db.MailConfirmChange:
		// The reader has to recognize the account (OT-25), and may be a stranger: the address in use is abridged.
		message.Account = *cmp.Or(u.Username, none)
		if message.Account == "" && u.Email != nil {
			message.Account = identity.Abridged(*u.Email)
		}
	case db.MailEmailChanged:
		message.Account = *cmp.Or(u.Username, none)
		message.NewAddress = cmp.Or(message.NewAddress, *cmp.Or(u.Email, none))
	case db.MailChangeAsked:
		message.NewAddress = cmp.Or(message.NewAddress, *cmp.Or(u.PendingEmail, none))
	}
}

// addToken adds the link and the code that a mail brings.
func (l *MailRenderer) addToken(message *mail.Message, letter *db.ResolvedMail) {
	m := &letter.Mail
	purpose := m.Purpose()
	if purpose == "" {
		return
	}
	if m.Kind == db.MailLoginCode {
		if letter.Token != nil {
			message.Code, message.CodeFor = l.codec.Code(letter.Token.ID.UUID).Reveal(), db.CodeLives
		}
		return
	}
	page := l.at.URL("/account/" + accountPage[purpose])
	message.Button = m.Data.Button
	message.LinkFor = time.Duration(m.TTLSeconds) * time.Second
	if letter.Token == nil { // swept: the mail is an old one in the local mailbox
		message.Link = page
		return
	}
	message.Link = l.link(page, m, l.codec.OneTime(letter.Token.ID.UUID).Reveal())
	if purpose != db.PurposeCancelChange {
		message.Code = l.codec.Code(letter.Token.ID.UUID).Reveal()
		if purpose != db.PurposeConfirmChange { // that code counts where its person is signed in (OT-25)
			message.Page = page
		}
		message.CodeFor = min(db.CodeLives, message.LinkFor)
	}
}

// link is made of the configured public URL, or of the page that a dialect's file or the operator names, and never of a
// request (OT-07). The token stands in its fragment (OT-35).
func (l *MailRenderer) link(page string, m *db.Mail, token string) string {
	return profile.Filled(cmp.Or(m.Link, page+"#token="+profile.TokenGap), token)
}

// addKeys tells a message of the API keys that it is about.
func addKeys(message *mail.Message, data *db.MailData) {
	if key := data.Key; key != nil {
		message.Key = &mail.Key{Name: key.Name, Change: string(key.Change)}
		for _, scope := range key.Scopes {
			message.Key.Scopes = append(message.Key.Scopes, string(scope))
		}
	}
	if f := data.Factor; f != nil {
		message.Factor = &mail.Factor{Change: string(f.Change), Name: f.Name, Left: f.Left}
	}
	for _, key := range data.Keys {
		used := cmp.Or(key.LastUsedAt, new(time.Time))
		message.Keys = append(message.Keys, mail.Key{Name: key.Name, LastUsed: *used})
	}
}
