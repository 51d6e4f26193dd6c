package token

import "strings"

// maxCompact is the longest access token in bytes that is looked at.
const maxCompact = 4096

// isCompact tells whether text is in the compact form of a JWS (RFC 7515, section 7.1) in its only spelling: three
// segments of base64url (RFC 4648, section 5) that are not empty, without padding, white space or spare bits, at most
// 4 KiB in all. It allocates nothing, whatever it is given.
func isCompact(text string) bool {
	if len(text) > maxCompact {
		return false
	}
	header, rest, ok := strings.Cut(text, ".")
	if !ok {
		return false
	}
	// A further dot would lie in the signature, where it is not of the alphabet.
	claims, signature, ok := strings.Cut(rest, ".")
	return ok && isSegment(header) && isSegment(claims) && isSegment(signature)
}

// isSegment tells whether s is base64url that encodes some bytes in exactly this way. The standard library's strict
// decoder would not do: it skips line breaks.
func isSegment(s string) bool {
	if s == "" {
		return false
	}
	for i := range len(s) {
		if base64Value(s[i]) < 0 {
			return false
		}
	}
	last := base64Value(s[len(s)-1])
	switch len(s) % 4 {
	case 1: // no number of bytes has this length
		return false
	case 2: // one byte more: four bits are spare
		return last&15 == 0
	case 3: // two bytes more: two bits are spare
		return last&3 == 0
	}
	return true
}

// base64Value is the number of a character in the base64url alphabet, -1 for every other character.
func base64Value(c byte) int {
	switch {
	case 'A' <= c && c <= 'Z':
		return int(c - 'A')
	case 'a' <= c && c <= 'z':
		return int(c-'a') + 26
	case '0' <= c && c <= '9':
		return int(c-'0') + 52
	case c == '-':
		return 62
	case c == '_':
		return 63
	}
	return -1
}
