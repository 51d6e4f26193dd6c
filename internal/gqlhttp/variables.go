package gqlhttp

import (
	stdjson "encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"

	"github.com/dragoman-auth/dragoman/internal/fault"
)

// coercion converts the variables of a request to the types of the schema (GraphQL specification, section 6.1.2). It is
// strict, and its errors hold paths and no values. gqlparser's own takes numbers for strings, strings for numbers and
// enums of any case, and quotes the value in its errors. The given values are never changed.
type coercion struct {
	schema   *ast.Schema
	suggests bool
	path     string
}

// coerce gives the values of the variables that op declares, defaults included. Undeclared ones are ignored. Errors
// suggest names where the schema is shown.
func (h *Handler) coerce(op *operation, given map[string]any) (map[string]any, *fault.Error) {
	values := map[string]any{}
	for _, def := range op.definition.VariableDefinitions {
		c := coercion{schema: h.schema.Schema(), suggests: h.introspection, path: def.Variable}
		value, ok := given[def.Variable]
		switch {
		case !ok && def.DefaultValue != nil:
			literal, err := def.DefaultValue.Value(nil)
			if err != nil {
				return nil, c.refuse("has a default that is out of range", "")
			}
			values[def.Variable] = literal
		case !ok && def.Type.NonNull:
			return nil, c.refuse(missing(def.Type), surplus(op, given))
		case !ok:
		case value == nil && op.notNull[def.Variable]:
			return nil, c.refuse("must not be null", " Leave it out instead, and its default holds.")
		default:
			coerced, err := c.value(def.Type, value)
			if err != nil {
				return nil, err
			}
			values[def.Variable] = coerced
		}
	}
	return values, nil
}

// refuse names the variable by its path. more are further sentences.
func (c coercion) refuse(what, more string) *fault.Error {
	steps := strings.FieldsFunc(c.path, func(r rune) bool { return strings.ContainsRune(".[]", r) })
	return fault.New(fault.BadUserInput, fmt.Sprintf("The variable $%s %s.%s", clip(c.path), what, more), steps...)
}

func missing(t *ast.Type) string { return fmt.Sprintf("is required (%s), and is missing", t) }

// surplus names the variables of a request that the operation does not declare: one of them may be a missing one with
// its name misspelt. The specification has servers ignore them otherwise.
func surplus(op *operation, given map[string]any) string {
	const most = 3
	var names []string
	for name := range given {
		if op.definition.VariableDefinitions.ForName(name) == nil && isName(name) {
			names = append(names, "$"+name)
		}
	}
	slices.Sort(names)
	switch {
	case len(names) == 0:
		return ""
	case len(names) > most:
		names = append(names[:most], "…")
	}
	return " The request has " + strings.Join(names, ", ") + ", which the operation does not declare."
}

func (c coercion) mustBe(t *ast.Type, value any) *fault.Error {
	found := jsonKind(value)
	if number, ok := asNumber(value); ok && (t.NamedType == "Int" || t.NamedType == "ID") {
		found = "a number with a fraction"
		if f, err := number.Float64(); err != nil || f == math.Trunc(f) {
			found = map[string]string{"Int": "a number beyond 32 bits", "ID": "a number beyond 64 bits"}[t.NamedType]
		}
	}
	return c.refuse(fmt.Sprintf("must be of the type %q, and is %s", t, found), "")
}

// unknown names a member that an input does not have. A text that is no name may be anything, and is not repeated.
func (c coercion) unknown(def *ast.Definition, name string) *fault.Error {
	if !isName(name) {
		return c.refuse(fmt.Sprintf("has a member that the input %q does not have", def.Name), "")
	}
	return c.at("."+name).refuse(fmt.Sprintf("is unknown: the input %q has no field %q", def.Name, name),
		nearest(c.suggests, name, names(def.Fields)))
}

// isName tells whether a text is a name that can be repeated.
func isName(text string) bool { return len(text) <= longestGuess && graphqlName.MatchString(text) }

var graphqlName = regexp.MustCompile(`^[_A-Za-z][_0-9A-Za-z]*$`)

// enum refuses what is no value of an enum.
func (c coercion) enum(def *ast.Definition, value any) *fault.Error {
	found := jsonKind(value)
	if _, ok := value.(string); ok {
		found = "another string"
	}
	return c.refuse(fmt.Sprintf("must be a value of the enum %q, and is %s", def.Name, found),
		enumValues(c.suggests, def))
}

