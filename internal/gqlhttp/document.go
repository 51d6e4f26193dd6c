package gqlhttp

import (
	"fmt"
	"iter"
	"strings"
	"unicode/utf8"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/parser"
	"github.com/vektah/gqlparser/v2/validator"

	"github.com/dragoman-auth/dragoman/internal/fault"
)

// Document is a parsed and validated document. It never changes, so requests share it without a lock.
type Document struct {
	syntax     *ast.QueryDocument
	operations []*operation
}

// operation is one operation of a document, with everything that holds for all requests.
type operation struct {
	definition  *ast.OperationDefinition
	credentials []Credential    // the @credential fields, once for each selection of one
	notNull     map[string]bool // nullable variables in places that do not allow null
}

// document parses and validates a document from outside, or takes it from the cache.
func (h *Handler) document(text string) (*Document, gqlerror.List) {
	if doc, ok := h.documents.Get(text); ok {
		return doc, nil
	}
	if !utf8.ValidString(text) || loneSurrogate(text) {
		return nil, refuse("The document has a character that is not valid Unicode, or half of a surrogate pair.")
	}
	syntax, err := parser.ParseQueryWithTokenLimit(&ast.Source{Input: text}, maxTokens)
	if err != nil {
		return nil, syntaxErrors(text, err)
	}
	if len(syntax.Operations) == 0 {
		return nil, refuse("The document has no operation: write a query or a mutation, for example " +
			"{ serverInfo { version } }.")
	}
	if f := measure(syntax); f != nil {
		return nil, presented(f)
	}
	literals := &literalCheck{}
	if f := literals.document(syntax); f != nil {
		return nil, presented(f)
	}
	doc, errs := h.validate(syntax, false)
	if len(errs) > 0 {
		return nil, h.explain(syntax, errs)
	}
	if len(text) <= maxCachedText && !(literals.strings && doc.checksSecret()) {
		// text may point into a larger buffer, which the key would keep alive.
		h.documents.Add(strings.Clone(text), doc)
	}
	return doc, nil
}

// validate applies the rules of the schema and surveys each operation. A stored document comes from the operator: it
// may use introspection, and its errors suggest names.
func (h *Handler) validate(syntax *ast.QueryDocument, stored bool) (*Document, gqlerror.List) {
	doc := &Document{syntax: syntax}
	byDefinition := map[*ast.OperationDefinition]*operation{}
	for _, def := range syntax.Operations {
		op := &operation{definition: def, notNull: map[string]bool{}}
		byDefinition[def] = op
		doc.operations = append(doc.operations, op)
	}
	errs := validator.ValidateWithRules(h.schema.Schema(), syntax,
		ruleSet(stored, stored || h.introspection, byDefinition))
	if len(errs) > 0 {
		return nil, errs
	}
	for _, op := range doc.operations {
		op.survey(op.definition.SelectionSet)
	}
	return doc, nil
}

// survey notes the @credential fields of a validated selection.
func (op *operation) survey(set ast.SelectionSet) {
	for field := range everyField(set) {
		if c, is := credentialOf(field.Definition); is {
			op.credentials = append(op.credentials, c)
		}
	}
}

// everyField walks all fields of a validated selection, through its fragments.
func everyField(set ast.SelectionSet) iter.Seq[*ast.Field] {
	return func(yield func(*ast.Field) bool) { walkFields(set, yield) }
}

func walkFields(set ast.SelectionSet, yield func(*ast.Field) bool) bool {
	for _, selection := range set {
		var below ast.SelectionSet
		switch s := selection.(type) {
		case *ast.Field:
			if !yield(s) {
				return false
			}
			below = s.SelectionSet
		case *ast.InlineFragment:
			below = s.SelectionSet
		case *ast.FragmentSpread:
			below = s.Definition.SelectionSet
		}
		if !walkFields(below, yield) {
			return false
		}
	}
	return true
}

// checksSecret tells whether any operation of the document has a @credential field.
func (d *Document) checksSecret() bool {
	for _, op := range d.operations {
		if len(op.credentials) > 0 {
			return true
		}
	}
	return false
}

// operation selects an operation by name. The name may be "" if the document has only one (GraphQL specification,
// section 6.1).
func (d *Document) operation(name string) (*operation, *fault.Error) {
	if name == "" && len(d.operations) == 1 {
		return d.operations[0], nil
	}
	names := make([]string, 0, len(d.operations))
	for _, op := range d.operations {
		if op.definition.Name == name {
			return op, nil
		}
		names = append(names, op.definition.Name)
	}
	switch {
	case name == "":
		return nil, fault.New(fault.BadUserInput, fmt.Sprintf(
			"The document has %d operations: say in operationName which one to run. It has %s.", len(names),
			clip(listed(names))))
	case names[0] == "":
		return nil, fault.New(fault.BadUserInput,
			"operationName names an operation, and the one of the document has no name: leave operationName out.")
	}
	return nil, fault.New(fault.BadUserInput,
		"The document has no operation of the name in operationName. It has "+clip(listed(names))+".")
}
