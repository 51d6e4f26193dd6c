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

// phase is how long the mail server may take to let us in, and again to take a mail.
const phase = 12 * time.Second

// Server is a mail server, by SMTP (RFC 5321).
type Server struct {
	Host     string
	Port     int
	TLS      bool           // from the beginning
	Plain    bool           // never TLS; neither means STARTTLS (RFC 3207), without which nothing is sent
	Roots    *x509.CertPool // who may vouch for the server; nil for those of the system
	User     string         // "" for none
	Password string
}

// Envelope is what a mail says about itself.
type Envelope struct {
	MessageID string // id@domain: the same for every attempt, so that a reader sees a mail once
	From      netmail.Address
	To        string // an address
	Date      time.Time
}

// Sender hands mails to a mail server, over a connection of its own for each.
type Sender struct {
	server  Server
	options []mail.Option
}

// NewSender checks what it can without asking the server. hello is the domain that we name ourselves by.
func NewSender(server Server, hello string) (*Sender, error) {
	s := &Sender{server: server, options: []mail.Option{
		mail.WithPort(server.Port), mail.WithTimeout(phase), mail.WithHELO(hello), mail.WithoutNoop(),
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
		s.options = append(s.options, mail.WithSMTPAuth(auth), mail.WithUsername(server.User),
			mail.WithPassword(server.Password))
	}
	_, err := mail.NewClient(server.Host, s.options...)
	return s, err
}

// Send hands a mail to the server. When it fails the error is a *Failure, or that of ctx; the mail may have been taken
// all the same, when the answer was lost.
func (s *Sender) Send(ctx context.Context, e Envelope, words Rendered) error {
	m, err := message(e, words)
	if err != nil {
		return err
	}
	client, err := mail.NewClient(s.server.Host, s.options...)
	if err != nil {
		return &Failure{What: "the settings of the mail server are not usable"}
	}
	sent := make(chan error, 1)
	go func() {
		err := client.DialAndSendWithContext(ctx, m)
		if m.IsDelivered() { // what comes after that is a farewell
			err = nil
		}
		sent <- err
	}()
	select {
	case err := <-sent:
		return toFailure(err)
	case <-ctx.Done(): // the library looks at ctx while it connects alone, and ends by its own timeout
		return ctx.Err()
	}
}

// message puts a mail together. Nothing in it can begin a further header (WH-08): whatever has a line break is refused
// here, and the library would encode it.
func message(e Envelope, words Rendered) (*mail.Msg, error) {
	to, err := recipient(e.To)
	if err != nil {
		return nil, err
	}
	for _, text := range []string{e.MessageID, e.From.Name, e.From.Address, words.Subject} {
		if hasLineBreak(text) {
			return nil, &Failure{What: "a header of the mail has a line break in it", Permanent: true}
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

// recipient is an address with its domain as mail servers write it.
func recipient(address string) (string, error) {
	local, domain, _ := strings.Cut(address, "@")
	ascii, err := idna.Lookup.ToASCII(domain)
	parsed, wrong := netmail.ParseAddress(local + "@" + ascii)
	if err != nil || wrong != nil || hasLineBreak(address) || parsed.Name != "" || parsed.Address != local+"@"+ascii {
		return "", &Failure{What: "the address of the recipient is not one", Permanent: true}
	}
	return parsed.Address, nil
}

func hasLineBreak(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool {
		return r < ' ' || r == 0x7f || r == 0x85 || r == 0x2028 ||
			r == 0x2029
	})
}

// Failure is why a mail was not taken, in words that hold nothing of the mail and nothing that the server said but its
// codes: servers repeat addresses, and credentials too.
type Failure struct {
	What      string
	Permanent bool // for this recipient: a later attempt would end the same way
}

func (f *Failure) Error() string { return f.What }

// steps names what a server refused.
var steps = map[mail.SendErrReason]string{
	mail.ErrSMTPMailFrom: "the sender", mail.ErrSMTPRcptTo: "the recipient", mail.ErrSMTPData: "the mail",
	mail.ErrSMTPDataClose: "the mail", mail.ErrWriteContent: "the mail",
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

// noMailbox are the enhanced codes (RFC 3463, RFC 7505) that are about the address. All other refusals may be the
// business of the operator, and over when they have seen to it.
var noMailbox = map[string]bool{
	"5.1.0": true, "5.1.1": true, "5.1.2": true, "5.1.3": true, "5.1.6": true,
	"5.1.10": true, "5.2.1": true,
}
