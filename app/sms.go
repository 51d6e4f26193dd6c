package app

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/internal/config"
	"github.com/dragoman-auth/dragoman/internal/site"
	"github.com/dragoman-auth/dragoman/internal/sms"
	"github.com/dragoman-auth/dragoman/internal/token"
)

// smsKinds are the kinds of messages by the purpose of their code.
var smsKinds = map[db.SMSPurpose]sms.Kind{db.SMSVerifyPhone: sms.KindVerifyPhone, db.SMSLogin: sms.KindLogin}

// SMSWriter words the messages to phones.
type SMSWriter struct {
	codec *token.Codec
	at    site.Site
	site  string // the name of the service
}

// OpenSMSWriter makes a writer from the settings. The service has the name that it has in mails.
func OpenSMSWriter(settings *config.Settings, codec *token.Codec) *SMSWriter {
	at := settings.Site()
	return &SMSWriter{codec: codec, at: at, site: serviceName(settings, at)}
}

// message words a message. A retry words it alike. The result holds the code: it goes to the provider and nowhere else.
func (w *SMSWriter) message(m *db.SMS, u *db.User) (sms.Message, string) {
	kind, code := smsKinds[m.Purpose], w.codec.PhoneCode(m.ID.UUID, m.UserID.UUID, m.Phone)
	wanted := []string{m.Locale}
	if u != nil && u.Locale != nil {
		wanted = []string{*u.Locale, m.Locale}
	}
	text := sms.Text(kind, code, w.site, w.at.Host(), m.ExpiresAt.Sub(m.CreatedAt), wanted...)
	return sms.Message{ID: m.ID.String(), To: m.Phone, Text: text, Kind: kind}, code.Reveal()
}

// startSMS starts the worker of messages to phones. Without a provider they are resolved but not sent: the local
// mailbox shows them.
func (s *Server) startSMS(ctx context.Context) (*db.MailWorker, error) {
	if !s.settings.SMSOn() {
		return nil, nil
	}
	sender, err := smsSender(&s.settings.SMS, s.options)
	if err != nil {
		return nil, err
	}
	if s.settings.RateLimits {
		s.DB.LimitSMS(db.SMSLimits{
			Number: AddressHashes(s.master).Number, Country: s.settings.SMS.Hourly, Daily: s.settings.SMS.Daily,
		})
	}
	writer := OpenSMSWriter(s.settings, s.codec())
	return s.DB.StartSMS(ctx, db.SMSDelivery{
		Send: func(ctx context.Context, m *db.SMS, u *db.User) error {
			if sender == nil {
				return nil
			}
			message, _ := writer.message(m, u)
			err := sender.Send(ctx, message)
			if f, ok := errors.AsType[*sms.Failure](err); ok && f.Permanent {
				return fmt.Errorf("%w: %w", db.ErrSMSRefused, f)
			}
			return err
		},
		Now: s.options.Now, Log: s.options.Log,
		OnAttempt: func(state db.MailState) { s.Observer.SMS(strings.ToLower(string(state))) },
		OnLimited: s.Observer.SMSLimited,
	})
}

// smsSender gives what hands messages over; nil for none.
func smsSender(settings *config.SMS, options Options) (sms.Sender, error) {
	switch {
	case settings.URL != "":
		return sms.NewWebhook(settings.URL, settings.Secret, options.Now)
	case settings.Twilio.Account != "":
		return sms.NewTwilio(settings.Twilio), nil
	}
	return nil, nil
}
