package harness

import (
	"bytes"
	"crypto/tls"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	netmail "net/mail"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"github.com/dragoman-auth/dragoman/db"
)

// Received is a mail as a mail server gets it.
type Received struct {
	From, To   string // of the envelope
	Header     netmail.Header
	Subject    string
	Text, HTML string
	Raw        string
}

// ID is the Message-ID.
func (r Received) ID() string { return r.Header.Get("Message-Id") }

// SMTPSink is a mail server that keeps what it gets.
type SMTPSink struct {
	URL string // for DRAGOMAN_SMTP_URL

	t       testing.TB
	address string
	tls     *tls.Config
	server  *smtp.Server
	listen  net.Listener

	Mu     sync.Mutex
	mails  []Received
	Refuse func(to string) error
	Pause  time.Duration // before a mail is taken
}

// NewSink starts a mail server for the length of a test, with STARTTLS where there is a configuration for it.
func NewSink(t testing.TB, config *tls.Config) *SMTPSink {
	t.Helper()
	s := &SMTPSink{t: t, tls: config, address: "127.0.0.1:0"}
	s.Start()
	s.URL = "smtp://" + s.address
	t.Cleanup(s.Stop)
	return s
}

// Start listens, where it did before if it did.
func (s *SMTPSink) Start() {
	s.t.Helper()
	var l net.Listener
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		var err error
		if l, err = net.Listen("tcp", s.address); err == nil {
			break
		}
		if time.Now().After(end) {
			s.t.Fatal(err)
		}
	}
	s.address, s.listen = l.Addr().String(), l
	s.server = smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) {
		return &smtpSession{sink: s},
			nil
	}))
	s.server.Domain, s.server.TLSConfig = "localhost", s.tls
	s.server.ErrorLog, s.server.AllowInsecureAuth = silent{}, true
	server := s.server
	go func() { _ = server.Serve(l) }()
}

// Stop listens no more; start goes on where it was.
func (s *SMTPSink) Stop() {
	_ = s.listen.Close() // which the server does not know before it serves
	_ = s.server.Close()
}

type silent struct{}

func (silent) Printf(string, ...any) {}

func (silent) Println(...any) {}

// To are the mails to a recipient so far, all for "".
func (s *SMTPSink) To(address string) []Received {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	if address == "" {
		return slices.Clone(s.mails)
	}
	var found []Received
	for _, m := range s.mails {
		if strings.EqualFold(m.To, address) {
			found = append(found, m)
		}
	}
	return found
}

// Await waits for a mail.
func (s *SMTPSink) Await(t testing.TB, id db.MailID) (got Received) {
	t.Helper()
	Eventually(t, "the mail "+id.String(), func() bool {
		all := s.To("")
		i := slices.IndexFunc(all, func(m Received) bool { return strings.HasPrefix(m.ID(), "<"+id.String()+"@") })
		if i >= 0 {
			got = all[i]
		}
		return i >= 0
	})
	return got
}

// Eventually waits for something that takes a moment.
func Eventually(t testing.TB, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within thirty seconds: %s", what)
		}
	}
}

// smtpSession is one connection.
type smtpSession struct {
	sink     *SMTPSink
	from, to string
}

// AuthMechanisms is PLAIN, and any password is right.
func (s *smtpSession) AuthMechanisms() []string { return []string{sasl.Plain} }

// Auth takes any password.
func (s *smtpSession) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(string, string, string) error { return nil }), nil
}

// Reset is called between two mails.
func (s *smtpSession) Reset() {}

// Logout ends the connection.
func (s *smtpSession) Logout() error { return nil }

// Mail takes the sender.
func (s *smtpSession) Mail(from string, _ *smtp.MailOptions) error { s.from = from; return nil }

// Rcpt takes a recipient, unless it is to be refused.
func (s *smtpSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.to = to
	s.sink.Mu.Lock()
	refuse := s.sink.Refuse
	s.sink.Mu.Unlock()
	if refuse != nil {
		return refuse(to)
	}
	return nil
}

// Data takes a mail.
func (s *smtpSession) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.sink.Mu.Lock()
	pause := s.sink.Pause
	s.sink.Mu.Unlock()
	time.Sleep(pause)
	got := Received{From: s.from, To: s.to, Raw: string(raw)}
	if err := got.read(raw); err != nil {
		return err
	}
	s.sink.Mu.Lock()
	defer s.sink.Mu.Unlock()
	s.sink.mails = append(s.sink.mails, got)
	return nil
}

// read takes a mail apart: multipart/alternative of text and HTML, both quoted-printable.
func (r *Received) read(raw []byte) error {
	message, err := netmail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return err
	}
	r.Header = message.Header
	if r.Subject, err = new(mime.WordDecoder).DecodeHeader(message.Header.Get("Subject")); err != nil {
		return err
	}
	_, params, err := mime.ParseMediaType(message.Header.Get("Content-Type"))
	if err != nil {
		return err
	}
	for parts := multipart.NewReader(message.Body, params["boundary"]); ; {
		part, err := parts.NextRawPart()
		if err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		text, err := io.ReadAll(quotedprintable.NewReader(part))
		if err != nil {
			return err
		}
		if strings.HasPrefix(part.Header.Get("Content-Type"), "text/html") {
			r.HTML = string(text)
		} else {
			r.Text = string(text)
		}
	}
}
