package token

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"

	"github.com/go-jose/go-jose/v4"
)

// AlgES256 is ECDSA over P-256 with SHA-256 (RFC 7518, section 3.4), the algorithm of access tokens unless HS256 is asked for,
// and the one of key pairs.
const AlgES256 = "ES256"

// SigningKey is a key pair for access tokens. It is made by GenerateKey or ParseKey, never changes, and shows only its
// KID in fmt and slog.
type SigningKey struct {
	KID string // SHA-256 thumbprint of the public key (RFC 7638), 43 characters of base64url
	Alg string // the one algorithm that the key is for; AlgES256

	private *ecdsa.PrivateKey
}

// GenerateKey draws a fresh key.
func GenerateKey() (SigningKey, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return SigningKey{}, fmt.Errorf("token: drawing a signing key: %w", err)
	}
	return newSigningKey(private)
}

// ParseKey reads what MarshalPrivate wrote. The error of anything that is not a P-256 key in PKCS #8 holds nothing of it.
func ParseKey(der []byte) (SigningKey, error) {
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return SigningKey{}, errors.New("token: the signing key is not PKCS #8")
	}
	private, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || private.Curve != elliptic.P256() {
		return SigningKey{}, errors.New("token: the signing key is not a P-256 key")
	}
	return newSigningKey(private)
}

func newSigningKey(private *ecdsa.PrivateKey) (SigningKey, error) {
	public := jose.JSONWebKey{Key: &private.PublicKey}
	thumbprint, err := public.Thumbprint(crypto.SHA256)
	if err != nil {
		return SigningKey{}, fmt.Errorf("token: naming a signing key: %w", err)
	}
	return SigningKey{KID: base64.RawURLEncoding.EncodeToString(thumbprint), Alg: AlgES256, private: private}, nil
}

// MarshalPrivate is the private key in PKCS #8 DER (RFC 5958), in plain: seal it before it is stored.
func (k SigningKey) MarshalPrivate() ([]byte, error) {
	if k.private == nil {
		return nil, errors.New("token: the signing key is empty")
	}
	return x509.MarshalPKCS8PrivateKey(k.private)
}

// JWKS is the JSON Web Key Set (RFC 7517, section 5) of the keys' public parts, in the given order. Each carries kid,
// alg and use "sig", and nothing private.
func JWKS(keys ...SigningKey) ([]byte, error) {
	set := jose.JSONWebKeySet{Keys: make([]jose.JSONWebKey, 0, len(keys))}
	for _, k := range keys {
		if k.private == nil {
			return nil, errors.New("token: the signing key is empty")
		}
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: &k.private.PublicKey, KeyID: k.KID, Algorithm: k.Alg, Use: "sig"})
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
