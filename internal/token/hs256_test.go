package token_test

import (
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/internal/secret"
	"github.com/dragoman-auth/dragoman/internal/token"
)

func TestIssue_HS256(t *testing.T) {
	t.Parallel()
	i := newIssuer(t, newKey(t))
	a := someone()
	a.HS256, a.Extra = true, map[string]any{"userid": "x", "n": 1}
	text, issued, err := i.Issue(a, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(text.Reveal(), "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.") { // as the documents of dialects show
		t.Errorf("header %.40s", text.Reveal())
	}
	header, claims := segments(t, text.Reveal())
	if want := map[string]any{"alg": "HS256", "typ": "JWT"}; !reflect.DeepEqual(header, want) {
		t.Errorf("header %v", header)
	}
	want := map[string]any{
		"iss":      issuerName,
		"aud":      audience,
		"sub":      a.User,
		"sid":      a.Session,
		"gen":      7.0,
		"iat":      1.8e9,
		"exp":      1.8e9 + 60,
		"jti":      issued.ID,
		"roles":    []any{"admin"},
		"amr":      []any{"pwd", "otp"},
		"metadata": map[string]any{"team": "blue"},
		"userid":   "x",
		"n":        1.0,
	}
	if !reflect.DeepEqual(claims, want) {
		t.Errorf("claims %v", claims)
	}
	got, err := i.Verify(text.Reveal())
	issued.Extra = nil // Verify ignores unknown claims
	if err != nil || !reflect.DeepEqual(got, issued) {
		t.Errorf("issued %+v, read %+v, %v", issued, got, err)
	}
}

// JW-01, JW-05: every header but the exact one is rejected, under either key.
func TestJW01_HS256HeaderTable(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	i := newIssuer(t, key)
	kid := fmt.Sprintf(`"kid":%q`, key.KID)
	for name, header := range map[string]string{
		"ES256 as JWT":          `{"alg":"ES256","typ":"JWT"}`,
		"ES256 as JWT with kid": `{"alg":"ES256","typ":"JWT",` + kid + `}`,
		"at+jwt":                `{"alg":"HS256","typ":"at+jwt"}`,
		"at+jwt with kid":       `{"alg":"HS256","typ":"at+jwt",` + kid + `}`,
		"kid":                   `{"alg":"HS256","typ":"JWT",` + kid + `}`,
		"kid first":             `{` + kid + `,"alg":"HS256","typ":"JWT"}`,
		"empty kid":             `{"alg":"HS256","typ":"JWT","kid":""}`,
		"null kid":              `{"alg":"HS256","typ":"JWT","kid":null}`,
		"other order":           `{"typ":"JWT","alg":"HS256"}`,
		"space":                 `{"alg":"HS256", "typ":"JWT"}`,
		"space behind":          goodHMACHeader + " ",
		"newline":               goodHMACHeader + "\n",
		"text behind":           goodHMACHeader + "x",
		"second object":         goodHMACHeader + "{}",
		"escape":                `{"alg":"HS256","typ":"J\u0057T"}`,
		"jwt":                   `{"alg":"HS256","typ":"jwt"}`,
		"no typ":                `{"alg":"HS256"}`,
		"typ null":              `{"alg":"HS256","typ":null}`,
		"rt+jwt":                `{"alg":"HS256","typ":"rt+jwt"}`,
		"capitals":              `{"ALG":"HS256","TYP":"JWT"}`,
		"alg twice":             `{"alg":"HS256","alg":"HS256","typ":"JWT"}`,
		"none then HS256":       `{"alg":"none","alg":"HS256","typ":"JWT"}`,
		"HS384":                 `{"alg":"HS384","typ":"JWT"}`,
		"HS512":                 `{"alg":"HS512","typ":"JWT"}`,
		"hs256":                 `{"alg":"hs256","typ":"JWT"}`,
		"none":                  `{"alg":"none","typ":"JWT"}`,
		"list":                  `{"alg":["HS256"],"typ":"JWT"}`,
		"no alg":                `{"typ":"JWT"}`,
		"crit":                  `{"alg":"HS256","typ":"JWT","crit":["exp"],"exp":1}`,
		"jku":                   `{"alg":"HS256","typ":"JWT","jku":"http://127.0.0.1/"}`,
		"jwk":                   `{"alg":"HS256","typ":"JWT","jwk":{"kty":"oct","k":"AA"}}`,
		"unknown":               `{"alg":"HS256","typ":"JWT","x":null}`,
		"zip":                   `{"alg":"HS256","typ":"JWT","zip":"DEF"}`,
		"b64":                   `{"alg":"HS256","typ":"JWT","b64":false}`,
		"ES256's own, by HMAC":  goodHeader(key),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			refuses(t, i, forgeHMAC(hmacKey(), header, goodClaims()))
			if header != goodHeader(key) {
				refuses(t, i, forge(t, key, header, goodClaims()))
			}
		})
	}
	refuses(t, i, forge(t, key, goodHMACHeader, goodClaims())) // the HS256 header, signed with the P-256 key
	good := forgeHMAC(hmacKey(), goodHMACHeader, goodClaims())
	head := good[:strings.LastIndexByte(good, '.')+1]
	for _, signature := range []string{
		"", "AA", b64(strings.Repeat("\x00", 32)), good[len(head) : len(good)-2], good[len(head):] + "AA",
	} {
		refuses(t, i, head+signature)
	}
}

