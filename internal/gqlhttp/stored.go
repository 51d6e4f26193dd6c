package gqlhttp

import (
	"errors"
	"fmt"
	"slices"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/parser"

	"github.com/dragoman-auth/dragoman/internal/fault"
)

// DocumentError is one mistake in a stored document.
type DocumentError struct {
	Line, Column int // in the text of the document, from 1
	Message      string
}

func (e *DocumentError) Error() string { return fmt.Sprintf("%d:%d: %s", e.Line, e.Column, e.Message) }

// Document prepares a stored document: one operation, a query or a mutation of one field. The limits of documents from
// outside do not hold for it. It must select the userErrors of every payload, because a refusal would look like a
// success otherwise. It asks for the challenge of a sign-in by itself, see TakeChallenge.
//
// The error joins a *DocumentError for every mistake; errors.As finds the first.
func (h *Handler) Document(text string) (*Document, error) {
	syntax, err := parser.ParseQuery(&ast.Source{Input: text})
	if found, ok := errors.AsType[*gqlerror.Error](err); ok {
		return nil, documentErrors(gqlerror.List{found})
	}
	if err != nil {
		return nil, fmt.Errorf("gqlhttp: %w", err)
	}
	if err := oneOperation(syntax); err != nil {
		return nil, fmt.Errorf("gqlhttp: %w", err)
	}
	if err := askForChallenge(h.schema.Schema(), syntax); err != nil {
		return nil, fmt.Errorf("gqlhttp: %w", err)
	}
	doc, errs := h.validate(syntax, true)
	if len(errs) > 0 {
		return nil, documentErrors(errs)
	}
	if err := checkRoot(h.schema.Schema(), doc.operations[0]); err != nil {
		return nil, fmt.Errorf("gqlhttp: %w", err)
	}
	return doc, nil
}

func documentErrors(errs gqlerror.List) error {
	list := make([]error, len(errs))
	for i, e := range errs {
		one := &DocumentError{Line: 1, Column: 1, Message: e.Message}
		if len(e.Locations) > 0 {
			one.Line, one.Column = e.Locations[0].Line, e.Locations[0].Column
		}
		list[i] = one
	}
	return fmt.Errorf("gqlhttp: %w", errors.Join(list...))
}

func oneOperation(syntax *ast.QueryDocument) error {
	switch len(syntax.Operations) {
	case 1:
		if op := syntax.Operations[0]; op.Operation == ast.Subscription {
			return wrong(op.Position, "A stored document can not be a subscription: it is answered once.")
		}
		return nil
	case 0:
		return &DocumentError{Line: 1, Column: 1, Message: "A stored document holds one operation, and this one none."}
	}
	return wrong(syntax.Operations[1].Position, "A stored document holds one operation: this is the second.")
}

// checkRoot checks the root fields of a validated operation: a mutation has one, and every payload is asked for its
// userErrors.
func checkRoot(schema *ast.Schema, op *operation) error {
	fields := rootFields(op.definition.SelectionSet)
	if op.definition.Operation == ast.Mutation && len(fields) > 1 {
		return wrong(fields[1].Position,
			"A stored mutation has one field: where several things change, that field changes them.")
	}
	payload := schema.PossibleTypes["Payload"]
	for _, field := range fields {
		if !slices.Contains(payload, schema.Types[field.Definition.Type.Name()]) {
			continue
		}
		if !asksFor(field, "code") || !asksFor(field, "message") {
			return wrong(field.Position, fmt.Sprintf("Ask %s for userErrors { code message }, under these names and "+
				"unconditionally: a refusal would pass for a success.", field.Name))
		}
		if slices.Contains(refusesOf(field.Definition), fault.AccountLocked) && !asksFor(field, "retryAfterSeconds") {
			return wrong(field.Position, fmt.Sprintf("Ask %s for userErrors { retryAfterSeconds } too: it can end "+
				"with ACCOUNT_LOCKED, and callers would not learn for how long.", field.Name))
		}
	}
	return nil
}

// asksFor tells whether the field is asked for this member of its userErrors, unconditionally and unrenamed.
func asksFor(field *ast.Field, member string) bool {
	var below ast.SelectionSet
	for _, userErrors := range unconditional(field.SelectionSet, "userErrors") {
		below = append(below, userErrors.SelectionSet...)
	}
	return len(unconditional(below, member)) > 0
}

// unconditional finds the fields of a name that have no alias, and that no @skip or @include can leave out.
func unconditional(set ast.SelectionSet, name string) (fields []*ast.Field) {
	for _, selection := range set {
		switch s := selection.(type) {
		case *ast.Field:
			if s.Name == name && s.Alias == name && len(s.Directives) == 0 {
				fields = append(fields, s)
			}
		case *ast.InlineFragment:
			if len(s.Directives) == 0 {
				fields = append(fields, unconditional(s.SelectionSet, name)...)
			}
		case *ast.FragmentSpread:
			if len(s.Directives) == 0 {
				fields = append(fields, unconditional(s.Definition.SelectionSet, name)...)
			}
		}
	}
	return fields
}

func wrong(at *ast.Position, message string) *DocumentError {
	return &DocumentError{Line: at.Line, Column: at.Column, Message: message}
}

// rootFields gives the fields of a selection in order, through fragments. A repeated field is repeated.
func rootFields(set ast.SelectionSet) (fields []*ast.Field) {
	for _, selection := range set {
		switch s := selection.(type) {
		case *ast.Field:
			fields = append(fields, s)
		case *ast.InlineFragment:
			fields = append(fields, rootFields(s.SelectionSet)...)
		case *ast.FragmentSpread:
			fields = append(fields, rootFields(s.Definition.SelectionSet)...)
		}
	}
	return fields
}

// Mutates tells whether the document is a mutation.
func (d *Document) Mutates() bool { return d.operations[0].definition.Operation == ast.Mutation }

// Variables gives the names of the declared variables, in the order of the document.
func (d *Document) Variables() []string {
	var names []string
	for _, v := range d.operations[0].definition.VariableDefinitions {
		names = append(names, v.Variable)
	}
	return names
}

// Requires tells whether the document runs only with this variable: it is not null and has no default.
func (d *Document) Requires(variable string) bool {
	v := d.operations[0].definition.VariableDefinitions.ForName(variable)
	return v != nil && v.Type.NonNull && v.DefaultValue == nil
}
