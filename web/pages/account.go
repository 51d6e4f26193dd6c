package pages

import (
	"context"
	"encoding/json"
	"errors"
	"html/template"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/dragoman-auth/dragoman/internal/edge"
	"github.com/dragoman-auth/dragoman/internal/fault"
	"github.com/dragoman-auth/dragoman/internal/gqlhttp"
	"github.com/dragoman-auth/dragoman/internal/returnurl"
	"github.com/dragoman-auth/dragoman/internal/site"
	"github.com/dragoman-auth/dragoman/internal/visit"
	"github.com/dragoman-auth/dragoman/web/assets"
)

// maxForm is the maximum size of a form, in bytes.
const maxForm = 8 << 10

// newAccount makes the pages of accounts, and their files below /account/_/: those of people with a password, and those
// that mails link to, for example /account/verify-email.
//
// The token of a mail is in the fragment of the link, which browsers send to no server. A script removes it from the
// address bar, and a button sends it by POST, so opening or prefetching a page does not use the token (OT-13). Without
// a token or without scripts, the page asks for the email address and the code of the mail. The form becomes the
// variables of the page's mutation, which has the same limits and checks as the mutation of any other caller.
func newAccount(cfg Config, templates *template.Template, files *assets.Set) *account {
	a := &account{
		graphql:     cfg.GraphQL,
		templates:   templates,
		files:       files,
		pages:       map[string]*accountPage{},
		minPassword: cfg.MinPassword,
		origin:      http.NewCrossOriginProtection(),
	}
	a.site, a.at, a.open = cfg.Site.Name(), cfg.Site, cfg.Register
	a.people, a.documents = a.personPages(), parsePerson(cfg.GraphQL)
	a.bar, a.refusals = cfg.Bar.At(assets.Account), assets.NewRefusals(cfg.Site, cfg.Bar)
	a.mailedToken, a.me = mustParse(cfg.GraphQL, mailedTokenQuery), mustParse(cfg.GraphQL, `{ me { email } }`)
	a.mailReturn, a.returns = mustParse(cfg.GraphQL, mailReturnToQuery), cfg.Returns
	for _, p := range accountPages() {
		p.document = mustParse(cfg.GraphQL, p.mutation)
		a.pages[p.Name] = p
	}
	return a
}

type account struct {
	graphql     *gqlhttp.Handler
	templates   *template.Template
	files       *assets.Set
	pages       map[string]*accountPage
	mailedToken *gqlhttp.Document
	mailReturn  *gqlhttp.Document
	me          *gqlhttp.Document
	returns     returnurl.List
	minPassword int
	site        string
	at          site.Site
	open        bool // whether everybody may register
	people      map[string]personPage
	documents   map[string]*gqlhttp.Document // of these pages
	bar         assets.Bar
	refusals    *assets.Refusals
	origin      *http.CrossOriginProtection
}

// ServeHTTP serves the pages and their files.
func (a *account) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	assets.SetHeaders(w.Header(), securityPolicy)
	// Under no-referrer a browser without Sec-Fetch headers sends the form with Origin: null, which is refused.
	w.Header().Set("Referrer-Policy", "same-origin")
	if file, ok := a.files.At(r.URL.Path); ok {
		if edge.Allow(w, r, http.MethodGet, http.MethodHead) {
			file.Serve(w, r)
		}
		return
	}
	if page, ok := a.people[r.URL.Path]; ok {
		a.servePerson(w, r, page)
		return
	}
	page := a.pages[strings.TrimPrefix(r.URL.Path, "/account/")]
	switch {
	case r.URL.Path == "/account":
		if edge.Allow(w, r, http.MethodGet, http.MethodHead) {
			writePage(w, r, a.templates, "start.html", http.StatusOK, a.start())
		}
	case page == nil:
		a.refusals.NotFound(w, r)
	case !edge.Allow(w, r, http.MethodGet, http.MethodHead, http.MethodPost):
	case r.Method == http.MethodPost:
		a.post(w, r, page)
	default:
		view := a.view(page)
		view.ReturnTo, _ = a.returns.Allows(r.URL.Query().Get("returnTo"))
		if page.SignedIn {
			view.Email = a.signedIn(r.Context())
		}
		writePage(w, r, a.templates, "account.html", http.StatusOK, view)
	}
}

// accountStart is /account, the list of the pages.
type accountStart struct {
	Bar   assets.Bar
	Site  string
	Cards []card
}

// card leads to a page.
type card struct{ Name, Title, Text string }

