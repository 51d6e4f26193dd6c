package mail_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"net"
	netmail "net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"github.com/dragoman-auth/dragoman/internal/mail"
)

// authority makes a certificate for a mail server at 127.0.0.1, and the pool with its authority.
func authority(t *testing.T) (*tls.Config, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "a test"},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(time.Hour),
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(certificate)
	return &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
		MinVersion:   tls.VersionTLS12,
	}, pool
}

// peer is a mail server that records its connections and mails.
type peer struct {
	port   int
	answer error // to RCPT

	mu     sync.Mutex
	mails  []string
	secure bool
	user   string
}

const password = "canary-Password"

func serve(t *testing.T, config *tls.Config, implicit bool, answer error) *peer {
	t.Helper()
	p := &peer{answer: answer}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.port = l.Addr().(*net.TCPAddr).Port
	if implicit {
		l = tls.NewListener(l, config)
	}
	server := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		return &talk{peer: p, conn: c}, nil
	}))
	server.Domain, server.ErrorLog, server.AllowInsecureAuth = "localhost", quiet{}, true
	if !implicit {
		server.TLSConfig = config
	}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	return p
}

type quiet struct{}

func (quiet) Printf(string, ...any) {}
func (quiet) Println(...any)        {}

type talk struct {
	peer *peer
	conn *smtp.Conn
}

func (*talk) Reset()        {}
func (*talk) Logout() error { return nil }

func (*talk) AuthMechanisms() []string { return []string{sasl.Plain} }

func (c *talk) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, given string) error {
		if given != password {
			return &smtp.SMTPError{
				Code:         535,
				EnhancedCode: smtp.EnhancedCode{5, 7, 8},
				Message:      "not " + user + " with " + given,
			}
		}
		c.peer.mu.Lock()
		defer c.peer.mu.Unlock()
		c.peer.user = user
		return nil
	}), nil
}

func (*talk) Mail(string, *smtp.MailOptions) error   { return nil }
func (c *talk) Rcpt(string, *smtp.RcptOptions) error { return c.peer.answer }

func (c *talk) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	c.peer.mu.Lock()
	defer c.peer.mu.Unlock()
	_, c.peer.secure = c.conn.TLSConnectionState()
	c.peer.mails = append(c.peer.mails, string(raw))
	return err
}

func envelope() mail.Envelope {
	return mail.Envelope{
		MessageID: "mail_1@example.com",
		From:      netmail.Address{Name: "Example", Address: "no-reply@example.com"},
		To:        "ada@example.com",
		Date:      time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC),
	}
}

var words = mail.Rendered{Subject: "Grüße", Text: "Hallo, Zoë!", HTML: "<p>Hallo, Zoë!</p>"}

func deliver(ctx context.Context, t *testing.T, server mail.Server, e mail.Envelope, words mail.Rendered) error {
	t.Helper()
	server.Host = "127.0.0.1"
	s, err := mail.NewSender(server, "example.com")
	if err != nil {
		t.Fatal(err)
	}
	return s.Send(ctx, e, words)
}

// With STARTTLS and with TLS the certificate must be valid. Without a valid certificate nothing is sent, not even the
// password.
func TestSender_TLS(t *testing.T) {
	t.Parallel()
	config, roots := authority(t)
	_, strangers := authority(t)
	for name, c := range map[string]struct {
		served   *tls.Config
		implicit bool
		server   mail.Server
		want     string
	}{
		"STARTTLS":                       {config, false, mail.Server{Roots: roots}, ""},
		"STARTTLS, another authority":    {config, false, mail.Server{Roots: strangers}, "certificate"},
		"STARTTLS, those of the system":  {config, false, mail.Server{}, "certificate"},
		"STARTTLS is not offered":        {nil, false, mail.Server{Roots: roots}, "STARTTLS"},
		"TLS":                            {config, true, mail.Server{TLS: true, Roots: roots}, ""},
		"TLS, another authority":         {config, true, mail.Server{TLS: true, Roots: strangers}, "certificate"},
		"TLS is not spoken":              {nil, false, mail.Server{TLS: true, Roots: roots}, "TLS"},
		"plain":                          {nil, false, mail.Server{Plain: true}, ""},
		"plain where STARTTLS is wanted": {config, false, mail.Server{Plain: true}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := serve(t, c.served, c.implicit, nil)
			c.server.Port, c.server.User, c.server.Password = p.port, "ada", password
			err := deliver(t.Context(), t, c.server, envelope(), words)
			if _, ok := errors.AsType[*mail.Failure](err); (err != nil) != ok || (err == nil) != (c.want == "") ||
				err != nil && !strings.Contains(err.Error(), c.want) {
				t.Fatalf("%v, want %q", err, c.want)
			}
			p.mu.Lock()
			defer p.mu.Unlock()
			if c.want != "" && (p.user != "" || len(p.mails) > 0) ||
				c.want == "" && (p.user != "ada" || len(p.mails) != 1 || p.secure == c.server.Plain) {
				t.Errorf("user %q, %d mails, encrypted %v", p.user, len(p.mails), p.secure)
			}
		})
	}
}

