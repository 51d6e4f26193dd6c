package gqlhttp

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

var errNotJSON = errors.New("not strict JSON")

// decodeJSON reads one JSON text (RFC 8259) into maps, slices, strings, booleans and json.Number, which keeps every
// digit. Duplicate names, invalid UTF-8, lone surrogates, trailing data and nesting beyond maxJSONDepth are
// errNotJSON, which says nothing about the text. A NUL in a string and a number beyond float64 are refusals.
func decodeJSON(text []byte) (any, error) {
	d := jsontext.NewDecoder(bytes.NewBuffer(text))
	value, err := readValue(d, 0)
	if err != nil {
		return nil, err
	}
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, errNotJSON
	}
	return value, nil
}

func readValue(d *jsontext.Decoder, depth int) (any, error) {
	token, err := d.ReadToken()
	if err != nil {
		return nil, errNotJSON
	}
	switch token.Kind() {
	case '{':
		return readObject(d, depth+1)
	case '[':
		return readArray(d, depth+1)
	case '"':
		return checkString(token.String())
	case '0':
		return checkNumber(token.String())
	case 't', 'f':
		return token.Bool(), nil
	}
	return nil, nil
}

func readObject(d *jsontext.Decoder, depth int) (any, error) {
	if depth > maxJSONDepth {
		return nil, errNotJSON
	}
	object := map[string]any{}
	for d.PeekKind() != '}' {
		token, err := d.ReadToken()
		if err != nil {
			return nil, errNotJSON
		}
		name, err := checkString(token.String())
		if err != nil {
			return nil, err
		}
		if object[name], err = readValue(d, depth); err != nil {
			return nil, err
		}
	}
	_, err := d.ReadToken()
	return object, err
}

func readArray(d *jsontext.Decoder, depth int) (any, error) {
	if depth > maxJSONDepth {
		return nil, errNotJSON
	}
	array := []any{}
	for d.PeekKind() != ']' {
		value, err := readValue(d, depth)
		if err != nil {
			return nil, err
		}
		array = append(array, value)
	}
	_, err := d.ReadToken()
	return array, err
}

// checkString refuses NUL, which Postgres cannot hold in a text.
func checkString(s string) (string, error) {
	if strings.ContainsRune(s, 0) {
		return "", fault.New(fault.BadUserInput, nulMessage)
	}
	return s, nil
}

func checkNumber(s string) (any, error) {
	if _, err := strconv.ParseFloat(s, 64); err != nil {
		return nil, fault.New(fault.BadUserInput, numberMessage)
	}
	return stdjson.Number(s), nil
}
