package strictjson

import (
	stdjson "encoding/json"
	"math/big"
	"strconv"
	"strings"
	"testing"
)

// JW-16: which numbers a float64 keeps.
func TestJW16_Exact(t *testing.T) {
	t.Parallel()
	for _, kept := range []string{
		"0", "-0", "0.0", "0e999999999999999999999", "1", "-1", "1.0", "100", "1e2", "1E+2", "10e1", "0.1",
		"0.10", "-2.5e-3",
		"9007199254740991", "9007199254740992", "9007199254740994", "1e20", "1e300", "1.7976931348623157e308", "5e-324",
		"0.30000000000000004", "1" + strings.Repeat("0", 300), "0." + strings.Repeat("0", 300) + "1",
		"1" + strings.Repeat("0", 400) + "e-400", "3.0000000000000000000000000000",
	} {
		if !Exact(kept) {
			t.Errorf("%.50s is kept", kept)
		}
	}
	for _, rounded := range []string{
		"9007199254740993", "-9007199254740993", "1152921504606846976", "9223372036854775807",
		"123456789012345678901234567890",
		"0.12345678901234567890", "0.1000000000000000055511151231257827", "1e-999", "1e999", "-1e999",
		"1e-99999999999999999999999", "1e99999999999999999999999", "2.4703282292062327e-324",
		"1" + strings.Repeat("0", 300) + "1",
	} {
		if Exact(rounded) {
			t.Errorf("%.50s is rounded", rounded)
		}
	}
}

// FuzzExact compares with fractions of any size.
func FuzzExact(f *testing.F) {
	for _, seed := range []string{"0", "1.50", "9007199254740993", "-1e-7", "0.1", "123e-5"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 60 || !stdjson.Valid([]byte(text)) || strings.Trim(text, "+-.0123456789Ee") != "" {
			return
		}
		if _, power, found := strings.Cut(strings.ToLower(text), "e"); found && len(power) > 4 {
			return // a fraction would be huge
		}
		given, ok := new(big.Rat).SetString(text)
		number, err := strconv.ParseFloat(text, 64)
		if !ok || err != nil {
			return
		}
		kept, _ := new(big.Rat).SetString(strconv.FormatFloat(number, 'g', -1, 64))
		if Exact(text) != (given.Cmp(kept) == 0) {
			t.Errorf("%s: %t", text, Exact(text))
		}
	})
}
