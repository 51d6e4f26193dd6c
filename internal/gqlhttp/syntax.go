package gqlhttp

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/lexer"
)

// syntaxErrors says where the syntax of a document is wrong, what was found there and what is expected. The message of
// the parser quotes strings of the document, so it is read and not shown.
func syntaxErrors(text string, err error) gqlerror.List {
	found, ok := errors.AsType[*gqlerror.Error](err)
	switch {
	case ok && strings.HasPrefix(found.Message, "exceeded token limit"):
		return presented(tooMuch("tokens", maxTokens))
	case !ok || len(found.Locations) == 0:
		return refuse("Syntax error: the document is not valid GraphQL.")
	}
	at := found.Locations[0]
	list := refuse(fmt.Sprintf("Syntax error in line %d, column %d: %s.", at.Line, at.Column,
		syntaxReason(text, found)))
	list[0].Locations = found.Locations
	return list
}

var (
	expectedFound = regexp.MustCompile(`(?i)^expected (.+), found (\S+)`)
	unexpected    = regexp.MustCompile(`^Unexpected (\S+)`)
)

// syntaxReason says what is wrong at the place of a syntax error.
func syntaxReason(text string, e *gqlerror.Error) string {
	before := readUntil(text, e.Locations[0])
	if before.broken != "" {
		return lexicalReason(before.broken)
	}
	if m := expectedFound.FindStringSubmatch(e.Message); m != nil {
		if m[2] == lexer.EOF.String() && len(before.open) > 0 {
			return before.unclosed()
		}
		return "expected " + before.expected(m[1]) + ", found " + tokenName(m[2])
	}
	if m := unexpected.FindStringSubmatch(e.Message); m != nil && m[1] != "single" {
		switch {
		case m[1] == lexer.EOF.String() && len(before.open) > 0:
			return before.unclosed()
		case len(before.open) == 0 && m[1] == lexer.BraceR.String():
			return "this } closes nothing"
		case len(before.open) == 0 && before.last.Kind != lexer.Equals:
			return "expected query, mutation, fragment or {, found " + tokenName(m[1])
		case m[1] == lexer.Dollar.String():
			return "expected a value, found a variable, which may not stand here"
		case before.last.Kind == lexer.Spread:
			return `expected the name of a fragment, found "on"`
		}
		if in := len(before.open); in > 0 && before.open[in-1].Kind == lexer.BracketL {
			return "expected a value or ], found " + tokenName(m[1])
		}
		return "expected a value, found " + tokenName(m[1])
	}
	return lexicalReason(e.Message)
}

// lexicalReason puts the messages of the lexer into words without the text that they quote.
func lexicalReason(message string) string {
	switch {
	case strings.HasPrefix(message, "Unexpected single quote"):
		return `a string stands in double quotes ("), found a single one`
	case strings.HasPrefix(message, "Unterminated string"):
		return "a string is not closed: a quotation mark is missing"
	case strings.HasPrefix(message, "Invalid number"):
		return "a number is malformed"
	case strings.HasPrefix(message, "Invalid character escape"):
		return "an escape in a string stands for no character; write a backslash twice"
	case strings.HasPrefix(message, "Invalid character within"):
		return "a string holds a control character; write it as an escape"
	case strings.HasPrefix(message, "exceeded maximum nesting"):
		return "brackets are nested too deeply"
	}
	return "this character has no meaning in GraphQL"
}

// tokens is what stands before a place in a document.
type tokens struct {
	open   []lexer.Token // the brackets that are not closed
	last   lexer.Token
	broken string // what the lexer says of the text at the place, "" where it reads a token
}

// readUntil reads the tokens before a place.
func readUntil(text string, place gqlerror.Location) (before tokens) {
	l := lexer.New(&ast.Source{Input: text})
	for {
		t, err := l.ReadToken()
		if broken, ok := errors.AsType[*gqlerror.Error](err); ok {
			before.broken = broken.Message
			return before
		}
		if t.Kind == lexer.EOF || t.Pos.Line > place.Line ||
			t.Pos.Line == place.Line && t.Pos.Column >= place.Column {
			return before
		}
		switch t.Kind {
		case lexer.BraceL, lexer.ParenL, lexer.BracketL:
			before.open = append(before.open, t)
		case lexer.BraceR, lexer.ParenR, lexer.BracketR:
			before.open = before.open[:max(0, len(before.open)-1)]
		case lexer.Comment:
			continue
		default:
		}
		before.last = t
	}
}

func (t tokens) unclosed() string {
	last := t.open[len(t.open)-1]
	return fmt.Sprintf("the document ends, and the %s of line %d, column %d is not closed", last.Kind, last.Pos.Line,
		last.Pos.Column)
}

// expected names what the parser expects. Inside of brackets a name is one choice of two: they may be closed too.
func (t tokens) expected(kind string) string {
	if kind == "at least one definition" {
		kind = lexer.Name.String()
	}
	if t.last.Kind == lexer.Name && t.last.Value == "on" {
		return "the name of a type"
	}
	if kind != lexer.Name.String() || len(t.open) == 0 || t.last.Kind == lexer.At || t.last.Kind == lexer.Dollar ||
		t.last.Kind == lexer.Spread || t.last.Kind == lexer.Colon {
		return tokenName(kind)
	}
	last := t.open[len(t.open)-1]
	if last == t.last { // empty brackets say nothing
		return tokenName(kind)
	}
	closing := map[lexer.Type]string{lexer.BraceL: "}", lexer.ParenL: ")", lexer.BracketL: "]"}
	return "a name or " + closing[last.Kind]
}

// tokenName puts a token of the parser into words. No token is quoted but punctuation and keywords.
func tokenName(kind string) string {
	switch kind {
	case lexer.EOF.String():
		return "the end of the document"
	case lexer.Name.String():
		return "a name"
	case lexer.Dollar.String():
		return "a variable such as $id"
	case lexer.Int.String(), lexer.Float.String():
		return "a number"
	case lexer.String.String(), lexer.BlockString.String():
		return "a string"
	case lexer.Invalid.String():
		return "a character that has no meaning in GraphQL"
	}
	return strings.Trim(kind, `"`)
}
