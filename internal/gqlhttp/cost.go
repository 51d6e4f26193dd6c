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

// checkCost gives the cost of an operation, and refuses one that costs more than maxCost. A field costs 1. The fields
// below a page cost their sum times the length of the page, those below another list its size (GQ-14).
func (op *operation) checkCost(variables map[string]any) (int, *fault.Error) {
	total, err := cost(op.definition.SelectionSet, variables)
	if err == nil && total > maxCost {
		err = fault.New(fault.BadUserInput, fmt.Sprintf("The operation costs too much: the limit is %d.", maxCost))
	}
	return total, err
}

// cost adds up a selection. The sum stops at maxCost+1, so that nested pages cannot overflow an int.
func cost(set ast.SelectionSet, variables map[string]any) (int, *fault.Error) {
	total := 0
	for _, selection := range set {
		var one int
		var err *fault.Error
		switch s := selection.(type) {
		case *ast.Field:
			one, err = fieldCost(s, variables)
		case *ast.InlineFragment:
			one, err = cost(s.SelectionSet, variables)
		case *ast.FragmentSpread:
			one, err = cost(s.Definition.SelectionSet, variables)
		}
		if err != nil {
			return 0, err
		}
		total = min(total+one, maxCost+1)
	}
	return total, nil
}

func fieldCost(field *ast.Field, variables map[string]any) (int, *fault.Error) {
	below, err := cost(field.SelectionSet, variables)
	if err != nil {
		return 0, err
	}
	size := listSize(field, variables)
	if isPaged(field.Definition) {
		if size, err = pageSize(field, variables); err != nil {
			return 0, err
		}
	}
	return min(1+min(size, maxCost)*below, maxCost+1), nil
}

// pageSize is the length of a page.
func pageSize(field *ast.Field, variables map[string]any) (int, *fault.Error) {
	length := int64(1)
	arguments := field.ArgumentMap(variables)
	for _, name := range []string{"first", "last"} {
		n, ok := arguments[name].(int64)
		if !ok {
			continue
		}
		if n < 0 || n > maxPage {
			return 0, fault.New(fault.BadUserInput, fmt.Sprintf("%q must be between 0 and %d.", name, maxPage))
		}
		length = max(length, n)
	}
	return int(length), nil
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
