package oldsystem

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"

	"github.com/dragoman-auth/dragoman/internal/userfile"
)

// Failure is an answer that is neither yes nor no, or none. Its text holds nothing of the request, of the URL or of the
// values of the answer.
type Failure struct {
	Reason string
	Down   bool // whether the old system seems to be down, as against an answer that it should not give
	Paused bool // whether nobody asks it for some seconds now
}

func (f *Failure) Error() string { return f.Reason }

// noAnswer says why there is no answer, or no whole one. Errors of HTTP quote what was received, and a *url.Error the
// URL: of those only the kind is told.
func noAnswer(err error) *Failure {
	network, _ := errors.AsType[*net.OpError](err)
	certificate, _ := errors.AsType[*tls.CertificateVerificationError](err)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return &Failure{Reason: fmt.Sprintf("no answer within %s", Within), Down: true}
	case certificate != nil:
		return &Failure{Reason: certificate.Error(), Down: true}
	case network != nil:
		return &Failure{Reason: network.Error(), Down: true}
	}
	return &Failure{Reason: "the connection was closed, or what came is not HTTP", Down: true}
}

// briefly is the longest reason, in bytes: it may quote the names of columns.
const briefly = 300

// Brief gives what is wrong with a record, for the log.
func Brief(p *userfile.Problem) string {
	text := p.Error()
	if len(text) > briefly {
		text = strings.ToValidUTF8(text[:briefly], "") + "…"
	}
	return text
}

func badStatus(status int) *Failure {
	return &Failure{
		Reason: fmt.Sprintf("status %d; wanted 200 for yes, or 401, 403 or 404 for no", status),
		Down:   status >= http.StatusInternalServerError || status == http.StatusTooManyRequests,
	}
}
