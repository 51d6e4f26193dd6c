package rest

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/dragoman-auth/dragoman/internal/fault"
)

// Description is what a dialect offers, for people and programs that read about it. It is a copy: nothing in it changes
// what is served.
type Description struct {
	Name, Title, About string
	Mounts             []string
	JSONType           string // the Content-Type of JSON answers
	Credentials        []CredentialPlace
	Cookies            []CookieDescription
	Tokens             TokenDescription
	Sunset             Sunset   // of every route that does not say otherwise
	MinPassword        int      // characters; 0 for the server's own
	Errors             []Error  // where no route is
	Routes             []*Route // in the order of the file
}

// CredentialPlace is a place of a request where a credential may stand: bearer, token, bare, api-key, header or cookie,
// the last two with the names of the header or of the cookies.
type CredentialPlace struct {
	Kind  string
	Names []string
}

// CookieDescription is a cookie that answers set.
type CookieDescription struct {
	Names    []string // under all of which it holds the same
	Path     string
	HTTPOnly bool
	SameSite string        // lax, strict or none
	MaxAge   time.Duration // 0 for until the browser is closed
}

// TokenDescription says how tokens that are made through the dialect live. A zero time is the server's own.
type TokenDescription struct {
	Access, Refresh, Session, Sudo time.Duration

	Alg       string   // ES256 stands for whatever the server signs with, HS256 for the shared key
	Claims    []string // further claims, by their names
	SingleUse bool     // whether a refresh token that was used is refused at once
}

// Route is one method and path.
type Route struct {
	Method, Path string
	Mounts       []string
	Title, About string
	Sunset       Sunset // with that of the dialect, where the route says nothing

	JSON, Form, Query bool // where the fields may come from
	ChangesState      bool // a GET that does more than read
	Params            []Field
	Fields            []Field  // objects inside of objects by their path: data, attributes, email
	Headers           []string // that count, beside credentials
	Cookies           []string // that count, beside credentials

	Document string // GraphQL, "" for none
	Mutates  bool
	Guarded  bool // whether it is refused without a credential
	Answers  []Answer
	Errors   []Error // by every code that it can end with, in alphabetical order
	Examples []*Sample
}

// Field is a parameter.
type Field struct {
	Path     []string
	Kind     string // string, integer, number, boolean, object, array or any
	Required bool
}

// Name is the path in one word.
func (f Field) Name() string { return strings.Join(f.Path, ".") }

// Answer is one of the answers that a route gives itself: the plain one first, then those for other results, then those
// of its checks.
type Answer struct {
	Status   int    // 0 where an expression says it
	Media    string // "" for an answer without a body
	Redirect bool
	Headers  []string
	Cookies  []string
}

// Error is how a refusal is answered.
type Error struct {
	Code    string
	Meaning string // a sentence for people
	Status  int
	Media   string // "" for an answer without a body
	Body    string // as it may look: … is the server's own sentence, {field} the name of a field
	Headers []string
}

// Describe gives what the dialects offer, in their order. Only an engine can tell, because the schema knows how a route
// can end.
func (e *Engine) Describe() []*Description {
	all := make([]*Description, 0, len(e.dialects))
	for _, d := range e.dialects {
		about := d.describe()
		for _, code := range []string{methodNotAllowed, unknownRoute} {
			about.Errors = append(about.Errors, d.describeError(nil, code))
		}
		for _, m := range e.mounted {
			if m.dialect == d {
				about.Routes = append(about.Routes, m.describe())
			}
		}
		all = append(all, about)
	}
	return all
}

func (d *Dialect) describe() *Description {
	about := &Description{
		Name: d.Name, Title: d.Title, About: d.About, Mounts: slices.Clone(d.Mounts), JSONType: d.jsonType,
		Sunset:      d.Sunset,
		MinPassword: d.Profile.Password.MinLength,
		Tokens: TokenDescription{
			Access: d.Profile.Access.TTL, Refresh: d.Profile.Refresh.TTL, Session: d.Profile.SessionTTL,
			Sudo: d.Profile.Sudo,
			Alg:  "ES256", Claims: slices.Clone(d.claims), SingleUse: d.Profile.Refresh.SingleUse,
		},
	}
	if d.Profile.Access.HS256 {
		about.Tokens.Alg = "HS256"
	}
	for _, source := range d.credentials {
		about.Credentials = append(about.Credentials, CredentialPlace{string(source.Kind), slices.Clone(source.Names)})
	}
	sites := map[http.SameSite]string{
		http.SameSiteLaxMode: "lax", http.SameSiteStrictMode: "strict",
		http.SameSiteNoneMode: "none",
	}
	for _, c := range d.cookies {
		about.Cookies = append(about.Cookies, CookieDescription{
			slices.Clone(c.names), c.path, !c.open,
			sites[c.sameSite], c.maxAge,
		})
	}
	return about
}

func (m *mounted) describe() *Route {
	r, d := m.route, m.dialect
	out := &Route{
		Method: r.method, Path: r.path, Mounts: slices.Clone(r.mounts), Title: r.title, About: r.about,
		Sunset: r.sunset,
		JSON:   r.accepts.json, Form: r.accepts.form, Query: r.accepts.query, ChangesState: r.changesState,
		Document: m.documents(), Mutates: m.document != nil && m.document.Mutates(),
		Guarded: slices.Contains(m.codes, string(fault.Unauthenticated)),
	}
	for _, found := range parameter.FindAllStringSubmatch(r.path, -1) {
		out.Params = append(out.Params, Field{[]string{found[1]}, r.params[found[1]], true})
	}
	for _, f := range r.fields {
		out.Fields = append(out.Fields, Field{slices.Clone(f.path), f.kind, f.required})
	}
	out.Headers, out.Cookies = d.readBy(r)
	out.Answers = d.describeAnswers(r)
	for _, v := range m.variants {
		out.Answers = append(out.Answers, d.describeAnswers(v.as.route)...)
	}
	for _, code := range m.allCodes() {
		out.Errors = append(out.Errors, d.describeError(m.ending(code), code))
	}
	for _, e := range r.examples {
		out.Examples = append(out.Examples, d.sample(e))
	}
	return out
}

// documents are the GraphQL of a route, and behind it that of its variants, each under its condition.
func (m *mounted) documents() string {
	text := strings.TrimSpace(m.route.document)
	for _, v := range m.variants {
		text += "\n\n# where " + v.when.text + "\n" + strings.TrimSpace(v.as.route.document)
	}
	return text
}

func (d *Dialect) describeAnswers(r *route) []Answer {
	all := []Answer{d.describeAnswer(r.answer, http.StatusOK)}
	for _, o := range r.outcomes {
		if o.answer.hasBody() {
			all = append(all, d.describeAnswer(o.answer, http.StatusOK))
		}
	}
	for _, c := range r.checks {
		if c.answer.hasBody() {
			all = append(all, d.describeAnswer(c.answer, http.StatusBadRequest))
		}
	}
	return all
}

func (d *Dialect) describeAnswer(a *answer, status int) Answer {
	out := Answer{Status: status, Redirect: a.redirect != nil}
	if a.redirect != nil {
		out.Status = http.StatusSeeOther
	}
	if a.status != nil {
		out.Status, _ = a.status.literal.(int)
	}
	switch {
	case a.plain != nil:
		out.Media = "text/plain; charset=utf-8"
	case a.body != nil:
		out.Media = d.jsonType
	}
	for _, h := range a.headers {
		out.Headers = append(out.Headers, h.key)
	}
	for _, c := range a.cookies {
		out.Cookies = append(out.Cookies, d.cookie(c.key).names...)
	}
	return out
}
