package token_test

import (
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/internal/secret"
	"github.com/dragoman-auth/dragoman/internal/token"
)

const (
	issuerName = "https://auth.example"
	audience   = "https://api.example"
)

func newCodec(t testing.TB) *token.Codec {
	t.Helper()
	m, err := secret.New(secret.Generate())
	if err != nil {
		t.Fatal(err)
	}
	return token.NewCodec(m, noon)
}

// noon is the fixed time of the tests.
func noon() time.Time { return time.Unix(1_800_000_000, 0) }

// hmacKey is the HS256 key of the tests.
func hmacKey() []byte { return []byte("0123456789abcdef0123456789abcdef") }

func newKey(t testing.TB) token.SigningKey {
	t.Helper()
	key, err := token.GenerateKey(token.AlgES256)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newIssuer(t testing.TB, key token.SigningKey, others ...token.SigningKey) *token.Issuer {
	t.Helper()
	i, err := token.NewIssuer(issuerName, audience, key, others, hmacKey(), noon)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func someone() token.Access {
	return token.Access{
		User: token.FormatID("user", token.NewID()), Session: token.FormatID("sess", token.NewID()),
		Generation: 7, Roles: []string{"admin"}, Methods: []string{"pwd", "otp"},
		Metadata: map[string]any{"team": "blue"},
	}
}

func issue(t testing.TB, i *token.Issuer) string {
	t.Helper()
	text, _, err := i.Issue(someone(), 10*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	return text.Reveal()
}

// private extracts the private key.
func private(t testing.TB, key token.SigningKey) *ecdsa.PrivateKey {
	t.Helper()
	der, err := key.MarshalPrivate()
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		t.Fatal(err)
	}
	return parsed.(*ecdsa.PrivateKey)
}

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// forge signs any header and claims with a P-256 key.
func forge(t testing.TB, key token.SigningKey, header, claims string) string {
	t.Helper()
	input := b64(header) + "." + b64(claims)
	digest := sha256.Sum256([]byte(input))
	r, s, err := ecdsa.Sign(rand.Reader, private(t, key), digest[:])
	if err != nil {
		t.Fatal(err)
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return input + "." + b64(string(signature))
}

func goodHeader(key token.SigningKey) string {
	return fmt.Sprintf(`{"alg":"ES256","typ":"at+jwt","kid":%q}`, key.KID)
}

// goodHMACHeader is the header of HS256 access tokens.
const goodHMACHeader = `{"alg":"HS256","typ":"JWT"}`

// forgeHMAC signs any header and claims with HMAC-SHA-256.
func forgeHMAC(key []byte, header, claims string) string {
	input := b64(header) + "." + b64(claims)
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(input))
	return input + "." + b64(string(mac.Sum(nil)))
}

func issueHS256(t testing.TB, i *token.Issuer) string {
	t.Helper()
	a := someone()
	a.HS256 = true
	text, _, err := i.Issue(a, 10*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	return text.Reveal()
}

// goodClaims returns claims that are valid at noon. Each pair replaces an old text by a new one.
func goodClaims(pairs ...string) string {
	return strings.NewReplacer(pairs...).Replace(`{"iss":"https://auth.example","aud":"https://api.example",` +
		`"sub":"user_x","sid":"sess_x","iat":1800000000,"exp":1800000600,"jti":"j"}`)
}

// refuses checks that Verify rejects text with ErrMalformed, without a result, and without a part of the token in the
// error.
func refuses(t *testing.T, i *token.Issuer, text string) {
	t.Helper()
	got, err := i.Verify(text)
	if !errors.Is(err, token.ErrMalformed) || got.User != "" || got.Session != "" {
		t.Errorf("accepted: %+v, %v", got, err)
		return
	}
	for _, part := range strings.Split(text, ".") {
		if len(part) > 8 && strings.Contains(err.Error(), part[:8]) {
			t.Errorf("the error shows the token: %v", err)
		}
	}
}

// refusesBoth checks with refuses both forms of an access token with these claims.
func refusesBoth(t *testing.T, i *token.Issuer, key token.SigningKey, claims string) {
	t.Helper()
	refuses(t, i, forge(t, key, goodHeader(key), claims))
	refuses(t, i, forgeHMAC(hmacKey(), goodHMACHeader, claims))
}

// samples returns the number of draws of a test: full if DRAGOMAN_TEST_FULL is 1, else normal.
func samples(normal, full int) int {
	if os.Getenv("DRAGOMAN_TEST_FULL") == "1" {
		return full
	}
	return normal
}

// mutants returns texts that are almost text: changed, cut, doubled or in another case at each position, and with white
// space around it. text itself is not among them.
func mutants(text string) []string {
	var out []string
	for i := range len(text) {
		head, c, tail := text[:i], text[i:i+1], text[i+1:]
		out = append(out, head, text[i+1:], head+tail, head+c+c+tail, head+" "+c+tail, head+"="+tail, head+"\n"+c+tail)
		for _, other := range []string{
			"A", "a", "0", "1", "z", "-", "_", ".", "\x00", "é", string(c[0] ^ 1), string(c[0] ^ 2),
		} {
			out = append(out, head+other+tail)
		}
		out = append(out, head+strings.ToUpper(c)+tail, head+strings.ToLower(c)+tail)
		if i > 0 {
			out = append(out, text[:i-1]+c+text[i-1:i]+tail)
		}
	}
	for _, extra := range []string{" ", "\n", "\r\n", "\t", "\x00", "=", "==", ".", "A", "\u00a0", "\ufeff"} {
		out = append(out, text+extra, extra+text)
	}
	out = append(out, strings.ToUpper(text), strings.ToLower(text), text+text, text+"."+text, "Bearer "+text)
	return slices.DeleteFunc(out, func(m string) bool { return m == text })
}