// A failure quotes neither the server nor the mail. Only an address that does not exist is a permanent failure.
func TestSender_Failures(t *testing.T) {
	t.Parallel()
	reply := func(code int, status ...int) error {
		e := &smtp.SMTPError{
			Code: code, EnhancedCode: smtp.NoEnhancedCode,
			Message: "we do not like ada@example.com and " + password,
		}
		if len(status) == 3 {
			e.EnhancedCode = smtp.EnhancedCode{status[0], status[1], status[2]}
		}
		return e
	}
	for _, c := range []struct {
		answer    error
		want      string
		permanent bool
	}{
		{reply(550, 5, 1, 1), "the mail server refused the recipient: 550 5.1.1", true},
		{reply(556, 5, 1, 10), "the mail server refused the recipient: 556 5.1.10", true},
		{reply(550, 5, 7, 1), "the mail server refused the recipient: 550 5.7.1", false},
		{reply(550), "the mail server refused the recipient: 550", false},
		{reply(451, 4, 3, 0), "the mail server refused the recipient: 451 4.3.0", false},
		{reply(450, 4, 2, 1), "the mail server refused the recipient: 450 4.2.1", false},
	} {
		p := serve(t, nil, false, c.answer)
		err := deliver(t.Context(), t, mail.Server{Port: p.port, Plain: true}, envelope(), words)
		f, ok := errors.AsType[*mail.Failure](err)
		if !ok || f.What != c.want || f.Permanent != c.permanent {
			t.Errorf("%#v, want %s", err, c.want)
		}
	}
	p := serve(t, nil, false, nil)
	err := deliver(t.Context(), t, mail.Server{Port: p.port, Plain: true, User: "ada", Password: "canary-Other"},
		envelope(), words)
	if err == nil || !strings.HasPrefix(err.Error(), "the mail server refused the sign-in: 535;") {
		t.Errorf("a wrong password: %v", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0") // accepts connections and stays silent
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	began := time.Now()
	if err := deliver(ctx, t, mail.Server{Port: l.Addr().(*net.TCPAddr).Port, Plain: true}, envelope(),
		words); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > time.Second {
		t.Errorf("a server that is silent: %v after %v", err, time.Since(began))
	}
	_ = l.Close()
	err = deliver(t.Context(), t, mail.Server{Port: l.Addr().(*net.TCPAddr).Port, Plain: true}, envelope(), words)
	if err == nil || err.Error() != "no connection to the mail server: connection refused" {
		t.Errorf("nobody there: %v", err)
	}
}

// WH-08: no text that a user chose can add a header, a part or a recipient.
func TestWH08_Headers(t *testing.T) {
	t.Parallel()
	const further = "\r\nBcc: eve@example.com"
	p := serve(t, nil, false, nil)
	for i, change := range []func(*mail.Envelope, *mail.Rendered){
		func(e *mail.Envelope, _ *mail.Rendered) { e.To += further },
		func(e *mail.Envelope, _ *mail.Rendered) { e.To = "ada@example.com, eve@example.com" },
		func(e *mail.Envelope, _ *mail.Rendered) { e.To = "Ada <ada@example.com>" },
		func(e *mail.Envelope, _ *mail.Rendered) { e.To = "ada@example.com> <eve@example.com" },
		func(e *mail.Envelope, _ *mail.Rendered) { e.To = "ada@example.com\n" },
		func(e *mail.Envelope, _ *mail.Rendered) { e.To = "ada" },
		func(e *mail.Envelope, _ *mail.Rendered) { e.From.Name += further },
		func(e *mail.Envelope, _ *mail.Rendered) { e.From.Address += further },
		func(e *mail.Envelope, _ *mail.Rendered) { e.MessageID += further },
		func(_ *mail.Envelope, w *mail.Rendered) { w.Subject += further },
		func(_ *mail.Envelope, w *mail.Rendered) { w.Subject += "\rBcc: eve@example.com" },
		func(_ *mail.Envelope, w *mail.Rendered) { w.Subject += "\x00" },
	} {
		e, w := envelope(), words
		change(&e, &w)
		err := deliver(t.Context(), t, mail.Server{Port: p.port, Plain: true}, e, w)
		if f, ok := errors.AsType[*mail.Failure](err); !ok || !f.Permanent || strings.Contains(f.What, "eve") {
			t.Errorf("%d: %v", i, err)
		}
	}
	for _, address := range []string{
		"ada@bücher.example",
		"o'neil+x@example.com",
		"x=?utf-8?q?=0d=0abcc?=@example.com",
	} {
		e := envelope()
		e.To, e.From.Name = address, `"Zoë" <eve@example.com>, Bcc: mal@example.com`
		w := words
		w.Text = "\r\n.\r\nMAIL FROM:<eve@example.com>\r\n--boundary\r\n" + strings.Repeat("x", 2000)
		if err := deliver(t.Context(), t, mail.Server{Port: p.port, Plain: true}, e, w); err != nil {
			t.Errorf("%s: %v", address, err)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.mails) != 3 {
		t.Fatalf("%d mails", len(p.mails))
	}
	for _, raw := range p.mails {
		m, err := netmail.ReadMessage(strings.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		from, err := m.Header.AddressList("From")
		if err != nil || len(from) != 1 || from[0].Address != "no-reply@example.com" || m.Header.Get("Bcc") != "" ||
			len(m.Header["To"]) != 1 {
			t.Errorf("%v %v %v", from, m.Header, err)
		}
		for line := range strings.SplitSeq(raw, "\r\n") {
			if len(line) > 998 {
				t.Errorf("a line of %d bytes", len(line))
			}
		}
	}
}
