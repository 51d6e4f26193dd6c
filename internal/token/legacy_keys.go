package token

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"

	"github.com/dragoman-auth/dragoman/internal/secret"
)

// maxLegacyKeys bounds the cost of a check: a token without a kid is tried with every key.
const maxLegacyKeys = 10

// legacyKey is a key that verifies; kid is "" where it has none.
type legacyKey struct {
	kid string
	key any
}

// legacyKeys reads a key file: for HS256 a secret of at least 32 bytes as strong as a server secret, for RS256 and
// ES256 a public key or certificate in PEM, a JWK or a JWK set. So a public key is never a secret of HMAC, and a secret
// is never parsed as a key.
func legacyKeys(alg string, content []byte) ([]legacyKey, error) {
	text := bytes.TrimSpace(content)
	switch alg {
	case algHS256:
		if bytes.HasPrefix(text, []byte("-----BEGIN")) || bytes.HasPrefix(text, []byte("{")) {
			return nil, errors.New("the key is no secret but a public key, or JSON; HS256 takes the secret alone")
		}
		raw := bytes.TrimRight(content, "\r\n")
		if _, err := secret.New(raw); err != nil {
			return nil, fmt.Errorf("the secret is too weak, so that anybody may sign tokens by it: %w", err)
		}
		return []legacyKey{{key: raw}}, nil
	case AlgRS256, AlgES256:
	default:
		return nil, errors.New("the algorithm is not known; use HS256, RS256 or ES256")
	}
	if bytes.HasPrefix(text, []byte("{")) {
		return keysOfSet(alg, text)
	}
	key, err := any(nil), error(nil)
	if alg == AlgRS256 {
		key, err = jwt.ParseRSAPublicKeyFromPEM(text)
	} else {
		key, err = jwt.ParseECPublicKeyFromPEM(text)
	}
	if err != nil || !fits(alg, key) {
		return nil, fmt.Errorf("the key is no public key for %s; give it as PEM, or as a JWK set", alg)
	}
	return []legacyKey{{key: key}}, nil
}

// keysOfSet reads a JWK or a JWK set (RFC 7517). Keys for other algorithms and uses are passed over.
func keysOfSet(alg string, text []byte) ([]legacyKey, error) {
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(text, &set); err != nil || len(set.Keys) == 0 {
		var one jose.JSONWebKey
		if err := json.Unmarshal(text, &one); err != nil {
			return nil, errors.New("the key is no JWK set; give a public key as PEM or JWK")
		}
		set.Keys = []jose.JSONWebKey{one}
	}
	var keys []legacyKey
	for _, k := range set.Keys {
		if !k.IsPublic() {
			return nil, errors.New("the JWK set has a private key, or a secret; give the public keys alone")
		}
		if (k.Algorithm == "" || k.Algorithm == alg) && (k.Use == "" || k.Use == "sig") && fits(alg, k.Key) {
			keys = append(keys, legacyKey{k.KeyID, k.Key})
		}
	}
	if len(keys) == 0 || len(keys) > maxLegacyKeys {
		return nil, fmt.Errorf("the JWK set has %d keys for %s; give one to %d", len(keys), alg, maxLegacyKeys)
	}
	return keys, nil
}

// fits tells whether a public key is one for alg.
func fits(alg string, key any) bool {
	switch k := key.(type) {
	case *rsa.PublicKey:
		return alg == AlgRS256 && k.N.BitLen() >= minRSA && k.N.BitLen() <= maxRSA
	case *ecdsa.PublicKey:
		return alg == AlgES256 && k.Curve == elliptic.P256()
	}
	return false
}
