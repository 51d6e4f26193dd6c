package pages

import (
	"context"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/dragoman-auth/dragoman/internal/edge"
	"github.com/dragoman-auth/dragoman/internal/fault"
	"github.com/dragoman-auth/dragoman/internal/gqlhttp"
	"github.com/dragoman-auth/dragoman/internal/visit"
	"github.com/dragoman-auth/dragoman/web/assets"
)

// The pages of people with a password: to sign in, to sign up, and to see to the security of an account. The server
// makes every step of them, so that they work without scripts: what a step needs of the one before stands in hidden
// fields of its form, and nothing of it in an address.
const (
	signInPath, signUpPath, securityPath = "/account/signin", "/account/signup", "/account/security"
)

// personPolicy is the Content-Security-Policy of these pages: a QR code is an image in the page itself.
var personPolicy = strings.Replace(securityPolicy, "img-src 'self'", "img-src 'self' data:", 1)

// personPage is one of the pages.
type personPage struct {
	get  func(w http.ResponseWriter, r *http.Request)
	post func(w http.ResponseWriter, r *http.Request, form url.Values)
}

func (a *account) personPages() map[string]personPage {
	return map[string]personPage{
		signInPath:   {a.showSignIn, a.postSignIn},
		signUpPath:   {a.showSignUp, a.postSignUp},
		securityPath: {a.showSecurity, a.postSecurity},
	}
}

// servePerson serves one of the pages. A form of another site could sign its visitors in to the account of an attacker
// (login CSRF), and change their own.
func (a *account) servePerson(w http.ResponseWriter, r *http.Request, page personPage) {
	w.Header().Set("Content-Security-Policy", personPolicy)
	if !edge.Allow(w, r, http.MethodGet, http.MethodHead, http.MethodPost) {
		return
	}
	if r.Method != http.MethodPost {
		page.get(w, r)
		return
	}
	refuse := func(status int, text string) {
		a.refusals.Write(w, r, assets.Refusal{Status: status, Title: "This form was not taken", Text: text})
	}
	if a.origin.Check(r) != nil {
		refuse(http.StatusForbidden, "This form was not sent by a page of this server. Please open the page again.")
		return
	}
	form, problem, status := readForm(w, r)
	if form == nil {
		refuse(status, problem)
		return
	}
	page.post(w, r, form)
}

// personPayload is the answer of a mutation of these pages; each fills a part of it.
type personPayload struct {
	User                 *person       `json:"user"`
	Challenge            *challenge    `json:"challenge"`
	ConfirmationRequired bool          `json:"confirmationRequired"`
	Enrolment            *appEnrolment `json:"enrolment"`
	RecoveryCodes        []string      `json:"recoveryCodes"`
	UserErrors           []userError   `json:"userErrors"`
}

// refusal is why a mutation had no effect, for people.
type refusal struct {
	code         fault.Code
	text         string
	status, wait int
}

// ask runs a mutation with the credential of the request.
func (a *account) ask(
	ctx context.Context, document string, variables map[string]any,
) (*personPayload, *refusal) {
	var data struct {
		Outcome *personPayload `json:"outcome"`
	}
	err := a.graphql.Do(ctx, a.documents[document], variables, &data)
	switch {
	case err != nil || data.Outcome == nil:
		out := errorOutcome(err)
		code := fault.Internal
		if f := fault.From(err); f != nil {
			code = f.Code
		}
		return nil, &refusal{code, out.Problem, out.status, out.wait}
	case len(data.Outcome.UserErrors) > 0:
		e := data.Outcome.UserErrors[0]
		return nil, &refusal{code: e.Code, text: e.Message, status: http.StatusOK}
	}
	return data.Outcome, nil
}

// personView is a page in one of its states.
type personView struct {
	Bar         assets.Bar
	Site        string
	Title       string
	Lead        string
	Problem     string
	Notice      string
	ReturnTo    string
	MinPassword int
	Open        bool   // whether everybody may register
	Who         string // who is signed in, "" for nobody
	Unconfirmed bool   // whether the address must be confirmed first

	Typed     url.Values // what was typed into the form that is shown again
	Challenge *challenge
	Method    string // by which the challenge, or the proof, is given
	Enrolment *appEnrolment
	Codes     []string
	Person    *person
	Sessions  []session
	Kept      map[string]string // the form that waits for a proof
	Next      string            // where a way on leads
}

