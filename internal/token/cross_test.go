package token_test

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/dragoman-auth/dragoman/internal/secret"
	"github.com/dragoman-auth/dragoman/internal/token"
)

func decode(t testing.TB, segment string) []byte {
	t.Helper()
	raw, err := base64.RawURLEncoding.Strict().DecodeString(segment)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// checks returns the check of each kind of credential.
func checks(c *token.Codec, i *token.Issuer) map[token.Credential]func(string) error {
	return map[token.Credential]func(string) error{
		token.KindAccess:  func(s string) error { _, err := i.Verify(s); return err },
		token.KindSession: func(s string) error { _, err := c.ParseSession(s); return err },
		token.KindRefresh: func(s string) error { _, _, err := c.ParseRefresh(s); return err },
		token.KindAPIKey:  func(s string) error { _, _, err := c.ParseAPIKey(s); return err },
		token.KindDevice:  func(s string) error { _, err := c.ParseDevice(s); return err },
	}
}

func TestSE15_CrossUseMatrix(t *testing.T) {
	t.Parallel()
	c, i := newCodec(t), newIssuer(t, newKey(t))
	id := token.NewID()
	credentials := map[token.Credential]string{
		token.KindAccess:  issue(t, i),
		token.KindSession: c.Session(id).Reveal(),
		token.KindRefresh: c.Refresh(id, 0).Reveal(),
		token.KindAPIKey:  newAPIKey(t, c).Text.Reveal(),
		token.KindDevice:  c.Device(token.Device{ID: id, Account: id, IssuedAt: noon()}).Reveal(),
	}
	older := issueHS256(t, i)
	if got := token.Kind(older); got != token.KindAccess {
		t.Errorf("an HS256 access token looks like a %s", got)
	}
	for checked, check := range checks(c, i) {
		if err := check(older); (err == nil) != (checked == token.KindAccess) {
			t.Errorf("an HS256 access token as a %s: %v", checked, err)
		}
	}
	for made, text := range credentials {
		if got := token.Kind(text); got != made {
			t.Errorf("a %s looks like a %s", made, got)
		}
		for checked, check := range checks(c, i) {
			err := check(text)
			if made == checked && err != nil {
				t.Errorf("a %s is refused as itself: %v", made, err)
			}
			if made != checked && !errors.Is(err, token.ErrMalformed) {
				t.Errorf("a %s is taken for a %s", made, checked)
			}
		}
	}
}

// The forged tokens have the shape of the other kind, so only the key can tell the kinds apart.
func TestSE15_RelabelledTokensRefused(t *testing.T) {
	t.Parallel()
	m, err := secret.New(secret.Generate())
	if err != nil {
		t.Fatal(err)
	}
	c, i := token.NewCodec(m, noon), newIssuer(t, newKey(t))
	id := token.NewID()
	session, refresh := c.Session(id).Reveal(), c.Refresh(id, 0).Reveal()
	text, mac := session[4:30], func(s string) string { return s[len(s)-47:] }
	// The MAC under the key of one kind, over the input of the other kind.
	bySession := base64.RawURLEncoding.EncodeToString(m.Key("session").MAC(id[:], make([]byte, 8)))
	byRefresh := base64.RawURLEncoding.EncodeToString(m.Key("refresh").MAC(id[:]))
	for name, forged := range map[string]string{
		"session as refresh":            "rt1." + text + ".0." + mac(session),
		"refresh as session":            "st1." + text + "." + mac(refresh),
		"session without its name":      session[4:],
		"session under the other name":  "rt1" + session[3:],
		"refresh under the other name":  "st1" + refresh[3:],
		"session key, refresh input":    "rt1." + text + ".0." + mac(refresh)[:4] + bySession,
		"session key and id":            "rt1." + text + ".0." + mac(session)[:4] + bySession,
		"refresh key, session input":    "st1." + text + "." + mac(session)[:4] + byRefresh,
		"refresh key and id as session": "st1." + text + "." + mac(refresh)[:4] + byRefresh,
		"both in one":                   session + "." + refresh,
		"access in refresh":             "rt1." + issue(t, i),
	} {
		for kind, check := range checks(c, i) {
			if err := check(forged); !errors.Is(err, token.ErrMalformed) {
				t.Errorf("%s is taken for a %s", name, kind)
			}
		}
	}
}

func TestSE04_AccessToken_EveryMutationRefused(t *testing.T) {
	t.Parallel()
	i := newIssuer(t, newKey(t))
	text, _, err := i.Issue(token.Access{User: "u", Session: "s"}, 3600e9)
	if err != nil {
		t.Fatal(err)
	}
	older, _, err := i.Issue(token.Access{User: "u", Session: "s", HS256: true}, 3600e9)
	if err != nil {
		t.Fatal(err)
	}
	for _, mutant := range append(mutants(text.Reveal()), mutants(older.Reveal())...) {
		if got, err := i.Verify(mutant); !errors.Is(err, token.ErrMalformed) || got.User != "" {
			t.Fatalf("%q accepted: %+v, %v", mutant, got, err)
		}
	}
}

func TestKind_Table(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]token.Credential{
		"":                                      token.KindNone,
		"x":                                     token.KindNone,
		"YR.YQ.YQ":                              token.KindNone,
		"YQ.YWJ.YQ":                             token.KindNone,
		"YQ.YWI.YQ":                             token.KindAccess,
		"..":                                    token.KindNone,
		"a.b.c":                                 token.KindNone,
		"YQ.YQ.YQ":                              token.KindAccess,
		"YQ.YQ":                                 token.KindNone,
		"YQ.YQ.YQ.YQ":                           token.KindNone,
		"YQ.YQ.":                                token.KindNone,
		"sk_live_":                              token.KindAPIKey,
		"sk_test_":                              token.KindNone,
		"SK_LIVE_x":                             token.KindNone,
		"rt1.":                                  token.KindRefresh,
		"rt2.":                                  token.KindNone,
		"st1.":                                  token.KindSession,
		"dt1.":                                  token.KindDevice,
		"ST1.":                                  token.KindNone,
		" st1.":                                 token.KindNone,
		"Bearer YQ.YQ.YQ":                       token.KindNone,
		strings.Repeat("YQYQ", 2100) + ".YQ.YQ": token.KindNone,
	} {
		if got := token.Kind(text); got != want {
			t.Errorf("%.20q is a %s, want %s", text, got, want)
		}
	}
}

