package token

import (
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/dragoman-auth/dragoman/internal/secret"
)

// oneTimePrefix stands in front of the tokens of mails.
const oneTimePrefix = "ot1."

// OneTime is the token of a mail:
//
//	ot1.<id: 26 base32>.<key id: 4 base64url><mac: 43 base64url>
//
// What it is good for, for whom and until when is in the row of that id. The same id always gives the same text, so
// that a mail that is sent again says the same, and nothing of it is stored (SE-03).
func (c *Codec) OneTime(id uuid.UUID) secret.Text { return oneTimeText(c.oneTime, id) }

func oneTimeText(key secret.Key, id uuid.UUID) secret.Text {
	return secret.Text(oneTimePrefix + encodeID(id) + "." + sign(key, id[:]))
}

// IsOneTime tells whether a text looks like the token of a mail. It says nothing about whether it is one.
func IsOneTime(text string) bool { return strings.HasPrefix(text, oneTimePrefix) }

// ParseOneTime returns the id that the token of a mail names, after checking its MAC in constant time. Its error is
// ErrMalformed.
func (c *Codec) ParseOneTime(text string) (uuid.UUID, error) {
	rest, ok := strings.CutPrefix(text, oneTimePrefix)
	if !ok || len(rest) != idLength+1+macLength {
		return uuid.Nil, ErrMalformed
	}
	id, err := decodeID(rest[:idLength])
	if err != nil || !same(c.oneTime, text, func(k secret.Key) secret.Text { return oneTimeText(k, id) }) {
		return uuid.Nil, ErrMalformed
	}
	return id, nil
}

// Code is the short form of a token, 6 digits, for people who read a mail on one device and type on another. It is
// worth something only beside the address that the mail went to, for a few minutes and a few tries, which the row
// counts.
func (c *Codec) Code(id uuid.UUID) secret.Text { return codeText(c.code, id) }

func codeText(key secret.Key, id uuid.UUID) secret.Text {
	// 2^64 is so much more than a million that the digits are even.
	return secret.Text(fmt.Sprintf("%06d", binary.BigEndian.Uint64(key.MAC(id[:]))%1_000_000))
}

// IsCode compares a code with that of an id in constant time.
func (c *Codec) IsCode(id uuid.UUID, text string) bool {
	found := 0
	for _, k := range append([]secret.Key{c.code}, c.code.Previous()...) {
		found |= subtle.ConstantTimeCompare([]byte(codeText(k, id).Reveal()), []byte(text))
	}
	return found == 1
}
