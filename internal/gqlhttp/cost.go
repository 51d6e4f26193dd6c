package gqlhttp

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"

	"github.com/dragoman-auth/dragoman/internal/fault"
)

// isPaged tells whether a field takes the length of a page, first or last (Relay cursor connections).
func isPaged(def *ast.FieldDefinition) bool {
	return def.Arguments.ForName("first") != nil || def.Arguments.ForName("last") != nil
}

// checkCost gives the cost of an operation, and refuses one that costs more than maxCost. A field costs 1, or what
// @cost says (GQ-16). The fields below a page cost their sum times the length of the page, those below another list its
// size (GQ-14).
func (op *operation) checkCost(schema *ast.Schema, variables map[string]any) (int, *fault.Error) {
	all, err := cost(op.definition.SelectionSet, schema, variables)
	total := min(all.each+all.once, maxCost+1)
	if err == nil && total > maxCost {
		err = fault.New(fault.BadUserInput, fmt.Sprintf(
			"The operation costs more than %d: ask for fewer fields, or for shorter pages by first.", maxCost))
	}
	return total, err
}

// sum is the cost of a selection. once is what @cost says of its fields: a page is one object, so the length of a page
// multiplies it no more than the page itself. No sum exceeds maxCost+1, so that nested pages cannot overflow an int.
type sum struct{ each, once int }

// cost adds up a selection.
func cost(set ast.SelectionSet, schema *ast.Schema, variables map[string]any) (total sum, err *fault.Error) {
	for _, selection := range set {
		var one sum
		switch s := selection.(type) {
		case *ast.Field:
			one, err = fieldCost(s, schema, variables)
		case *ast.InlineFragment:
			one, err = cost(s.SelectionSet, schema, variables)
		case *ast.FragmentSpread:
			one, err = cost(s.Definition.SelectionSet, schema, variables)
		}
		if err != nil {
			return sum{}, err
		}
		total.each, total.once = min(total.each+one.each, maxCost+1), min(total.once+one.once, maxCost+1)
	}
	return total, nil
}

func fieldCost(field *ast.Field, schema *ast.Schema, variables map[string]any) (sum, *fault.Error) {
	below, err := cost(field.SelectionSet, schema, variables)
	if err != nil {
		return sum{}, err
	}
	size := listSize(field, variables)
	if isPaged(field.Definition) {
		if size, err = pageSize(field, variables); err != nil {
			return sum{}, err
		}
	}
	if !isPaged(field.Definition) || field.Definition.Type.Elem != nil { // no page, but each entry itself
		below = sum{each: below.each + below.once}
	}
	arguments := field.ArgumentMap(variables)
	one := sum{each: 1 + min(size, maxCost)*below.each + below.once}
	for _, argument := range field.Definition.Arguments {
		one.each += inputCost(schema, argument.Type, arguments[argument.Name])
	}
	if weight := weightOf(field.Definition.Directives); weight > 0 {
		one.once = weight
		one.each--
	}
	one.each = min(one.each, maxCost+1)
	return one, nil
}

// inputCost adds up what @cost says of the fields of an input that are given.
func inputCost(schema *ast.Schema, of *ast.Type, value any) (total int) {
	given, ok := value.(map[string]any)
	def := schema.Types[of.Name()]
	if !ok || def == nil || def.Kind != ast.InputObject {
		return 0
	}
	for _, field := range def.Fields {
		if inside := given[field.Name]; inside != nil {
			total = min(total+weightOf(field.Directives)+inputCost(schema, field.Type, inside), maxCost+1)
		}
	}
	return total
}

// weightOf is the weight of @cost, 0 without it.
func weightOf(of ast.DirectiveList) (weight int) {
	if d := of.ForName("cost"); d != nil {
		weight, _ = strconv.Atoi(d.Arguments.ForName("weight").Value.Raw)
	}
	return weight
}

// pageSize is the length of a page. One that neither first nor last says, null included, has the default of the schema,
// or, without one, the longest of all.
func pageSize(field *ast.Field, variables map[string]any) (int, *fault.Error) {
	length := int64(-1)
	arguments := field.ArgumentMap(variables)
	for _, name := range []string{"first", "last"} {
		n, ok := arguments[name].(int64)
		if !ok {
			continue
		}
		if n < 0 || n > maxPage {
			return 0, fault.New(fault.BadUserInput, fmt.Sprintf("The argument %q must be between 0 and %d.", name,
				maxPage))
		}
		length = max(length, n)
	}
	if length >= 0 {
		return max(int(length), 1), nil
	}
	for _, name := range []string{"first", "last"} {
		if def := field.Definition.Arguments.ForName(name); def != nil && def.DefaultValue != nil {
			if n, err := strconv.Atoi(def.DefaultValue.Raw); err == nil {
				return max(n, 1), nil
			}
		}
	}
	return maxPage, nil
}

// listSize is what @listSize says of a field: the length of its slicing argument, or the assumed size; 1 without it.
func listSize(field *ast.Field, variables map[string]any) int {
	d := field.Definition.Directives.ForName("listSize")
	if d == nil {
		return 1
	}
	if named := d.Arguments.ForName("slicingArguments"); named != nil {
		size := 0
		arguments := field.ArgumentMap(variables)
		for _, name := range named.Value.Children {
			if list, ok := arguments[name.Value.Raw].([]any); ok {
				size = max(size, len(list))
			}
		}
		return max(size, 1)
	}
	size := 1
	if assumed := d.Arguments.ForName("assumedSize"); assumed != nil {
		size, _ = strconv.Atoi(assumed.Value.Raw)
	}
	return max(size, 1)
}

// checkListSizes holds a schema to @listSize: every list of objects has it, or is a page, or is part of one, so that no
// list is free.
func checkListSizes(schema *ast.Schema) error {
	for _, def := range schema.Types {
		if def.BuiltIn || strings.HasSuffix(def.Name, "Connection") {
			continue
		}
		for _, field := range def.Fields {
			composite := schema.Types[field.Type.Name()].IsCompositeType()
			if def.IsInputType() || field.Type.Elem == nil || !composite || isPaged(field) ||
				strings.HasPrefix(field.Name, "__") || field.Directives.ForName("listSize") != nil {
				continue
			}
			return fmt.Errorf("gqlhttp: %s.%s is a list of unknown length; give it @listSize, or first", def.Name,
				field.Name)
		}
	}
	return nil
}
