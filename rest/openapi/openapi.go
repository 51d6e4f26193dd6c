// Package openapi describes a dialect as an OpenAPI 3.1 document.
//
// Everything comes from the dialect's file: parameters and bodies from its fields, answers from its examples and its
// rows of errors. An answer that the file does not show has no schema.
package openapi

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dragoman-auth/dragoman/rest"
)

// document is the OpenAPI object (OpenAPI 3.1.1, section 4.8.1), as far as dialects need it.
type document struct {
	OpenAPI    string              `json:"openapi"`
	Info       info                `json:"info"`
	Servers    []server            `json:"servers"`
	Tags       []tag               `json:"tags"`
	Paths      map[string]pathItem `json:"paths"`
	Components components          `json:"components"`
}

type info struct {
	Title       string `json:"title"`
	Description string `json:"description,omitempty"`
	Version     string `json:"version"`
}

type server struct {
	URL string `json:"url"`
}

type tag struct {
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
}

// pathItem maps methods in lower case to operations.
type pathItem map[string]*operation

type components struct {
	SecuritySchemes map[string]securityScheme `json:"securitySchemes,omitempty"`
}

type operation struct {
	OperationID string                `json:"operationId"`
	Tags        []string              `json:"tags"`
	Summary     string                `json:"summary,omitempty"`
	Description string                `json:"description,omitempty"`
	Parameters  []parameter           `json:"parameters,omitempty"`
	RequestBody *requestBody          `json:"requestBody,omitempty"`
	Responses   map[string]response   `json:"responses"`
	Security    []map[string][]string `json:"security"`
	Deprecated  bool                  `json:"deprecated,omitempty"`
	Sunset      string                `json:"x-sunset,omitempty"`    // a date
	Successor   string                `json:"x-successor,omitempty"` // a URL, or a path of its host
	GraphQL     string                `json:"x-graphql,omitempty"`
}

type parameter struct {
	Name        string `json:"name"`
	In          string `json:"in"`
	Required    bool   `json:"required"`
	Description string `json:"description,omitempty"`
	Schema      schema `json:"schema"`
}

type requestBody struct {
	Required bool                 `json:"required"`
	Content  map[string]mediaType `json:"content"`
}

type mediaType struct {
	Schema   schema             `json:"schema"`
	Examples map[string]example `json:"examples,omitempty"`
}

type example struct {
	Summary string          `json:"summary,omitempty"`
	Value   json.RawMessage `json:"value"`
}

type response struct {
	Description string               `json:"description"`
	Headers     map[string]header    `json:"headers,omitempty"`
	Content     map[string]mediaType `json:"content,omitempty"`
}

type header struct {
	Schema schema `json:"schema"`
}

// Write returns the document as indented JSON. publicURL is the base of all paths, version the version of the server.
func Write(d *rest.Description, publicURL, version string) ([]byte, error) {
	out := document{
		OpenAPI: "3.1.0",
		Info:    info{Title: d.Title, Description: d.About, Version: version},
		Servers: []server{{URL: publicURL}},
		Paths:   map[string]pathItem{},
	}
	schemes, offered := security(d.Credentials)
	out.Components.SecuritySchemes = schemes
	names := map[string]bool{}
	canonical := map[string]string{}
	for _, r := range d.Routes {
		for _, mount := range r.Mounts {
			if !slices.ContainsFunc(out.Tags, func(t tag) bool { return t.Name == mount }) {
				out.Tags = append(out.Tags, tag{Name: mount, Description: d.Title})
			}
			path, renamed := onePath(canonical, strings.TrimSuffix(mount, "/")+r.Path)
			op := operationOf(d, r, offered, renamed)
			op.OperationID, op.Tags = unique(names, operationID(r.Method, path)), []string{mount}
			if out.Paths[path] == nil {
				out.Paths[path] = pathItem{}
			}
			out.Paths[path][strings.ToLower(r.Method)] = op
		}
	}
	return json.MarshalIndent(out, "", "  ")
}

var inBraces = regexp.MustCompile(`\{([A-Za-z][A-Za-z0-9_]*)\}`)

// onePath gives paths that differ only in the names of their parameters the spelling of the first one, because OpenAPI
// treats them as identical (OpenAPI 3.1.1, section 4.8.8). renamed maps each name to the name in that spelling.
func onePath(seen map[string]string, path string) (as string, renamed map[string]string) {
	shape := inBraces.ReplaceAllString(path, "{}")
	if seen[shape] == "" {
		seen[shape] = path
	}
	as, renamed = seen[shape], map[string]string{}
	own, first := inBraces.FindAllStringSubmatch(path, -1), inBraces.FindAllStringSubmatch(as, -1)
	for i := range own {
		renamed[own[i][1]] = first[i][1]
	}
	return as, renamed
}

var nonWord = regexp.MustCompile(`[^A-Za-z0-9]+`)

// operationID depends only on the method and the path, so that it is stable when other routes change.
func operationID(method, path string) string {
	return strings.Trim(strings.ToLower(method)+"_"+strings.Trim(nonWord.ReplaceAllString(path, "_"), "_"), "_")
}

// unique appends a number to a name that is taken.
func unique(taken map[string]bool, name string) string {
	as := name
	for n := 2; taken[as]; n++ {
		as = name + "_" + strconv.Itoa(n)
	}
	taken[as] = true
	return as
}

