package token

import "strings"

// maxCompact is the greatest length of a JWT in bytes. A longer one is rejected unread.
const maxCompact = 8192

// isCompact reports whether text is a JWS in compact form (RFC 7515, section 7.1): three segments of base64url (RFC
// 4648, section 5), at most 8 KiB in all. A segment is not empty, and has no padding, white space or spare bits.
// isCompact allocates nothing, also for a hostile text.
func isCompact(text string) bool {
	if len(text) > maxCompact {
		return false
	}
	header, rest, ok := strings.Cut(text, ".")
	if !ok {
		return false
	}
	// A third dot would be in the signature, where isSegment rejects it.
	claims, signature, ok := strings.Cut(rest, ".")
	return ok && isSegment(header) && isSegment(claims) && isSegment(signature)
}

// isSegment reports whether s is the only base64url encoding of some bytes. The strict decoder of encoding/base64 is
// not enough, because it skips line breaks.
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
	case 1: // no bytes encode to this length
		return false
	case 2: // 12 bits for one byte: four are spare
		return last&15 == 0
	case 3: // 18 bits for two bytes: two are spare
		return last&3 == 0
	}
	return true
}

// base64Value returns the value of a character of the base64url alphabet, and -1 for any other character.
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
