package secret

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
)

// The lengths in bytes of the server secret: what New asks for at least, and what Generate draws.
const (
	minMaster = 32
	genMaster = 32
)

// salt sets our keys apart from those that another program derives from the same secret (RFC 5869, 3.1). Changing it
// changes every key.
const salt = "dragoman key derivation v1"

// Master is the server secret. Only keys made from it are ever used.
type Master struct {
	// A function, because fmt prints only the address of one. In an unexported field of another struct fmt calls no method
	// of ours, and for a verb that does not fit, such as %s, it even follows a pointer.
	prk func() []byte
}

// New takes the server secret as the operator set it: at least 32 bytes that look random. The error of a short or a
// guessable one says how to make a better one and never holds what was given.
func New(raw []byte) (*Master, error) {
	if err := checkStrength(raw); err != nil {
		return nil, fmt.Errorf("the server secret %w; make one with: openssl rand -base64 32", err)
	}
	prk, err := hkdf.Extract(sha256.New, raw, []byte(salt))
	if err != nil {
		return nil, errors.New("the server secret cannot be used for HKDF-SHA-256")
	}
	return &Master{prk: func() []byte { return prk }}, nil
}

// Generate returns a fresh server secret: 32 random bytes as 43 characters of base64url without padding (RFC 4648,
// section 5), fit for a file or a variable of the environment.
func Generate() []byte {
	raw := make([]byte, genMaster)
	// crypto/rand ends the process rather than return an error or fewer bytes.
	_, _ = rand.Read(raw)
	return base64.RawURLEncoding.AppendEncode(nil, raw)
}

// Key derives the key of a purpose by HKDF-SHA-256 (RFC 5869): the same secret and purpose always give the same key,
// and no key tells anything about another. A purpose is a constant of the program, for example "refresh".
func (m *Master) Key(purpose string) Key {
	material := keyMaterial{
		mac:  m.derive("mac", purpose),
		seal: m.derive("seal", purpose),
		id:   m.derive("id", purpose)[:idBytes],
	}
	return Key{in: func() *keyMaterial { return &material }}
}

// HMACKey derives a plain HMAC key of a purpose, 32 bytes, for what another standard signs in its own form, such as a JWT
// (RFC 7515); everything else takes Key, which frames its input. The same purpose given to Key is another key. The bytes
// do not redact themselves: keep them where nothing prints them.
func (m *Master) HMACKey(purpose string) []byte { return m.derive("hmac", purpose) }

// derive makes 32 bytes for one use of one purpose. A use holds no slash, so no two pairs read the same.
func (m *Master) derive(use, purpose string) []byte {
	key, err := hkdf.Expand(sha256.New, m.prk(), use+"/"+purpose, sha256.Size)
	if err != nil {
		// Expand refuses only more than 255 hashes' worth of output, and this asks for one.
		panic("secret: HKDF refused 32 bytes")
	}
	return key
}

// String hides the secret.
func (Master) String() string { return redacted }

// GoString hides the secret.
func (Master) GoString() string { return redacted }

// Format hides the secret from every verb and flag.
func (Master) Format(s fmt.State, _ rune) { redact(s) }

// LogValue hides the secret from slog.
func (Master) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText hides the secret from encoders.
func (Master) MarshalText() ([]byte, error) { return []byte(redacted), nil }
