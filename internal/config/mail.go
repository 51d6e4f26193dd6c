package config

import (
	"errors"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/dragoman-auth/dragoman/internal/identity"
	"github.com/dragoman-auth/dragoman/internal/secret"
)

// SMTP is the mail server.
type SMTP struct {
	Host     string
	Port     int
	Security MailSecurity
	User     string // "" for none
	Password secret.Text
}

// MailSecurity is the encryption of the connection to the mail server.
type MailSecurity string

// The values of MailSecurity. TLS and STARTTLS both check the certificate of the server.
const (
	MailTLS      MailSecurity = "TLS from the beginning"
	MailSTARTTLS MailSecurity = "STARTTLS"
	MailPlain    MailSecurity = "none" // for a mail server on this machine alone
)

const (
	smtpPort  = 587
	smtpsPort = 465
	noMail    = "none"
)

// parseSMTP reads smtp://user:password@host:port, smtps:// or none.
func parseSMTP(s *Settings, v string) bool {
	switch v {
	case "":
		return true
	case noMail:
		s.MailOff = true
		return true
	}
	u, err := url.Parse(v)
	if err != nil || u.Hostname() == "" || u.Path != "" && u.Path != "/" || strings.ContainsAny(v, "?#") {
		return false
	}
	server := &SMTP{Host: u.Hostname(), Port: smtpPort, Security: MailSTARTTLS}
	switch {
	case u.Scheme == "smtps":
		server.Port, server.Security = smtpsPort, MailTLS
	case u.Scheme != "smtp":
		return false
	case loopback(server.Host):
		server.Security = MailPlain
	}
	if u.Port() != "" {
		port, err := strconv.ParseUint(u.Port(), 10, 16)
		if err != nil || port == 0 {
			return false
		}
		server.Port = int(port)
	}
	if u.User != nil {
		password, _ := u.User.Password()
		if u.User.Username() == "" || password == "" || hasControl(u.User.Username()+password) {
			return false
		}
		server.User, server.Password = u.User.Username(), secret.Text(password)
	}
	s.SMTP = server
	return true
}

// parseMailFrom reads an address, with or without a name (RFC 5322, section 3.4).
func parseMailFrom(s *Settings, v string) bool {
	if v == "" {
		return true
	}
	a, err := mail.ParseAddress(v)
	if err != nil || hasControl(v) || hasControl(a.Name) {
		return false
	}
	_, canonical, err := identity.Email(a.Address)
	if err != nil {
		return false
	}
	local, _, _ := strings.Cut(a.Address, "@") // the local part stays as written; the domain becomes ASCII (IDNA)
	_, domain, _ := strings.Cut(canonical, "@")
	s.MailFrom = &mail.Address{Name: a.Name, Address: local + "@" + domain}
	return true
}

func hasControl(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool {
		return r < ' ' || r == 0x7f || r == 0x85 || r == 0x2028 || r == 0x2029
	})
}

// Sender gives the sender of mails: DRAGOMAN_MAIL_FROM, or else no-reply at the host of the public URL.
func (s *Settings) Sender() mail.Address {
	if s.MailFrom != nil {
		return *s.MailFrom
	}
	host := "localhost"
	if u, err := url.Parse(s.URL()); err == nil {
		if _, err := netip.ParseAddr(u.Hostname()); err != nil { // an IP address is no domain of an address
			host = u.Hostname()
		}
	}
	return mail.Address{Name: "Dragoman", Address: "no-reply@" + host}
}

// LocalMailbox tells whether mails are not sent, but kept for the local mailbox: for the people of this machine, or
// where it is switched on for whoever has its key. A trusted proxy lets others in.
func (s *Settings) LocalMailbox() bool {
	return s.SMTP == nil && !s.MailOff && s.Mailbox.Is(s.Loopback() && len(s.TrustedProxies) == 0)
}

// checkMailbox refuses a mailbox for mails that are sent elsewhere, or that do not exist. The error is an *Error.
func (s *Settings) checkMailbox() error {
	if s.Mailbox != On || s.SMTP == nil && !s.MailOff {
		return nil
	}
	return &Error{
		Name: "DRAGOMAN_MAILBOX", Value: "on", Want: "auto or off, since DRAGOMAN_SMTP_URL says where mails go",
	}
}

// requireMail refuses a server that others can reach and that could not send them mails.
func (s *Settings) requireMail() error {
	if s.SMTP != nil || s.MailOff || s.Mailbox == On || s.Loopback() && len(s.TrustedProxies) == 0 {
		return nil
	}
	return errors.New("DRAGOMAN_SMTP_URL is not set: others than this machine can reach the server, and it must send " +
		"them mails; set it to smtp://user:password@host:587, or to none for a server without mail. " +
		"DRAGOMAN_MAILBOX=on keeps mails at the server, behind a key, for tests")
}

// Address gives host:port of the mail server.
func (s *SMTP) Address() string { return net.JoinHostPort(s.Host, strconv.Itoa(s.Port)) }
