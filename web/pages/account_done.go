package pages

import (
	"net/http"
	"strings"
	"time"
)

// payload is the answer of the mutation of a page.
type payload struct {
	Email *string `json:"email"`
	User  *struct {
		Email *string `json:"email"`
	} `json:"user"`
	TakeOver      *takeOver    `json:"takeOver"`
	UsernameTaken string       `json:"usernameTaken"`
	ReturnTo      string       `json:"returnTo"`
	Challenge     *challenge   `json:"challenge"`
	APIKeys       []workingKey `json:"apiKeys"`
	UserErrors    []userError  `json:"userErrors"`
}

// succeed tells the person what the mutation of a page did.
func (p *accountPage) succeed(got *payload, variables map[string]any) outcome {
	email := got.Email
	if u := got.User; u != nil {
		email = u.Email
	}
	out := outcome{
		Done:   true,
		Title:  p.DoneTitle,
		Text:   p.done(email),
		status: http.StatusOK,

		ReturnTo: got.ReturnTo,
	}
	if p.Mails {
		typed, _ := variables["email"].(string)
		out.Text, out.Next, out.NextTitle = p.done(&typed), p.Follow, "Enter the code of the mail"
	}
	if taken := got.TakeOver; taken != nil {
		out.tell(taken, variables["email"] != nil)
	}
	if taken := got.UsernameTaken; taken != "" {
		out.Text += " Somebody else has the username " + taken + " by now: your account was made without one."
	}
	out.list(got.APIKeys)
	return out
}

// done is what a page says after a success. Without an address it speaks of the account.
func (p *accountPage) done(email *string) string {
	name := "Your account"
	if email != nil {
		name = *email
	}
	return strings.ReplaceAll(p.doneText, "{email}", name)
}

// workingKey is an API key that still works after a change.
type workingKey struct {
	Name       string     `json:"name"`
	LastUsedAt *time.Time `json:"lastUsedAt"` // nil for never
}

// list shows the API keys that still work.
func (o *outcome) list(keys []workingKey) {
	for _, key := range keys {
		used := "never used"
		if key.LastUsedAt != nil {
			used = "last used " + key.LastUsedAt.UTC().Format("2006-01-02 15:04 UTC")
		}
		o.Keys = append(o.Keys, key.Name+", "+used)
	}
	if len(o.Keys) > 0 {
		o.KeysIntro = "These API keys of the account still work. Sign in and delete those that you do not know:"
	}
}