// JW-01: only the HMAC key signs HS256 tokens. The public parts of the signing key, the other keys of the server secret
// and the HMAC key of another deployment do not.
func TestJW01_HS256UnderOtherKeys(t *testing.T) {
	t.Parallel()
	raw := secret.Generate()
	m, err := secret.New(raw)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := secret.New(secret.Generate())
	if err != nil {
		t.Fatal(err)
	}
	key := newKey(t)
	i, err := token.NewIssuer(issuerName, audience, key, nil, m.HMACKeys("access tokens")[0], noon)
	if err != nil {
		t.Fatal(err)
	}
	// derived makes the key of any use and purpose from the server secret.
	prk, err := hkdf.Extract(sha256.New, raw, []byte("dragoman key derivation v1"))
	if err != nil {
		t.Fatal(err)
	}
	derived := func(name string) []byte {
		out, err := hkdf.Expand(sha256.New, prk, name, 32)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	if _, err := i.Verify(forgeHMAC(derived("hmac/access tokens"), goodHMACHeader, goodClaims())); err != nil {
		t.Fatal("the test derives keys in another way than the server")
	}
	der, err := x509.MarshalPKIXPublicKey(private(t, key).Public())
	if err != nil {
		t.Fatal(err)
	}
	jwks, err := token.JWKS(key)
	if err != nil {
		t.Fatal(err)
	}
	point, err := private(t, key).PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	keys := map[string][]byte{
		"DER":              der,
		"PEM":              pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}),
		"point":            point,
		"JWKS":             jwks,
		"JWK":              jwks[len(`{"keys":[`) : len(jwks)-len(`]}`)],
		"kid":              []byte(key.KID),
		"nothing":          nil,
		"zeros":            make([]byte, 32),
		"server secret":    raw,
		"other deployment": theirs.HMACKeys("access tokens")[0],
		"other purpose":    m.HMACKeys("refresh")[0],
	}
	for _, use := range []string{"mac/", "seal/", "id/"} {
		for _, purpose := range []string{"access tokens", "refresh", "session", "api-key", "signing keys"} {
			keys[use+purpose] = derived(use + purpose)
		}
	}
	for name, key := range keys {
		t.Run(name, func(t *testing.T) { refuses(t, i, forgeHMAC(key, goodHMACHeader, goodClaims())) })
	}
	refuses(t, newIssuer(t, key), forgeHMAC(derived("hmac/access tokens"), goodHMACHeader, goodClaims()))
}

// fmt never shows the HMAC key of an Issuer.
func TestIssuer_HidesItsHMACKey(t *testing.T) {
	t.Parallel()
	i := newIssuer(t, newKey(t))
	for _, form := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		for _, value := range []any{i, *i} {
			out := fmt.Sprintf(form, value)
			for _, part := range []string{
				string(hmacKey()[:8]), fmt.Sprintf("%x", hmacKey()[:8]),
				strings.Trim(fmt.Sprint(hmacKey()[:8]), "[]"),
			} {
				if strings.Contains(out, part) {
					t.Errorf("%s shows the key", form)
				}
			}
		}
	}
}

// JW-11: an extra claim never replaces a claim of the server, in any case of letters.
func TestJW11_ReservedClaimsRefused(t *testing.T) {
	t.Parallel()
	i := newIssuer(t, newKey(t))
	for _, name := range []string{"iss", "aud", "sub", "sid", "gen", "iat", "exp", "nbf", "jti", "roles", "amr"} {
		for _, name := range []string{
			name, strings.ToUpper(name), strings.ToUpper(name[:1]) + name[1:], strings.ReplaceAll(name, "s", "ſ"),
		} {
			if !token.ReservedClaim(name) {
				t.Errorf("%s is not reserved", name)
			}
			for _, hs256 := range []bool{false, true} {
				for _, value := range []any{"admin", nil, 0} {
					a := someone()
					a.HS256, a.Extra = hs256, map[string]any{"fine": 1, name: value}
					if text, _, err := i.Issue(a, time.Minute); err == nil || text != "" {
						t.Errorf("%s: issued", name)
					}
				}
			}
		}
	}
	for _, name := range []string{
		"", "metadata", "userid", "name", "email", "scope", "role", "subject", "su", "sub ", "sub\x00",
	} {
		if token.ReservedClaim(name) {
			t.Errorf("%q is reserved", name)
		}
	}
}

