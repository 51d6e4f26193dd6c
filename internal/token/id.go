package token

import (
	"encoding/binary"
	"strings"

	"github.com/google/uuid"
)

// idAlphabet is Crockford's base32 in lower case, without i, l, o and u.
const idAlphabet = "0123456789abcdefghjkmnpqrstvwxyz"

// idLength is the length of 128 bits in base32. The first character holds three bits, and the others five.
const idLength = 26

// NewID returns a new UUIDv7 (RFC 9562, section 5.7). UUIDv7 sort by the time of their creation. NewID does not fail:
// the one possible error is of crypto/rand, which ends the process instead. An id is not secret.
func NewID() uuid.UUID { return uuid.Must(uuid.NewV7()) }

// FormatID returns the text form of an id (TypeID specification 0.3): the prefix, an underscore, and 26 characters of
// Crockford's base32 in lower case. FormatID("user", id) is for example user_01jz….
func FormatID(prefix string, id uuid.UUID) string {
	return prefix + "_" + encodeID(id)
}

// ParseID reads the text form of an id. Another prefix or length, upper case, the letters i, l, o and u, and a first
// character above 7 (more than 128 bits) are ErrMalformed.
func ParseID(prefix, text string) (uuid.UUID, error) {
	rest, ok := strings.CutPrefix(text, prefix)
	if !ok || rest == "" || rest[0] != '_' {
		return uuid.Nil, ErrMalformed
	}
	return decodeID(rest[1:])
}

func encodeID(id uuid.UUID) string {
	hi, lo := binary.BigEndian.Uint64(id[:8]), binary.BigEndian.Uint64(id[8:])
	var text [idLength]byte
	for i := idLength - 1; i >= 0; i-- {
		text[i] = idAlphabet[lo&31]
		lo = lo>>5 | hi<<59
		hi >>= 5
	}
	return string(text[:])
}

func decodeID(text string) (uuid.UUID, error) {
	if len(text) != idLength || text[0] > '7' {
		return uuid.Nil, ErrMalformed
	}
	var hi, lo uint64
	for i := range idLength {
		value := strings.IndexByte(idAlphabet, text[i])
		if value < 0 {
			return uuid.Nil, ErrMalformed
		}
		hi = hi<<5 | lo>>59
		lo = lo<<5 | uint64(value)
	}
	var id uuid.UUID
	binary.BigEndian.PutUint64(id[:8], hi)
	binary.BigEndian.PutUint64(id[8:], lo)
	return id, nil
}