// start lists the pages: first those that need no mail.
func (a *account) start() accountStart {
	all := accountStart{Bar: a.bar, Site: a.site, Cards: []card{
		{"signin", "Sign in", "With your password, and a second factor where the account has one."},
		{"signup", "Create an account", "With an email address and a password."},
		{"security", "Security of your account", "Authenticator apps, recovery codes, and where you are signed in."},
	}}
	if !a.open {
		all.Cards = slices.Delete(all.Cards, 1, 2)
	}
	for _, p := range accountPages() {
		title := p.Heading
		if p.Name == "sign-in" {
			title = "Sign in by the code of a mail"
		}
		all.Cards = append(all.Cards, card{p.Name, title, p.CodeLead})
	}
	return all
}

// accountView is a page in one of its states.
type accountView struct {
	*accountPage
	Bar         assets.Bar
	Site        string
	MinPassword int
	Email       string // the address in the form that was sent
	TypedCode   string // the code in it
	outcome
}

// outcome is the result of a form.
type outcome struct {
	Done    bool   `json:"done"`
	Title   string `json:"title,omitempty"`
	Text    string `json:"text,omitempty"`
	Problem string `json:"problem,omitempty"`
	// Next is a page of ours that follows, "" for none.
	Next      string `json:"next,omitempty"`
	NextTitle string `json:"nextTitle,omitempty"`
	Look      *look  `json:"look,omitempty"` // of a link that was only looked at
	// Challenge is the form that goes on where the sign-in asks for a second factor.
	Challenge map[string]string `json:"challenge,omitempty"`
	Asks      bool              `json:"asks,omitempty"` // whether a new password is needed beside the rest of the form
	// ReturnTo is where the person goes on, from the list of return URLs; "" for nowhere.
	ReturnTo  string   `json:"returnTo,omitempty"`
	KeysIntro string   `json:"keysIntro,omitempty"`
	Keys      []string `json:"keys,omitempty"` // the API keys that still work, one line each
	status    int
	wait      int // seconds for Retry-After, 0 for none

	challenged *challenge
}

// Home names where the person goes on.
func (o outcome) Home() string {
	u, err := url.Parse(o.ReturnTo)
	if err != nil {
		return ""
	}
	return u.Host
}

func (a *account) view(p *accountPage) accountView {
	return accountView{
		accountPage: p, Bar: a.bar, Site: a.site, MinPassword: a.minPassword, outcome: outcome{Title: p.Heading},
	}
}

// post runs the mutation of a page. Scripts get the outcome as JSON, forms without scripts as a page.
func (a *account) post(w http.ResponseWriter, r *http.Request, page *accountPage) {
	out := outcome{
		Problem: "This form was not sent by this page. Please open the link of the mail again.",
		status:  http.StatusForbidden,
	}
	var form url.Values
	// A form on another site could sign its visitors in to the account of an attacker (login CSRF).
	if a.origin.Check(r) == nil {
		if form, out.Problem, out.status = readForm(w, r); form != nil {
			if form.Get("look") != "" {
				seen := a.lookAt(r.Context(), page, form.Get("token"))
				out = outcome{Look: &seen, status: http.StatusOK}
			} else {
				out = a.submit(r.Context(), page, form)
				a.leadHome(r.Context(), &out, form)
			}
			visit.From(r.Context()).CopyHeaders(w.Header())
		}
	}
	if out.wait > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(out.wait))
	}
	if strings.Contains(r.Header.Get("Accept"), "application/json") {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.WriteHeader(out.status)
		_ = json.NewEncoder(w).Encode(out) // the caller may have hung up
		return
	}
	if out.Challenge != nil {
		a.goOn(w, r, &personPayload{Challenge: out.challenged})
		return
	}
	view := a.view(page)
	if out.Title == "" {
		out.Title = page.Heading
	}
	view.outcome, view.Email, view.TypedCode = out, form.Get("email"), form.Get("code")
	writePage(w, r, a.templates, "account.html", out.status, view)
}

// readForm reads the form in the body. For a form that cannot be read or repeats a field, form is nil, and problem and
// status are the answer.
func readForm(w http.ResponseWriter, r *http.Request) (form url.Values, problem string, status int) {
	media, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	if !strings.EqualFold(strings.TrimSpace(media), "application/x-www-form-urlencoded") {
		return nil, "This page takes the form that it shows: the Content-Type must be " +
			"application/x-www-form-urlencoded.", http.StatusUnsupportedMediaType
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		if _, big := errors.AsType[*http.MaxBytesError](err); big {
			return nil, "That is too much text for this form.", http.StatusRequestEntityTooLarge
		}
		return nil, "This form can not be read.", http.StatusBadRequest
	}
	for name, values := range r.PostForm {
		if len(values) > 1 {
			return nil, "This form has the field " + name + " twice.", http.StatusBadRequest
		}
	}
	return r.PostForm, "", 0
}

