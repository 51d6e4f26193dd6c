package sms

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/dragoman-auth/dragoman/internal/secret"
)

// Twilio is an account at Twilio.
type Twilio struct {
	URL       string // of the API, without a trailing slash
	Account   string // AC…
	AuthToken secret.Text
	From      string // a number, a sender id, or MG… of a messaging service
}

type twilioSender struct {
	Twilio
	client *http.Client
}

// NewTwilio makes a sender over Twilio's Messages API.
func NewTwilio(t Twilio) Sender { return &twilioSender{t, newClient()} }

// Send makes a message. The API knows no repeated request: where an answer was lost, the next attempt sends the same
// code again.
func (t *twilioSender) Send(ctx context.Context, m Message) error {
	form := url.Values{"To": {m.To}, "Body": {m.Text}}
	if strings.HasPrefix(t.From, "MG") {
		form.Set("MessagingServiceSid", t.From)
	} else {
		form.Set("From", t.From)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost,
		t.URL+"/2010-04-01/Accounts/"+url.PathEscape(t.Account)+"/Messages.json", strings.NewReader(form.Encode()))
	if err != nil {
		return errUnreachable
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(t.Account, t.AuthToken.Reveal())
	status, answer, err := exchange(t.client, r)
	switch {
	case err != nil:
		return err
	case taken(status):
		return nil
	}
	var problem struct{ Code int }
	_ = json.Unmarshal(answer, &problem) // the status says enough
	return &Failure{Status: status, Code: problem.Code, Permanent: status == http.StatusBadRequest}
}
