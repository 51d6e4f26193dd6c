package gqlhttp

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/validator/core"
	"github.com/vektah/gqlparser/v2/validator/rules"
)

// explainer puts the errors of validation into words for whoever wrote the document. The messages of the rules quote
// names of the document and of the schema; they are kept where that helps. The rule that quotes values gets messages of
// ours. Names are suggested only where the schema is shown (GQ-04).
type explainer struct {
	schema   *ast.Schema
	suggests bool
	values   map[gqlerror.Location]place
	fields   map[gqlerror.Location]*ast.Field
}

// place is a value of a document, or a field in it that its input does not have.
type place struct {
	subject string // which value: `the argument "input.email" of the field "login"`
	value   *ast.Value
	name    string // of a field that the input does not have, "" for a value
}

// explain gives the first errors of validation.
func (h *Handler) explain(doc *ast.QueryDocument, errs gqlerror.List) gqlerror.List {
	x := explainer{
		schema:   h.schema.Schema(),
		suggests: h.introspection,
		values:   map[gqlerror.Location]place{},
		fields:   map[gqlerror.Location]*ast.Field{},
	}
	x.document(doc)
	var list gqlerror.List
	seen := map[string]bool{}
	for _, e := range errs {
		text := x.text(e)
		key := fmt.Sprint(text, e.Locations)
		if seen[key] {
			continue
		}
		seen[key] = true
		one := refuse(text)
		one[0].Locations = e.Locations
		list = append(list, one...)
		if len(list) == maxErrors {
			break
		}
	}
	return list
}

// text is the message of one error.
func (x *explainer) text(e *gqlerror.Error) string {
	var at gqlerror.Location
	if len(e.Locations) > 0 {
		at = e.Locations[0]
	}
	own := clip(e.Message)
	switch e.Rule {
	case "":
		return "The document is not valid."
	case rules.ValuesOfCorrectTypeRule.Name, rules.ValuesOfCorrectTypeRuleWithoutSuggestions.Name:
		return x.value(x.values[at], e.Message)
	case rules.FieldsOnCorrectTypeRuleWithoutSuggestions.Name:
		if f := x.fields[at]; f != nil {
			return own + x.field(f)
		}
	case rules.KnownArgumentNamesRuleWithoutSuggestions.Name:
		return own + x.argument(x.fields[at], e.Message)
	case rules.KnownTypeNamesRuleWithoutSuggestions.Name:
		return own + x.typeName(e.Message)
	case rules.ScalarLeafsRuleWithoutSuggestions.Name:
		if f := x.fields[at]; f != nil && len(f.SelectionSet) == 0 {
			return own + fmt.Sprintf(" Write %q with the fields that you want.", clip(f.Name)+" { … }")
		}
	case rules.KnownRootTypeRule.Name:
		return "This server has no subscriptions: ask again by a query."
	case rules.LoneAnonymousOperationRule.Name:
		return own + " Give each operation a name."
	case rules.NoUndefinedVariablesRule.Name:
		return own + " Declare it at the operation with its type, as in query ($name: Type) { … }."
	case rules.NoUnusedVariablesRule.Name:
		return own + " Use it, or take its declaration away."
	case rules.VariablesInAllowedPositionRule.Name:
		if q := quoted.FindAllString(e.Message, -1); len(q) == 3 {
			return own + clip(fmt.Sprintf(` Declare it as "$%s: %s".`, strings.Trim(q[0], `"$`),
				strings.Trim(q[2], `"`)))
		}
	case rules.KnownFragmentNamesRule.Name:
		return own + " Define it beside the operation, as in fragment Name on Type { … }."
	case rules.KnownDirectivesRule.Name:
		if strings.Contains(e.Message, `"@defer"`) { // gqlparser adds it to every schema
			return noDeferMessage
		}
	}
	return own
}

// field suggests what an unknown field was meant to be.
func (x *explainer) field(f *ast.Field) string {
	const few = 25 // fields of a type, which can be listed
	known := names(f.ObjectDefinition.Fields)
	switch near := x.nearest(f.Name, known); {
	case f.ObjectDefinition.IsLeafType():
		return " It has no fields: leave the selection out."
	case near != "" || !x.suggests:
		return near
	case f.ObjectDefinition == x.schema.Query && x.schema.Mutation.Fields.ForName(f.Name) != nil:
		return " It is a mutation: write mutation before the first brace."
	case f.ObjectDefinition == x.schema.Mutation && x.schema.Query.Fields.ForName(f.Name) != nil:
		return " It is a query: write query in place of mutation."
	case len(known) > few:
		return ""
	}
	return " It has " + listed(known) + "."
}

// argument suggests what an unknown argument of a field was meant to be.
func (x *explainer) argument(f *ast.Field, message string) string {
	name := quoted.FindString(message)
	if f == nil || f.Definition == nil || !x.suggests {
		return ""
	}
	known := make([]string, 0, len(f.Definition.Arguments))
	for _, a := range f.Definition.Arguments {
		known = append(known, a.Name)
	}
	if near := x.nearest(strings.Trim(name, `"`), known); near != "" {
		return near
	}
	if len(known) == 0 {
		return " It takes none."
	}
	return " It takes " + listed(known) + "."
}

var quoted = regexp.MustCompile(`"[^"]*"`)

func (x *explainer) typeName(message string) string {
	known := make([]string, 0, len(x.schema.Types))
	for name, def := range x.schema.Types {
		if !strings.HasPrefix(name, "__") && !def.BuiltIn {
			known = append(known, name)
		}
	}
	slices.Sort(known)
	return x.nearest(strings.Trim(quoted.FindString(message), `"`), append(known, "String", "Int", "Boolean", "ID"))
}

// nearest suggests names that look like one, "" where none does.
func (x *explainer) nearest(name string, known []string) string {
	return nearest(x.suggests, name, known)
}

// longestGuess is the longest name for which others are suggested: comparing takes time by the product of the lengths.
const longestGuess = 40 // bytes

func nearest(suggests bool, name string, known []string) string {
	if !suggests || len(name) > longestGuess {
		return ""
	}
	near := core.SuggestionList(name, known)
	if len(near) == 0 {
		return ""
	}
	return " Did you mean " + core.QuotedOrList(near[:min(len(near), 3)]...) + "?"
}

func names(fields ast.FieldList) (all []string) {
	for _, f := range fields {
		if !strings.HasPrefix(f.Name, "__") {
			all = append(all, f.Name)
		}
	}
	return all
}

// listed gives names in quotation marks with commas between.
func listed(all []string) string {
	const most = 25
	more := ""
	if len(all) > most {
		all, more = all[:most], ", …"
	}
	return `"` + strings.Join(all, `", "`) + `"` + more
}
