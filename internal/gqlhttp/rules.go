package gqlhttp

import (
	"strconv"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator/core"
	"github.com/vektah/gqlparser/v2/validator/rules"
)

// ruleSet is the rules of the GraphQL specification, section 5, and our own. They suggest names to the author of a
// stored document and to nobody else: to whom introspection is closed they would open it again, and each costs a
// comparison with every name of the schema.
func ruleSet(suggestions, introspection bool, operations map[*ast.OperationDefinition]*operation) *rules.Rules {
	set := rules.NewDefaultRules()
	for loud, quiet := range map[string]core.Rule{
		rules.FieldsOnCorrectTypeRule.Name: rules.FieldsOnCorrectTypeRuleWithoutSuggestions,
		rules.KnownArgumentNamesRule.Name:  rules.KnownArgumentNamesRuleWithoutSuggestions,
		rules.KnownTypeNamesRule.Name:      rules.KnownTypeNamesRuleWithoutSuggestions,
		rules.ScalarLeafsRule.Name:         rules.ScalarLeafsRuleWithoutSuggestions,
		rules.ValuesOfCorrectTypeRule.Name: rules.ValuesOfCorrectTypeRuleWithoutSuggestions,
	} {
		if !suggestions {
			set.RemoveRule(loud)
			set.AddRule(quiet.Name, quiet.RuleFunc)
		}
	}
	set.AddRule("NoDefer", noDefer)
	set.AddRule("Int32", int32Literals)
	set.AddRule("NotNull", notNull(operations))
	if !introspection {
		set.AddRule("NoIntrospection", noIntrospection)
	}
	return set
}

// noIntrospection closes __schema and __type; __typename stays open.
func noIntrospection(observers *core.Events, addError core.AddErrFunc) {
	observers.OnField(func(_ *core.Walker, field *ast.Field) {
		if field.Name == "__schema" || field.Name == "__type" {
			addError(core.Message("Introspection is switched off."), core.At(field.Position))
		}
	})
}

// noDefer refuses @defer, which the schema's library declares by itself: an answer here is one answer.
func noDefer(observers *core.Events, addError core.AddErrFunc) {
	observers.OnDirective(func(_ *core.Walker, d *ast.Directive) {
		if d.Name == "defer" {
			addError(core.Message(`Unknown directive "@defer".`), core.At(d.Position))
		}
	})
}

// int32Literals holds Int to 32 bits (GraphQL specification, section 3.5.1), which the library does not.
func int32Literals(observers *core.Events, addError core.AddErrFunc) {
	observers.OnValue(func(_ *core.Walker, v *ast.Value) {
		if v.Kind != ast.IntValue || v.Definition == nil || v.Definition.Name != "Int" {
			return
		}
		if _, err := strconv.ParseInt(v.Raw, 10, 32); err != nil {
			addError(core.Message("Int cannot represent a value beyond 32 bits."), core.At(v.Position))
		}
	})
}

// notNull notes the nullable variables that stand where null is not allowed: a default makes that valid, and an
// explicit null is then an error of the request (GraphQL specification, section 5.8.5).
func notNull(operations map[*ast.OperationDefinition]*operation) core.RuleFunc {
	return func(observers *core.Events, _ core.AddErrFunc) {
		observers.OnValue(func(w *core.Walker, v *ast.Value) {
			op := operations[w.CurrentOperation]
			if op == nil || v.Kind != ast.Variable || v.ExpectedType == nil || v.VariableDefinition == nil {
				return
			}
			if v.ExpectedType.NonNull && !v.VariableDefinition.Type.NonNull {
				op.notNull[v.Raw] = true
			}
		})
	}
}
