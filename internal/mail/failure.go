package mail

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strings"
	"syscall"
)

// connectionProblem says why no connection to the mail server came about, or why it ended. Of err it holds reply codes
// and the names of system errors alone.
func connectionProblem(err error) string {
	var (
		reply       *textproto.Error
		system      syscall.Errno
		lookup      *net.DNSError
		certificate *tls.CertificateVerificationError
		alert       tls.AlertError
		record      tls.RecordHeaderError
		network     net.Error
	)
	switch {
	case errors.As(err, &reply) && strings.Contains(err.Error(), "AUTH"):
		return fmt.Sprintf("the mail server refused the sign-in: %d; check user and password in DRAGOMAN_SMTP_URL",
			reply.Code)
	case errors.As(err, &reply):
		return fmt.Sprintf("the mail server refused the connection: %d", reply.Code)
	case errors.As(err, &certificate):
		return "the certificate of the mail server is expired, for another host, or not signed by a trusted " +
			"authority; check the host in DRAGOMAN_SMTP_URL"
	case strings.Contains(err.Error(), "does not support STARTTLS"):
		return "the mail server offers no STARTTLS; check the scheme and the port in DRAGOMAN_SMTP_URL"
	case errors.As(err, &alert), errors.As(err, &record):
		return "the TLS handshake with the mail server failed; check the scheme and the port in DRAGOMAN_SMTP_URL"
	case strings.Contains(err.Error(), "AUTH"):
		return "the mail server offers no known method of sign-in; check user and password in DRAGOMAN_SMTP_URL"
	case errors.As(err, &lookup):
		return "the host of the mail server was not found; check DRAGOMAN_SMTP_URL"
	case errors.As(err, &network) && network.Timeout():
		return "the mail server did not answer in time"
	case errors.As(err, &system):
		return "no connection to the mail server: " + system.Error()
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the mail server ended the connection"
	}
	return "the mail server gave an answer that is not SMTP"
}
