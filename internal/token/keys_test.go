package token_test

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/dragoman-auth/dragoman/internal/token"
)

func TestKey_RoundTrip(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	der, err := key.MarshalPrivate()
	if err != nil {
		t.Fatal(err)
	}
	again, err := token.ParseKey(der)
	if err != nil || again.KID != key.KID || again.Alg != "ES256" {
		t.Fatalf("%v, %v", again, err)
	}
	if _, err := newIssuer(t, again).Verify(issue(t, newIssuer(t, key))); err != nil {
		t.Error(err)
	}
}

func TestKey_KIDIsThumbprint(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	// RFC 7638, section 3: the required members, sorted by name, without white space.
	point, err := private(t, key).PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	x, y := b64(string(point[1:33])), b64(string(point[33:]))
	sum := sha256.Sum256(fmt.Appendf(nil, `{"crv":"P-256","kty":"EC","x":%q,"y":%q}`, x, y))
	if want := base64.RawURLEncoding.EncodeToString(sum[:]); key.KID != want {
		t.Errorf("kid %s, want %s", key.KID, want)
	}
}

func TestParseKey_OthersRefused(t *testing.T) {
	t.Parallel()
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	small, err := rsa.GenerateKey(rand.Reader, 1024) // JW-07
	if err != nil {
		t.Fatal(err)
	}
	x, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string]any{"P-384": p384, "RSA of 1024 bits": small, "X25519": x} {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := token.ParseKey(der); err == nil {
			t.Errorf("%s accepted", name)
		}
	}
	for _, der := range [][]byte{nil, {}, {0x30}, []byte("-----BEGIN PRIVATE KEY-----")} {
		if _, err := token.ParseKey(der); err == nil {
			t.Errorf("%q accepted", der)
		}
	}
	if _, err := (token.SigningKey{}).MarshalPrivate(); err == nil {
		t.Error("the empty key was marshalled")
	}
	if _, err := token.JWKS(token.SigningKey{}); err == nil {
		t.Error("the empty key was published")
	}
}

func TestJW12_JWKSHasPublicPartsOnly(t *testing.T) {
	t.Parallel()
	keys := []token.SigningKey{newKey(t), newKey(t)}
	raw, err := token.JWKS(keys...)
	if err != nil {
		t.Fatal(err)
	}
	var set struct {
		Keys []map[string]string `json:"keys"`
	}
	if err := json.Unmarshal(raw, &set); err != nil || len(set.Keys) != 2 {
		t.Fatalf("%s, %v", raw, err)
	}
	for n, jwk := range set.Keys {
		var names []string
		for name := range jwk {
			names = append(names, name)
		}
		slices.Sort(names)
		if !slices.Equal(names, []string{"alg", "crv", "kid", "kty", "use", "x", "y"}) {
			t.Errorf("members %v", names)
		}
		if jwk["kid"] != keys[n].KID || jwk["alg"] != "ES256" || jwk["use"] != "sig" || jwk["kty"] != "EC" ||
			jwk["crv"] != "P-256" {
			t.Errorf("key %v", jwk)
		}
		d, err := private(t, keys[n]).Bytes()
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(raw), b64(string(d))) {
			t.Error("the private part is published")
		}
	}
	if raw, err := token.JWKS(); err != nil || string(raw) != `{"keys":[]}` {
		t.Errorf("no key: %s, %v", raw, err)
	}
}

func TestSigningKeyRedactsItself(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	d, err := private(t, key).Bytes()
	if err != nil {
		t.Fatal(err)
	}
	type holder struct{ key token.SigningKey }
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("m", "key", key, "pointer", &key, "holder", holder{key})
	slog.New(slog.NewTextHandler(&log, nil)).Info("m", "key", key, "pointer", &key, "holder", holder{key})
	js, err := json.Marshal(key)
	if err != nil {
		t.Fatal(err)
	}
	log.Write(js)
	for _, form := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		fmt.Fprintf(&log, form+form+form+"\n", key, &key, holder{key})
	}
	out := strings.ToLower(log.String())
	for _, plain := range []string{
		b64(string(d)), fmt.Sprintf("%x", d), new(big.Int).SetBytes(d).String(), strings.Trim(fmt.Sprint(d), "[]"),
		strings.Trim(fmt.Sprint(new(big.Int).SetBytes(d).Bits()), "[]"), // the words inside a big.Int
	} {
		if strings.Contains(out, strings.ToLower(plain)) {
			t.Errorf("the private key shows: %s", out)
		}
	}
}
