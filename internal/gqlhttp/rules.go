package gqlhttp

import (
	"strconv"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator/core"
	"github.com/vektah/gqlparser/v2/validator/rules"
)

// ruleSet gives the rules of the GraphQL specification, section 5, and those of this server. Errors suggest names to
// the authors of stored documents alone: suggestions would leak the schema where introspection is off, and each one
// compares a name with every name of the schema.
func ruleSet(suggestions, introspection bool, operations map[*ast.OperationDefinition]*operation) *rules.Rules {
	set := rules.NewDefaultRules()
	for suggesting, silent := range map[string]core.Rule{
		rules.FieldsOnCorrectTypeRule.Name: rules.FieldsOnCorrectTypeRuleWithoutSuggestions,
		rules.KnownArgumentNamesRule.Name:  rules.KnownArgumentNamesRuleWithoutSuggestions,
		rules.KnownTypeNamesRule.Name:      rules.KnownTypeNamesRuleWithoutSuggestions,
		rules.ScalarLeafsRule.Name:         rules.ScalarLeafsRuleWithoutSuggestions,
		rules.ValuesOfCorrectTypeRule.Name: rules.ValuesOfCorrectTypeRuleWithoutSuggestions,
	} {
		if !suggestions {
			set.RemoveRule(suggesting)
			set.AddRule(silent.Name, silent.RuleFunc)
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

// noIntrospection refuses __schema and __type. __typename stays allowed.
func noIntrospection(observers *core.Events, addError core.AddErrFunc) {
	observers.OnField(func(_ *core.Walker, field *ast.Field) {
		if field.Name == "__schema" || field.Name == "__type" {
			addError(core.Message("Introspection is switched off."+
				" Whoever runs the server can set DRAGOMAN_INTROSPECTION=on."), core.At(field.Position))
		}
	})
}

const noDeferMessage = `Unknown directive "@defer": this server answers in one piece.`

// noDefer refuses @defer, which gqlparser declares in every schema: this server answers in one piece.
func noDefer(observers *core.Events, addError core.AddErrFunc) {
	observers.OnDirective(func(_ *core.Walker, d *ast.Directive) {
		if d.Name == "defer" {
			addError(core.Message(noDeferMessage), core.At(d.Position))
		}
	})
}

// int32Literals refuses literals of Int beyond 32 bits (GraphQL specification, section 3.5.1). gqlparser accepts them.
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

// notNull notes the nullable variables in places that do not allow null. A default makes them valid, and an explicit
// null is then an error of the request (GraphQL specification, section 5.8.5).
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
