package token

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"

	"github.com/go-jose/go-jose/v4"
)

// The algorithms of signing keys. A key has exactly one algorithm (RFC 8725, section 3.1).
const (
	AlgES256 = "ES256" // ECDSA over P-256 with SHA-256 (RFC 7518, section 3.4)
	AlgEdDSA = "EdDSA" // Ed25519 (RFC 8037, section 3.1)
	AlgRS256 = "RS256" // RSASSA-PKCS1-v1_5 with SHA-256 (RFC 7518, section 3.3); new keys have 3072 bits
)

// The sizes of RSA keys in bits: of new keys, and the bounds of the keys that ParseKey accepts (JW-07).
const (
	genRSA = 3072
	minRSA = 2048
	maxRSA = 8192
)

// SigningKey is a key pair for access tokens, from GenerateKey or ParseKey. It is immutable. fmt and slog show only its
// KID.
type SigningKey struct {
	KID string // SHA-256 thumbprint of the public key (RFC 7638), 43 characters of base64url
	Alg string // AlgES256, AlgEdDSA or AlgRS256

	// private returns the private key. It is a function because fmt prints only its address; fmt prints the content of
	// a pointer or an interface.
	private func() crypto.Signer
}

// GenerateKey draws a new key for alg: AlgES256, AlgEdDSA or AlgRS256.
func GenerateKey(alg string) (SigningKey, error) {
	var private crypto.Signer
	var err error
	switch alg {
	case AlgES256:
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case AlgEdDSA:
		_, private, err = ed25519.GenerateKey(rand.Reader)
	case AlgRS256:
		private, err = rsa.GenerateKey(rand.Reader, genRSA)
	default:
		return SigningKey{}, errors.New("token: unknown algorithm of a signing key; use ES256, EdDSA or RS256")
	}
	if err != nil {
		return SigningKey{}, fmt.Errorf("token: drawing a signing key: %w", err)
	}
	return newSigningKey(private)
}

// ParseKey reads a private key in PKCS #8 DER (RFC 5958), the format of MarshalPrivate. Its errors contain nothing of
// the key.
func ParseKey(der []byte) (SigningKey, error) {
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return SigningKey{}, errors.New("token: the signing key is not PKCS #8")
	}
	private, ok := parsed.(crypto.Signer)
	if !ok || algorithm(private) == "" {
		return SigningKey{}, errors.New(
			"token: the signing key has an unknown type; use P-256, Ed25519, or RSA with 2048 to 8192 bits",
		)
	}
	return newSigningKey(private)
}

// algorithm returns the algorithm of a private key, and "" if there is none. It follows from the type of the key alone.
func algorithm(private crypto.Signer) string {
	switch k := private.(type) {
	case *ecdsa.PrivateKey:
		if k.Curve == elliptic.P256() {
			return AlgES256
		}
	case ed25519.PrivateKey:
		return AlgEdDSA
	case *rsa.PrivateKey:
		if bits := k.N.BitLen(); bits >= minRSA && bits <= maxRSA {
			return AlgRS256
		}
	}
	return ""
}

func newSigningKey(private crypto.Signer) (SigningKey, error) {
	public := jose.JSONWebKey{Key: private.Public()}
	thumbprint, err := public.Thumbprint(crypto.SHA256)
	if err != nil {
		return SigningKey{}, fmt.Errorf("token: naming a signing key: %w", err)
	}
	return SigningKey{
		KID:     base64.RawURLEncoding.EncodeToString(thumbprint),
		Alg:     algorithm(private),
		private: func() crypto.Signer { return private },
	}, nil
}

// MarshalPrivate returns the private key in PKCS #8 DER (RFC 5958). The result is not encrypted: seal it before it is
// stored.
func (k SigningKey) MarshalPrivate() ([]byte, error) {
	if k.private == nil {
		return nil, errEmptyKey
	}
	return x509.MarshalPKCS8PrivateKey(k.private())
}

var errEmptyKey = errors.New("token: the signing key is empty; use GenerateKey or ParseKey")

// JWKS returns the JSON Web Key Set (RFC 7517, section 5) of the public keys, in the order of keys. Each has kid, alg
// and the use "sig".
func JWKS(keys ...SigningKey) ([]byte, error) {
	set := jose.JSONWebKeySet{Keys: make([]jose.JSONWebKey, 0, len(keys))}
	for _, k := range keys {
		if k.private == nil {
			return nil, errEmptyKey
		}
		set.Keys = append(set.Keys, jose.JSONWebKey{
			Key:       k.private().Public(),
			KeyID:     k.KID,
			Algorithm: k.Alg,
			Use:       "sig",
		})
	}
	return json.Marshal(set)
}

// String shows the KID alone.
func (k SigningKey) String() string { return "signing key " + k.KID }

// GoString shows the KID alone.
func (k SigningKey) GoString() string { return k.String() }

// Format shows the KID alone, for every verb and flag.
func (k SigningKey) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(k.String())) }

// LogValue shows the KID alone in slog.
func (k SigningKey) LogValue() slog.Value { return slog.StringValue(k.String()) }
