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

// connectionProblem words why there was no way to the mail server, or why it ended. Nothing of err itself is in it but
// numbers and the names of system errors.
func connectionProblem(err error) string {
	var (
		answer *textproto.Error
		number syscall.Errno
		lookup *net.DNSError
		wrong  *tls.CertificateVerificationError
		alert  tls.AlertError
		record tls.RecordHeaderError
		slow   net.Error
	)
	switch {
	case errors.As(err, &answer) && strings.Contains(err.Error(), "AUTH"):
		return fmt.Sprintf("the mail server does not let us in: %d", answer.Code)
	case errors.As(err, &answer):
		return fmt.Sprintf("the mail server refused the connection: %d", answer.Code)
	case errors.As(err, &wrong):
		return "the certificate of the mail server is not one to trust: it has expired, is for another name, or " +
			"nobody known vouches for it"
	case strings.Contains(err.Error(), "does not support STARTTLS"):
		return "the mail server offers no STARTTLS"
	case errors.As(err, &alert), errors.As(err, &record):
		return "the mail server and we found no way to speak TLS"
	case strings.Contains(err.Error(), "AUTH"):
		return "the mail server takes no sign-in that we know"
	case errors.As(err, &lookup):
		return "the name of the mail server was not found"
	case errors.As(err, &slow) && slow.Timeout():
		return "the mail server did not answer in time"
	case errors.As(err, &number):
		return "no connection to the mail server: " + number.Error()
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the mail server ended the connection"
	}
	return "the mail server was not understood"
}
