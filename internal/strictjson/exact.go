package strictjson

import (
	"strconv"
	"strings"
)

// Exact reports whether float64 keeps a number of JSON: the shortest text of the float64 has the same value (RFC 7493
// section 2.2). So 0.1, 1e3 and 9007199254740992 are kept. 9007199254740993, 0.12345678901234567890 and 1e-999 are not.
func Exact(number string) bool {
	f, err := strconv.ParseFloat(number, 64)
	return err == nil && decimalOf(number) == decimalOf(strconv.FormatFloat(f, 'e', -1, 64))
}

// decimal is a number without its sign: 0.digits times 10 to the power of exponent. The digits neither start nor end
// with 0. Zero has no digits and no exponent.
type decimal struct {
	digits   string
	exponent int
}

// decimalOf splits a number of JSON. An exponent beyond int is cut off: no float64 has one like it.
func decimalOf(number string) decimal {
	mantissa, power, _ := strings.Cut(strings.ToLower(strings.TrimPrefix(number, "-")), "e")
	whole, fraction, _ := strings.Cut(mantissa, ".")
	significant := strings.TrimLeft(whole+fraction, "0")
	if significant == "" {
		return decimal{}
	}
	exponent, _ := strconv.Atoi(power)
	exponent += len(significant) - len(fraction)
	return decimal{digits: strings.TrimRight(significant, "0"), exponent: exponent}
}