// submit runs the mutation of a page with the values of the form.
func (a *account) submit(ctx context.Context, page *accountPage, form url.Values) outcome {
	variables, problem := page.variables(form)
	if problem != "" {
		return outcome{Problem: problem, status: http.StatusOK}
	}
	if returnTo, ok := a.returns.Allows(form.Get("returnTo")); ok && page.Mails {
		variables["returnTo"] = returnTo
	}
	var data struct {
		Outcome *payload `json:"outcome"`
	}
	if err := a.graphql.Do(ctx, page.document, variables, &data); err != nil {
		return errorOutcome(err)
	}
	if data.Outcome == nil {
		return outcome{Problem: "Something went wrong on our side.", status: http.StatusInternalServerError}
	}
	if errs := data.Outcome.UserErrors; len(errs) > 0 {
		return errs[0].outcome(page, variables)
	}
	if c := data.Outcome.Challenge; c != nil {
		return outcome{Challenge: c.fields(), challenged: c, status: http.StatusOK}
	}
	return page.succeed(data.Outcome, variables)
}

// userError is a refusal of a mutation.
type userError struct {
	Code    fault.Code `json:"code"`
	Message string     `json:"message"`
	Field   []string   `json:"field"`
}

// outcome tells the person about the refusal of a page's mutation.
func (e *userError) outcome(page *accountPage, variables map[string]any) outcome {
	out := outcome{Problem: e.Message, status: http.StatusOK}
	out.Asks = page.Chooses && (variables["newPassword"] != nil || slices.Contains(e.Field, "newPassword"))
	switch {
	case e.Code == fault.InvalidInput && out.Asks && variables["newPassword"] == nil:
		out.Problem = "Your account is made now. This browser does not show that it was you who registered: " +
			"please choose a password for it."
	case e.Code != fault.InvalidToken:
	case variables["email"] != nil:
		out.Problem = "This code is not right, or not good any more. " +
			"A code is good for 10 minutes and a few tries, and for the newest mail alone."
	default:
		out.Problem = "This link is not good any more: " +
			"it was used, a newer mail has replaced it, or it is too old. Please ask for a new one."
	}
	return out
}

// errorOutcome tells the person about a request that failed before its mutation ran.
func errorOutcome(err error) outcome {
	f := fault.From(err)
	switch {
	case f == nil:
		return outcome{
			Problem: "Something went wrong on our side. Please try again.",
			status:  http.StatusInternalServerError,
		}
	case f.Code == fault.RateLimited:
		return outcome{Problem: f.Message, status: http.StatusTooManyRequests, wait: f.RetrySeconds()}
	case f.Code == fault.Unauthenticated, f.Code == fault.SudoRequired:
		return outcome{
			Problem: "Please sign in again in this browser, and choose the password within ten minutes.",
			status:  http.StatusUnauthorized,
		}
	case f.Code == fault.Unavailable:
		return outcome{Problem: f.Message, status: http.StatusServiceUnavailable, wait: f.RetrySeconds()}
	}
	return outcome{Problem: f.Message, status: http.StatusBadRequest}
}

// variables returns the variables of the page's mutation, or the problem with the form.
func (p *accountPage) variables(form url.Values) (variables map[string]any, problem string) {
	variables = maps.Clone(p.constant)
	if variables == nil {
		variables = map[string]any{}
	}
	token := linkToken(strings.TrimSpace(form.Get("token")))
	switch {
	case p.SignedIn:
	case p.Mails:
		email := strings.TrimSpace(form.Get("email"))
		if email == "" {
			return nil, "Please enter your email address."
		}
		variables["email"] = email
		return variables, ""
	case token == "" && !p.Code:
		return nil, "Please paste the link of the mail."
	case token == "":
		token = strings.Join(strings.Fields(form.Get("code")), "")
		email := strings.TrimSpace(form.Get("email"))
		if token == "" || email == "" {
			return nil, "Please enter your email address, and the code of the mail."
		}
		variables["email"] = email
	}
	if !p.SignedIn {
		variables["token"] = token
	}
	if p.Empties {
		variables["startEmpty"] = form.Get("startEmpty") != ""
	}
	if p.Password && form.Get("password") == "" {
		return nil, "Please choose a password."
	}
	if form.Get("password") != form.Get("repeat") {
		return nil, "The two passwords are not the same."
	}
	switch {
	case p.Password:
		variables["password"] = form.Get("password")
	case p.Chooses && form.Get("password") != "":
		variables["newPassword"] = form.Get("password")
	}
	if p.AsksKeys {
		variables["revokeKeys"] = form.Get("revokeKeys") != ""
	}
	return variables, ""
}
