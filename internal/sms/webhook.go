package sms

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/dragoman-auth/dragoman/internal/secret"
	"github.com/dragoman-auth/dragoman/internal/webhook"
)

// webhookSender posts messages to a service of the operator's.
type webhookSender struct {
	url    string
	signer *webhook.Signer
	client *http.Client
	now    func() time.Time
}

// NewWebhook makes a sender that posts each message as JSON to a URL, signed as Standard Webhooks has it. The id of the
// message is that of the webhook, and is the same in every attempt.
func NewWebhook(url string, key secret.Text, now func() time.Time) (Sender, error) {
	signer, err := webhook.NewSigner(key)
	return &webhookSender{url: url, signer: signer, client: newClient(), now: now}, err
}

// event is the body of a webhook.
type event struct {
	Type      string    `json:"type"`
	Timestamp time.Time `json:"timestamp"`
	Data      eventData `json:"data"`
}

type eventData struct {
	To   string `json:"to"`
	Text string `json:"text"`
	Kind Kind   `json:"kind"`
}

// refusals are the answers after which another attempt would be refused too. A wrong secret or path is not among them:
// the operator may mend it.
var refusals = []int{
	http.StatusBadRequest, http.StatusGone, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity,
}

// Send posts a message.
func (w *webhookSender) Send(ctx context.Context, m Message) error {
	now := w.now()
	body, err := json.Marshal(event{"sms.send", now.UTC().Truncate(time.Second), eventData{m.To, m.Text, m.Kind}})
	if err != nil {
		return errors.New("the message is no JSON")
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url, bytes.NewReader(body))
	if err != nil {
		return errUnreachable
	}
	r.Header.Set("Content-Type", "application/json")
	w.signer.Sign(r.Header, m.ID, now, body)
	status, _, err := exchange(w.client, r)
	switch {
	case err != nil:
		return err
	case taken(status):
		return nil
	}
	return &Failure{Status: status, Permanent: slices.Contains(refusals, status)}
}
