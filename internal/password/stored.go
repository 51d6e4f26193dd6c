package password

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// The bounds of the parts of a stored hash, whatever its format.
const (
	maxStored = 1024 // bytes of the text
	maxSalt   = 128  // bytes
	minSum    = 16   // bytes
	maxSum    = 512  // bytes
)

// stored is a parsed password hash, of ours or of another system.
type stored struct {
	kind   string // algorithm and cost; hashes of one kind take the same time
	sum    []byte // what derive returns for the right password
	typed  bool   // whether the password is derived as it was typed; a hash of ours takes its NFC first
	derive func(password []byte) []byte
	format func(sum []byte) string // the one text that is stored, with any sum
}

// spellings returns what is derived for a typed password. Systems before us hashed it as it was typed, and we its NFC.
// Both write argon2id in the same form, so that a password that is not in NFC is tried in both.
func (h stored) spellings(password string) [][]byte {
	normal := norm.NFC.String(password)
	switch {
	case h.typed:
		return [][]byte{[]byte(password)}
	case normal == password:
		return [][]byte{[]byte(normal)}
	}
	return [][]byte{[]byte(normal), []byte(password)}
}

// String returns the text that is stored.
func (h stored) String() string { return h.format(h.sum) }

// dummy returns a hash of the same kind that no password has.
func (h stored) dummy() stored {
	zero := byte(0)
	if slices.Contains(textSums, h.algorithm()) {
		zero = '.'
	}
	h.sum = slices.Repeat([]byte{zero}, len(h.sum))
	return h
}

// textSums are the algorithms whose sum is compared as text.
var textSums = []string{"bcrypt", "bcrypt-sha256", "bcrypt-wordpress", "sha256-crypt", "sha512-crypt", "phpass"}

func (h stored) algorithm() string {
	name, _, _ := strings.Cut(h.kind, " ")
	return name
}

// parse reads the text of a stored hash. Nothing that it returns costs more to derive than the bounds allow (PW-12).
func parse(text string) (stored, error) {
	if err := checkText(text); err != nil {
		return stored{}, err
	}
	if scheme, rest, ok := strings.Cut(text, "}"); ok { // of LDAP, in any case
		scheme = strings.ToUpper(scheme) + "}"
		if text = scheme + rest; scheme == "{CRYPT}" {
			text = rest
		}
	}
	for _, f := range formats {
		if strings.HasPrefix(text, f.prefix) {
			h, err := f.parse(text)
			if err != nil {
				return stored{}, fmt.Errorf("%s: %w", f.name, err)
			}
			return h, nil
		}
	}
	return stored{}, errors.New("unknown format; docs/moving-in.md lists those that are read, under Password hashes")
}

func checkText(text string) error {
	switch {
	case text == "":
		return errors.New("empty; leave the field out for an account without a password")
	case len(text) > maxStored:
		return fmt.Errorf("%d bytes long; at most %d are read", len(text), maxStored)
	case strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }):
		return errors.New("contains white space or characters beyond ASCII; no format has these")
	}
	return nil
}

// A format is known by its prefix. A longer prefix stands before those that it starts with.
type format struct {
	prefix, name string
	parse        func(text string) (stored, error)
}

// number reads a decimal of one spelling, from least to most.
func number(text, name string, least, most int) (int, error) {
	n, err := strconv.Atoi(text)
	switch {
	case errors.Is(err, strconv.ErrRange):
		return 0, fmt.Errorf("%s is not a number that can be read; at most %d is verified", name, most)
	case err != nil || strconv.Itoa(n) != text:
		return 0, fmt.Errorf("%s is not a number; the text is malformed", name)
	case n < least:
		return 0, fmt.Errorf("%s is %d; want at least %d", name, n, least)
	case n > most:
		return 0, fmt.Errorf("%s is %d; at most %d is verified, so that no sign-in takes longer than about a second",
			name, n, most)
	}
	return n, nil
}

// numbers reads parameters such as `ln=14,r=8,p=1`, in the order of names.
func numbers(text string, names ...string) (values []string, err error) {
	fields := strings.Split(text, ",")
	if len(fields) != len(names) {
		return nil, fmt.Errorf("want the parameters %s", strings.Join(names, ", "))
	}
	for i, name := range names {
		value, ok := strings.CutPrefix(fields[i], name+"=")
		if !ok {
			return nil, fmt.Errorf("want the parameters %s", strings.Join(names, ", "))
		}
		values = append(values, value)
	}
	return values, nil
}

// split cuts the text at each $ into n parts.
func split(text string, n int) ([]string, error) {
	parts := strings.Split(text, "$")
	if len(parts) != n {
		return nil, fmt.Errorf("%d parts between the $; want %d. The text is truncated or of another format",
			len(parts), n)
	}
	return parts, nil
}

// decodeBase64 reads base64 of either alphabet, or of passlib's with a dot for the plus, with and without padding.
func decodeBase64(text, name string, least, most int) ([]byte, error) {
	raw := strings.NewReplacer("-", "+", ".", "+", "_", "/").Replace(strings.TrimRight(text, "="))
	if padding := len(text) - len(raw); padding > 0 && len(text)%4 != 0 || padding > 2 {
		return nil, fmt.Errorf("the %s is truncated or not base64", name)
	}
	b, err := base64.RawStdEncoding.Strict().DecodeString(raw)
	switch {
	case err != nil:
		return nil, fmt.Errorf("the %s is truncated or not base64", name)
	case len(b) < least || len(b) > most:
		return nil, fmt.Errorf("the %s has %d bytes; want %d to %d", name, len(b), least, most)
	}
	return b, nil
}

// decodeSum reads the sum of an algorithm that gives any number of bytes. A text that was cut off shows in its length.
func decodeSum(text string) ([]byte, error) {
	sum, err := decodeBase64(text, "sum", minSum, maxSum)
	if err == nil && len(sum)%4 != 0 {
		return nil, fmt.Errorf("the sum has %d bytes, which no system writes; it is truncated", len(sum))
	}
	return sum, err
}

// The base64 of crypt(3).
const cryptAlphabet = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// isCrypt tells whether text is a sum of n characters in the base64 of crypt(3), with no spare bit set.
func isCrypt(text string, n int) bool {
	spare := n * 6 % 8
	return len(text) == n && strings.Trim(text, cryptAlphabet) == "" &&
		strings.Contains(cryptAlphabet[:64>>spare], text[n-1:])
}
