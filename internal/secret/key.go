package secret

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"log/slog"
)

// idBytes is the length of a key id: enough to tell the few keys of one server apart.
const idBytes = 3

// Key holds the keys of one purpose: for each secret of a Master a key for MAC, a key for Seal and Open, and a public
// id. MAC, ID and Seal use the present secret. Open and Previous also use the further secrets. Make a Key with
// Master.Key: the zero Key panics.
type Key struct {
	material func() []keyMaterial // the present secret first; a function, for the reason in Master
}

type keyMaterial struct {
	mac, seal []byte // 32 bytes each
	id        []byte // idBytes
}

// ID returns a public name of the key, 4 characters of base64url. It depends on the server secret and the purpose.
func (k Key) ID() string { return base64.RawURLEncoding.EncodeToString(k.material()[0].id) }

// Previous returns the keys of the same purpose under the further secrets of the Master. Use them only to check
// existing values.
func (k Key) Previous() []Key {
	var keys []Key
	for _, further := range k.material()[1:] {
		keys = append(keys, Key{material: func() []keyMaterial { return []keyMaterial{further} }})
	}
	return keys
}

// MAC returns the HMAC-SHA-256 (RFC 2104) of the parts, 32 bytes. Each part is preceded by its length, so different
// lists never have the same input: ("ab", "c") and ("a", "bc") differ. Compare MACs with hmac.Equal.
func (k Key) MAC(parts ...[]byte) []byte {
	h := hmac.New(sha256.New, k.material()[0].mac)
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
