// Package strictjson reads untrusted JSON. It rejects every text that two readers could understand differently (HT-11).
package strictjson

import (
	"bytes"
	stdjson "encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/dragoman-auth/dragoman/internal/fault"
)

// MaxDepth is the greatest nesting of objects and arrays.
const MaxDepth = 32

// The messages, for other packages with the same checks.
const (
	NULMessage    = "A string holds the character U+0000, which is not allowed."
	NumberMessage = "A number is too large."
	ExactMessage  = "A number has more digits than can be kept exactly. Give it as a string."
)

// Decode reads one JSON text into nil, bool, string, json.Number (which keeps every digit), []any and map[string]any.
//
// Duplicate names, invalid UTF-8, lone surrogates, trailing data and nesting beyond MaxDepth are a *SyntaxError, which
// is ErrNotStrict. A NUL in a string, which Postgres can not hold in a text, and a number beyond float64 are a
// *fault.Error BAD_USER_INPUT. Neither error quotes the text.
func Decode(text []byte) (any, error) {
	d := jsontext.NewDecoder(bytes.NewBuffer(text))
	value, err := readValue(d, 0)
	if err == nil {
		end := d.InputOffset()
		if _, more := d.ReadToken(); !errors.Is(more, io.EOF) {
			return nil, trailing(text, end)
		}
		return value, nil
	}
	if fault.From(err) != nil {
		return nil, err
	}
	return nil, syntaxError(text, d, err)
}

func readValue(d *jsontext.Decoder, depth int) (any, error) {
	token, err := d.ReadToken()
	if err != nil {
		return nil, err
	}
	switch token.Kind() {
	case '{':
		return readObject(d, depth+1)
	case '[':
		return readArray(d, depth+1)
	case '"':
		s := token.String()
		if f := checkNUL(s); f != nil {
			return nil, f
		}
		return s, nil
	case '0':
		s := token.String()
		if f := checkNumber(s); f != nil {
			return nil, f
		}
		return stdjson.Number(s), nil
	case 't', 'f':
		return token.Bool(), nil
	}
	return nil, nil
}

func readObject(d *jsontext.Decoder, depth int) (any, error) {
	if depth > MaxDepth {
		return nil, errTooDeep
	}
	object := map[string]any{}
	for d.PeekKind() != '}' {
		token, err := d.ReadToken()
		if err != nil {
			return nil, err
		}
		name := token.String()
		if f := checkNUL(name); f != nil {
			return nil, f
		}
		if object[name], err = readValue(d, depth); err != nil {
			return nil, err
		}
	}
	if _, err := d.ReadToken(); err != nil {
		return nil, err
	}
	return object, nil
}

func readArray(d *jsontext.Decoder, depth int) (any, error) {
	if depth > MaxDepth {
		return nil, errTooDeep
	}
	array := []any{}
	for d.PeekKind() != ']' {
		value, err := readValue(d, depth)
		if err != nil {
			return nil, err
		}
		array = append(array, value)
	}
	if _, err := d.ReadToken(); err != nil {
		return nil, err
	}
	return array, nil
}

func checkNUL(s string) *fault.Error {
	if strings.IndexByte(s, 0) >= 0 {
		return fault.New(fault.BadUserInput, NULMessage)
	}
	return nil
}

func checkNumber(s string) *fault.Error {
	if _, err := strconv.ParseFloat(s, 64); err != nil {
		return fault.New(fault.BadUserInput, NumberMessage)
	}
	return nil
}
