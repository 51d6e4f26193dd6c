package openapi

import (
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/dragoman-auth/dragoman/rest"
)

// schema is a JSON Schema (2020-12). The zero value accepts everything.
type schema struct {
	Type       string            `json:"type,omitempty"`
	Format     string            `json:"format,omitempty"`
	Properties map[string]schema `json:"properties,omitempty"`
	Required   []string          `json:"required,omitempty"`
	Items      *schema           `json:"items,omitempty"`
}

// ofKind returns the schema of a field.
func ofKind(kind string) schema {
	switch kind {
	case "any":
		return schema{}
	case "array":
		return schema{Type: kind, Items: &schema{}}
	}
	return schema{Type: kind}
}

// ofFields returns the schema of a body with these fields. required is false if the query string may hold them instead:
// then no field of the body is required.
func ofFields(fields []rest.Field, required bool) schema {
	root := schema{Type: "object"}
	for _, f := range fields {
		root = root.with(f.Path, ofKind(f.Kind), required && f.Required)
	}
	return root
}

// with adds a field at a path. The values on the way are objects, and required if the field is.
func (s schema) with(path []string, leaf schema, required bool) schema {
	s.Type = "object"
	s.Properties = maps.Clone(s.Properties)
	if s.Properties == nil {
		s.Properties = map[string]schema{}
	}
	inner := leaf
	if below, ok := s.Properties[path[0]]; ok && len(path) == 1 && leaf.Type == "object" {
		inner = below // it has properties already
	}
	if len(path) > 1 {
		inner = s.Properties[path[0]].with(path[1:], leaf, required)
	}
	s.Properties[path[0]] = inner
	if required && !slices.Contains(s.Required, path[0]) {
		s.Required = append(slices.Clone(s.Required), path[0])
	}
	return s
}

var timestamp = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+(Z|[+-][0-9]{2}:[0-9]{2})$`)

// infer returns the schema of one sample value. Null gives the empty schema.
func infer(v any) schema {
	switch v := v.(type) {
	case string:
		if timestamp.MatchString(v) {
			return schema{Type: "string", Format: "date-time"}
		}
		return schema{Type: "string"}
	case bool:
		return schema{Type: "boolean"}
	case float64:
		if v == math.Trunc(v) {
			return schema{Type: "integer"}
		}
		return schema{Type: "number"}
	case []any:
		items := schema{}
		for i, item := range v {
			if seen := infer(item); i == 0 {
				items = seen
			} else {
				items = merge(items, seen)
			}
		}
		return schema{Type: "array", Items: &items}
	case map[string]any:
		out := schema{Type: "object", Properties: map[string]schema{}}
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if strings.ContainsAny(name, "{…") {
				continue // a placeholder: the request decides the name
			}
			out.Properties[name] = infer(v[name])
			out.Required = append(out.Required, name)
		}
		return out
	}
	return schema{}
}

// merge returns a schema that accepts the values of both. It accepts everything where the types differ, except that
// integer and number give number.
func merge(a, b schema) schema {
	if a.Type != b.Type {
		if both := []string{a.Type, b.Type}; slices.Contains(both, "integer") && slices.Contains(both, "number") {
			return schema{Type: "number"}
		}
		return schema{}
	}
	out := schema{Type: a.Type}
	if a.Format == b.Format {
		out.Format = a.Format
	}
	if a.Items != nil && b.Items != nil {
		items := merge(*a.Items, *b.Items)
		out.Items = &items
	}
	if a.Type == "object" {
		out.Properties = maps.Clone(a.Properties)
		for name, inner := range b.Properties {
			if own, ok := out.Properties[name]; ok {
				inner = merge(own, inner)
			}
			out.Properties[name] = inner
		}
		for _, name := range a.Required {
			if slices.Contains(b.Required, name) {
				out.Required = append(out.Required, name)
			}
		}
	}
	return out
}
