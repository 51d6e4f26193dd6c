package sms

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Sender hands a message to a provider. Its error holds neither the message nor a secret. It is a *Failure where the
// provider answered.
type Sender interface {
	Send(ctx context.Context, m Message) error
}

// Failure is an answer of a provider that did not take a message.
type Failure struct {
	Status    int
	Code      int  // of the provider, 0 for none
	Permanent bool // the message is refused for good: another attempt would be too
}

func (f *Failure) Error() string {
	text := fmt.Sprintf("the SMS provider answered with status %d", f.Status)
	if f.Code != 0 {
		text += fmt.Sprintf(" and its code %d", f.Code)
	}
	switch {
	case f.Permanent:
		return text + ": it refuses the message"
	case f.Status == http.StatusUnauthorized || f.Status == http.StatusForbidden:
		return text + "; check its secret in the settings"
	}
	return text
}

// errUnreachable stands for errors of the connection, whose texts may hold the URL.
var errUnreachable = errors.New("the SMS provider did not answer; check its URL and the network")

const (
	within       = 15 * time.Second
	answerLength = 64 << 10
)

// newClient makes a client that follows no redirect: a message goes to the configured host alone.
func newClient() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.ResponseHeaderTimeout = within
	transport.MaxResponseHeaderBytes = answerLength
	return &http.Client{
		Timeout: within, Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// exchange sends a request, and gives the status and the beginning of the answer.
func exchange(client *http.Client, r *http.Request) (status int, answer []byte, err error) {
	res, err := client.Do(r)
	if err != nil {
		return 0, nil, errUnreachable
	}
	defer func() { err = errors.Join(err, res.Body.Close()) }()
	answer, err = io.ReadAll(io.LimitReader(res.Body, answerLength))
	if err != nil && res.StatusCode/100 == 2 {
		err = nil // the message was taken
	}
	return res.StatusCode, answer, err
}

func taken(status int) bool { return status/100 == 2 }
