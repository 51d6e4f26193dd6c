package token

import (
	"encoding/binary"
	"strings"

	"github.com/google/uuid"
)

// idAlphabet is Crockford's base32 in lower case: no i, l, o, u.
const idAlphabet = "0123456789abcdefghjkmnpqrstvwxyz"

// idLength is the number of characters that 128 bits take at five bits each; the first of them has only three.
const idLength = 26

// NewID returns a fresh UUIDv7 (RFC 9562, section 5.7), which sorts by the time of its making. It never fails: the only
// source of an error is crypto/rand, which ends the process instead. An id is no secret.
func NewID() uuid.UUID { return uuid.Must(uuid.NewV7()) }

// FormatID writes an id in its text form: FormatID("user", id) is user_01jz… with 26 characters of lower-case Crockford
// base32 behind the underscore (TypeID specification 0.3).
func FormatID(prefix string, id uuid.UUID) string {
	return prefix + "_" + encodeID(id)
}

// ParseID reads what FormatID wrote. One id has one text: another prefix, upper case, the letters i, l, o, u, another
// length and a first character above 7 (which would need more than 128 bits) are ErrMalformed.
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
