package secret

import (
	"bytes"
	"errors"
	"slices"
)

// The least that a random secret shows. 32 characters of hex, the poorest form that New takes, fall below ten distinct
// ones about once in ten thousand.
const (
	minDistinct = 10
	minUnworded = 20 // bytes left over when the words of placeholders are taken out
)

// checkStrength refuses what nobody drew at random: short, monotonous, repeated, counted up, or a placeholder that was
// copied from an example. It cannot tell a good secret, it only knows the bad ones that people really set. Its errors
// continue the words "the server secret".
func checkStrength(raw []byte) error {
	switch {
	case len(raw) < minMaster:
		return errors.New("has fewer than 32 bytes")
	case distinct(raw) < minDistinct:
		return errors.New("has too few different characters")
	case isSequence(raw):
		return errors.New("counts up or down")
	case isRepeated(raw):
		return errors.New("repeats itself")
	}
	rest := withoutWords(raw)
	if len(rest) < minUnworded || distinct(rest) < minDistinct {
		return errors.New("is a placeholder")
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

// isSequence finds runs such as abcdef…, 987…, and one byte over and over: half of the neighbours at most one apart.
func isSequence(raw []byte) bool {
	near := 0
	for i := 1; i < len(raw); i++ {
		if step := int(raw[i]) - int(raw[i-1]); -1 <= step && step <= 1 {
			near++
		}
	}
	return near*2 > len(raw)
}

// isRepeated finds a pattern that fills the secret at least twice. Three matches of four are enough, so that a tail or
// a changed character does not hide it; random text of the same length never comes near.
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

// withoutWords takes out the words that placeholders are made of, and everything between words.
func withoutWords(raw []byte) []byte {
	words := []string{
		"production", "development", "placeholder", "authentication", "dragoman", "changeme", "password", "example",
		"private", "default", "replace", "another", "session", "insert", "server", "secret", "change", "random",
		"string", "please", "secure", "should", "before", "value", "least", "admin", "token", "super", "enter",
		"characters", "minimum", "strong", "using", "bytes", "long", "your", "this", "that", "very", "here", "with",
		"test", "must", "make", "some", "auth", "key", "jwt", "dev", "for", "the", "and", "not", "use",
	}
	rest := make([]byte, len(raw))
	for i, b := range raw { // byte by byte: a secret need not be UTF-8
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
