package token_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/dragoman-auth/dragoman/internal/secret"
	"github.com/dragoman-auth/dragoman/internal/token"
)

func keyOf(t testing.TB, alg string) token.SigningKey {
	t.Helper()
	key, err := token.GenerateKey(alg)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// signAs signs any header and claims with a key of any algorithm. It uses the algorithm of the key, not of the header.
func signAs(t *testing.T, key token.SigningKey, header, claims string) string {
	t.Helper()
	if key.Alg == token.AlgES256 {
		return forge(t, key, header, claims)
	}
	der, err := key.MarshalPrivate()
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		t.Fatal(err)
	}
	input := b64(header) + "." + b64(claims)
	digest, hash := []byte(input), crypto.Hash(0)
	if key.Alg == token.AlgRS256 {
		sum := sha256.Sum256(digest)
		digest, hash = sum[:], crypto.SHA256
	}
	signature, err := parsed.(crypto.Signer).Sign(rand.Reader, digest, hash)
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + b64(string(signature))
}

// JW-01: each key has one of the three algorithms. An Issuer verifies with keys of all three, and a header with another
// algorithm than its key is rejected.
func TestJW01_OneAlgorithmAKey(t *testing.T) {
	t.Parallel()
	algs := []string{token.AlgES256, token.AlgEdDSA, token.AlgRS256}
	var keys []token.SigningKey
	for _, alg := range algs {
		keys = append(keys, keyOf(t, alg))
	}
	for n, key := range keys {
		others := slices.Delete(slices.Clone(keys), n, n+1)
		i := newIssuer(t, key, others...)
		text := issue(t, i)
		for m, other := range keys {
			if _, err := newIssuer(t, other, slices.Delete(slices.Clone(keys), m, m+1)...).Verify(text); err != nil {
				t.Errorf("%s beside %s: %v", key.Alg, other.Alg, err)
			}
		}
		header := func(alg string) string { return fmt.Sprintf(`{"alg":%s,"typ":"at+jwt","kid":%q}`, alg, key.KID) }
		if _, err := i.Verify(signAs(t, key, header(`"`+key.Alg+`"`), goodClaims())); err != nil {
			t.Fatalf("%s: the test signs in another way than the server: %v", key.Alg, err)
		}
		for _, alg := range []string{
			`"none"`, `"nOnE"`, `""`, `"HS256"`, `"ES256"`, `"EdDSA"`, `"RS256"`, `"ES384"`, `"PS256"`, `"RS384"`,
			`"RS512"`, `"eddsa"`, `"EDDSA"`, `"Ed25519"`, `"rs256"`, `"RS256 "`, `["EdDSA"]`, `null`, `{}`,
		} {
			if alg != `"`+key.Alg+`"` {
				refuses(t, i, signAs(t, key, header(alg), goodClaims()))
			}
		}
		// The kid of one key with the signature of another.
		for _, other := range others {
			for _, alg := range algs {
				refuses(t, i, signAs(t, other, header(`"`+alg+`"`), goodClaims()))
			}
		}
		// JW-08: an unknown kid has its own error, so the caller can load the keys again.
		if _, err := newIssuer(t, others[0]).Verify(text); !errors.Is(err, token.ErrUnknownKey) ||
			!errors.Is(err, token.ErrMalformed) {
			t.Errorf("%s: %v", key.Alg, err)
		}
	}
	for _, kid := range []string{
		`""`, `"x"`, `"` + strings.Repeat("A", 44) + `"`, `"` + strings.Repeat("/", 43) + `"`,
		`"` + strings.Repeat("A", 42) + `\u0000"`,
	} {
		header := `{"alg":"ES256","typ":"at+jwt","kid":` + kid + `}`
		_, err := newIssuer(t, keys[0]).Verify(forge(t, keys[0], header, goodClaims()))
		if errors.Is(err, token.ErrUnknownKey) || !errors.Is(err, token.ErrMalformed) {
			t.Errorf("a malformed kid is reported as unknown: %s: %v", kid, err)
		}
	}
}

// JW-12: the key set shows the public parts of each algorithm with kid, alg and use. Keys of each algorithm survive
// PKCS #8.
func TestJW12_EveryAlgorithm(t *testing.T) {
	t.Parallel()
	members := map[string]string{
		token.AlgES256: "alg crv kid kty use x y",
		token.AlgEdDSA: "alg crv kid kty use x",
		token.AlgRS256: "alg e kid kty n use",
	}
	for alg, want := range members {
		key := keyOf(t, alg)
		der, err := key.MarshalPrivate()
		if err != nil {
			t.Fatal(err)
		}
		again, err := token.ParseKey(der)
		if err != nil || again.KID != key.KID || again.Alg != alg || len(key.KID) != 43 {
			t.Fatalf("%s: %v %v", alg, again, err)
		}
		if _, err := newIssuer(t, again).Verify(issue(t, newIssuer(t, key))); err != nil {
			t.Errorf("%s: %v", alg, err)
		}
		raw, err := token.JWKS(key)
		if err != nil {
			t.Fatal(err)
		}
		var set struct{ Keys []map[string]string }
		if err := json.Unmarshal(raw, &set); err != nil {
			t.Fatal(err)
		}
		var names []string
		for name := range set.Keys[0] {
			names = append(names, name)
		}
		slices.Sort(names)
		if strings.Join(names, " ") != want || set.Keys[0]["alg"] != alg || set.Keys[0]["use"] != "sig" ||
			set.Keys[0]["kid"] != key.KID {
			t.Errorf("%s: %s", alg, raw)
		}
		if alg == token.AlgRS256 && len(set.Keys[0]["n"]) != 512 { // 3072 bits
			t.Errorf("an RSA modulus of %d characters", len(set.Keys[0]["n"]))
		}
		for _, form := range []string{"%v", "%+v", "%#v", "%x", "%d"} {
			holder := struct{ key token.SigningKey }{key}
			if out := fmt.Sprintf(form, holder) + fmt.Sprintf(form, key); len(out) > 400 {
				t.Errorf("%s %s shows more than its name: %.300s", alg, form, out)
			}
		}
	}
	for _, alg := range []string{"", "HS256", "none", "es256", "ES384"} {
		if _, err := token.GenerateKey(alg); err == nil {
			t.Errorf("%q has keys", alg)
		}
	}
}

