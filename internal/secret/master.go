package secret

import (
	"bytes"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"slices"
)

// The lengths in bytes of the server secret: what New asks for at least, and what Generate draws.
const (
	minMaster = 32
	genMaster = 32
)

// salt sets our keys apart from those that another program derives from the same secret (RFC 5869, 3.1). Changing it
// changes every key.
const salt = "dragoman key derivation v1"

// Master is the server secret, and further ones that count beside it while a rotation goes on. Only keys made from them
// are ever used.
type Master struct {
	// A function, because fmt prints only the address of one. In an unexported field of another struct fmt calls no
	// method of ours, and for a verb that does not fit, such as %s, it even follows a pointer.
	prks   func() [][]byte // one for each secret, the present one first
	oldest int             // which of them Stable takes
}

// New takes the server secret as the operator set it, and those that are accepted beside it: at least 32 bytes each
// that look random, all different. New things are made under the first one, and what any of them made is accepted. The
// error of a short or a guessable one says how to make a better one and never holds what was given.
func New(raw []byte, further ...[]byte) (*Master, error) {
	var prks [][]byte
	for n, secret := range append([][]byte{raw}, further...) {
		what := "the server secret"
		if n > 0 {
			what = "a previous server secret"
		}
		if err := checkStrength(secret); err != nil {
			return nil, fmt.Errorf("%s %w; make one with: openssl rand -base64 32", what, err)
		}
		prk, err := hkdf.Extract(sha256.New, secret, []byte(salt))
		if err != nil {
			return nil, errors.New(what + " cannot be used for HKDF-SHA-256")
		}
		if slices.ContainsFunc(prks, func(other []byte) bool { return bytes.Equal(other, prk) }) {
			return nil, errors.New("a previous server secret is there twice, or is the present one")
		}
		prks = append(prks, prk)
	}
	return &Master{prks: func() [][]byte { return prks }, oldest: len(prks) - 1}, nil
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
	var all []keyMaterial
	for _, prk := range m.prks() {
		all = append(all, material(prk, purpose))
	}
	return Key{in: func() []keyMaterial { return all }}
}

// Stable is the key of a purpose under the oldest secret: the same for all servers of one database while they go from
// one secret to the next, for what they have to compute alike. Nothing lasting may be made with it.
func (m *Master) Stable(purpose string) Key {
	oldest := material(m.prks()[m.oldest], purpose)
	return Key{in: func() []keyMaterial { return []keyMaterial{oldest} }}
}

// IDs names the secrets in public, 4 characters of base64url each, the present one first.
func (m *Master) IDs() []string {
	var ids []string
	for _, prk := range m.prks() {
		ids = append(ids, base64.RawURLEncoding.EncodeToString(material(prk, "server secret").id))
	}
	return ids
}

// WithOldest is m with the secret of that id as the oldest; m itself when it has none such. Until told, the last one
// that New was given is the oldest.
func (m *Master) WithOldest(id string) *Master {
	if n := slices.Index(m.IDs(), id); n >= 0 {
		return &Master{prks: m.prks, oldest: n}
	}
	return m
}

// HMACKeys derives the plain HMAC keys of a purpose, 32 bytes each: one for every secret, the present one first. They
// are for signatures in a form of another standard, for example a JWT (RFC 7515). Everything else takes Key, which
// frames its input. Key gives another key for the same purpose. The bytes do not redact themselves: keep them where
// nothing prints them.
func (m *Master) HMACKeys(purpose string) [][]byte {
	var keys [][]byte
	for _, prk := range m.prks() {
		keys = append(keys, derive(prk, "hmac", purpose))
	}
	return keys
}

func material(prk []byte, purpose string) keyMaterial {
	return keyMaterial{
		mac:  derive(prk, "mac", purpose),
		seal: derive(prk, "seal", purpose),
		id:   derive(prk, "id", purpose)[:idBytes],
	}
}

// derive makes 32 bytes for one use of one purpose. A use holds no slash, so no two pairs read the same.
func derive(prk []byte, use, purpose string) []byte {
	key, err := hkdf.Expand(sha256.New, prk, use+"/"+purpose, sha256.Size)
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
