package token_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/internal/token"
)

// segments decodes header and claims of a token into maps.
func segments(t *testing.T, text string) (header, claims map[string]any) {
	t.Helper()
	parts := strings.Split(text, ".")
	for i, into := range []*map[string]any{&header, &claims} {
		raw, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(raw, into); err != nil {
			t.Fatal(err)
		}
	}
	return header, claims
}

func TestIssue_RoundTrip(t *testing.T) {
	t.Parallel()
	i := newIssuer(t, newKey(t))
	a := someone()
	text, issued, err := i.Issue(a, 10*time.Minute+999*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	got, err := i.Verify(text.Reveal())
	if err != nil || !reflect.DeepEqual(got, issued) {
		t.Fatalf("issued %+v, read %+v, %v", issued, got, err)
	}
	a.ID, a.IssuedAt, a.ExpiresAt = got.ID, noon().UTC(), noon().Add(10*time.Minute).UTC()
	if !reflect.DeepEqual(got, a) {
		t.Errorf("asked for %+v, got %+v", a, got)
	}
}

func TestIssue_ExactHeaderAndClaims(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	i := newIssuer(t, key)
	full, a, err := i.Issue(someone(), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	header, claims := segments(t, full.Reveal())
	if want := map[string]any{"alg": "ES256", "typ": "at+jwt", "kid": key.KID}; !reflect.DeepEqual(header, want) {
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
		"jti":      a.ID,
		"roles":    []any{"admin"},
		"amr":      []any{"pwd", "otp"},
		"metadata": map[string]any{"team": "blue"},
	}
	if !reflect.DeepEqual(claims, want) {
		t.Errorf("claims %v", claims)
	}
	empty := token.Access{
		User: "u", Session: "s", Generation: token.NoGeneration, Roles: []string{}, Metadata: map[string]any{},
	}
	bare, _, err := i.Issue(empty, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	_, claims = segments(t, bare.Reveal())
	for _, name := range []string{"gen", "roles", "amr", "metadata", "nbf"} {
		if _, ok := claims[name]; ok {
			t.Errorf("an empty %s is written", name)
		}
	}
	if read, err := i.Verify(bare.Reveal()); err != nil || read.Generation != token.NoGeneration {
		t.Error(read.Generation, err)
	}
}

func TestIssue_MistakesRefused(t *testing.T) {
	t.Parallel()
	i := newIssuer(t, newKey(t))
	for name, row := range map[string]struct {
		a   token.Access
		ttl time.Duration
	}{
		"no user":        {token.Access{Session: "s"}, time.Minute},
		"no session":     {token.Access{User: "u"}, time.Minute},
		"no lifetime":    {token.Access{User: "u", Session: "s"}, 0},
		"negative":       {token.Access{User: "u", Session: "s"}, -time.Hour},
		"under a second": {token.Access{User: "u", Session: "s"}, 999 * time.Millisecond},
		"invalid UTF-8":  {token.Access{User: "u\xff", Session: "s"}, time.Minute},
		"no JSON": {
			token.Access{User: "u", Session: "s", Metadata: map[string]any{"x": math.NaN()}},
			time.Minute,
		},
	} {
		if text, _, err := i.Issue(row.a, row.ttl); err == nil || text != "" {
			t.Errorf("%s: issued", name)
		}
	}
}

func TestNewIssuer_RefusesWhatTurnsACheckOff(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	for name, make := range map[string]func() (*token.Issuer, error){
		"no issuer": func() (*token.Issuer, error) {
			return token.NewIssuer("", audience, key, nil, hmacKey(), noon)
		},
		"no audience": func() (*token.Issuer, error) {
			return token.NewIssuer(issuerName, "", key, nil, hmacKey(), noon)
		},
		"no key": func() (*token.Issuer, error) {
			return token.NewIssuer(issuerName, audience, token.SigningKey{}, nil, hmacKey(), noon)
		},
		"no HMAC key": func() (*token.Issuer, error) {
			return token.NewIssuer(issuerName, audience, key, nil, nil, noon)
		},
		"short HMAC key": func() (*token.Issuer, error) { // JW-07
			return token.NewIssuer(issuerName, audience, key, nil, hmacKey()[:31], noon)
		},
		"no clock": func() (*token.Issuer, error) {
			return token.NewIssuer(issuerName, audience, key, nil, hmacKey(), nil)
		},
		"empty other key": func() (*token.Issuer, error) {
			empty := []token.SigningKey{{KID: "x", Alg: "ES256"}}
			return token.NewIssuer(issuerName, audience, key, empty, hmacKey(), noon)
		},
		"other algorithm": func() (*token.Issuer, error) {
			odd := key
			odd.Alg = "none"
			return token.NewIssuer(issuerName, audience, odd, nil, hmacKey(), noon)
		},
	} {
		if i, err := make(); err == nil || i != nil {
			t.Errorf("%s accepted", name)
		}
	}
}

func TestSE02_AccessTokenIDsUnique(t *testing.T) {
	t.Parallel()
	i := newIssuer(t, newKey(t))
	n := samples(10_000, 1_000_000)
	seen := make(map[string]bool, n)
	for range n {
		_, a, err := i.Issue(token.Access{User: "u", Session: "s"}, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if len(a.ID) < 26 || seen[a.ID] { // 26 characters of base32 are 130 bits
			t.Fatalf("%q is short or came twice", a.ID)
		}
		seen[a.ID] = true
	}
}

func TestJW11_MetadataOverwritesNothing(t *testing.T) {
	t.Parallel()
	i := newIssuer(t, newKey(t))
	a := someone()
	a.Metadata = map[string]any{
		"sub":            "admin",
		"sid":            "sess_y",
		"exp":            9e9,
		"iat":            1.0,
		"iss":            "evil",
		"aud":            "evil",
		"amr":            []any{"mfa"},
		"roles":          []any{"root"},
		"role":           "root",
		"jti":            "x",
		"metadata":       map[string]any{"sub": "admin"},
		`","sub":"admin`: `"},"sub":"admin`,
	}
	text, issued, err := i.Issue(a, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	got, err := i.Verify(text.Reveal())
	if err != nil || !reflect.DeepEqual(got, issued) || got.User != a.User || got.ExpiresAt.Unix() != 1_800_000_060 {
		t.Errorf("read %+v, %v", got, err)
	}
	if !reflect.DeepEqual(got.Metadata, a.Metadata) {
		t.Errorf("metadata became %v", got.Metadata)
	}
	_, claims := segments(t, text.Reveal())
	if claims["sub"] != a.User || claims["iss"] != issuerName || claims["role"] != nil {
		t.Errorf("claims %v", claims)
	}
}

func TestJW11_MetadataLimit(t *testing.T) {
	t.Parallel()
	i := newIssuer(t, newKey(t))
	sized := func(value string) error {
		a := someone()
		a.Metadata = map[string]any{"k": value} // 8 bytes longer than value
		text, _, err := i.Issue(a, time.Minute)
		if err == nil {
			if _, err := i.Verify(text.Reveal()); err != nil {
				t.Errorf("issued what does not verify: %v", err)
			}
		}
		return err
	}
	if err := sized(strings.Repeat("x", 4088)); err != nil {
		t.Errorf("4096 bytes: %v", err)
	}
	if err := sized(strings.Repeat("x", 4089)); !errors.Is(err, token.ErrTooLarge) {
		t.Errorf("4097 bytes: %v", err)
	}
	// The limit is on the size in the token, where < is escaped to six bytes.
	if err := sized(strings.Repeat("<", 681)); err != nil {
		t.Errorf("4094 bytes: %v", err)
	}
	if err := sized(strings.Repeat("<", 682)); !errors.Is(err, token.ErrTooLarge) {
		t.Errorf("4100 bytes: %v", err)
	}
	a := someone()
	for range 1000 {
		a.Roles = append(a.Roles, "a-role")
	}
	if _, _, err := i.Issue(a, time.Minute); !errors.Is(err, token.ErrTooLarge) {
		t.Errorf("a token that is too long for Verify was issued: %v", err)
	}
}