func TestIssue_ExtraClaims(t *testing.T) {
	t.Parallel()
	i := newIssuer(t, newKey(t))
	for name, row := range map[string]struct {
		extra    map[string]any
		written  map[string]any // the claims in the token; nil if Issue fails
		metadata map[string]any // the result of Verify
	}{
		"none": {
			map[string]any{},
			map[string]any{"metadata": map[string]any{"team": "blue"}},
			map[string]any{"team": "blue"},
		},
		"values": {
			map[string]any{"a": nil, "b": []any{1, "x"}, "": "", "d": map[string]any{"sub": "x"}},
			map[string]any{"a": nil, "b": []any{1.0, "x"}, "": "", "d": map[string]any{"sub": "x"}},
			map[string]any{"team": "blue"},
		},
		"numbers": {
			map[string]any{"a": json.Number("1e3"), "b": big.NewInt(1 << 40), "c": 2.5, "d": 7},
			map[string]any{"a": 1e3, "b": float64(1 << 40), "c": 2.5, "d": 7.0},
			map[string]any{"team": "blue"},
		},
		"metadata": {
			map[string]any{"metadata": map[string]any{"own": true}},
			map[string]any{"metadata": map[string]any{"own": true}},
			map[string]any{"own": true},
		},
		"empty": {
			map[string]any{"metadata": map[string]any{}},
			map[string]any{"metadata": map[string]any{}},
			map[string]any{},
		},
		"null":      {map[string]any{"metadata": nil}, map[string]any{"metadata": nil}, nil},
		"a list":    {map[string]any{"metadata": []any{}}, nil, nil},
		"a string":  {map[string]any{"metadata": "x"}, nil, nil},
		"NaN":       {map[string]any{"a": math.NaN()}, nil, nil},
		"no number": {map[string]any{"a": json.Number("x")}, nil, nil},
		"no text":   {map[string]any{"a": "\xff"}, nil, nil},
		"bad name":  {map[string]any{"\xff": 1}, nil, nil},
		"a channel": {map[string]any{"a": make(chan int)}, nil, nil},
	} {
		for _, hs256 := range []bool{false, true} {
			a := someone()
			a.HS256, a.Extra = hs256, row.extra
			text, _, err := i.Issue(a, time.Minute)
			if row.written == nil {
				if err == nil || text != "" {
					t.Errorf("%s: issued", name)
				}
				continue
			}
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			_, claims := segments(t, text.Reveal())
			for claim, want := range row.written {
				if got, ok := claims[claim]; !ok || !reflect.DeepEqual(got, want) {
					t.Errorf("%s: %s is %v", name, claim, got)
				}
			}
			got, err := i.Verify(text.Reveal())
			if err != nil || got.User != a.User || got.Extra != nil || got.HS256 != hs256 ||
				!reflect.DeepEqual(got.Metadata, row.metadata) {
				t.Errorf("%s: read %+v, %v", name, got, err)
			}
		}
	}
}

func TestJW11_ExtraClaimsLimit(t *testing.T) {
	t.Parallel()
	i := newIssuer(t, newKey(t))
	for name, row := range map[string]struct {
		extra map[string]any
		fits  bool
	}{
		"metadata of 4096 bytes": {map[string]any{"metadata": map[string]any{"k": strings.Repeat("x", 4088)}}, true},
		"metadata of 4097 bytes": {map[string]any{"metadata": map[string]any{"k": strings.Repeat("x", 4089)}}, false},
		"5 KB":                   {map[string]any{"k": strings.Repeat("x", 5000)}, true},
		"8 KB":                   {map[string]any{"k": strings.Repeat("x", 8000)}, false},
		"a megabyte":             {map[string]any{"k": strings.Repeat("x", 1<<20)}, false},
	} {
		a := someone()
		a.HS256, a.Extra = true, row.extra
		text, _, err := i.Issue(a, time.Minute)
		if row.fits != (err == nil) || !row.fits && (!errors.Is(err, token.ErrTooLarge) || text != "") {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil {
			if _, err := i.Verify(text.Reveal()); err != nil || len(text) > 8192 {
				t.Errorf("%s: issued what does not verify: %v", name, err)
			}
		}
	}
}
