package docs

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/dragoman-auth/dragoman/internal/site"
	"github.com/dragoman-auth/dragoman/rest"
	"github.com/dragoman-auth/dragoman/web/assets"
)

// attempt is a request that a reader may edit and send. {name} stands for the value of a gap in every text.
type attempt struct {
	Method  string   `json:"method"`
	Target  string   `json:"target"`            // path and query string
	Headers []string `json:"headers,omitempty"` // Name: value
	Kind    string   `json:"kind,omitempty"`    // json, form, raw or graphql; "" without a body
	Body    string   `json:"body,omitempty"`    // of a form a line name=value for each field; not of graphql
	Gaps    []gap    `json:"gaps,omitempty"`

	Query     string `json:"query,omitempty"` // of graphql
	Variables string `json:"variables,omitempty"`
}

// gap is a value that the reader gives. A credential comes from the slot of the page.
type gap struct {
	Name       string `json:"name"`
	Credential bool   `json:"credential,omitempty"`
}

// kept says what a call gives for later calls, in the words of its file.
type kept struct {
	Name   string `json:"name"`
	From   string `json:"from,omitempty"` // a jq expression
	Header string `json:"header,omitempty"`
}

// tries tells whether calls can be tried from the pages. It goes with the playground: a public server shows neither
// unless its operator says so.
func tries(cfg Config) bool { return cfg.Bar.Has(assets.Playground) }

// attemptOf returns the request of an example as JSON. credentials are the names of the headers that hold one.
func attemptOf(at site.Site, r rest.Request, credentials []string) string {
	a := attempt{Method: r.Method, Target: at.Path(targetOf(r))}
	inCredential := map[string]bool{}
	for _, h := range r.Headers {
		a.Headers = append(a.Headers, h.Name+": "+flat(h.Value))
		for _, name := range h.Value.Gaps() {
			is := slices.ContainsFunc(credentials, func(own string) bool { return strings.EqualFold(own, h.Name) })
			inCredential[name] = inCredential[name] || is
		}
	}
	switch {
	case r.JSON != nil:
		a.Kind, a.Body = "json", indentedText(flat(r.JSON))
		typed := slices.ContainsFunc(r.Headers, func(h rest.Header) bool {
			return strings.EqualFold(h.Name, "Content-Type")
		})
		if !typed {
			a.Headers = append(a.Headers, "Content-Type: application/json")
		}
	case r.Form != nil:
		a.Kind = "form"
		for i, f := range r.Form {
			if i > 0 {
				a.Body += "\n"
			}
			a.Body += f.Name + "=" + flat(f.Value)
		}
	case r.Body != nil:
		a.Kind, a.Body = "raw", flat(r.Body)
	}
	for _, name := range gapsOf(r) {
		a.Gaps = append(a.Gaps, gap{name, inCredential[name]})
	}
	return encoded(a)
}

// graphqlAttempt is the request of an operation as JSON.
func graphqlAttempt(at site.Site, query, variables string, guarded bool) string {
	a := attempt{
		Method: http.MethodPost, Target: at.Path("/graphql"), Kind: "graphql", Query: query, Variables: variables,
		Headers: []string{"Content-Type: application/json"},
	}
	if guarded {
		a.Headers = append(a.Headers, "Authorization: Bearer {token}")
		a.Gaps = []gap{{"token", true}}
	}
	return encoded(a)
}

func encoded(v any) string {
	text, _ := json.Marshal(v) // cannot fail: texts, lists and booleans alone
	return string(text)
}

// indentedText breaks JSON into lines. Text that is no JSON is kept.
func indentedText(text string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if !json.Valid([]byte(text)) || e.Encode(json.RawMessage(text)) != nil {
		return text
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// targetOf returns the path and the query string of a request.
func targetOf(r rest.Request) string {
	var b strings.Builder
	b.WriteString(flat(r.Path))
	for i, q := range r.Query {
		mark := "&"
		if i == 0 {
			mark = "?"
		}
		b.WriteString(mark + url.QueryEscape(q.Name) + "=")
		for _, p := range q.Value {
			if b.WriteString(url.QueryEscape(p.Literal)); p.Gap != "" {
				b.WriteString("{" + p.Gap + "}")
			}
		}
	}
	return b.String()
}

// keptOf returns what the calls of a dialect give for later calls, by method and path, as JSON.
func keptOf(at site.Site, d *rest.Description) string {
	all := map[string][]kept{}
	for _, r := range d.Routes {
		for _, s := range r.Examples {
			for _, step := range s.Steps {
				call := step.Method + " " + at.Path(flat(step.Path))
				for _, c := range step.Captures {
					k := kept{c.Name, c.From, c.Header}
					if step.Method != "" && c.Cookie == "" && !slices.Contains(all[call], k) {
						all[call] = append(all[call], k)
					}
				}
			}
		}
	}
	return encoded(all)
}

// credentialHeaders are the headers of a dialect that hold a credential.
func credentialHeaders(d *rest.Description) []string {
	all := []string{"Authorization", "X-API-Key"}
	for _, c := range d.Credentials {
		if c.Kind == "header" {
			all = append(all, c.Names...)
		}
	}
	return all
}
