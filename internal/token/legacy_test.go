package token

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"
)

// JW-19: a key is of its algorithm and strong, and is a public one where that is asked for.
func TestJW19_LegacyKeys(t *testing.T) {
	t.Parallel()
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	large, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public := func(key any) string {
		der, err := x509.MarshalPKIXPublicKey(key)
		if err != nil {
			t.Fatal(err)
		}
		return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	}
	private, err := x509.MarshalPKCS8PrivateKey(large)
	if err != nil {
		t.Fatal(err)
	}
	set := func(keys ...jose.JSONWebKey) string {
		text, err := json.Marshal(jose.JSONWebKeySet{Keys: keys})
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	one, err := json.Marshal(jose.JSONWebKey{Key: &large.PublicKey})
	if err != nil {
		t.Fatal(err)
	}
	const strong = "wM4zq8Lr2Tn6Vx0Bk5Hd9Yc3Gf7Ps1Ju"
	oct := jose.JSONWebKey{Key: []byte(strong)}
	for _, c := range []struct {
		name, alg, key string
		good           bool
	}{
		{"secret", "HS256", strong + "\n", true},
		{"short secret", "HS256", strong[:31], false},
		{"placeholder", "HS256", "your-256-bit-secret-your-256-bit-secret", false},
		{"empty", "HS256", "", false},
		{"public key as a secret", "HS256", public(&large.PublicKey), false},
		{"key set as a secret", "HS256", set(jose.JSONWebKey{Key: &large.PublicKey}), false},
		{"RSA", "RS256", public(&large.PublicKey), true},
		{"RSA of 1024 bits", "RS256", public(&small.PublicKey), false},
		{"secret as a public key", "RS256", strong, false},
		{"private key", "RS256", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})), false},
		{"another kind of key", "RS256", public(&p256.PublicKey), false},
		{"P-256", "ES256", public(&p256.PublicKey), true},
		{"P-384", "ES256", public(&p384.PublicKey), false},
		{"RSA for ES256", "ES256", public(&large.PublicKey), false},
		{"key set", "RS256", set(jose.JSONWebKey{Key: &large.PublicKey, KeyID: "a"}), true},
		{"one JWK", "RS256", string(one), true},
		{"key set with another use", "RS256", set(jose.JSONWebKey{Key: &large.PublicKey, Use: "enc"}), false},
		{"key set of another alg", "RS256", set(jose.JSONWebKey{Key: &large.PublicKey, Algorithm: "RS512"}), false},
		{"key set with a private key", "RS256", set(jose.JSONWebKey{Key: large}), false},
		{"key set with a secret", "RS256", set(oct), false},
		{"empty key set", "RS256", `{"keys": []}`, false},
		{"none", "none", "", false},
		{"HS512", "HS512", strong + strong, false},
		{"no algorithm", "", strong, false},
		{"PS256", "PS256", public(&large.PublicKey), false},
	} {
		_, err := NewLegacy(LegacyRules{Alg: c.alg, Key: []byte(c.key), Claim: "sub"}, time.Now)
		if (err == nil) != c.good {
			t.Errorf("%s: %v", c.name, err)
		}
		if err != nil && c.key != "" && strings.Contains(err.Error(), c.key[:min(len(c.key), 20)]) {
			t.Errorf("%s: the error shows the key: %v", c.name, err)
		}
	}
	if _, err := NewLegacy(LegacyRules{Alg: "HS256", Key: []byte(strong)}, time.Now); err == nil {
		t.Error("without a claim")
	}
}

// JW-10 holds for tokens of a former system too.
func TestJW10_LegacyDuplicates(t *testing.T) {
	t.Parallel()
	key := []byte("wM4zq8Lr2Tn6Vx0Bk5Hd9Yc3Gf7Ps1Ju")
	now := time.Unix(1_800_000_000, 0)
	l, err := NewLegacy(LegacyRules{Alg: "HS256", Key: key, Claim: "sub"}, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	sign := func(header, claims string) string {
		text := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." +
			base64.RawURLEncoding.EncodeToString([]byte(claims))
		signature, err := jwt.SigningMethodHS256.Sign(text, key)
		if err != nil {
			t.Fatal(err)
		}
		return text + "." + base64.RawURLEncoding.EncodeToString(signature)
	}
	const header = `{"alg":"HS256"}`
	for claims, good := range map[string]bool{
		`{"sub":"a","iat":1800000000,"exp":1800000100}`:           true,
		`{"sub":"b","sub":"a","iat":1800000000,"exp":1800000100}`: false,
		`{"sub":"a","exp":1800000100,"exp":1700000000}`:           false,
		`{"sub":"a","exp":1800000100}{"sub":"b"}`:                 false,
		`{"sub":"a","exp":1e400}`:                                 false,
		`{"sub":"a","exp":0}`:                                     false,
		"{\"sub\":\"\xff\",\"exp\":1800000100}":                   false,
		`null`:                                                    false,
		`[]`:                                                      false,
	} {
		if got, err := l.Verify(sign(header, claims)); (err == nil) != good || good && got.Subject != "a" {
			t.Errorf("%s: %+v %v", claims, got, err)
		}
	}
	if _, err := l.Verify(sign(`{"alg":"none","alg":"HS256"}`, `{"sub":"a","exp":1800000100}`)); err == nil {
		t.Error("two algorithms")
	}
}
