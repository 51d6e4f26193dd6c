package secret

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"log/slog"
)

// idBytes is the length of a key id: long enough to tell the few keys of one server apart, nothing to guess a key by.
const idBytes = 3

// Key belongs to one purpose. Under it lie one key for MAC, one for Seal and Open, and a public id; and the same once
// more for each further secret of its Master, which Open and Previous know. Make one with Master.Key; the zero Key
// panics when it is used.
type Key struct {
	in func() []keyMaterial // the present one first; a function for the same reason as in Master
}

type keyMaterial struct {
	mac, seal []byte // 32 bytes each
	id        []byte // idBytes
}

// ID names the key in public: 4 characters of base64url. It changes with the server secret and with the purpose.
func (k Key) ID() string { return base64.RawURLEncoding.EncodeToString(k.in()[0].id) }

// Previous are the keys of the same purpose under the further secrets of the Master, which only check what they made.
func (k Key) Previous() []Key {
	var keys []Key
	for _, older := range k.in()[1:] {
		keys = append(keys, Key{in: func() []keyMaterial { return []keyMaterial{older} }})
	}
	return keys
}

// MAC is HMAC-SHA-256 (RFC 2104) over the parts, 32 bytes. Each part goes in behind its length, so no two lists of
// parts read the same: ("ab", "c") and ("a", "bc") differ. Compare with hmac.Equal.
func (k Key) MAC(parts ...[]byte) []byte {
	h := hmac.New(sha256.New, k.in()[0].mac)
	var size [8]byte
	for _, part := range parts {
		binary.BigEndian.PutUint64(size[:], uint64(len(part)))
		// A hash never returns an error.
		_, _ = h.Write(size[:])
		_, _ = h.Write(part)
	}
	return h.Sum(nil)
}

// String hides the key.
func (Key) String() string { return redacted }

// GoString hides the key.
func (Key) GoString() string { return redacted }

// Format hides the key from every verb and flag.
func (Key) Format(s fmt.State, _ rune) { redact(s) }

// LogValue hides the key from slog.
func (Key) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText hides the key from encoders.
func (Key) MarshalText() ([]byte, error) { return []byte(redacted), nil }
