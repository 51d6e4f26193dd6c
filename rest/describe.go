package rest

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/dragoman-auth/dragoman/internal/fault"
)

// Description describes a dialect for its documentation. It is a copy: changing it does not change what is served.
type Description struct {
	Name, Title, About string
	Mounts             []string
	JSONType           string // the Content-Type of JSON answers
	Credentials        []CredentialPlace
	Cookies            []CookieDescription
	Tokens             TokenDescription
	Sunset             Sunset   // the default of the routes
	MinPassword        int      // characters; 0 for the server's minimum
	Errors             []Error  // the answers to requests that no route serves
	Routes             []*Route // in the order of the file
}

// CredentialPlace is a place in a request that may hold a credential. Kind is bearer, token, bare, api-key, header or
// cookie. Names has the one name of a header, or the names of a cookie.
type CredentialPlace struct {
	Kind  string
	Names []string
}

// CookieDescription is a cookie that answers set.
type CookieDescription struct {
	Names    []string // all hold the same value
	Path     string
	HTTPOnly bool
	SameSite string        // lax, strict or none
	MaxAge   time.Duration // 0 for a cookie that ends with the browser's session
}

// TokenDescription describes the tokens that a dialect issues. A zero lifetime means the server's setting.
type TokenDescription struct {
	Access, Refresh, Session, Sudo time.Duration

	Alg       string   // ES256 for the server's signing keys, HS256 for the shared key
	Claims    []string // the names of the additional claims
	SingleUse bool     // a used refresh token is rejected at once, without a grace period
}

// Route is one method and path.
type Route struct {
	Method, Path string
	Mounts       []string
	Title, About string
	Sunset       Sunset // includes the dialect's defaults

	JSON, Form, Query bool // the sources of the fields
	ChangesState      bool // a GET that changes state
	Params            []Field
	Fields            []Field  // a nested field has its whole path: data, attributes, email
	Headers           []string // the request headers that the route reads, without credentials
	Cookies           []string // the cookies that the route reads, without credentials

	Document string // GraphQL, "" for none
	Mutates  bool
	Guarded  bool // it can fail with UNAUTHENTICATED
	Answers  []Answer
	Errors   []Error // one for each code that the route can end with, sorted by code
	Examples []*Sample
}

// Field is a parameter of a path, a query string or a body.
type Field struct {
	Path     []string
	Kind     string // string, integer, number, boolean, object, array or any
	Required bool
}

// Name returns the path joined with dots: data.attributes.email.
func (f Field) Name() string { return strings.Join(f.Path, ".") }

// Answer is one of the route's own answers. The order is the regular answer, the outcomes, the checks.
type Answer struct {
	Status   int    // 0 if an expression computes it
	Media    string // "" for an answer without a body
	Redirect bool
	Headers  []string
	Cookies  []string
}

// Error is the answer for an error code.
type Error struct {
	Code    string
	Meaning string // a sentence for people
	Status  int
	Media   string // "" for an answer without a body
	Body    string // a sample: … stands for the server's message, {field} for the name of a field
	Headers []string
}

// Describe describes the dialects in their order. It needs an engine, because the schema decides which codes a route
// can end with.
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
		Name:        d.Name,
		Title:       d.Title,
		About:       d.About,
		Mounts:      slices.Clone(d.Mounts),
		JSONType:    d.jsonType,
		Sunset:      d.Sunset.On(d.site),
		MinPassword: d.Profile.Password.MinLength,
		Tokens: TokenDescription{
			Access:    d.Profile.Access.TTL,
			Refresh:   d.Profile.Refresh.TTL,
			Session:   d.Profile.SessionTTL,
			Sudo:      d.Profile.Sudo,
			Alg:       "ES256",
			Claims:    slices.Clone(d.claims),
			SingleUse: d.Profile.Refresh.SingleUse,
		},
	}
	if d.Profile.Access.HS256 {
		about.Tokens.Alg = "HS256"
	}
	for _, source := range d.credentials {
		about.Credentials = append(about.Credentials, CredentialPlace{string(source.Kind), slices.Clone(source.Names)})
	}
	sites := map[http.SameSite]string{
		http.SameSiteLaxMode:    "lax",
		http.SameSiteStrictMode: "strict",
		http.SameSiteNoneMode:   "none",
	}
	for _, c := range d.cookies {
		about.Cookies = append(about.Cookies, CookieDescription{
			Names:    slices.Clone(c.names),
			Path:     c.path,
			HTTPOnly: !c.open,
			SameSite: sites[c.sameSite],
			MaxAge:   c.maxAge,
		})
	}
	return about
}

func (m *mounted) describe() *Route {
	r, d := m.route, m.dialect
	out := &Route{
		Method:       r.method,
		Path:         r.path,
		Mounts:       slices.Clone(r.mounts),
		Title:        r.title,
		About:        r.about,
		Sunset:       r.sunset.On(d.site),
		JSON:         r.accepts.json,
		Form:         r.accepts.form,
		Query:        r.accepts.query,
		ChangesState: r.changesState,
		Document:     m.documents(),
		Mutates:      m.document != nil && m.document.Mutates(),
		Guarded:      slices.Contains(m.codes, string(fault.Unauthenticated)),
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

// documents returns the GraphQL of the route, followed by the GraphQL of each variant under its condition.
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
