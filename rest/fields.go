package rest

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	stdjson "encoding/json"

	"github.com/dragoman-auth/dragoman/internal/fault"
)

// field is a parameter of a route: its path, its type, and whether it is required.
type field struct {
	at       *node
	path     []string // data, attributes, email
	kind     string   // string, integer, number, boolean, object, array, any
	required bool
}

// numeral matches a JSON number without an exponent and with at most 18 digits before and 17 after the point.
var numeral = regexp.MustCompile(`^-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,17})?$`)

var fieldPath = regexp.MustCompile(`^[A-Za-z_$][A-Za-z0-9_$-]*(\.[A-Za-z_$][A-Za-z0-9_$-]*)*$`)

var fieldKinds = []string{"string", "integer", "number", "boolean", "object", "array", "any"}

func (r *route) decodeField(m member) error {
	s, _ := m.value.text()
	f := &field{at: m.at, path: strings.Split(m.key, ".")}
	f.kind, f.required = strings.CutSuffix(s, "!")
	if m.key == confirmation || !fieldPath.MatchString(m.key) || len(f.path) > 8 {
		return m.at.fault("Write it like email, or data.attributes.email for one inside objects.",
			"%q is not the name of a field", m.key)
	}
	if !slices.Contains(fieldKinds, f.kind) {
		return m.value.fault("Write one of "+strings.Join(fieldKinds, ", ")+", with ! at the end if it is required.",
			"%q is not the type of a field", s)
	}
	r.fields = append(r.fields, f)
	return nil
}

// checkFields rejects fields that no request can have.
func (d *Dialect) checkFields(r *route) error {
	if len(r.fields) > 0 && r.accepts == (accepts{}) {
		return r.fields[0].at.fault("Say in accepts: where they are.", "the route has fields and accepts nothing")
	}
	for _, f := range r.fields {
		if len(f.path) > 1 && !r.accepts.json {
			return f.at.fault("Add json to accepts:, or take the dots away.", "only JSON has fields inside of objects")
		}
		if r.params[f.path[0]] != "" {
			return f.at.fault("Take it away; params: has its type.", "%q is a parameter of the path", f.path[0])
		}
	}
	return nil
}

// typed checks the types of the present fields, in the order of the file. It converts the values of forms and query
// strings. A name that differs from a field only in case is an error: a parser on the way may have read it as the field
// (HT-11).
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
			return f.mistyped(f.kind, value)
		}
	}
	return nil
}

// walk returns the object that holds the field, nil for none. A value on the way that is not an object is an error.
func (r *route) walk(f *field, params map[string]any) (map[string]any, *apiError) {
	for i, step := range f.path {
		above := field{path: f.path[:i+1]}
		for given := range params {
			if given != step && strings.EqualFold(given, step) && !r.declares(above.path, given) {
				return nil, &apiError{
					code: malformedRequest, problem: "case", field: above.path,
					message: fmt.Sprintf("A field is spelled in the wrong case: it must be %s.",
						strings.Join(above.path, ".")),
				}
			}
		}
		if i == len(f.path)-1 {
			break
		}
		inner, ok := params[step].(map[string]any)
		if !ok && params[step] != nil {
			return nil, above.mistyped("object", params[step])
		}
		params = inner
	}
	return params, nil
}

// missing reports the first required field that is absent, null or empty.
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

func (f *field) mistyped(kind string, value any) *apiError {
	apiErr := f.invalid("type", "must be of type "+kind+", and is "+kindOf(value))
	apiErr.kind = kind
	return apiErr
}

// parent returns the object that holds the field, nil for none.
func (f *field) parent(params map[string]any) map[string]any {
	for _, step := range f.path[:len(f.path)-1] {
		params, _ = params[step].(map[string]any)
	}
	return params
}

// declares tells whether the route has another field with this name at, or above, the last step of path.
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

// fromText converts a value of a form. A value that does not fit stays text, and fails the check of its type.
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

// kindOf tells the kind of a JSON value.
func kindOf(value any) string {
	switch value.(type) {
	case nil:
		return "null"
	case bool:
		return "a boolean"
	case string:
		return "a string"
	case []any:
		return "an array"
	case map[string]any:
		return "an object"
	}
	return "a number"
}
