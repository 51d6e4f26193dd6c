package secret

import (
	"bytes"
	"errors"
	"slices"
)

// The minimums of a random secret. 32 random characters of hex, the weakest accepted form, have fewer than ten distinct
// characters about once in ten thousand draws.
const (
	minDistinct = 10 // distinct bytes
	minUnworded = 20 // bytes without the words of placeholders
)

// checkStrength rejects secrets that nobody drew at random: short, monotonous, repeated, sequential, or a placeholder
// from an example. It knows the bad secrets that people really set, and cannot prove that a secret is good.
func checkStrength(raw []byte) error {
	switch {
	case len(raw) < minMaster:
		return errors.New("it has fewer than 32 bytes")
	case distinct(raw) < minDistinct:
		return errors.New("it has too few different characters")
	case isSequence(raw):
		return errors.New("it counts up or down")
	case isRepeated(raw):
		return errors.New("it repeats itself")
	}
	rest := withoutWords(raw)
	if len(rest) < minUnworded || distinct(rest) < minDistinct {
		return errors.New("it is a placeholder")
	}
	return nil
}

func distinct(raw []byte) int {
	var seen [256]bool
	n := 0
	for _, b := range raw {
		if !seen[b] {
			seen[b] = true
			n++
		}
	}
	return n
}

// isSequence reports whether more than half of all neighbouring bytes differ by at most one: abcdef…, 987…, aaa….
func isSequence(raw []byte) bool {
	near := 0
	for i := 1; i < len(raw); i++ {
		if step := int(raw[i]) - int(raw[i-1]); -1 <= step && step <= 1 {
			near++
		}
	}
	return near*2 > len(raw)
}

// isRepeated reports whether a pattern fills the secret at least twice. Three of four bytes must match, so a tail or a
// changed character does not hide the pattern. Random bytes match far less.
func isRepeated(raw []byte) bool {
	for period := 1; period <= len(raw)/2; period++ {
		same := 0
		for i := period; i < len(raw); i++ {
			if raw[i] == raw[i-period] {
				same++
			}
		}
		if same*4 >= (len(raw)-period)*3 {
			return true
		}
	}
	return false
}

// withoutWords removes the words of placeholders and the punctuation between words.
func withoutWords(raw []byte) []byte {
	words := []string{
		"production", "development", "placeholder", "authentication", "dragoman", "changeme", "password", "example",
		"private", "default", "replace", "another", "session", "insert", "server", "secret", "change", "random",
		"string", "please", "secure", "should", "before", "value", "least", "admin", "token", "super", "enter",
		"characters", "minimum", "strong", "using", "bytes", "long", "your", "this", "that", "very", "here", "with",
		"test", "must", "make", "some", "auth", "key", "jwt", "dev", "for", "the", "and", "not", "use",
	}
	rest := make([]byte, len(raw))
	for i, b := range raw { // by bytes, because a secret may not be UTF-8
		if 'A' <= b && b <= 'Z' {
			b += 'a' - 'A'
		}
		rest[i] = b
	}
	for _, word := range words {
		rest = bytes.ReplaceAll(rest, []byte(word), []byte(" "))
	}
	return slices.DeleteFunc(rest, func(b byte) bool { return bytes.IndexByte([]byte(" -_.,!/:+="), b) >= 0 })
}