func FuzzVerify(f *testing.F) {
	key := newKey(f)
	i := newIssuer(f, key)
	f.Add(issue(f, i))
	f.Add(issueHS256(f, i))
	f.Add(forge(f, key, goodHeader(key), goodClaims()))
	f.Add(b64(`{"alg":"none","typ":"at+jwt","kid":"x"}`) + "." + b64(goodClaims()) + ".AA")
	f.Add("..")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := i.Verify(text)
		if err != nil {
			if !errors.Is(err, token.ErrMalformed) {
				t.Errorf("another error: %v", err)
			}
			return
		}
		if got.User == "" || got.Session == "" || got.ID == "" {
			t.Errorf("incomplete: %+v", got)
		}
		var again []string
		for segment := range strings.SplitSeq(text, ".") {
			again = append(again, b64(string(decode(t, segment))))
		}
		if strings.Join(again, ".") != text {
			t.Errorf("%q is a second spelling", text)
		}
	})
}

// FuzzVerifySigned signs headers and claims of the fuzzer. FuzzVerify never gets past the check of the signature.
func FuzzVerifySigned(f *testing.F) {
	key := newKey(f)
	i := newIssuer(f, key)
	f.Add(goodHeader(key), goodClaims())
	f.Add(goodHMACHeader, goodClaims())
	f.Add(goodHeader(key), goodClaims(`"exp":1800000600`, `"exp":1e999`))
	f.Fuzz(func(t *testing.T, header, claims string) {
		if header == "" || claims == "" {
			return
		}
		got, err := i.Verify(forge(t, key, header, claims))
		if err == nil && (got.User == "" || got.Session == "" || got.ExpiresAt.Before(noon().Add(-5e9)) ||
			got.IssuedAt.After(noon().Add(5e9))) {
			t.Errorf("accepted: %+v", got)
		}
		if got, err := i.Verify(forgeHMAC(hmacKey(), header, claims)); err == nil &&
			(header != goodHMACHeader || got.User == "" || got.Session == "") {
			t.Errorf("accepted under %q: %+v", header, got)
		}
	})
}
