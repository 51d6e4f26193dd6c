package identity

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"golang.org/x/text/language"

	"github.com/dragoman-auth/dragoman/internal/strictjson"
)

const (
	maxName     = 200  // code points of a display name
	maxMetadata = 4096 // bytes of JSON (JW-11)

	// maxAppMetadata is the length in bytes of what an application keeps with an account. No token holds it.
	maxAppMetadata = 64 << 10

	// maxLocale is the length in bytes of a language tag that RFC 5646 section 4.4.1 expects every implementation to
	// take.
	maxLocale = 35
)

// Name reads the display name of a person, as Text does.
func Name(text string) (string, error) { return Text(text, maxName) }

// Locale reads a language tag (RFC 5646) and returns its canonical spelling: de-at becomes de-AT.
func Locale(text string) (string, error) {
	tag, err := language.Parse(text)
	if err != nil || len(text) > maxLocale || len(tag.String()) > maxLocale || tag == language.Und {
		return "", refuse("This is not the tag of a language, such as de or pt-BR.")
	}
	return tag.String(), nil
}

// Metadata converts metadata to the form that the database gives back: a token holds the same numbers before and after
// the row is read. The limit of 4 KiB counts for that form (JW-11). A number that this form rounds is an error (JW-16).
// Nil stays nil.
func Metadata(given map[string]any) (map[string]any, error) { return object(given, maxMetadata) }

// AppMetadata is Metadata for what no token holds: up to 64 KiB.
func AppMetadata(given map[string]any) (map[string]any, error) { return object(given, maxAppMetadata) }

func object(given map[string]any, most int) (map[string]any, error) {
	if given == nil {
		return nil, nil
	}
	if !exact(given) {
		return nil, refuse(strictjson.ExactMessage)
	}
	var kept map[string]any
	b, err := json.Marshal(given)
	if err == nil {
		err = json.Unmarshal(b, &kept)
	}
	if err == nil {
		b, err = json.Marshal(unsigned(kept))
	}
	if err != nil || len(b) > most {
		return nil, refuse(fmt.Sprintf("The metadata is longer than %d KiB as JSON.", most>>10))
	}
	return kept, nil
}

// exact reports whether float64 keeps every number of a value. The literals of a document are of int64 and float64, the
// variables of a request are json.Number, and the expressions of a dialect may make an int.
func exact(v any) bool {
	switch v := v.(type) {
	case json.Number:
		return strictjson.Exact(v.String())
	case int:
		return strictjson.Exact(strconv.Itoa(v))
	case int64:
		return strictjson.Exact(strconv.FormatInt(v, 10))
	case []any:
		return !slices.ContainsFunc(v, func(item any) bool { return !exact(item) })
	case map[string]any:
		for _, member := range v {
			if !exact(member) {
				return false
			}
		}
	}
	return true
}

// unsigned turns -0 into 0 everywhere, as Postgres does in jsonb.
func unsigned(v any) any {
	switch v := v.(type) {
	case float64:
		return v + 0
	case []any:
		for i := range v {
			v[i] = unsigned(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = unsigned(v[k])
		}
	}
	return v
}
