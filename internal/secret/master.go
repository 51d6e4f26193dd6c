package secret

import (
	"bytes"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"log/slog"
	"slices"
)

// The lengths of a server secret in bytes: the minimum for New, and the random bytes of Generate.
const (
	minMaster = 32
	genMaster = 32
)

// salt separates the keys from the keys that another program derives from the same secret (RFC 5869, section 3.1).
// Changing it changes every key.
const salt = "dragoman key derivation v1"

// Master holds the present server secret, and the further secrets that are accepted too during a rotation. It keeps
// the pseudorandom keys of HKDF (RFC 5869) and not the secrets themselves.
type Master struct {
	// prks has one key for each secret, the present secret first. It is a function because fmt prints only its address:
	// fmt calls no methods in an unexported field of another struct, and for some verbs, for example %s, it follows a
	// pointer there.
	prks   func() [][]byte
	oldest int // the index of the oldest secret in prks
}

// New returns a Master with the present server secret, raw, and further secrets. New values are made under raw; values
// under any of the secrets are accepted. Each secret has at least 32 bytes and must look random, and all are different.
// The error for a weak secret says how to make a better one, and does not contain the secret.
func New(raw []byte, further ...[]byte) (*Master, error) {
	var prks [][]byte
	for n, secret := range append([][]byte{raw}, further...) {
		name := "server secret"
		if n > 0 {
			name = "previous server secret"
		}
		if err := checkStrength(secret); err != nil {
			return nil, fmt.Errorf("%s: %w; make one with: openssl rand -base64 32", name, err)
		}
		prk, err := hkdf.Extract(sha256.New, secret, []byte(salt))
		if err != nil {
			return nil, fmt.Errorf("%s: it cannot be used for HKDF-SHA-256; make one with: openssl rand -base64 32", name)
		}
		if slices.ContainsFunc(prks, func(other []byte) bool { return bytes.Equal(other, prk) }) {
			return nil, fmt.Errorf("%s: it is given twice or is the present secret; give every secret once", name)
		}
		prks = append(prks, prk)
	}
	return &Master{prks: func() [][]byte { return prks }, oldest: len(prks) - 1}, nil
}

// Generate returns a new server secret: 32 random bytes as 43 characters of base64url without padding (RFC 4648,
// section 5), for a file or an environment variable.
func Generate() []byte {
	raw := make([]byte, genMaster)
	_, _ = rand.Read(raw) // never fails: crypto/rand ends the process instead
	return base64.RawURLEncoding.AppendEncode(nil, raw)
}

// Key derives the Key of a purpose by HKDF-SHA-256 (RFC 5869). The same secret and purpose always give the same keys.
// No key reveals anything about another. A purpose is a constant of the program, for example "refresh".
func (m *Master) Key(purpose string) Key {
	var all []keyMaterial
	for _, prk := range m.prks() {
		all = append(all, material(prk, purpose))
	}
	return Key{material: func() []keyMaterial { return all }}
}

// Stable returns the Key of a purpose under the oldest secret alone. During a rotation all servers of a database share
// the oldest secret, so they compute the same MACs. The Key changes after the rotation: nothing lasting may depend on
// it.
func (m *Master) Stable(purpose string) Key {
	oldest := material(m.prks()[m.oldest], purpose)
	return Key{material: func() []keyMaterial { return []keyMaterial{oldest} }}
}

// IDs returns the public ids of the secrets, 4 characters of base64url each, the present secret first.
func (m *Master) IDs() []string {
	var ids []string
	for _, prk := range m.prks() {
		ids = append(ids, base64.RawURLEncoding.EncodeToString(material(prk, "server secret").id))
	}
	return ids
}

// WithOldest returns a Master like m in which the secret with this id is the oldest. It returns m itself if m has no
// secret with this id. After New the last secret is the oldest.
func (m *Master) WithOldest(id string) *Master {
	if n := slices.Index(m.IDs(), id); n >= 0 {
		return &Master{prks: m.prks, oldest: n}
	}
	return m
}

// HMACKeys derives the plain HMAC keys of a purpose, 32 bytes each: one for each secret, the present secret first. Use
// them for the signatures of another standard, for example of a JWT (RFC 7515), and Key for everything else. Key has
// other keys for the same purpose. The bytes do not redact themselves, so keep them where nothing prints them.
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

// derive returns the 32 bytes for one use of one purpose. A use contains no slash, so different pairs have different
// names.
func derive(prk []byte, use, purpose string) []byte {
	key, err := hkdf.Expand(sha256.New, prk, use+"/"+purpose, sha256.Size)
	if err != nil {
		// Expand fails only above 255 hashes of output. 32 bytes are one hash.
		panic("secret: HKDF failed for 32 bytes")
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
