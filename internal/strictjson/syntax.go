package strictjson

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// ErrNotStrict means that a text is not JSON (RFC 8259), or that readers could understand it differently.
var ErrNotStrict = errors.New("not strict JSON")

var errTooDeep = errors.New("too deep")

// SyntaxError is an ErrNotStrict, and says where the text is wrong and how. It quotes nothing of the text.
type SyntaxError struct {
	Line, Column int    // in characters, from 1; 0 where the whole text is wrong
	Reason       string // a clause without a full stop
}

// Error implements error. It is a sentence without a subject: "is not JSON at line 1, column 2: …".
func (e *SyntaxError) Error() string {
	if e.Line == 0 {
		return e.Reason + "."
	}
	return fmt.Sprintf("is not JSON at line %d, column %d: %s.", e.Line, e.Column, e.Reason)
}

// Unwrap makes the error an ErrNotStrict.
func (*SyntaxError) Unwrap() error { return ErrNotStrict }

func at(text []byte, offset int64, reason string) *SyntaxError {
	before := text[:min(max(offset, 0), int64(len(text)))]
	line := 1 + bytes.Count(before, []byte("\n"))
	column := 1 + utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:])
	return &SyntaxError{Line: line, Column: column, Reason: reason}
}

// syntaxError explains an error of the decoder.
func syntaxError(text []byte, d *jsontext.Decoder, err error) *SyntaxError {
	rest := bytes.TrimLeft(text, " \t\r\n")
	syntactic, located := errors.AsType[*jsontext.SyntacticError](err)
	switch {
	case len(rest) == 0:
		return &SyntaxError{Reason: "is empty"}
	case bytes.HasPrefix(text, []byte("\ufeff")):
		return &SyntaxError{Reason: "begins with a byte order mark (U+FEFF), which JSON does not have: send UTF-8 " +
			"without it"}
	case errors.Is(err, errTooDeep):
		return at(text, d.InputOffset(), fmt.Sprintf("objects and arrays are nested deeper than %d levels", MaxDepth))
	case errors.Is(err, io.ErrUnexpectedEOF) || !located:
		return at(text, int64(len(text)), "it ends here, and a string, an object or an array is still open")
	case errors.Is(err, jsontext.ErrDuplicateName):
		return at(text, syntactic.ByteOffset, "an object has this name twice")
	}
	return at(text, syntactic.ByteOffset, hint(text, syntactic.ByteOffset))
}

// hint says what is usually meant by the characters at an offset.
func hint(text []byte, offset int64) string {
	rest := text[min(offset, int64(len(text))):]
	next := bytes.TrimLeft(bytes.TrimPrefix(rest, []byte(",")), " \t\r\n")
	r, size := utf8.DecodeRune(rest)
	switch {
	case r == utf8.RuneError && size <= 1:
		return "a character is not valid UTF-8"
	case r == '\'':
		return "strings and names stand in double quotes"
	case r == '/' || r == '#':
		return "JSON has no comments"
	case r == ',' && len(next) > 0 && (next[0] == '}' || next[0] == ']'):
		return "a comma stands before the closing bracket"
	case r == '\\':
		return "this escape stands for no character"
	case r < ' ':
		return "a string holds a line break or control character that is not escaped"
	case r == '_' || r == '$' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z':
		return "a name or string has no double quotes, or is none of true, false and null"
	}
	return "this character is not expected here; a comma, a colon or a bracket may be missing before it"
}

// trailing is the error of a text that goes on behind its value.
func trailing(text []byte, offset int64) *SyntaxError {
	rest := bytes.TrimLeft(text[min(offset, int64(len(text))):], " \t\r\n")
	return at(text, int64(len(text)-len(rest)), "the value ends before, and nothing may follow it")
}
