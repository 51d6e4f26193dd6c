package gqlhttp

import (
	"fmt"

	"github.com/vektah/gqlparser/v2/ast"

	"github.com/dragoman-auth/dragoman/internal/fault"
)

// size is the size of a selection, its fragments expanded at every spread. depth and inline are those of the longest
// path, the others are sums. No sum can overflow: a sum beyond its limit ends the measuring.
type size struct {
	fields, spreads, depth, aliases, directives, inline, meta int
}

// meter measures a document that is parsed but not validated: names may be unknown, and fragments may be missing or
// spread themselves. Each fragment is measured once, so the work is linear in the length of the text.
type meter struct {
	fragments map[string]*ast.FragmentDefinition
	sizes     map[*ast.FragmentDefinition]size
	open      map[*ast.FragmentDefinition]bool // being measured: a spread of one is a cycle
}

// measure refuses a document that is too large to validate. The limits hold for every operation and for every fragment,
// because validation also walks fragments that no operation uses.
func measure(doc *ast.QueryDocument) *fault.Error {
	if len(doc.Operations) > maxOperations {
		return tooMuch("operations", maxOperations)
	}
	m := meter{
		fragments: make(map[string]*ast.FragmentDefinition, len(doc.Fragments)),
		sizes:     make(map[*ast.FragmentDefinition]size, len(doc.Fragments)),
		open:      map[*ast.FragmentDefinition]bool{},
	}
	for _, f := range doc.Fragments {
		if m.fragments[f.Name] == nil {
			m.fragments[f.Name] = f
		}
	}
	for _, f := range doc.Fragments {
		if _, err := m.fragment(f); err != nil {
			return err
		}
		if err := m.written(f.SelectionSet); err != nil {
			return err
		}
	}
	for _, op := range doc.Operations {
		total, err := m.selection(op.SelectionSet)
		if err != nil {
			return err
		}
		total.directives += len(op.Directives)
		for _, v := range op.VariableDefinitions {
			total.directives += len(v.Directives)
		}
		if err := total.check(); err != nil {
			return err
		}
		if op.Operation == ast.Mutation && total.aliases > maxMutated {
			return tooMuch("aliases in a mutation", maxMutated)
		}
		if err := m.written(op.SelectionSet); err != nil {
			return err
		}
	}
	return nil
}

// fragment gives the size of a fragment.
func (m *meter) fragment(f *ast.FragmentDefinition) (size, *fault.Error) {
	if total, ok := m.sizes[f]; ok {
		return total, nil
	}
	if m.open[f] {
		return size{}, fault.New(fault.BadUserInput, "A fragment spreads itself.")
	}
	m.open[f] = true
	defer delete(m.open, f)
	total, err := m.selection(f.SelectionSet)
	if err != nil {
		return size{}, err
	}
	total.directives += len(f.Directives)
	if err := total.check(); err != nil {
		return size{}, err
	}
	m.sizes[f] = total
	return total, nil
}

func (m *meter) selection(set ast.SelectionSet) (size, *fault.Error) {
	var total size
	for _, selection := range set {
		one, err := m.one(selection)
		if err != nil {
			return size{}, err
		}
		total.add(one)
		if err := total.check(); err != nil {
			return size{}, err
		}
	}
	return total, nil
}

func (m *meter) one(selection ast.Selection) (size, *fault.Error) {
	var total size
	var err *fault.Error
	switch s := selection.(type) {
	case *ast.Field:
		total, err = m.selection(s.SelectionSet)
		total.fields++
		total.depth++
		total.directives += len(s.Directives)
		if s.Alias != s.Name {
			total.aliases++
		}
		if s.Name == "__schema" || s.Name == "__type" {
			total.meta++
		}
	case *ast.InlineFragment:
		total, err = m.selection(s.SelectionSet)
		total.inline++
		total.directives += len(s.Directives)
	case *ast.FragmentSpread:
		if f := m.fragments[s.Name]; f != nil {
			total, err = m.fragment(f)
		}
		total.spreads++
		total.directives += len(s.Directives)
	}
	return total, err
}

func (s *size) add(o size) {
	s.fields += o.fields
	s.spreads += o.spreads
	s.aliases += o.aliases
	s.directives += o.directives
	s.meta += o.meta
	s.depth = max(s.depth, o.depth)
	s.inline = max(s.inline, o.inline)
}

func (s *size) check() *fault.Error {
	switch {
	case s.fields > maxExpanded:
		return tooMuch("fields in an operation with its fragments expanded", maxExpanded)
	case s.depth > maxDepth:
		return tooMuch("levels of fields", maxDepth)
	case s.spreads > maxSpreads:
		return tooMuch("fragment spreads in an operation", maxSpreads)
	case s.aliases > maxAliases:
		return tooMuch("aliases in an operation", maxAliases)
	case s.directives > maxDirectives:
		return tooMuch("directives in an operation", maxDirectives)
	case s.inline > maxInlineDepth:
		return tooMuch("levels of inline fragments", maxInlineDepth)
	case s.meta > maxMeta:
		return tooMuch("fields __schema and __type in an operation", maxMeta)
	}
	return nil
}

// written refuses a selection of more than maxWritten fields, each fragment counted once.
func (m *meter) written(set ast.SelectionSet) *fault.Error {
	count := 0
	seen := map[string]bool{}
	var walk func(ast.SelectionSet)
	walk = func(set ast.SelectionSet) {
		for _, selection := range set {
			switch s := selection.(type) {
			case *ast.Field:
				count++
				walk(s.SelectionSet)
			case *ast.InlineFragment:
				walk(s.SelectionSet)
			case *ast.FragmentSpread:
				if f := m.fragments[s.Name]; f != nil && !seen[s.Name] {
					seen[s.Name] = true
					walk(f.SelectionSet)
				}
			}
		}
	}
	walk(set)
	if count > maxWritten {
		return tooMuch("fields written in an operation", maxWritten)
	}
	return nil
}

func tooMuch(what string, limit int) *fault.Error {
	return fault.New(fault.BadUserInput, fmt.Sprintf("The document has too many %s: the limit is %d.", what, limit))
}
