package rest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
)

// MailStep has somebody look into a mailbox for the newest mail of a kind.
type MailStep struct {
	Kind string // as under links
	To   string // the address
}

// Mailed is what the reader of a mail finds in it.
type Mailed struct {
	Token string `json:"token"` // that of its link
	Code  string `json:"code"`
}

func (s *Step) decodeMail(n *node) error {
	s.Mail = &MailStep{}
	if err := n.decode("mail", keys{
		"kind": oneOf(func(kind string) { s.Mail.Kind = kind }, linkKinds...),
		"to":   text(&s.Mail.To),
	}); err != nil {
		return err
	}
	return n.require("mail", "kind", "to")
}

// look reads the mail of a step. It is played as an answer, from which the step can keep something.
func (p *player) look(ctx context.Context, s *Step) (*played, error) {
	found, err := p.server.Mail(ctx, s.Mail.Kind, p.fill(s.Mail.To))
	if err != nil {
		return nil, fmt.Errorf("the fixture %s: %w", s.Name, err)
	}
	text, err := json.Marshal(found)
	return &played{status: http.StatusOK, header: http.Header{}, body: text}, err
}
