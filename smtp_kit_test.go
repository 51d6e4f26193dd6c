package main

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
)

// received is a mail as a mail server gets it.
type received struct {
	From, To   string // of the envelope
	Header     netmail.Header
	Subject    string
	Text, HTML string
	Raw        string
}

// ID is the Message-ID.
func (r received) ID() string { return r.Header.Get("Message-Id") }

// smtpSink is a mail server that keeps what it gets.
type smtpSink struct {
	URL string // for DRAGOMAN_SMTP_URL

	t       testing.TB
	address string
	tls     *tls.Config
	server  *smtp.Server
	listen  net.Listener

	mu     sync.Mutex
	mails  []received
	refuse func(to string) error
	pause  time.Duration // before a mail is taken
}

// newSink starts a mail server for the length of a test, with STARTTLS where there is a configuration for it.
func newSink(t testing.TB, config *tls.Config) *smtpSink {
	t.Helper()
	s := &smtpSink{t: t, tls: config, address: "127.0.0.1:0"}
	s.start()
	s.URL = "smtp://" + s.address
	t.Cleanup(s.stop)
	return s
}

// start listens, where it did before if it did.
func (s *smtpSink) start() {
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
	s.server = smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &smtpSession{sink: s}, nil }))
	s.server.Domain, s.server.TLSConfig = "localhost", s.tls
	s.server.ErrorLog, s.server.AllowInsecureAuth = silent{}, true
	server := s.server
	go func() { _ = server.Serve(l) }()
}

// stop listens no more; start goes on where it was.
func (s *smtpSink) stop() {
	_ = s.listen.Close() // which the server does not know before it serves
	_ = s.server.Close()
}

type silent struct{}

func (silent) Printf(string, ...any) {}
func (silent) Println(...any)        {}

// to are the mails to a recipient so far, all for "".
func (s *smtpSink) to(address string) []received {
	s.mu.Lock()
	defer s.mu.Unlock()
	if address == "" {
		return slices.Clone(s.mails)
	}
	var found []received
	for _, m := range s.mails {
		if strings.EqualFold(m.To, address) {
			found = append(found, m)
		}
	}
	return found
}

// await waits for the first mail to a recipient.
func (s *smtpSink) await(t testing.TB, address string) received {
	t.Helper()
	var found []received
	eventually(t, "a mail to "+address, func() bool { found = s.to(address); return len(found) > 0 })
	return found[0]
}

// eventually waits for something that takes a moment.
func eventually(t testing.TB, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within thirty seconds: %s", what)
		}
	}
}

// smtpSession is one connection.
type smtpSession struct {
	sink     *smtpSink
	from, to string
}

// AuthMechanisms is PLAIN, and any password is right.
func (s *smtpSession) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *smtpSession) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(string, string, string) error { return nil }), nil
}

func (s *smtpSession) Reset()        {}
func (s *smtpSession) Logout() error { return nil }

func (s *smtpSession) Mail(from string, _ *smtp.MailOptions) error { s.from = from; return nil }

func (s *smtpSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.to = to
	s.sink.mu.Lock()
	refuse := s.sink.refuse
	s.sink.mu.Unlock()
	if refuse != nil {
		return refuse(to)
	}
	return nil
}

func (s *smtpSession) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.sink.mu.Lock()
	pause := s.sink.pause
	s.sink.mu.Unlock()
	time.Sleep(pause)
	got := received{From: s.from, To: s.to, Raw: string(raw)}
	if err := got.read(raw); err != nil {
		return err
	}
	s.sink.mu.Lock()
	defer s.sink.mu.Unlock()
	s.sink.mails = append(s.sink.mails, got)
	return nil
}

// read takes a mail apart: multipart/alternative of text and HTML, both quoted-printable.
func (r *received) read(raw []byte) error {
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