// Home names where the person goes on.
func (v personView) Home() string { return outcome{ReturnTo: v.ReturnTo}.Home() }

// CodesFile is the recovery codes as a file.
func (v personView) CodesFile() template.URL {
	text := "Recovery codes of " + v.Site + "\nEach is good once.\n\n" + strings.Join(v.Codes, "\n") + "\n"
	return template.URL("data:text/plain;charset=utf-8," + url.PathEscape(text)) //nolint:gosec // escaped
}

// personView makes the view of a page. The return URL comes from the form or from the address, and from the list alone.
func (a *account) personView(r *http.Request, title string) personView {
	v := personView{
		Bar: a.bar, Site: a.site, Title: title, MinPassword: a.minPassword, Open: a.open, Typed: r.PostForm,
	}
	v.ReturnTo = a.returnTo(r)
	return v
}

func (a *account) returnTo(r *http.Request) string {
	to := r.PostForm.Get("returnTo")
	if r.Method != http.MethodPost {
		to = r.URL.Query().Get("returnTo")
	}
	to, _ = a.returns.Allows(to)
	return to
}

// show writes a page, with what the resolvers set.
func (a *account) show(w http.ResponseWriter, r *http.Request, name string, v personView, why *refusal) {
	status := http.StatusOK
	if why != nil {
		v.Problem, status = why.text, why.status
		if why.wait > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(why.wait))
		}
	}
	visit.From(r.Context()).CopyHeaders(w.Header())
	writePage(w, r, a.templates, name, status, v)
}

// lead sends the browser on to one of our pages.
func (a *account) lead(w http.ResponseWriter, r *http.Request, path string, query url.Values) {
	if to := a.returnTo(r); to != "" {
		query.Set("returnTo", to)
	}
	to := url.URL{Path: a.at.Path(path), RawQuery: query.Encode()}
	visit.From(r.Context()).CopyHeaders(w.Header())
	w.Header().Set("Location", to.String())
	w.WriteHeader(http.StatusSeeOther)
}

// leadOn sends a person who has just signed in on: to the application, or to the security of the account. The
// application is reached by a page that refreshes at once: a redirect would have to name in form-action whatever the
// application redirects to itself.
func (a *account) leadOn(w http.ResponseWriter, r *http.Request, who *person) {
	to := a.returnTo(r)
	if to == "" {
		a.lead(w, r, securityPath, url.Values{})
		return
	}
	view := a.view(a.pages["sign-in"])
	view.outcome = outcome{Done: true, Title: "You are signed in", ReturnTo: to}
	view.Text = "You are signed in as " + who.name() + "."
	visit.From(r.Context()).CopyHeaders(w.Header())
	w.Header().Set("Refresh", "0; url="+to)
	writePage(w, r, a.templates, "account.html", http.StatusOK, view)
}

// person is an account, as its owner sees it.
type person struct {
	Email    *string `json:"email"`
	Username *string `json:"username"`
	Mfa      *struct {
		Enabled                bool  `json:"enabled"`
		Required               bool  `json:"required"`
		Authenticators         []app `json:"authenticators"`
		RecoveryCodesRemaining int   `json:"recoveryCodesRemaining"`
		GuessesRemaining       int   `json:"guessesRemaining"`
	} `json:"mfa"`
}

func (p *person) name() string {
	switch {
	case p != nil && p.Email != nil:
		return *p.Email
	case p != nil && p.Username != nil:
		return *p.Username
	}
	return "somebody without an address"
}

// parsePerson parses the documents of the pages.
func parsePerson(graphql *gqlhttp.Handler) map[string]*gqlhttp.Document {
	parsed := map[string]*gqlhttp.Document{}
	for name, text := range personDocuments() {
		parsed[name] = mustParse(graphql, text)
	}
	return parsed
}
