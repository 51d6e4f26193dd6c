package pages

import (
	"context"
	"fmt"
	"strings"

	"github.com/dragoman-auth/dragoman/internal/gqlhttp"
)

const mailedTokenQuery = `query MailedToken($token: String!) {
  mailedToken(token: $token) { email account takesOver username name metadata invited }
}`

// look is what a page says about its link before anybody presses its button (OT-25, OT-26). Looking uses nothing up.
type look struct {
	Account  string   `json:"account,omitempty"` // whose account it is about
	Takes    string   `json:"takes,omitempty"`   // what a take-over removes
	Keeps    []string `json:"keeps,omitempty"`   // what it keeps, unless its person starts empty
	takeOver bool
}

// lookAt asks what a token would do. The zero look is for a token that does nothing, and for a question that failed:
// the button tells.
func (a *account) lookAt(ctx context.Context, page *accountPage, token string) (l look) {
	var data struct {
		Mailed *struct {
			Email     string         `json:"email"`
			Account   *string        `json:"account"`
			TakesOver bool           `json:"takesOver"`
			Username  *string        `json:"username"`
			Name      *string        `json:"name"`
			Metadata  map[string]any `json:"metadata"`
			Invited   bool           `json:"invited"`
		} `json:"mailedToken"`
	}
	err := a.graphql.Do(ctx, a.mailedToken, map[string]any{"token": linkToken(token)}, &data)
	if err != nil || data.Mailed == nil {
		return l
	}
	m := data.Mailed
	if m.Account != nil {
		l.Account = "This is about the account " + *m.Account + "."
	}
	if l.takeOver = m.TakesOver && page.empty; !l.takeOver {
		return l
	}
	l.Takes = fmt.Sprintf("Nobody has confirmed yet that %s belongs to this account. You confirm it now, and what "+
		"somebody else may have made is removed: the password, the sessions and the API keys.", m.Email)
	if m.Invited {
		return l
	}
	if m.Username != nil {
		l.Keeps = append(l.Keeps, "the username "+*m.Username)
	}
	if m.Name != nil {
		l.Keeps = append(l.Keeps, "the name "+*m.Name)
	}
	if len(m.Metadata) > 0 {
		l.Keeps = append(l.Keeps, "data of the application")
	}
	return l
}

// signedIn gives the address of the person whose session cookie the request has, for their password manager; "" for
// none.
func (a *account) signedIn(ctx context.Context) string {
	var data struct {
		Me *struct {
			Email *string `json:"email"`
		} `json:"me"`
	}
	if err := a.graphql.Do(ctx, a.me, nil, &data); err != nil || data.Me == nil || data.Me.Email == nil {
		return ""
	}
	return *data.Me.Email
}

// linkToken takes the token from a pasted link.
func linkToken(text string) string {
	if _, after, ok := strings.Cut(text, "#token="); ok {
		return after
	}
	return text
}

// mustParse parses a document that is a constant of the program.
func mustParse(graphql *gqlhttp.Handler, text string) *gqlhttp.Document {
	document, err := graphql.Document(text)
	if err != nil {
		panic(fmt.Sprintf("pages: validate %s: %v", text, err))
	}
	return document
}
