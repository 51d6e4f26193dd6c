package identity

import (
	"strings"

	"golang.org/x/text/unicode/norm"
)

const maxLoginKey = 320 // bytes

// LoginKey returns the key by which failed sign-ins with an identifier are counted: the canonical form of an email
// address or a username, or else the first 320 bytes in lower case, because people can type any text. The key is valid
// UTF-8 and at most 320 bytes long. Use it for throttling alone: two different identities may share a key.
func LoginKey(text string) string {
	if _, canonical, err := Email(text); err == nil {
		return canonical
	}
	if _, canonical, err := Username(text); err == nil {
		return canonical
	}
	// ToLower can lengthen a text, so the result is cut again.
	lower := strings.ToLower(norm.NFC.String(cut(strings.TrimSpace(text))))
	return strings.TrimSpace(cut(lower))
}

// cut returns the first 320 bytes of text without invalid UTF-8, for example without a split last character.
func cut(text string) string {
	return strings.ToValidUTF8(text[:min(len(text), maxLoginKey)], "")
}
