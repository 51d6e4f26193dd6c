package pages

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"maps"
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

// maxForm is the greatest form that the pages of accounts send, in bytes.
const maxForm = 8 << 10

// newAccount makes the pages that the links of mails lead to, /account/verify-email and so on, and the files of these
// pages below /account/_/.
//
// The token stands behind the # of a link, which browsers send to nobody. A script takes it from there and out of the
// address bar, and a button sends it by POST: to open a page, or to fetch it ahead, uses nothing up (OT-13). Without a
// token, and without scripts, a page asks for the address and the code of the mail. What a form says goes to the
// mutation of its page, through the same door as every other caller's.
func newAccount(cfg Config, templates *template.Template, files *assets.Set) *account {
	a := &account{
		graphql: cfg.GraphQL, templates: templates, files: files, pages: map[string]*accountPage{},
		minPassword: cfg.MinPassword, origin: http.NewCrossOriginProtection(),
	}
	_, a.site, _ = strings.Cut(cfg.PublicURL, "://")
	for _, p := range accountPages() {
		document, err := cfg.GraphQL.Document(p.mutation)
		if err != nil { // it is fixed when the program is built
			panic(fmt.Sprintf("pages: the mutation of the page %s: %v", p.Name, err))
		}
		p.document = document
		a.pages[p.Name] = p
	}
	return a
}

type account struct {
	graphql     *gqlhttp.Handler
	templates   *template.Template
	files       *assets.Set
	pages       map[string]*accountPage
	minPassword int
	site        string
	origin      *http.CrossOriginProtection
}

// ServeHTTP answers for the pages and their files.
func (a *account) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	assets.SetHeaders(w.Header(), securityPolicy)
	if file, ok := a.files.At(r.URL.Path); ok {
		if assets.Allow(w, r, http.MethodGet, http.MethodHead) {
			file.Serve(w, r)
		}
		return
	}
	page := a.pages[strings.TrimPrefix(r.URL.Path, "/account/")]
	switch {
	case page == nil:
		edge.NotFound(w, r)
	case !assets.Allow(w, r, http.MethodGet, http.MethodHead, http.MethodPost):
	case r.Method == http.MethodPost:
		a.post(w, r, page)
	default:
		writePage(w, r, a.templates, "account.html", http.StatusOK, a.view(page))
	}
}

// accountView is a page in one of its states.
type accountView struct {
	*accountPage
	Site        string
	MinPassword int
	Email       string // as it was typed before
	outcome
}

// outcome is what came of a form.
type outcome struct {
	Done    bool   `json:"done"`
	Title   string `json:"title,omitempty"`
	Text    string `json:"text,omitempty"`
	Problem string `json:"problem,omitempty"`
	status  int
	wait    int // seconds
}

func (a *account) view(p *accountPage) accountView {
	return accountView{accountPage: p, Site: a.site, MinPassword: a.minPassword, outcome: outcome{Title: p.Heading}}
}

// post runs the mutation of a page. A script reads the outcome as JSON; a form without one gets a page.
func (a *account) post(w http.ResponseWriter, r *http.Request, page *accountPage) {
	out := outcome{status: http.StatusForbidden, Problem: "This form was not sent by this page. Please open the link " +
		"of the mail again."}
	var form url.Values
	// Another page that sends its visitor here could sign them in to an account that is not theirs.
	if a.origin.Check(r) == nil {
		if form, out.Problem, out.status = readForm(w, r); form != nil {
			out = a.submit(r.Context(), page, form)
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
	view := a.view(page)
	if out.Title == "" {
		out.Title = page.Heading
	}
	view.outcome, view.Email = out, form.Get("email")
	writePage(w, r, a.templates, "account.html", out.status, view)
}

// readForm reads the form in the body, each field once. Without one it gives what to say, and the status.
func readForm(w http.ResponseWriter, r *http.Request) (form url.Values, problem string, status int) {
	if media, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); !strings.EqualFold(strings.TrimSpace(media),
		"application/x-www-form-urlencoded") {
		return nil, "This page takes the form that it shows, and nothing else.", http.StatusUnsupportedMediaType
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

// submit runs the mutation with what the form says.
func (a *account) submit(ctx context.Context, page *accountPage, form url.Values) outcome {
	variables, problem := page.variables(form)
	if problem != "" {
		return outcome{Problem: problem, status: http.StatusOK}
	}
	var data struct {
		Outcome *struct {
			User *struct {
				Email *string `json:"email"`
			} `json:"user"`
			UserErrors []struct {
				Code    fault.Code `json:"code"`
				Message string     `json:"message"`
			} `json:"userErrors"`
		} `json:"outcome"`
	}
	if err := a.graphql.Do(ctx, page.document, variables, &data); err != nil {
		return errorOutcome(err)
	}
	if data.Outcome == nil {
		return outcome{Problem: "Something went wrong on our side.", status: http.StatusInternalServerError}
	}
	if errs := data.Outcome.UserErrors; len(errs) > 0 {
		out := outcome{Problem: errs[0].Message, status: http.StatusOK}
		switch {
		case errs[0].Code != fault.InvalidToken:
		case variables["email"] != nil:
			out.Problem = "This code is not right, or not good any more. A code is good for 10 minutes and a few " +
				"tries, and for the newest mail alone."
		default:
			out.Problem = "This link is not good any more: it was used, a newer mail has replaced it, or it is too " +
				"old. Please ask for a new one."
		}
		return out
	}
	email := "Your account"
	if u := data.Outcome.User; u != nil && u.Email != nil {
		email = *u.Email
	}
	return outcome{
		Done: true, Title: page.DoneTitle, Text: strings.ReplaceAll(page.doneText, "{email}", email),
		status: http.StatusOK,
	}
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
	case f.Code == fault.Unavailable:
		return outcome{Problem: f.Message, status: http.StatusServiceUnavailable, wait: f.RetrySeconds()}
	}
	return outcome{Problem: f.Message, status: http.StatusBadRequest}
}

// variables are those of the page's mutation, or what is wrong with the form.
func (p *accountPage) variables(form url.Values) (map[string]any, string) {
	variables := maps.Clone(p.constant)
	if variables == nil {
		variables = map[string]any{}
	}
	token := strings.TrimSpace(form.Get("token"))
	switch {
	case token != "" && !p.Code:
		if _, after, ok := strings.Cut(token, "#token="); ok { // somebody pasted the link
			token = after
		}
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
	variables["token"] = token
	if p.Password {
		if form.Get("password") == "" {
			return nil, "Please choose a password."
		}
		if form.Get("password") != form.Get("repeat") {
			return nil, "The two passwords are not the same."
		}
		variables["password"] = form.Get("password")
	}
	return variables, ""
}
