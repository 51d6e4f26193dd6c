package rest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/dragoman-auth/dragoman/internal/profile"
)

// MailStep reads the newest mail of a kind.
type MailStep struct {
	Kind string // a key under mails:
	To   string // an email address
}

// MailSecrets are the secrets in a mail: the token in its link, and the code.
type MailSecrets struct {
	Token string `json:"token"`
	Code  string `json:"code"`
}

func (s *Step) decodeMail(n *node) error {
	s.Mail = &MailStep{}
	if err := n.decode("mail", keys{
		"kind": oneOf(func(kind string) { s.Mail.Kind = kind }, profile.MailKinds...),
		"to":   text(&s.Mail.To),
	}); err != nil {
		return err
	}
	return n.require("mail", "kind", "to")
}

// readTOTP reads the code of an authenticator app, like the secrets of a mail.
func (r *runner) readTOTP(s *Step) (*stepAnswer, error) {
	code, err := r.server.TOTP(r.fill(s.TOTP))
	if err != nil {
		return nil, fmt.Errorf("the fixture %s: %w", s.Name, err)
	}
	text, err := json.Marshal(map[string]string{"code": code})
	return &stepAnswer{status: http.StatusOK, header: http.Header{}, body: text}, err
}

// readMail reads the mail of a step. The secrets become the JSON of an answer, so that keep: works on them.
func (r *runner) readMail(ctx context.Context, s *Step) (*stepAnswer, error) {
	found, err := r.server.Mail(ctx, s.Mail.Kind, r.fill(s.Mail.To))
	if err != nil {
		return nil, fmt.Errorf("the fixture %s: %w", s.Name, err)
	}
	text, err := json.Marshal(found)
	return &stepAnswer{status: http.StatusOK, header: http.Header{}, body: text}, err
}