// jsonKind tells the kind of a JSON value.
func jsonKind(value any) string {
	switch value.(type) {
	case nil:
		return "null"
	case bool:
		return "a boolean"
	case string:
		return "a string"
	case []any:
		return "a list"
	case map[string]any:
		return "an object"
	}
	return "a number"
}

func (c coercion) at(step string) coercion {
	c.path += step
	return c
}

func (c coercion) value(t *ast.Type, value any) (any, *fault.Error) {
	if value == nil {
		if t.NonNull {
			return nil, c.refuse(fmt.Sprintf("must not be null: its type is %q", t), "")
		}
		return nil, nil
	}
	if t.Elem != nil {
		return c.list(t, value)
	}
	def := c.schema.Types[t.NamedType]
	switch def.Kind {
	case ast.InputObject:
		return c.object(t, def, value)
	case ast.Enum:
		name, ok := value.(string)
		if !ok || def.EnumValues.ForName(name) == nil {
			return nil, c.enum(def, value)
		}
		return name, nil
	}
	coerced, ok := scalar(t.NamedType, value)
	if !ok {
		return nil, c.mustBe(t, value)
	}
	return coerced, nil
}

// list coerces a list. A single value is a list of one (GraphQL specification, section 3.11).
func (c coercion) list(t *ast.Type, value any) (any, *fault.Error) {
	items, ok := value.([]any)
	if !ok {
		items = []any{value}
	}
	coerced := make([]any, len(items))
	for i, item := range items {
		var err *fault.Error
		if coerced[i], err = c.at("["+strconv.Itoa(i)+"]").value(t.Elem, item); err != nil {
			return nil, err
		}
	}
	return coerced, nil
}

// object coerces an input object. Missing members stay missing: the generated code fills in the defaults.
func (c coercion) object(t *ast.Type, def *ast.Definition, value any) (any, *fault.Error) {
	members, ok := value.(map[string]any)
	if !ok {
		return nil, c.mustBe(t, value)
	}
	unknown := ""
	for name := range members {
		if def.Fields.ForName(name) == nil && (unknown == "" || name < unknown) {
			unknown = name
		}
	}
	if unknown != "" || len(members) > len(def.Fields) {
		return nil, c.unknown(def, unknown)
	}
	coerced := make(map[string]any, len(members))
	for _, field := range def.Fields {
		inner := c.at("." + field.Name)
		member, ok := members[field.Name]
		if !ok {
			if field.Type.NonNull && field.DefaultValue == nil {
				return nil, inner.refuse(missing(field.Type), "")
			}
			continue
		}
		var err *fault.Error
		if coerced[field.Name], err = inner.value(field.Type, member); err != nil {
			return nil, err
		}
	}
	if def.Directives.ForName("oneOf") != nil && !exactlyOne(coerced) {
		return nil, c.refuse("must have exactly one member, which is not null", "")
	}
	return coerced, nil
}

func exactlyOne(members map[string]any) bool {
	for _, value := range members {
		return len(members) == 1 && value != nil
	}
	return false
}

// scalar coerces a JSON value to a scalar. Custom scalars pass unchecked: their own code checks them.
func scalar(name string, value any) (any, bool) {
	number, isNumber := asNumber(value)
	switch name {
	case "String":
		s, ok := value.(string)
		return s, ok
	case "Boolean":
		b, ok := value.(bool)
		return b, ok
	case "Int":
		n, ok := whole(number)
		return n, isNumber && ok && n >= math.MinInt32 && n <= math.MaxInt32
	case "Float":
		f, err := number.Float64()
		return f, isNumber && err == nil
	case "ID":
		if s, ok := value.(string); ok {
			return s, true
		}
		n, err := number.Int64()
		return strconv.FormatInt(n, 10), isNumber && err == nil
	}
	return value, true
}

// asNumber converts a Go number to its form in JSON.
func asNumber(value any) (stdjson.Number, bool) {
	switch n := value.(type) {
	case stdjson.Number:
		return n, true
	case int:
		return stdjson.Number(strconv.Itoa(n)), true
	case float64:
		text, err := stdjson.Marshal(n)
		return stdjson.Number(text), err == nil
	}
	return "", false
}

// whole reads an integer. 1.0 and 1e3 count as integers.
func whole(number stdjson.Number) (int64, bool) {
	if n, err := number.Int64(); err == nil {
		return n, true
	}
	f, err := number.Float64()
	return int64(f), err == nil && f == math.Trunc(f) && math.Abs(f) <= math.MaxInt32+1
}
