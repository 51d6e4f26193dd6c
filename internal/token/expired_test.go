package token_test

import (
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/internal/token"
)

// SessionOfExpired accepts a token only if Verify accepted it before the expiry (JW-02, JW-03).
func TestSessionOfExpired(t *testing.T) {
	t.Parallel()
	now := noon()
	key := newKey(t)
	issuerOf := func(name, audience string, key token.SigningKey) *token.Issuer {
		i, err := token.NewIssuer(name, audience, key, nil, hmacKey(), func() time.Time { return now })
		if err != nil {
			t.Fatal(err)
		}
		return i
	}
	i := issuerOf(issuerName, audience, key)
	who := someone()
	issue := func(by *token.Issuer, hs256 bool) string {
		a := who
		a.HS256 = hs256
		text, _, err := by.Issue(a, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		return text.Reveal()
	}
	good, hs := issue(i, false), issue(i, true)
	head, rest, _ := strings.Cut(good, ".")
	claims, _, _ := strings.Cut(rest, ".")
	others := map[string]string{
		"of another issuer":   issue(issuerOf("https://other.example", audience, key), false),
		"of another audience": issue(issuerOf(issuerName, "https://other.example", key), false),
		"under another key":   issue(issuerOf(issuerName, audience, newKey(t)), false),
		"unsigned":            head + "." + claims + ".",
		"wrongly signed":      head + "." + claims + "." + strings.Repeat("A", 86),
		"no token":            "garbage",
		"nothing":             "",
		"no session": forge(t, key, goodHeader(key), goodClaims(
			`"sid":"sess_x"`, `"sid":""`, `1800000000`, `1`, `1800000600`, `2`,
		)),
		"malformed claims": forge(t, key, goodHeader(key), `{"exp":2,"exp":1}`),
	}
	for _, text := range []string{good, hs} {
		if session, ok := i.SessionOfExpired(text); ok {
			t.Errorf("a valid token has expired: %s", session)
		}
	}
	now = now.Add(time.Hour)
	for _, text := range []string{good, hs} {
		if session, ok := i.SessionOfExpired(text); !ok || session != who.Session {
			t.Errorf("it has not expired: %s %t", session, ok)
		}
		if _, err := i.Verify(text); err == nil {
			t.Error("an expired token is valid")
		}
	}
	for name, text := range others {
		if session, ok := i.SessionOfExpired(text); ok {
			t.Errorf("%s: %s", name, session)
		}
	}
}
