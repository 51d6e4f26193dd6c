package strictjson

import (
	stdjson "encoding/json"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/dragoman-auth/dragoman/internal/fault"
)

// Check applies the rules of Decode to a value of this process, without copying it.
//
// known means that the value has only the types of Decode, int and float64. Any other value must be encoded to learn
// its JSON. The error is a *fault.Error BAD_USER_INPUT, also for invalid UTF-8 and for nesting beyond MaxDepth. It does
// not quote the value.
func Check(value any) (known bool, err error) {
	known = true
	if f := check(value, 0, &known); f != nil {
		return known, f
	}
	return known, nil
}

// check continues after an unknown value, so that the error does not depend on the order of a map.
func check(value any, depth int, known *bool) *fault.Error {
	switch v := value.(type) {
	case nil, bool, int:
	case string:
		return checkText(v)
	case stdjson.Number:
		return checkDigits(v, known)
	case float64:
		*known = *known && !math.IsNaN(v) && !math.IsInf(v, 0)
	case []any:
		if depth == MaxDepth {
			return tooDeep()
		}
		for _, item := range v {
			if f := check(item, depth+1, known); f != nil {
				return f
			}
		}
	case map[string]any:
		if depth == MaxDepth {
			return tooDeep()
		}
		for name, member := range v {
			if f := checkText(name); f != nil {
				return f
			}
			if f := check(member, depth+1, known); f != nil {
				return f
			}
		}
	default:
		*known = false
	}
	return nil
}

func tooDeep() *fault.Error {
	return fault.New(fault.BadUserInput, fmt.Sprintf("A value has too many levels: the limit is %d.", MaxDepth))
}

func checkText(s string) *fault.Error {
	if !utf8.ValidString(s) {
		return fault.New(fault.BadUserInput, "A string is not valid UTF-8.")
	}
	return checkNUL(s)
}

// checkDigits treats a malformed number as unknown: encoding it reports the error.
func checkDigits(n stdjson.Number, known *bool) *fault.Error {
	if !jsontext.Value(n).IsValid() || strings.Trim(string(n), "+-.0123456789Ee") != "" {
		*known = false
		return nil
	}
	return checkNumber(string(n))
}
