package pages

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/dragoman-auth/dragoman/internal/gqlhttp"
)

const mailedTokenQuery = `query MailedToken($token: String!) {
  mailedToken(token: $token) {
    email account takesOver registration passwordNeeded username name metadata invited returnTo
  }
}`

const mailReturnToQuery = `query MailReturnTo($token: String!) { mailReturnTo(token: $token) }`

// look is what a page says about its link before anybody presses its button (OT-25, OT-26). Looking uses nothing up.
type look struct {
	Account string   `json:"account,omitempty"` // whose account it is about
	Takes   string   `json:"takes,omitempty"`   // what a take-over removes
	Keeps   []string `json:"keeps,omitempty"`   // what it keeps, unless its person starts empty
	Makes   string   `json:"makes,omitempty"`   // that it makes an account of a registration
	Asks    bool     `json:"asks,omitempty"`    // whether the account needs a new password

	ReturnTo string `json:"returnTo,omitempty"` // where the person goes on, pressed or not
}

// lookAt asks what a token would do. The zero look is for a token that does nothing, and for a question that failed:
// the button tells.
func (a *account) lookAt(ctx context.Context, page *accountPage, token string) (l look) {
	var data struct {
		Mailed *struct {
			mailedNames
			Email          string  `json:"email"`
			Account        *string `json:"account"`
			TakesOver      bool    `json:"takesOver"`
			Registration   bool    `json:"registration"`
			PasswordNeeded bool    `json:"passwordNeeded"`
			Invited        bool    `json:"invited"`
			ReturnTo       string  `json:"returnTo"`
		} `json:"mailedToken"`
	}
	err := a.graphql.Do(ctx, a.mailedToken, map[string]any{"token": linkToken(token)}, &data)
	if err != nil || data.Mailed == nil {
		l.ReturnTo = a.mailReturnTo(ctx, token)
		return l
	}
	m := data.Mailed
	l.ReturnTo = m.ReturnTo
	if m.Account != nil {
		l.Account = "This is about the account " + *m.Account + "."
	}
	if m.Registration && page.Chooses {
		l.Makes = "Press the button, and your account is made, with the password that you chose when you registered."
		if l.Asks = m.PasswordNeeded; l.Asks {
			l.Makes = "Your account is made now. This browser does not show that it was you who registered, and " +
				"somebody " +
				"else may have typed your address: the password of the registration does not count. " +
				"Please choose one. It may be the same."
			l.Keeps = m.list()
		}
		return l
	}
	if !m.TakesOver || !page.Empties {
		return l
	}
	l.Takes = fmt.Sprintf("Nobody has confirmed yet that %s belongs to this account. You confirm it now, and what "+
		"somebody else may have made is removed: the password, the sessions, the API keys, accounts at other providers "+
		"and the authenticator app.", m.Email)
	if !m.Invited {
		l.Keeps = m.list()
	}
	return l
}

// mailReturnTo asks where the link of a mail leads on, good or not; "" for nowhere, and for a question that failed.
func (a *account) mailReturnTo(ctx context.Context, token string) string {
	var data struct {
		ReturnTo *string `json:"mailReturnTo"`
	}
	err := a.graphql.Do(ctx, a.mailReturn, map[string]any{"token": linkToken(token)}, &data)
	if err != nil || data.ReturnTo == nil {
		return ""
	}
	return *data.ReturnTo
}

// leadHome gives a page the way back where its mutation gave none: that of the link, which may be refused, or the one
// that the address of the page names.
func (a *account) leadHome(ctx context.Context, out *outcome, form url.Values) {
	if token := form.Get("token"); out.ReturnTo == "" && !out.Done && token != "" && out.status == http.StatusOK {
		out.ReturnTo = a.mailReturnTo(ctx, token)
	}
	if out.ReturnTo == "" {
		out.ReturnTo, _ = a.returns.Allows(form.Get("returnTo"))
	}
}

// mailedNames is what an account, or a registration, says of its person.
type mailedNames struct {
	Username *string        `json:"username"`
	Name     *string        `json:"name"`
	Metadata map[string]any `json:"metadata"`
}

// takeOver is what a form took over. Whoever typed a code could not look before, and is told here (OT-57).
type takeOver struct {
	mailedNames
	PasswordMissing bool `json:"passwordMissing"`
}

func (o *outcome) tell(t *takeOver, byCode bool) {
	if byCode {
		o.Text += " Nobody had confirmed before that this address belongs to the account: the password, the sessions, " +
			"the API keys, accounts at other providers and the authenticator app of before are removed."
		if stayed := t.list(); len(stayed) > 0 {
			o.Text += " What somebody else may have written stays, for you to change: " + strings.Join(stayed, ", ") +
				"."
		}
	}
	if t.PasswordMissing {
		o.Text += " The account has no password now."
		o.Next, o.NextTitle = choosePasswordPage().Name, "Choose a password"
	}
}

func (m *mailedNames) list() (names []string) {
	if m.Username != nil {
		names = append(names, "the username "+*m.Username)
	}
	if m.Name != nil {
		names = append(names, "the name "+*m.Name)
	}
	if len(m.Metadata) > 0 {
		names = append(names, "data of the application")
	}
	return names
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