// KE-02: HS256 tokens under every further key are accepted; new tokens are signed with the first key.
func TestKE02_HS256UnderFurtherKeys(t *testing.T) {
	t.Parallel()
	key, older, other := newKey(t), bytes.Repeat([]byte("o"), 32), bytes.Repeat([]byte("x"), 32)
	i, err := newIssuer(t, key).Accepting(older)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range [][]byte{hmacKey(), older} {
		if a, err := i.Verify(forgeHMAC(k, goodHMACHeader, goodClaims())); err != nil || !a.HS256 {
			t.Errorf("%v", err)
		}
		refuses(t, i, forgeHMAC(k, goodHMACHeader, goodClaims("1800000600", "1700000000")))
	}
	refuses(t, i, forgeHMAC(other, goodHMACHeader, goodClaims()))
	if _, err := newIssuer(t, key).Verify(issueHS256(t, i)); err != nil {
		t.Errorf("a new token is not signed with the first key: %v", err)
	}
	if _, err := i.Accepting(older[:31]); err == nil { // JW-07
		t.Error("a short key was accepted")
	}
}

// KE-02: tokens and API keys under every secret are accepted, and new ones are made under the present secret. Tokens
// and API keys under a removed secret are rejected.
func TestKE02_CodecUnderFurtherSecrets(t *testing.T) {
	t.Parallel()
	old, fresh := secret.Generate(), secret.Generate()
	codec := func(raws ...[]byte) *token.Codec {
		m, err := secret.New(raws[0], raws[1:]...)
		if err != nil {
			t.Fatal(err)
		}
		return token.NewCodec(m, noon)
	}
	before, both, behind, after := codec(old), codec(fresh, old), codec(old, fresh), codec(fresh)
	id := token.NewID()
	accepts := func(c *token.Codec, refresh, session string) bool {
		got, generation, err := c.ParseRefresh(refresh)
		again, failed := c.ParseSession(session)
		if (err == nil) != (failed == nil) || err == nil && (got != id || again != id || generation != 7) {
			t.Errorf("%v %v %v %v", got, err, again, failed)
		}
		return err == nil
	}
	oldRefresh, oldSession := before.Refresh(id, 7).Reveal(), before.Session(id).Reveal()
	newRefresh, newSession := both.Refresh(id, 7).Reveal(), both.Session(id).Reveal()
	if !accepts(both, oldRefresh, oldSession) || !accepts(both, newRefresh, newSession) ||
		!accepts(behind, newRefresh, newSession) || !accepts(after, newRefresh, newSession) ||
		accepts(after, oldRefresh, oldSession) || accepts(before, newRefresh, newSession) {
		t.Error("a token is accepted under the wrong secrets")
	}
	for _, mutant := range mutants(oldRefresh) {
		if _, _, err := both.ParseRefresh(mutant); err == nil {
			t.Errorf("%q taken", mutant)
		}
	}
	key := newAPIKey(t, before)
	text := key.Text.Reveal()
	_, moved, err := both.ParseAPIKey(text)
	if err != nil || bytes.Equal(moved, key.Hash) || !bytes.HasPrefix(moved, both.APIKeyLabel()) ||
		!bytes.HasPrefix(key.Hash, before.APIKeyLabel()) {
		t.Fatalf("the hash: %v", err)
	}
	twin := newAPIKey(t, before).Text.Reveal()
	for _, row := range []struct {
		name      string
		codec     *token.Codec
		text      string
		hash      []byte
		is, stale bool
	}{
		{"before", before, text, key.Hash, true, false},
		{"both", both, text, key.Hash, true, true},
		{"both, moved", both, text, moved, true, false},
		{"behind, moved", behind, text, moved, true, true},
		{"after, moved", after, text, moved, true, false},
		{"after", after, text, key.Hash, false, false},
		{"before, moved", before, text, moved, false, false},
		{"without a label", both, text, key.Hash[3:], true, true},
		{"without a label, present", before, text, key.Hash[3:], true, true},
		{"cut", both, text, key.Hash[:34], false, false},
		{"empty", both, text, nil, false, false},
		{"another label", before, text, append([]byte("abc"), key.Hash[3:]...), false, false},
		{"another key", both, twin, key.Hash, false, false},
		{"junk", both, "sk_live_x", key.Hash, false, false},
	} {
		if is, stale := row.codec.IsAPIKey(row.text, row.hash); is != row.is || stale != row.stale {
			t.Errorf("%s: is %t, stale %t", row.name, is, stale)
		}
	}
}
