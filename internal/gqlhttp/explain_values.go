package gqlhttp

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

var missingField = regexp.MustCompile(`^Field "\w+\.(\w+)" of required type "(.+)" was not provided`)

// value says what is wrong with a value, of which it tells the kind alone.
func (x *explainer) value(at place, message string) string {
	if at.value == nil {
		return "A value does not have the type that the schema asks for here."
	}
	subject := strings.ToUpper(at.subject[:1]) + at.subject[1:]
	if at.name != "" {
		return fmt.Sprintf("%s is unknown: the input %q has no field %q.", subject, at.value.Definition.Name,
			clip(at.name)) + x.nearest(at.name, names(at.value.Definition.Fields))
	}
	if m := missingField.FindStringSubmatch(message); m != nil {
		return fmt.Sprintf("%s lacks the field %q, which is required (%s).", subject, m[1], m[2])
	}
	v := at.value
	if strings.HasPrefix(message, `OneOf Input Object "`) || strings.HasPrefix(message, `Field "`) {
		return subject + " must have exactly one field, which is not null."
	}
	if v.Kind == ast.NullValue {
		return fmt.Sprintf("%s must not be null: its type is %q.", subject, v.ExpectedType)
	}
	if v.Definition.Kind != ast.Enum || v.ExpectedType.Elem != nil && v.Kind == ast.ObjectValue {
		return fmt.Sprintf("%s must be of the type %q, and is %s.", subject, v.ExpectedType, literalKind(v))
	}
	found := literalKind(v)
	switch v.Kind {
	case ast.EnumValue:
		found = "another name"
	case ast.StringValue, ast.BlockValue:
		found += ": write the value without quotation marks"
	default:
	}
	return fmt.Sprintf("%s must be a value of the enum %q, and is %s.", subject, v.Definition.Name, found) +
		enumValues(x.suggests, v.Definition)
}

// enumValues lists the values of an enum, where the schema is shown.
func enumValues(shown bool, def *ast.Definition) string {
	if !shown {
		return ""
	}
	all := make([]string, 0, len(def.EnumValues))
	for _, v := range def.EnumValues {
		all = append(all, v.Name)
	}
	return " Its values are " + strings.ReplaceAll(listed(all), `"`, "") + "."
}

func literalKind(v *ast.Value) string {
	switch v.Kind {
	case ast.IntValue:
		return "a whole number"
	case ast.FloatValue:
		return "a number with a fraction"
	case ast.StringValue, ast.BlockValue:
		return "a string"
	case ast.BooleanValue:
		return "a boolean"
	case ast.EnumValue:
		return "a name without quotation marks"
	case ast.ListValue:
		return "a list"
	case ast.ObjectValue:
		return "an object"
	case ast.NullValue:
		return "null"
	case ast.Variable:
	}
	return "a variable"
}

// document notes the places of all fields and values.
func (x *explainer) document(doc *ast.QueryDocument) {
	for _, op := range doc.Operations {
		for _, v := range op.VariableDefinitions {
			x.note(v.DefaultValue, "$"+v.Variable, "the default of")
			x.directives(v.Directives)
		}
		x.directives(op.Directives)
		x.selection(op.SelectionSet)
	}
	for _, f := range doc.Fragments {
		x.directives(f.Directives)
		x.selection(f.SelectionSet)
	}
}

func (x *explainer) selection(set ast.SelectionSet) {
	for _, selection := range set {
		switch s := selection.(type) {
		case *ast.Field:
			x.fields[locationOf(s.Position)] = s
			x.arguments(s.Arguments, fmt.Sprintf("of the field %q", clip(s.Name)))
			x.directives(s.Directives)
			x.selection(s.SelectionSet)
		case *ast.InlineFragment:
			x.directives(s.Directives)
			x.selection(s.SelectionSet)
		case *ast.FragmentSpread:
			x.directives(s.Directives)
		}
	}
}

func (x *explainer) directives(list ast.DirectiveList) {
	for _, d := range list {
		x.arguments(d.Arguments, fmt.Sprintf("of %q", clip("@"+d.Name)))
	}
}

func (x *explainer) arguments(list ast.ArgumentList, of string) {
	for _, a := range list {
		x.note(a.Value, a.Name, "the argument", of)
	}
}

// note notes a value and those in it. words stand around its path.
func (x *explainer) note(v *ast.Value, path string, words ...string) {
	if v == nil {
		return
	}
	subject := func(path string) string {
		return strings.Join(append([]string{words[0], strconv.Quote(clip(path))}, words[1:]...), " ")
	}
	x.values[locationOf(v.Position)] = place{subject: subject(path), value: v}
	for i, child := range v.Children {
		below := path + "[" + strconv.Itoa(i) + "]"
		if v.Kind == ast.ObjectValue {
			below = path + "." + child.Name
			switch def := v.Definition; {
			case def == nil || def.Fields.ForName(child.Name) != nil:
			case def.Kind == ast.InputObject:
				x.values[locationOf(child.Position)] = place{subject: subject(below), value: v, name: child.Name}
			default: // the rules take a field of a scalar for unknown, and the object is what is wrong
				x.values[locationOf(child.Position)] = place{subject: subject(path), value: v}
			}
		}
		x.note(child.Value, below, words...)
	}
}

func locationOf(at *ast.Position) gqlerror.Location {
	if at == nil {
		return gqlerror.Location{}
	}
	return gqlerror.Location{Line: at.Line, Column: at.Column}
}
