package app

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/internal/config"
	"github.com/dragoman-auth/dragoman/internal/mail"
)

// Mail is the part of a server that sends mails and messages to phones.
type Mail struct{ worker, sms *db.MailWorker }

// startMail starts the mail worker. Without SMTP, mails are resolved but not sent; the local mailbox shows them.
func (s *Server) startMail(ctx context.Context) (*Mail, error) {
	if s.settings.MailOff {
		return &Mail{}, nil
	}
	send := func(context.Context, *db.ResolvedMail) error { return nil }
	if s.settings.SMTP != nil {
		var err error
		if send, err = sendBySMTP(s.settings, s.mails); err != nil {
			return nil, err
		}
	}
	if s.settings.RateLimits {
		s.DB.LimitMails(AddressHashes(s.master).Mailbox)
	}
	worker, err := s.DB.StartMail(ctx, db.Delivery{
		Send: send, Now: s.options.Now, Log: s.options.Log,
		OnAttempt: func(state db.MailState) { s.Observer.Mail(strings.ToLower(string(state))) },
		OnLimited: s.Observer.MailLimited,
	})
	return &Mail{worker: worker}, err
}

// Stop accepts no further mails and waits for those in progress until ctx ends. Another server, or the next start,
// sends the rest.
func (m *Mail) Stop(ctx context.Context) error {
	if m == nil {
		return nil
	}
	var failures []error
	for _, w := range []*db.MailWorker{m.worker, m.sms} {
		if w != nil {
			failures = append(failures, w.Stop(ctx))
		}
	}
	return errors.Join(failures...)
}

// sendBySMTP gives the function that renders a mail and sends it at once, so that no rendered mail is stored.
func sendBySMTP(
	settings *config.Settings, letters *MailRenderer,
) (func(context.Context, *db.ResolvedMail) error, error) {
	from := settings.Sender()
	_, domain, _ := strings.Cut(from.Address, "@")
	sender, err := mail.NewSender(mail.Server{
		Host:     settings.SMTP.Host,
		Port:     settings.SMTP.Port,
		TLS:      settings.SMTP.Security == config.MailTLS,
		Plain:    settings.SMTP.Security == config.MailPlain,
		User:     settings.SMTP.User,
		Password: settings.SMTP.Password.Reveal(),
	}, domain)
	if err != nil {
		// The cause may hold the password.
		return nil, errors.New("DRAGOMAN_SMTP_URL: the mail server cannot be used; check host, port and credentials")
	}
	return func(ctx context.Context, l *db.ResolvedMail) error {
		words, err := letters.Render(l)
		if err != nil {
			// The cause may hold text of the mail.
			return errors.New("the mail could not be rendered; check the templates in DRAGOMAN_MAIL_TEMPLATES")
		}
		err = sender.Send(ctx, mail.Envelope{
			MessageID: l.Mail.ID.String() + "@" + domain,
			From:      from,
			To:        l.Mail.Address,
			Date:      l.Mail.CreatedAt,
		}, words)
		if f, ok := errors.AsType[*mail.Failure](err); ok && f.Permanent {
			return fmt.Errorf("%w: %w", db.ErrUndeliverable, f)
		}
		return err
	}, nil
}
