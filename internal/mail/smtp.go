package mail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	netmail "net/mail"
	"strings"
	"time"

	"github.com/wneessen/go-mail"
	"golang.org/x/net/idna"
)

// timeout bounds the connection and the sign-in, and again the sending of a mail.
const timeout = 12 * time.Second

// Server is a mail server that speaks SMTP (RFC 5321). With neither TLS nor Plain it must offer STARTTLS (RFC 3207).
type Server struct {
	Host     string
	Port     int
	TLS      bool           // TLS from the first byte
	Plain    bool           // no TLS
	Roots    *x509.CertPool // the trusted authorities; nil for those of the system
	User     string         // "" for none
	Password string
}

// Envelope holds the headers of a mail.
type Envelope struct {
	MessageID string // id@domain; the same for every attempt, so that mail programs show a repeated mail once
	From      netmail.Address
	To        string // the address alone
	Date      time.Time
}

// Sender sends mails to a mail server, each over a connection of its own.
type Sender struct {
	server  Server
	options []mail.Option
}

// NewSender checks the settings without connecting. hello is the domain of this server in EHLO (RFC 5321, section
// 4.1.1.1).
func NewSender(server Server, hello string) (*Sender, error) {
	s := &Sender{server: server, options: []mail.Option{
		mail.WithPort(server.Port),
		mail.WithTimeout(timeout),
		mail.WithHELO(hello),
		mail.WithoutNoop(),
		mail.WithTLSConfig(&tls.Config{ServerName: server.Host, RootCAs: server.Roots, MinVersion: tls.VersionTLS12}),
	}}
	auth := mail.SMTPAuthAutoDiscover
	switch {
	case server.TLS:
		s.options = append(s.options, mail.WithSSL())
	case server.Plain:
		s.options = append(s.options, mail.WithTLSPolicy(mail.NoTLS))
		auth = mail.SMTPAuthPlainNoEnc
	default:
		s.options = append(s.options, mail.WithTLSPolicy(mail.TLSMandatory))
	}
	if server.User != "" {
		s.options = append(s.options,
			mail.WithSMTPAuth(auth), mail.WithUsername(server.User), mail.WithPassword(server.Password))
	}
	_, err := mail.NewClient(server.Host, s.options...)
	return s, err
}

// Send sends a mail to the server. The error is a *Failure, or the error of ctx. After an error the server may still
// have accepted the mail: its answer can be lost.
func (s *Sender) Send(ctx context.Context, e Envelope, words Rendered) error {
	m, err := message(e, words)
	if err != nil {
		return err
	}
	client, err := mail.NewClient(s.server.Host, s.options...)
	if err != nil {
		return &Failure{What: "the settings of the mail server are not usable; check DRAGOMAN_SMTP_URL"}
	}
	sent := make(chan error, 1)
	go func() {
		err := client.DialAndSendWithContext(ctx, m)
		if m.IsDelivered() { // the error is then one of QUIT
			err = nil
		}
		sent <- err
	}()
	select {
	case err := <-sent:
		return toFailure(err)
	case <-ctx.Done(): // go-mail heeds ctx while it connects, and later its own timeout alone
		return ctx.Err()
	}
}

// message builds a mail. It refuses a line break in a header, so that no text can add a header (WH-08); go-mail would
// encode one too.
func message(e Envelope, words Rendered) (*mail.Msg, error) {
	to, err := recipient(e.To)
	if err != nil {
		return nil, err
	}
	for _, text := range []string{e.MessageID, e.From.Name, e.From.Address, words.Subject} {
		if hasLineBreak(text) {
			return nil, &Failure{What: "a header of the mail contains a line break", Permanent: true}
		}
	}
	m := mail.NewMsg(mail.WithNoDefaultUserAgent(), mail.WithCharset(mail.CharsetUTF8))
	m.FromMailAddress(&e.From)
	m.ToMailAddress(&netmail.Address{Address: to})
	m.Subject(words.Subject)
	m.SetMessageIDWithValue(e.MessageID)
	m.SetDateWithValue(e.Date)
	m.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: no out-of-office notes in return
	m.SetBodyString(mail.TypeTextPlain, words.Text)
	m.AddAlternativeString(mail.TypeTextHTML, words.HTML)
	return m, nil
}

// recipient gives an address with its domain in ASCII (IDNA), as SMTP needs it.
func recipient(address string) (string, error) {
	local, domain, _ := strings.Cut(address, "@")
	ascii, err := idna.Lookup.ToASCII(domain)
	parsed, parseErr := netmail.ParseAddress(local + "@" + ascii)
	if err != nil || parseErr != nil || hasLineBreak(address) ||
		parsed.Name != "" || parsed.Address != local+"@"+ascii {
		return "", &Failure{What: "the address of the recipient is not valid", Permanent: true}
	}
	return parsed.Address, nil
}

func hasLineBreak(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool {
		return r < ' ' || r == 0x7f || r == 0x85 || r == 0x2028 || r == 0x2029
	})
}

// Failure says why a mail was not sent. It holds nothing of the mail, and of the answers of the server the codes alone:
// servers quote addresses and credentials.
type Failure struct {
	What      string
	Permanent bool // a retry to this recipient would fail too
}

func (f *Failure) Error() string { return f.What }

// steps names the part of a mail that a server refused.
var steps = map[mail.SendErrReason]string{
	mail.ErrSMTPMailFrom:  "the sender",
	mail.ErrSMTPRcptTo:    "the recipient",
	mail.ErrSMTPData:      "the mail",
	mail.ErrSMTPDataClose: "the mail",
	mail.ErrWriteContent:  "the mail",
}

func toFailure(err error) error {
	if err == nil {
		return nil
	}
	if refused, ok := errors.AsType[*mail.SendError](err); ok && refused.ErrorCode() > 0 {
		f := &Failure{What: fmt.Sprintf("the mail server refused %s: %d", steps[refused.Reason], refused.ErrorCode())}
		if status := refused.EnhancedStatusCode(); status != "" {
			f.What += " " + status
			f.Permanent = refused.Reason == mail.ErrSMTPRcptTo && refused.ErrorCode() >= 500 && noMailbox[status]
		}
		return f
	}
	return &Failure{What: connectionProblem(err)}
}

// noMailbox holds the enhanced codes (RFC 3463, RFC 7505) of a wrong address. All other refusals are retried: the
// operator may be able to fix their cause.
var noMailbox = map[string]bool{
	"5.1.0":  true,
	"5.1.1":  true,
	"5.1.2":  true,
	"5.1.3":  true,
	"5.1.6":  true,
	"5.1.10": true,
	"5.2.1":  true,
}
