package gqlhttp

import (
	"fmt"

	"github.com/vektah/gqlparser/v2/ast"

	"github.com/dragoman-auth/dragoman/internal/fault"
)

// isPaged tells whether a field takes the length of a page, first or last (Relay cursor connections).
func isPaged(def *ast.FieldDefinition) bool {
	return def.Arguments.ForName("first") != nil || def.Arguments.ForName("last") != nil
}

// checkCost refuses an operation that costs more than maxCost. A field costs 1. The fields below a page cost their sum
// times the length of the page. An operation without pages passes: maxExpanded bounds its cost.
func (op *operation) checkCost(variables map[string]any) *fault.Error {
	if !op.paged {
		return nil
	}
	total, err := cost(op.definition.SelectionSet, variables)
	if err == nil && total > maxCost {
		err = fault.New(fault.BadUserInput, fmt.Sprintf("The operation costs too much: the limit is %d.", maxCost))
	}
	return err
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
	if err != nil || !isPaged(field.Definition) {
		return below + 1, err
	}
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
	return min(1+int(length)*below, maxCost+1), nil
}
