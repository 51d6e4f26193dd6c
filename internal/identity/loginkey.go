package identity

import (
	"strings"

	"golang.org/x/text/unicode/norm"
)

const maxLoginKey = 320 // bytes

// LoginKey gives the identifier of a login attempt a key to count failures by: the canonical form when it is an email
// address or a user name, and otherwise, since every text can be typed there, a lower-case form of its first 320
// bytes. It is deterministic, valid UTF-8 and never longer than 320 bytes. It is for throttling alone: two texts that
// share a key are not the same identity.
func LoginKey(text string) string {
	if _, canonical, err := Email(text); err == nil {
		return canonical
	}
	if _, canonical, err := Username(text); err == nil {
		return canonical
	}
	// Lower case can be longer than upper case, hence the second cut.
	lower := strings.ToLower(norm.NFC.String(cut(text)))
	return strings.TrimSpace(cut(lower))
}

// cut takes the first 320 bytes, without a character that the cut splits or anything else that is not UTF-8.
func cut(text string) string {
	return strings.ToValidUTF8(text[:min(len(text), maxLoginKey)], "")
}
