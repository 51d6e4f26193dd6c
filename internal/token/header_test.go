package token_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/dragoman-auth/dragoman/internal/token"
)

func TestJW01_HeaderTable(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	i := newIssuer(t, key)
	header := func(alg string) string { return fmt.Sprintf(`{"alg":%s,"typ":"at+jwt","kid":%q}`, alg, key.KID) }
	table := map[string]string{}
	for _, alg := range []string{
		`"none"`, `"None"`, `"nOnE"`, `"NONE"`, `""`, `"HS256"`, `"HS384"`, `"HS512"`, `"ES384"`, `"ES512"`,
		`"RS256"`, `"PS256"`, `"EdDSA"`, `"es256"`, `"Es256"`, `"ES256 "`, `"ES256\u0000"`, `["ES256"]`,
		`["none","ES256"]`, `{"ES256":1}`, `null`, `true`, `256`, `"ES256K"`,
	} {
		table["alg "+alg] = header(alg)
	}
	for name, text := range map[string]string{
		"no alg":          fmt.Sprintf(`{"typ":"at+jwt","kid":%q}`, key.KID),
		"no header":       ``,
		"null":            `null`,
		"list":            `[]`,
		"string":          `"ES256"`,
		"alg in capitals": fmt.Sprintf(`{"ALG":"ES256","typ":"at+jwt","kid":%q}`, key.KID),
		"alg twice":       fmt.Sprintf(`{"alg":"none","alg":"ES256","typ":"at+jwt","kid":%q}`, key.KID),
		"kid twice":       fmt.Sprintf(`{"alg":"ES256","typ":"at+jwt","kid":"x","kid":%q}`, key.KID),
		"escaped twin":    fmt.Sprintf(`{"alg":"ES256","\u0061lg":"none","typ":"at+jwt","kid":%q}`, key.KID),
		"text behind":     goodHeader(key) + "x",
		"second object":   goodHeader(key) + "{}",
		"cut":             goodHeader(key)[:20],
		"invalid UTF-8":   strings.Replace(goodHeader(key), "ES256", "ES256\xff", 1),
	} {
		table[name] = text
	}
	for name, header := range table {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := forge(t, key, header, goodClaims())
			refuses(t, i, text)
			refuses(t, i, text[:strings.LastIndexByte(text, '.')+1])
			refuses(t, i, text[:strings.LastIndexByte(text, '.')+1]+"AA")
		})
	}
}

// If the header chose the algorithm, the public key, which everybody has, would be used as an HMAC key.
func TestJW01_HMACUnderThePublicKey(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	i := newIssuer(t, key)
	der, err := x509.MarshalPKIXPublicKey(private(t, key).Public())
	if err != nil {
		t.Fatal(err)
	}
	jwks, err := token.JWKS(key)
	if err != nil {
		t.Fatal(err)
	}
	for _, alg := range []string{"HS256", "ES256"} {
		for name, public := range map[string][]byte{
			"DER":     der,
			"PEM":     pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}),
			"JWKS":    jwks,
			"kid":     []byte(key.KID),
			"nothing": nil,
		} {
			input := b64(strings.Replace(goodHeader(key), "ES256", alg, 1)) + "." + b64(goodClaims())
			mac := hmac.New(sha256.New, public)
			mac.Write([]byte(input))
			t.Run(alg+" "+name, func(t *testing.T) { refuses(t, i, input+"."+b64(string(mac.Sum(nil)))) })
		}
	}
}

func TestJW02_KeyCarryingHeadersRefusedWithoutFetch(t *testing.T) {
	t.Parallel()
	var hits atomic.Int32
	sinkhole := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	defer sinkhole.Close()
	key, thief := newKey(t), newKey(t)
	i := newIssuer(t, key)
	jwks, err := token.JWKS(thief)
	if err != nil {
		t.Fatal(err)
	}
	jwk := strings.TrimSuffix(strings.TrimPrefix(string(jwks), `{"keys":[`), `]}`)
	for name, member := range map[string]string{
		"jku":        fmt.Sprintf(`"jku":%q`, sinkhole.URL),
		"x5u":        fmt.Sprintf(`"x5u":%q`, sinkhole.URL),
		"jwk":        `"jwk":` + jwk,
		"x5c":        `"x5c":["MIIB"]`,
		"x5t":        `"x5t":"AA"`,
		"crit":       `"crit":["exp"],"exp":1`,
		"empty crit": `"crit":[]`,
		"b64":        `"crit":["b64"],"b64":false`,
		"cty":        `"cty":"JWT"`,
		"zip":        `"zip":"DEF"`,
		"epk":        `"epk":{}`,
		"unknown":    `"x":null`,
		"null jku":   `"jku":null`,
	} {
		for _, signer := range []token.SigningKey{key, thief} {
			for _, named := range []token.SigningKey{key, thief} {
				text := forge(t, signer, strings.TrimSuffix(goodHeader(named), "}")+","+member+"}", goodClaims())
				t.Run(name, func(t *testing.T) { refuses(t, i, text) })
			}
		}
	}
	if n := hits.Load(); n != 0 {
		t.Errorf("%d fetches", n)
	}
}

func TestJW05_TypeTable(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	i := newIssuer(t, key)
	for _, typ := range []string{
		`"JWT"`, `"jwt"`, `"at+JWT"`, `"AT+JWT"`, `"application/at+jwt"`, `"rt+jwt"`, `"id_token"`, `""`, `null`,
		`["at+jwt"]`, `"at+jwt "`,
	} {
		t.Run(typ, func(t *testing.T) {
			refuses(t, i, forge(t, key, strings.Replace(goodHeader(key), `"at+jwt"`, typ, 1), goodClaims()))
		})
	}
	refuses(t, i, forge(t, key, strings.Replace(goodHeader(key), `"typ":"at+jwt",`, "", 1), goodClaims()))
}

func TestJW08_KIDTable(t *testing.T) {
	t.Parallel()
	key, thief := newKey(t), newKey(t)
	i := newIssuer(t, key)
	for _, kid := range []string{
		`"../../../dev/null"`, `"/etc/passwd"`, `"' OR 1=1 --"`, `"x' UNION SELECT 'AA"`, `"\u0000"`,
		`"` + key.KID + `\u0000"`, `""`, `null`, `0`, `[]`, `["` + key.KID + `"]`,
		`"` + strings.ToLower(key.KID) + `"`, `" ` + key.KID + `"`, `"` + key.KID[:42] + `"`, `"http://127.0.0.1/"`,
		`"` + thief.KID + `"`,
	} {
		t.Run(kid, func(t *testing.T) {
			t.Parallel()
			header := `{"alg":"ES256","typ":"at+jwt","kid":` + kid + `}`
			refuses(t, i, forge(t, key, header, goodClaims()))
			refuses(t, i, forge(t, thief, header, goodClaims()))
		})
	}
	refuses(t, i, forge(t, key, `{"alg":"ES256","typ":"at+jwt"}`, goodClaims()))
	refuses(t, i, forge(t, thief, goodHeader(key), goodClaims()))
}
