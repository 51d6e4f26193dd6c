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

// The algorithms of key pairs, of which each key has exactly one (RFC 8725, section 3.1).
const (
	AlgES256 = "ES256" // ECDSA over P-256 with SHA-256 (RFC 7518, section 3.4)
	AlgEdDSA = "EdDSA" // Ed25519 (RFC 8037, section 3.1)
	AlgRS256 = "RS256" // RSASSA-PKCS1-v1_5 with SHA-256 (RFC 7518, section 3.3), with 3072 bits
)

// The sizes of RSA keys in bits: what is drawn, and the least and the most that is read (security rule JW-07).
const (
	genRSA = 3072
	minRSA = 2048
	maxRSA = 8192
)

// SigningKey is a key pair for access tokens. It is made by GenerateKey or ParseKey, never changes, and shows only its
// KID in fmt and slog.
type SigningKey struct {
	KID string // SHA-256 thumbprint of the public key (RFC 7638), 43 characters of base64url
	Alg string // the one algorithm that the key is for

	// A function, because fmt prints only the address of one: it would reach into a key behind a pointer or an
	// interface.
	private func() crypto.Signer
}

// GenerateKey draws a fresh key for an algorithm, one of AlgES256, AlgEdDSA and AlgRS256.
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

// ParseKey reads what MarshalPrivate wrote. The error of anything that is not a key of ours in PKCS #8 holds nothing of
// it.
func ParseKey(der []byte) (SigningKey, error) {
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return SigningKey{}, errors.New("token: the signing key is not PKCS #8")
	}
	private, ok := parsed.(crypto.Signer)
	if !ok || algorithm(private) == "" {
		return SigningKey{}, errors.New("token: the signing key is neither P-256, nor Ed25519, nor RSA of 2048 to " +
			"8192 bits")
	}
	return newSigningKey(private)
}

// algorithm is the one that a key is for, "" when there is none. A key says it by its kind, and nothing else says it.
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
		KID: base64.RawURLEncoding.EncodeToString(thumbprint), Alg: algorithm(private),
		private: func() crypto.Signer { return private },
	}, nil
}

// MarshalPrivate is the private key in PKCS #8 DER (RFC 5958), in plain: seal it before it is stored.
func (k SigningKey) MarshalPrivate() ([]byte, error) {
	if k.private == nil {
		return nil, errors.New("token: the signing key is empty")
	}
	return x509.MarshalPKCS8PrivateKey(k.private())
}

// JWKS is the JSON Web Key Set (RFC 7517, section 5) of the keys' public parts, in the given order. Each carries kid,
// alg and use "sig", and nothing private.
func JWKS(keys ...SigningKey) ([]byte, error) {
	set := jose.JSONWebKeySet{Keys: make([]jose.JSONWebKey, 0, len(keys))}
	for _, k := range keys {
		if k.private == nil {
			return nil, errors.New("token: the signing key is empty")
		}
		set.Keys = append(set.Keys, jose.JSONWebKey{
			Key: k.private().Public(), KeyID: k.KID, Algorithm: k.Alg,
			Use: "sig",
		})
	}
	return json.Marshal(set)
}

// String names the key and hides it.
func (k SigningKey) String() string { return "signing key " + k.KID }

// GoString names the key and hides it.
func (k SigningKey) GoString() string { return k.String() }

// Format names the key and hides it from every verb and flag.
func (k SigningKey) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(k.String())) }

// LogValue names the key and hides it from slog.
func (k SigningKey) LogValue() slog.Value { return slog.StringValue(k.String()) }
