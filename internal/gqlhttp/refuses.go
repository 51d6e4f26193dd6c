package gqlhttp

import (
	"fmt"
	"maps"
	"slices"

	"github.com/vektah/gqlparser/v2/ast"

	"github.com/dragoman-auth/dragoman/internal/fault"
)

// topLevel holds the codes of top-level errors, as extensions writes them.
var topLevel = []fault.Code{
	fault.Unauthenticated,
	fault.Forbidden,
	fault.SudoRequired,
	fault.RateLimited,
	fault.BadUserInput,
	fault.Internal,
}

// Refusals gives every code that a *fault.Error of Do can carry for this stored document, sorted. It includes
// INTERNAL_SERVER_ERROR, which stands for all other errors. The directives of the schema say the codes.
func (d *Document) Refusals() []fault.Code {
	op := d.operations[0]
	codes := map[fault.Code]bool{fault.Internal: true}
	if len(op.definition.VariableDefinitions) > 0 {
		codes[fault.BadUserInput] = true // for a variable of another type
	}
	for field := range everyField(op.definition.SelectionSet) {
		for _, code := range refusesOf(field.Definition) {
			codes[code] = true
		}
	}
	return slices.Sorted(maps.Keys(codes))
}

// refusesOf gives the codes that all directives of a field stand for.
func refusesOf(field *ast.FieldDefinition) []fault.Code {
	codes := declared(field)
	if field.Directives.ForName("requiresAuth") != nil || field.Directives.ForName("requiresPermission") != nil {
		codes = append(codes, fault.Unauthenticated, fault.Forbidden, fault.RateLimited)
	}
	if field.Directives.ForName("sudo") != nil {
		codes = append(codes, fault.SudoRequired)
	}
	if _, is := credentialOf(field); is {
		codes = append(codes, fault.RateLimited, fault.Unavailable)
	}
	return codes
}

// declared gives the codes of @refuses.
func declared(field *ast.FieldDefinition) (codes []fault.Code) {
	d := field.Directives.ForName("refuses")
	if d == nil {
		return nil
	}
	list := d.Arguments.ForName("codes")
	if list == nil {
		return nil
	}
	if list.Value.Kind != ast.ListValue { // a single value is a list of one (GraphQL specification, section 3.11)
		return []fault.Code{fault.Code(list.Value.Raw)}
	}
	for _, code := range list.Value.Children {
		codes = append(codes, fault.Code(code.Value.Raw))
	}
	return codes
}

// checkRefuses refuses a schema with a mutation without @refuses, or with an unknown code in @refuses.
func checkRefuses(schema *ast.Schema) error {
	if schema.Mutation != nil {
		for _, field := range schema.Mutation.Fields {
			if field.Directives.ForName("refuses") == nil {
				return fmt.Errorf("gqlhttp: Mutation.%s has no @refuses; list its error codes there", field.Name)
			}
		}
	}
	known := slices.Clone(topLevel)
	if codes := schema.Types["ErrorCode"]; codes != nil {
		for _, code := range codes.EnumValues {
			known = append(known, fault.Code(code.Name))
		}
	}
	for _, def := range schema.Types {
		for _, field := range def.Fields {
			for _, code := range declared(field) {
				if !slices.Contains(known, code) {
					return fmt.Errorf(
						"gqlhttp: %s.%s: @refuses has the unknown code %q; use one of ErrorCode or of top-level errors",
						def.Name, field.Name, code)
				}
			}
		}
	}
	return nil
}