func operationOf(
	d *rest.Description, r *rest.Route, offered []map[string][]string, renamed map[string]string,
) *operation {
	op := &operation{
		Summary:     r.Title,
		Description: r.About,
		Parameters:  parameters(r, renamed),
		RequestBody: bodyOf(d, r),
		Responses:   responses(r),
		Security:    []map[string][]string{},
		Deprecated:  !r.Sunset.At.IsZero() || !r.Sunset.Deprecated.IsZero(),
		Successor:   r.Sunset.Successor,
		GraphQL:     r.Document,
	}
	if !r.Sunset.At.IsZero() {
		op.Sunset = r.Sunset.At.Format(time.DateOnly)
	}
	switch {
	case r.Guarded:
		op.Security = append(op.Security, offered...)
	case presents(d, r): // the empty requirement makes the credential optional
		op.Security = append(append(op.Security, offered...), map[string][]string{})
	}
	return op
}

// presents tells whether an example of the route sends a credential.
func presents(d *rest.Description, r *rest.Route) bool {
	for _, s := range r.Examples {
		for _, h := range s.Call().Headers {
			name := http.CanonicalHeaderKey(h.Name)
			if name == "Authorization" || name == "X-Api-Key" || name == "Cookie" ||
				slices.ContainsFunc(d.Credentials, func(c rest.CredentialPlace) bool {
					return c.Kind == "header" && http.CanonicalHeaderKey(c.Names[0]) == name
				}) {
				return true
			}
		}
	}
	return false
}

func parameters(r *rest.Route, renamed map[string]string) []parameter {
	var all []parameter
	for _, p := range r.Params {
		all = append(all, parameter{Name: renamed[p.Name()], In: "path", Required: true, Schema: ofKind(p.Kind)})
	}
	if r.Query {
		for _, f := range r.Fields {
			p := parameter{
				Name:     f.Name(),
				In:       "query",
				Required: f.Required && !r.JSON && !r.Form,
				Schema:   ofKind(f.Kind),
			}
			if f.Required && !p.Required {
				p.Description = "Required, here or in the body."
			}
			all = append(all, p)
		}
	}
	for _, name := range r.Headers {
		all = append(all, parameter{Name: name, In: "header", Schema: ofKind("string")})
	}
	for _, name := range r.Cookies {
		all = append(all, parameter{Name: name, In: "cookie", Schema: ofKind("string")})
	}
	return all
}

// bodyOf describes the body of a request, nil for a route that reads none.
func bodyOf(d *rest.Description, r *rest.Route) *requestBody {
	if !r.JSON && !r.Form || len(r.Fields) == 0 {
		return nil
	}
	fields := ofFields(r.Fields, !r.Query)
	body := &requestBody{
		Required: !r.Query && slices.ContainsFunc(r.Fields, func(f rest.Field) bool { return f.Required }),
		Content:  map[string]mediaType{},
	}
	if r.JSON {
		shown := map[string]example{}
		for i, s := range r.Examples {
			if call := s.Call(); call.JSON != nil && s.Answer.Status < 400 {
				shown[slug(s.Title, i)] = example{s.Title, json.RawMessage(plain(call.JSON))}
			}
		}
		body.Content["application/json"] = mediaType{fields, shown}
		if own, _, _ := strings.Cut(d.JSONType, ";"); own != "application/json" {
			body.Content[own] = mediaType{fields, shown}
		}
	}
	if r.Form {
		shown := map[string]example{}
		for i, s := range r.Examples {
			if call := s.Call(); call.Form != nil && s.Answer.Status < 400 {
				values := map[string]string{}
				for _, f := range call.Form {
					values[f.Name] = plain(f.Value)
				}
				text, _ := json.Marshal(values) // cannot fail
				shown[slug(s.Title, i)] = example{s.Title, text}
			}
		}
		body.Content["application/x-www-form-urlencoded"] = mediaType{fields, shown}
	}
	return body
}

// plain writes the gaps of a text as {name}.
func plain(t rest.Text) string {
	var b strings.Builder
	for _, p := range t {
		b.WriteString(p.Literal)
		if p.Gap != "" {
			fmt.Fprintf(&b, "{%s}", p.Gap)
		}
	}
	return b.String()
}

// slug returns the key of an example. The number makes keys of equal titles different.
func slug(title string, number int) string {
	return strconv.Itoa(number+1) + "-" + strings.Trim(strings.ToLower(nonWord.ReplaceAllString(title, "-")), "-")
}

// security returns the schemes by name, and the requirement of an operation with a credential: any one of the schemes.
func security(places []rest.CredentialPlace) (map[string]securityScheme, []map[string][]string) {
	schemes := map[string]securityScheme{}
	for _, p := range places {
		switch p.Kind {
		case "bearer":
			schemes["bearer"] = securityScheme{Type: "http", Scheme: "bearer"}
		case "token":
			schemes["token"] = securityScheme{
				Type:        "apiKey",
				In:          "header",
				Name:        "Authorization",
				Description: "`Token` and the token behind it.",
			}
		case "bare":
			schemes["bare"] = securityScheme{
				Type:        "apiKey",
				In:          "header",
				Name:        "Authorization",
				Description: "The token and nothing else.",
			}
		case "api-key":
			schemes["apiKey"] = securityScheme{Type: "apiKey", In: "header", Name: "X-API-Key"}
		default: // header and cookie, which have names
			for _, name := range p.Names {
				schemes[p.Kind+"_"+name] = securityScheme{Type: "apiKey", In: p.Kind, Name: name}
			}
		}
	}
	var offered []map[string][]string
	for _, name := range slices.Sorted(maps.Keys(schemes)) {
		offered = append(offered, map[string][]string{name: {}})
	}
	return schemes, offered
}

type securityScheme struct {
	Type        string `json:"type"`
	Scheme      string `json:"scheme,omitempty"`
	In          string `json:"in,omitempty"`
	Name        string `json:"name,omitempty"`
	Description string `json:"description,omitempty"`
}
