// Package oldsystem asks the system that people come from whether a password is right there, for a name that no account
// here has.
package oldsystem

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/dragoman-auth/dragoman/internal/secret"
	"github.com/dragoman-auth/dragoman/internal/userfile"
	"github.com/dragoman-auth/dragoman/internal/webhook"
)

// The bounds of a question.
const (
	Within = 2 * time.Second // the wait for a place among those at once, and the answer

	atOnce      = 32
	longestBody = 64 << 10
	longestHead = 16 << 10
	idleFor     = time.Minute // how long a connection is kept for the next question
)

// Question is the body of a request: a sign-in by a name that no account here has.
type Question struct {
	Kind       string // email or username
	Identifier string // as it was typed, without white space around it
	Password   secret.Text
	RequestID  string // of the log, for whoever looks something up in both systems
}

// The outcomes of a question without a record. Any other error is a *Failure, or that of a caller who went away.
var (
	ErrNo     = errors.New("the old system does not know this name and password")
	ErrPaused = errors.New("it failed several times in a row and is left alone for some seconds")
	ErrBusy   = errors.New("too many questions at once")
)

// Client asks. It is safe for concurrent use.
type Client struct {
	url     secret.Text // its query may hold a token
	signer  *webhook.Signer
	now     func() time.Time
	client  *http.Client
	places  chan struct{}
	breaker breaker
}

// New makes a client of a URL and a secret of the form whsec_….
func New(url, whsec secret.Text, now func() time.Time) (*Client, error) {
	signer, err := webhook.NewSigner(whsec)
	if err != nil {
		return nil, err
	}
	return &Client{
		url: url, signer: signer, now: now, places: make(chan struct{}, atOnce), breaker: breaker{now: now},
		client: &http.Client{
			// A redirect would carry a password to wherever it points.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Transport: &http.Transport{ // without Proxy: the environment does not decide who sees passwords
				DialContext:            (&net.Dialer{Timeout: Within}).DialContext,
				TLSHandshakeTimeout:    Within,
				MaxIdleConns:           atOnce,
				MaxIdleConnsPerHost:    atOnce,
				IdleConnTimeout:        idleFor,
				MaxResponseHeaderBytes: longestHead,
				DisableCompression:     true,
				ForceAttemptHTTP2:      true,
			},
		},
	}, nil
}

// Ask asks once, and waits for at most Within. A nil error says that the password is right, and comes with what the old
// system knows of the person.
func (c *Client) Ask(ctx context.Context, q Question) (*userfile.Record, error) {
	limited, cancel := context.WithTimeout(ctx, Within)
	defer cancel()
	select {
	case c.places <- struct{}{}:
		defer func() { <-c.places }()
	case <-limited.Done():
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		return nil, ErrBusy
	}
	may, probe := c.breaker.enter()
	if !may {
		return nil, ErrPaused
	}
	record, err := c.ask(limited, q)
	if ctx.Err() != nil { // whoever asked went away, which says nothing about the old system
		c.breaker.leave(unknown, probe)
		return nil, ctx.Err()
	}
	failed, _ := errors.AsType[*Failure](err)
	if failed != nil && failed.Down {
		failed.Paused = c.breaker.leave(down, probe)
	} else {
		c.breaker.leave(up, probe)
	}
	return record, err
}

func (c *Client) ask(ctx context.Context, q Question) (*userfile.Record, error) {
	text, err := json.Marshal(map[string]string{
		"kind": q.Kind, "identifier": q.Identifier, "password": q.Password.Reveal(), "requestId": q.RequestID,
	})
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url.Reveal(), bytes.NewReader(text))
	if err != nil {
		return nil, &Failure{Reason: "the URL can not be used"}
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json")
	r.Header.Set("User-Agent", "dragoman")
	c.signer.Sign(r.Header, webhook.NewID(), c.now(), text)
	res, err := c.client.Do(r)
	if err != nil {
		return nil, noAnswer(err)
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(res.Body, longestBody+1))
	switch {
	case err != nil:
		return nil, noAnswer(err)
	case len(answer) > longestBody:
		return nil, &Failure{Reason: "the answer is longer than 64 KiB"}
	}
	return read(res.StatusCode, answer)
}

// read judges an answer.
func read(status int, answer []byte) (*userfile.Record, error) {
	switch status {
	case http.StatusOK:
	case http.StatusNotFound, http.StatusUnauthorized, http.StatusForbidden:
		return nil, ErrNo
	default:
		return nil, badStatus(status)
	}
	record, problem := userfile.Parse("the answer", answer)
	if problem != nil {
		return nil, &Failure{Reason: Brief(problem)}
	}
	return record, nil
}
