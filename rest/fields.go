package rest

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	stdjson "encoding/json"

	"github.com/dragoman-auth/dragoman/internal/fault"
)

// field is a parameter that a route reads: its place, its type, and whether it has to be there.
type field struct {
	at       *node
	path     []string // data, attributes, email
	kind     string   // string, integer, number, boolean, object, array, any
	required bool
}

// numeral is a number as JSON writes it, but for exponents and hundreds of digits.
var numeral = regexp.MustCompile(`^-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,17})?$`)

var fieldPath = regexp.MustCompile(`^[A-Za-z_$][A-Za-z0-9_$-]*(\.[A-Za-z_$][A-Za-z0-9_$-]*)*$`)

var fieldKinds = []string{"string", "integer", "number", "boolean", "object", "array", "any"}

func (r *route) decodeField(m member) error {
	s, _ := m.value.text()
	f := &field{at: m.at, path: strings.Split(m.key, ".")}
	f.kind, f.required = strings.CutSuffix(s, "!")
	if m.key == confirmation || !fieldPath.MatchString(m.key) || len(f.path) > 8 {
		return m.at.fault("Write it like email, or data.attributes.email for one inside objects.", "%q is no name of a field", m.key)
	}
	if !slices.Contains(fieldKinds, f.kind) {
		return m.value.fault("Write one of "+strings.Join(fieldKinds, ", ")+", with ! behind it when it is required.", "%q is no type of a field", s)
	}
	r.fields = append(r.fields, f)
	return nil
}

// checkFields refuses fields that no request could bring.
func (d *Dialect) checkFields(r *route) error {
	if len(r.fields) > 0 && r.accepts == (accepts{}) {
		return r.fields[0].at.fault("Say in accepts: where they are.", "the route has fields and accepts nothing")
	}
	for _, f := range r.fields {
		if len(f.path) > 1 && !r.accepts.json {
			return f.at.fault("Add json to accepts:, or take the dots away.", "only JSON has fields inside of objects")
		}
		if r.params[f.path[0]] != "" {
			return f.at.fault("Take it away: params: says of what type it is.", "%q is a parameter of the path", f.path[0])
		}
	}
	return nil
}

// typed checks the fields that are there, in the order of the file, and gives the values of forms and query strings the
// type that is asked for. What differs from a field in case alone is refused: some parser on the way may have read it as
// the field (HT-11).
func (r *route) typed(params map[string]any, textual bool) *apiError {
	for _, f := range r.fields {
		parent, apiErr := r.walk(f, params)
		if apiErr != nil {
			return apiErr
		}
		name := f.path[len(f.path)-1]
		value := parent[name]
		if value == nil {
			continue
		}
		if s, ok := value.(string); ok && textual {
			value = fromText(s, f.kind)
			parent[name] = value
		}
		if !fits(value, f.kind) {
			return f.mistyped(f.kind)
		}
	}
	return nil
}

// walk goes down to the object that holds the field; nil when there is none. What is on the way is an object.
func (r *route) walk(f *field, params map[string]any) (map[string]any, *apiError) {
	for i, step := range f.path {
		above := field{path: f.path[:i+1]}
		for given := range params {
			if given != step && strings.EqualFold(given, step) && !r.declares(above.path, given) {
				return nil, &apiError{
					code: malformedRequest, problem: "case", field: above.path,
					message: fmt.Sprintf("A field is spelled in the wrong case: it must be %s.", strings.Join(above.path, ".")),
				}
			}
		}
		if i == len(f.path)-1 {
			break
		}
		inner, ok := params[step].(map[string]any)
		if !ok && params[step] != nil {
			return nil, above.mistyped("object")
		}
		params = inner
	}
	return params, nil
}

// missing finds the first required field that is not there; an empty text counts as none.
func (r *route) missing(params map[string]any) *apiError {
	for _, f := range r.fields {
		if !f.required {
			continue
		}
		parent := f.parent(params)
		if value := parent[f.path[len(f.path)-1]]; value == nil || value == "" {
			return f.invalid("missing", "is required")
		}
	}
	return nil
}

func (f *field) invalid(problem, what string) *apiError {
	return &apiError{
		code: string(fault.BadUserInput), problem: problem, field: f.path,
		message: strings.Join(f.path, ".") + " " + what + ".",
	}
}

func (f *field) mistyped(kind string) *apiError {
	apiErr := f.invalid("type", "must be of type "+kind)
	apiErr.kind = kind
	return apiErr
}

// parent is the object that holds the field; nil when there is none.
func (f *field) parent(params map[string]any) map[string]any {
	for _, step := range f.path[:len(f.path)-1] {
		params, _ = params[step].(map[string]any)
	}
	return params
}

// declares tells whether another field, or one on the way to it, is spelled like this beside the last step of path.
func (r *route) declares(path []string, name string) bool {
	sibling := append(slices.Clone(path[:len(path)-1]), name)
	return slices.ContainsFunc(r.fields, func(other *field) bool {
		return len(other.path) >= len(sibling) && slices.Equal(other.path[:len(sibling)], sibling)
	})
}

func fits(value any, kind string) bool {
	switch kind {
	case "string":
		_, ok := value.(string)
		return ok
	case "integer":
		n, ok := value.(stdjson.Number)
		_, err := n.Int64()
		return ok && err == nil
	case "number":
		_, ok := value.(stdjson.Number)
		return ok
	case "boolean":
		_, ok := value.(bool)
		return ok
	case "object":
		_, ok := value.(map[string]any)
		return ok
	case "array":
		_, ok := value.([]any)
		return ok
	}
	return true
}

// fromText reads a value of a form; what does not fit stays text, and is refused for that.
func fromText(s, kind string) any {
	switch kind {
	case "integer", "number":
		if numeral.MatchString(s) {
			return stdjson.Number(s)
		}
	case "boolean":
		switch s {
		case "true", "1", "on":
			return true
		case "false", "0", "off":
			return false
		}
	}
	return s
}
