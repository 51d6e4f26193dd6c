package gqlhttp

import (
	"strconv"
	"strings"
	"unicode/utf16"

	"github.com/vektah/gqlparser/v2/ast"

	"github.com/dragoman-auth/dragoman/internal/fault"
	"github.com/dragoman-auth/dragoman/internal/strictjson"
)

// literalCheck walks the values in the text of a document, before validation does.
type literalCheck struct {
	strings bool // whether any value is a string
}

func (c *literalCheck) document(doc *ast.QueryDocument) *fault.Error {
	for _, op := range doc.Operations {
		for _, v := range op.VariableDefinitions {
			if err := c.value(v.DefaultValue, 0); err != nil {
				return err
			}
			if err := c.directives(v.Directives); err != nil {
				return err
			}
		}
		if err := c.directives(op.Directives); err != nil {
			return err
		}
		if err := c.selection(op.SelectionSet); err != nil {
			return err
		}
	}
	for _, f := range doc.Fragments {
		if err := c.directives(f.Directives); err != nil {
			return err
		}
		if err := c.selection(f.SelectionSet); err != nil {
			return err
		}
	}
	return nil
}

func (c *literalCheck) selection(set ast.SelectionSet) *fault.Error {
	for _, selection := range set {
		var err *fault.Error
		switch s := selection.(type) {
		case *ast.Field:
			if err = c.arguments(s.Arguments); err == nil {
				err = c.within(s.Directives, s.SelectionSet)
			}
		case *ast.InlineFragment:
			err = c.within(s.Directives, s.SelectionSet)
		case *ast.FragmentSpread:
			err = c.directives(s.Directives)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *literalCheck) within(directives ast.DirectiveList, set ast.SelectionSet) *fault.Error {
	if err := c.directives(directives); err != nil {
		return err
	}
	return c.selection(set)
}

func (c *literalCheck) directives(list ast.DirectiveList) *fault.Error {
	for _, d := range list {
		if err := c.arguments(d.Arguments); err != nil {
			return err
		}
	}
	return nil
}

func (c *literalCheck) arguments(list ast.ArgumentList) *fault.Error {
	for _, a := range list {
		if err := c.value(a.Value, 0); err != nil {
			return err
		}
	}
	return nil
}

// value refuses NUL, which Postgres cannot store in text; numbers that overflow int64 and float64; decimals that
// float64 rounds, because nothing behind the parser sees their digits (JW-16); and values nested deeper than
// maxValueDepth, because validation is quadratic in the depth.
func (c *literalCheck) value(v *ast.Value, depth int) *fault.Error {
	if v == nil {
		return nil
	}
	if depth > maxValueDepth {
		return tooMuch("levels of values", maxValueDepth)
	}
	switch v.Kind {
	case ast.StringValue, ast.BlockValue:
		c.strings = true
		if strings.ContainsRune(v.Raw, 0) {
			return fault.New(fault.BadUserInput, strictjson.NULMessage)
		}
	case ast.IntValue:
		if _, err := strconv.ParseInt(v.Raw, 10, 64); err != nil {
			return fault.New(fault.BadUserInput, strictjson.NumberMessage)
		}
	case ast.FloatValue:
		if _, err := strconv.ParseFloat(v.Raw, 64); err != nil {
			return fault.New(fault.BadUserInput, strictjson.NumberMessage)
		}
		if !strictjson.Exact(v.Raw) {
			return fault.New(fault.BadUserInput, strictjson.ExactMessage)
		}
	}
	for _, child := range v.Children {
		if err := c.value(child.Value, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// loneSurrogate tells whether the text of a document escapes half of a surrogate pair. The parser would replace it by
// U+FFFD, but it is a syntax error (GraphQL specification, section 2.9.4).
func loneSurrogate(text string) bool {
	for {
		i := strings.IndexByte(text, '\\')
		if i < 0 {
			return false
		}
		text = text[i:]
		if r, ok := escaped(text); ok && utf16.IsSurrogate(r) {
			second, _ := escaped(text[6:])
			if utf16.DecodeRune(r, second) == '\uFFFD' {
				return true
			}
			text = text[12:]
			continue
		}
		text = text[min(2, len(text)):]
	}
}

// escaped reads an escape \uXXXX at the start of text.
func escaped(text string) (rune, bool) {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(text[2:6], 16, 16)
	return rune(n), err == nil
}
