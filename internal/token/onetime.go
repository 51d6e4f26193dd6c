package token

import (
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/dragoman-auth/dragoman/internal/secret"
)

// oneTimePrefix is the prefix of the one-time tokens of mails.
const oneTimePrefix = "ot1."

// OneTime returns the one-time token of a mail:
//
//	ot1.<id: 26 base32>.<key id: 4 base64url><mac: 43 base64url>
//
// The database row with this id holds the purpose, the user and the expiry. The same id always gives the same text: so
// a retried mail holds the same token, though no token is stored (SE-03).
func (c *Codec) OneTime(id uuid.UUID) secret.Text { return oneTimeText(c.oneTime, id) }

func oneTimeText(key secret.Key, id uuid.UUID) secret.Text {
	return secret.Text(oneTimePrefix + encodeID(id) + "." + sign(key, id[:]))
}

// IsOneTime reports whether text has the prefix of a one-time token. ParseOneTime decides whether it is valid.
func IsOneTime(text string) bool { return strings.HasPrefix(text, oneTimePrefix) }

// ParseOneTime returns the id of a one-time token. It compares the MAC in constant time. Its error is ErrMalformed.
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

// Code returns the short form of a one-time token, 6 digits, for people who read the mail on one device and type on
// another. Anybody can guess 6 digits, so the caller must bound the attempts and the lifetime, and must ask for the
// address of the mail as well.
func (c *Codec) Code(id uuid.UUID) secret.Text { return codeText(c.code, id[:]) }

func codeText(key secret.Key, parts ...[]byte) secret.Text {
	// 2^64 is so much more than a million that the bias of the remainder does not matter.
	return secret.Text(fmt.Sprintf("%06d", binary.BigEndian.Uint64(key.MAC(parts...))%1_000_000))
}

// IsCode reports in constant time whether text is the code of an id, under the present secret or a further one.
func (c *Codec) IsCode(id uuid.UUID, text string) bool { return isCode(c.code, text, id[:]) }

func isCode(key secret.Key, text string, parts ...[]byte) bool {
	found := 0
	for _, k := range append([]secret.Key{key}, key.Previous()...) {
		found |= subtle.ConstantTimeCompare([]byte(codeText(k, parts...).Reveal()), []byte(text))
	}
	return found == 1
}

// PhoneCode returns the code of a message to a phone: 6 digits for this message, account and number alone.
func (c *Codec) PhoneCode(message, account uuid.UUID, number string) secret.Text {
	return codeText(c.phoneCode, message[:], account[:], []byte(number))
}

// IsPhoneCode reports in constant time whether text is that code, under the present secret or a further one.
func (c *Codec) IsPhoneCode(message, account uuid.UUID, number, text string) bool {
	return isCode(c.phoneCode, text, message[:], account[:], []byte(number))
}
