package openapi

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/dragoman-auth/dragoman/rest"
)

// responses returns the answers of a route by status: its own answers, its rows of errors, and the answers of its
// examples.
func responses(r *rest.Route) map[string]response {
	c := collection{}
	for _, a := range r.Answers {
		if a.Status == 0 {
			continue // an expression computes the status; the examples show it
		}
		one := c.at(a.Status)
		one.headers = append(one.headers, a.Headers...)
		if len(a.Cookies) > 0 {
			one.headers = append(one.headers, "Set-Cookie")
		}
		if a.Redirect {
			one.headers = append(one.headers, "Location")
		}
		if a.Media != "" {
			one.media(a.Media)
		}
	}
	for _, e := range r.Errors {
		one := c.at(e.Status)
		one.reasons = append(one.reasons, "`"+e.Code+"`: "+e.Meaning)
		one.headers = append(one.headers, e.Headers...)
		if e.Media != "" {
			one.media(e.Media).add(e.Code, e.Meaning, e.Media, e.Body)
		}
	}
	for i, s := range r.Examples {
		one := c.at(s.Answer.Status)
		media := one.mediaOf(s)
		for _, h := range s.Answer.Headers {
			if http.CanonicalHeaderKey(h.Name) != "Content-Type" { // OpenAPI has it as the key of content
				one.headers = append(one.headers, h.Name)
			}
		}
		if media != "" {
			one.media(media).add(slug(s.Title, i), s.Title, media, s.Answer.Body)
		}
	}
	out := map[string]response{}
	for status, one := range c {
		out[strconv.Itoa(status)] = one.response(status)
	}
	return out
}

// collection gathers the answers by status.
type collection map[int]*known

// known gathers the answers with one status.
type known struct {
	reasons []string
	headers []string
	bodies  map[string]*shown // by media type
}

// shown gathers the bodies of one media type.
type shown struct {
	examples map[string]example
	schema   *schema // fits all examples; nil without one
}

func (c collection) at(status int) *known {
	if c[status] == nil {
		c[status] = &known{bodies: map[string]*shown{}}
	}
	return c[status]
}

func (k *known) media(name string) *shown {
	name, _, _ = strings.Cut(name, ";")
	if k.bodies[name] == nil {
		k.bodies[name] = &shown{examples: map[string]example{}}
	}
	return k.bodies[name]
}

// mediaOf returns the media type of the answer of an example, "" for an answer without a body.
func (k *known) mediaOf(s *rest.Sample) string {
	switch {
	case !s.Answer.JSON && s.Answer.Body == "":
		return ""
	case !s.Answer.JSON:
		return "text/plain"
	}
	for name := range k.bodies { // a dialect has only one JSON type
		if strings.HasSuffix(name, "json") {
			return name
		}
	}
	return "application/json"
}

// add adds an example, and widens the schema so that it fits.
func (s *shown) add(key, summary, media, body string) {
	value, seen := json.RawMessage(body), schema{}
	var decoded any
	switch {
	case !strings.HasPrefix(media, "text/") && json.Unmarshal(value, &decoded) == nil:
		seen = infer(decoded)
	default:
		value, _ = json.Marshal(body)
		seen = ofKind("string")
	}
	s.examples[key] = example{summary, value}
	if s.schema != nil {
		seen = merge(*s.schema, seen)
	}
	s.schema = &seen
}

func (k *known) response(status int) response {
	out := response{Description: http.StatusText(status), Headers: map[string]header{}, Content: map[string]mediaType{}}
	if out.Description == "" {
		out.Description = strconv.Itoa(status)
	}
	if len(k.reasons) > 0 {
		out.Description += "\n\n- " + strings.Join(k.reasons, "\n- ")
	}
	slices.Sort(k.headers)
	for _, name := range slices.Compact(k.headers) {
		out.Headers[name] = header{ofKind("string")}
	}
	for media, one := range k.bodies {
		body := mediaType{Examples: one.examples}
		if one.schema != nil {
			body.Schema = *one.schema
		}
		out.Content[media] = body
	}
	return out
}
