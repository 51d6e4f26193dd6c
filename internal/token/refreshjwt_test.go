package token_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/dragoman-auth/dragoman/internal/secret"
	"github.com/dragoman-auth/dragoman/internal/token"
)

const goodRefreshHeader = `{"alg":"HS256","typ":"rt+jwt"}`

const refreshSession = "01h455vb4pex5vsknk084sn02q"

func newMaster(t testing.TB, raws ...[]byte) *secret.Master {
	t.Helper()
	if len(raws) == 0 {
		raws = [][]byte{secret.Generate()}
	}
	m, err := secret.New(raws[0], raws[1:]...)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// someRefresh returns the content of a token that is issued at noon and expires after a day.
func someRefresh() token.Refresh {
	return token.Refresh{
		User:       token.FormatID("user", token.NewID()),
		Session:    token.NewID(),
		Generation: 7,
		IssuedAt:   noon(),
		ExpiresAt:  noon().Add(24 * time.Hour),
	}
}

// refreshClaims returns claims that are valid at noon. Each pair replaces an old text by a new one.
func refreshClaims(pairs ...string) string {
	return strings.NewReplacer(pairs...).Replace(
		`{"sub":"user_x","iat":1800000000,"exp":1800086400,"sid":"sess_` + refreshSession + `","gen":7}`)
}

// refusesRefresh checks that ParseRefresh rejects the text with ErrMalformed and without a result.
func refusesRefresh(t *testing.T, c *token.Codec, text string) {
	t.Helper()
	session, generation, err := c.ParseRefresh(text)
	if !errors.Is(err, token.ErrMalformed) || session != uuid.Nil || generation != 0 {
		t.Errorf("accepted: %s %d %v: %.300s", session, generation, err, text)
	}
	if err != nil && len(err.Error()) > 60 {
		t.Errorf("the error shows more than it should: %v", err)
	}
}

func TestRefreshJWT_RoundTrip(t *testing.T) {
	t.Parallel()
	c := newCodec(t)
	for _, generation := range []int64{0, 1, 4711, 1 << 32, 1 << 53} {
		r := someRefresh()
		r.Generation = generation
		text := c.RefreshJWT(r)
		header, claims := segments(t, text.Reveal())
		want := fmt.Sprintf(`{"sub":%q,"iat":1800000000,"exp":1800086400,"sid":%q,"gen":%d}`, r.User,
			token.FormatID("sess", r.Session), generation)
		if got := string(decode(t, strings.Split(text.Reveal(), ".")[1])); got != want || len(claims) != 5 {
			t.Errorf("claims %s, want %s", got, want)
		}
		if fmt.Sprint(header) != "map[alg:HS256 typ:rt+jwt]" || len(text.Reveal()) > 400 {
			t.Errorf("header %v of %d", header, len(text.Reveal()))
		}
		if session, got, err := c.ParseRefresh(text.Reveal()); err != nil || session != r.Session || got != generation {
			t.Errorf("read %s %d %v", session, got, err)
		}
		if token.Kind(text.Reveal()) != token.KindRefresh {
			t.Errorf("it looks like a %s", token.Kind(text.Reveal()))
		}
		r.IssuedAt = r.IssuedAt.Add(999 * time.Millisecond).UTC()
		r.ExpiresAt = r.ExpiresAt.Add(999 * time.Microsecond).Local()
		if c.RefreshJWT(r) != text {
			t.Error("two texts for one token: a repeated answer would differ (SE-10)")
		}
		if opaque := c.Refresh(r.Session, generation); opaque == text {
			t.Error("both forms have the same text")
		}
	}
}

// SE-15: a refresh token in the form of a JWT is accepted as a refresh token alone, and no access token is accepted as
// one.
func TestSE15_RefreshJWT_CrossUse(t *testing.T) {
	t.Parallel()
	m, key := newMaster(t), newKey(t)
	c := token.NewCodec(m, noon)
	i, err := token.NewIssuer(issuerName, audience, key, nil, m.HMACKeys("access tokens")[0], noon)
	if err != nil {
		t.Fatal(err)
	}
	good := c.RefreshJWT(someRefresh()).Reveal()
	for kind, check := range checks(c, i) {
		if err := check(good); (err == nil) != (kind == token.KindRefresh) {
			t.Errorf("as a %s: %v", kind, err)
		}
	}
	for _, access := range []string{issue(t, i), issueHS256(t, i)} {
		refusesRefresh(t, c, access)
		// Parts of an access token and of a refresh token, mixed.
		part, other := strings.Split(access, "."), strings.Split(good, ".")
		refusesRefresh(t, c, other[0]+"."+part[1]+"."+part[2])
		refusesRefresh(t, c, other[0]+"."+part[1]+"."+other[2])
		for _, mixed := range []string{
			part[0] + "." + other[1] + "." + other[2], part[0] + "." + other[1] + "." + part[2],
		} {
			refuses(t, i, mixed)
			refusesRefresh(t, c, mixed)
		}
	}
	// The claims of both kinds in one token: only header and key can tell the kinds apart.
	both := strings.TrimSuffix(goodClaims("sess_x", "sess_"+refreshSession), "}") + `,"gen":7}`
	for _, header := range []string{
		goodRefreshHeader, goodHMACHeader, goodHeader(key), `{"alg":"HS256","typ":"at+jwt"}`,
		`{"alg":"ES256","typ":"rt+jwt","kid":"` + key.KID + `"}`,
	} {
		signed := map[string]string{
			"refresh key": forgeHMAC(m.HMACKeys("refresh")[0], header, both),
			"access key":  forgeHMAC(m.HMACKeys("access tokens")[0], header, both),
			"key pair":    forge(t, key, header, both),
		}
		for by, text := range signed {
			_, failed := i.Verify(text)
			isAccess := header == goodHMACHeader && by == "access key" || header == goodHeader(key) && by == "key pair"
			if (failed == nil) != isAccess {
				t.Errorf("%s by the %s as an access token: %v", header, by, failed)
			}
			_, _, failed = c.ParseRefresh(text)
			if isRefresh := header == goodRefreshHeader && by == "refresh key"; (failed == nil) != isRefresh {
				t.Errorf("%s by the %s as a refresh token: %v", header, by, failed)
			}
		}
	}
}

// JW-01, JW-02, JW-05: every header but the exact one is rejected: with the right signature, without one, and with the
// signature of another key.
func TestJW01_RefreshJWT_Headers(t *testing.T) {
	t.Parallel()
	m, key := newMaster(t), newKey(t)
	c, own := token.NewCodec(m, noon), m.HMACKeys("refresh")[0]
	if _, _, err := c.ParseRefresh(forgeHMAC(own, goodRefreshHeader, refreshClaims())); err != nil {
		t.Fatalf("the test signs in another way than the server: %v", err)
	}
	for _, header := range []string{
		`{"alg":"none","typ":"rt+jwt"}`, `{"alg":"nOnE","typ":"rt+jwt"}`, `{"alg":"ES256","typ":"rt+jwt"}`,
		`{"alg":"HS384","typ":"rt+jwt"}`, `{"alg":"hs256","typ":"rt+jwt"}`, `{"alg":["HS256"],"typ":"rt+jwt"}`,
		`{"typ":"rt+jwt"}`, `{"alg":"HS256","typ":"JWT"}`, `{"alg":"HS256","typ":"at+jwt"}`,
		`{"alg":"HS256","typ":"RT+JWT"}`, `{"alg":"HS256","typ":"application/rt+jwt"}`, `{"alg":"HS256"}`,
		`{"alg":"HS256","typ":null}`, `{"typ":"rt+jwt","alg":"HS256"}`, goodRefreshHeader + " ",
		`{"alg": "HS256","typ":"rt+jwt"}`, `{"alg":"HS256","typ":"rt+jwt","kid":"x"}`,
		`{"alg":"HS256","typ":"rt+jwt","crit":["x"]}`, `{"alg":"HS256","typ":"rt+jwt","jku":"http://127.0.0.1/"}`,
		`{"alg":"HS256","alg":"HS256","typ":"rt+jwt"}`, `{}`, `null`,
	} {
		text := forgeHMAC(own, header, refreshClaims())
		refusesRefresh(t, c, text)
		refusesRefresh(t, c, text[:strings.LastIndexByte(text, '.')+1])
		refusesRefresh(t, c, forge(t, key, header, refreshClaims()))
	}
	good := forgeHMAC(own, goodRefreshHeader, refreshClaims())
	head := good[:strings.LastIndexByte(good, '.')+1]
	for _, signature := range []string{
		"", "AA", b64(strings.Repeat("\x00", 32)), good[len(head) : len(good)-2], good[len(head):] + "AA",
		good[len(head):] + "." + good[len(head):],
	} {
		refusesRefresh(t, c, head+signature)
	}
	refusesRefresh(t, c, forge(t, key, goodRefreshHeader, refreshClaims()))
}

// Only the refresh key signs. The other keys of the server secret and the refresh key of another deployment do not.
func TestRefreshJWT_OtherKeys(t *testing.T) {
	t.Parallel()
	raw := secret.Generate()
	m, theirs := newMaster(t, raw), newMaster(t)
	c := token.NewCodec(m, noon)
	for name, key := range map[string][]byte{
		"nothing":             nil,
		"zeros":               make([]byte, 32),
		"server secret":       raw,
		"access tokens":       m.HMACKeys("access tokens")[0],
		"session":             m.HMACKeys("session")[0],
		"empty purpose":       m.HMACKeys("")[0],
		"other deployment":    theirs.HMACKeys("refresh")[0],
		"hs256 of every test": hmacKey(),
	} {
		_, _, err := c.ParseRefresh(forgeHMAC(key, goodRefreshHeader, refreshClaims()))
		if !errors.Is(err, token.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// The key of the opaque form.
	input := b64(goodRefreshHeader) + "." + b64(refreshClaims())
	refusesRefresh(t, c, input+"."+b64(string(m.Key("refresh").MAC([]byte(input)))))
}

// JW-03, JW-10: claims that are missing, duplicate, of another type or out of bounds, all with a valid signature.
func TestJW03_RefreshJWT_Claims(t *testing.T) {
	t.Parallel()
	m := newMaster(t)
	c, own := token.NewCodec(m, noon), m.HMACKeys("refresh")[0]
	for _, claims := range []string{
		refreshClaims(`"sub":"user_x",`, ``), refreshClaims(`"user_x"`, `""`), refreshClaims(`"user_x"`, `null`),
		refreshClaims(`"user_x"`, `7`), refreshClaims(`"iat":1800000000,`, ``), refreshClaims(`1800000000`, `null`),
		refreshClaims(`1800000000`, `"1800000000"`), refreshClaims(`1800000000`, `-1`),
		refreshClaims(`"exp":1800086400,`, ``), refreshClaims(`1800086400`, `null`),
		refreshClaims(`1800086400`, `"1800086400"`), refreshClaims(`1800086400`, `1e999`),
		refreshClaims(`1800086400`, `1800086400.5`), refreshClaims(`1800086400`, `1e30`),
		refreshClaims(`1800086400`, `9007199254740993`), refreshClaims(`1800086400`, `-1`),
		refreshClaims(`1800086400`, `1799999995`), refreshClaims(`1800086400`, `0`),
		refreshClaims(`1800086400`, `[1800086400]`), refreshClaims(`"sid":"sess_`+refreshSession+`",`, ``),
		refreshClaims(`sess_`, `user_`), refreshClaims(`sess_`, ``), refreshClaims(`sess_`, `SESS_`),
		refreshClaims(refreshSession, strings.ToUpper(refreshSession)),
		refreshClaims(refreshSession, refreshSession[1:]), refreshClaims(refreshSession, "8"+refreshSession[1:]),
		refreshClaims(`"sess_`+refreshSession+`"`, `null`),
		refreshClaims(`"sess_`+refreshSession+`"`, `["sess_`+refreshSession+`"]`), refreshClaims(`,"gen":7`, ``),
		refreshClaims(`"gen":7`, `"gen":null`), refreshClaims(`"gen":7`, `"gen":"7"`),
		refreshClaims(`"gen":7`, `"gen":-1`), refreshClaims(`"gen":7`, `"gen":7.5`),
		refreshClaims(`"gen":7`, `"gen":9007199254740993`), refreshClaims(`"gen":7`, `"gen":07`),
		refreshClaims(`"gen":7`, `"gen":true`), refreshClaims(`"gen":7`, `"gen":7,"gen":7`),
		refreshClaims(`"gen":7`, `"GEN":7`), refreshClaims(`"gen":7`, `"gen":6,"\u0067en":7`),
		refreshClaims(`"gen":7`, `"gen":7,"x":"`+"\xff"+`"`), refreshClaims() + "{}", refreshClaims() + "x",
		"[" + refreshClaims() + "]", `"x"`, `null`, `{}`, " ",
	} {
		refusesRefresh(t, c, forgeHMAC(own, goodRefreshHeader, claims))
	}
	for _, claims := range []string{
		refreshClaims(`"gen":7`, `"gen":7,"new":{"of":["a","later","release"]}`),
		refreshClaims(`1800086400`, `1799999996`), // expired, within the leeway of 5 seconds
		refreshClaims(`1800000000`, `1800000600`), // issued by an instance with another clock
	} {
		if _, generation, err := c.ParseRefresh(forgeHMAC(own, goodRefreshHeader, claims)); err != nil ||
			generation != 7 {
			t.Errorf("%s: %v", claims, err)
		}
	}
	long := refreshClaims(`"gen":7`, `"gen":7,"x":"`+strings.Repeat("x", 6000)+`"`)
	refusesRefresh(t, c, forgeHMAC(own, goodRefreshHeader, long)) // over 8 KiB
}

func TestSE04_RefreshJWT_EveryMutationRefused(t *testing.T) {
	t.Parallel()
	c := newCodec(t)
	r := someRefresh()
	for n := range 3 { // one length for each number of spare bits
		r.User += strings.Repeat("x", n)
		for _, mutant := range mutants(c.RefreshJWT(r).Reveal()) {
			refusesRefresh(t, c, mutant)
		}
	}
}

// KE-02: tokens under every secret are accepted; new tokens are made under the present secret.
func TestKE02_RefreshJWT_UnderFurtherSecrets(t *testing.T) {
	t.Parallel()
	old, fresh := secret.Generate(), secret.Generate()
	codec := func(raws ...[]byte) *token.Codec { return token.NewCodec(newMaster(t, raws...), noon) }
	before, both, behind, after := codec(old), codec(fresh, old), codec(old, fresh), codec(fresh)
	r := someRefresh()
	older, newer := before.RefreshJWT(r).Reveal(), both.RefreshJWT(r).Reveal()
	if newer != after.RefreshJWT(r).Reveal() || older != behind.RefreshJWT(r).Reveal() || older == newer {
		t.Error("a new token is not made under the first secret")
	}
	for _, row := range []struct {
		codec    *token.Codec
		text     string
		accepted bool
	}{
		{both, older, true},
		{both, newer, true},
		{behind, newer, true},
		{after, newer, true},
		{after, older, false},
		{before, newer, false},
	} {
		session, generation, err := row.codec.ParseRefresh(row.text)
		if (err == nil) != row.accepted || row.accepted && (session != r.Session || generation != 7) {
			t.Errorf("%v: %s %d %v", row.accepted, session, generation, err)
		}
	}
}

// A token expires at exp plus 5 seconds of leeway.
func TestSE16_RefreshJWT_Ends(t *testing.T) {
	t.Parallel()
	m, r, at := newMaster(t), someRefresh(), noon()
	c := token.NewCodec(m, func() time.Time { return at })
	text := c.RefreshJWT(r).Reveal()
	for after, accepted := range map[time.Duration]bool{
		0:                                    true,
		24 * time.Hour:                       true,
		24*time.Hour + 4999*time.Millisecond: true,
		24*time.Hour + 5*time.Second:         false,
		240 * time.Hour:                      false,
		-time.Hour:                           true,
	} {
		at = noon().Add(after)
		if _, _, err := c.ParseRefresh(text); (err == nil) != accepted {
			t.Errorf("after %s: %v", after, err)
		}
	}
}

// For any session and times, ParseRefresh returns what RefreshJWT wrote until the expiry, different contents have
// different texts, and a changed text is rejected.
func TestRefreshJWT_Property(t *testing.T) {
	t.Parallel()
	m := newMaster(t)
	c, i := token.NewCodec(m, noon), newIssuer(t, newKey(t))
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) token.Refresh {
			id, _ := uuid.FromBytes(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, name+" session"))
			return token.Refresh{
				User: rapid.StringMatching(`user_[0-9a-z]{1,26}`).Draw(t, name+" user"), Session: id,
				Generation: rapid.Int64Range(-2, 1<<53+2).Draw(t, name+" generation"),
				IssuedAt:   noon().Add(time.Duration(rapid.IntRange(-1e6, 1e6).Draw(t, name+" iat")) * time.Second),
				ExpiresAt:  noon().Add(time.Duration(rapid.IntRange(-1e6, 1e6).Draw(t, name+" exp")) * time.Second),
			}
		}
		r := draw("one")
		text := c.RefreshJWT(r).Reveal()
		session, generation, err := c.ParseRefresh(text)
		lasts := r.ExpiresAt.After(noon().Add(-5*time.Second)) && r.Generation >= 0 && r.Generation <= 1<<53
		if (err == nil) != lasts || lasts && (session != r.Session || generation != r.Generation) {
			t.Fatalf("%+v is read %s %d %v", r, session, generation, err)
		}
		if other := draw("other"); other != r && c.RefreshJWT(other).Reveal() == text {
			t.Fatalf("one text for %+v and %+v", r, other)
		}
		if _, err := i.Verify(text); err == nil {
			t.Fatal("it is taken for an access token")
		}
		if at := rapid.IntRange(0, len(text)-1).Draw(t, "position"); lasts {
			bad := []byte(text)
			bad[at] = rapid.SampledFrom([]byte("ABCabc019-_.=")).Draw(t, "character")
			if _, _, err := c.ParseRefresh(string(bad)); err == nil && string(bad) != text {
				t.Fatalf("%q is taken", bad)
			}
		}
	})
}

// FuzzRefreshJWT signs headers and claims of the fuzzer with the right key.
func FuzzRefreshJWT(f *testing.F) {
	m := newMaster(f)
	c, own := token.NewCodec(m, noon), m.HMACKeys("refresh")[0]
	f.Add(goodRefreshHeader, refreshClaims())
	f.Add(goodHMACHeader, refreshClaims())
	f.Add(goodRefreshHeader, refreshClaims(`"gen":7`, `"gen":1e2`))
	f.Fuzz(func(t *testing.T, header, claims string) {
		if header == "" || claims == "" {
			return
		}
		session, generation, err := c.ParseRefresh(forgeHMAC(own, header, claims))
		switch {
		case err != nil && (!errors.Is(err, token.ErrMalformed) || session != uuid.Nil || generation != 0):
			t.Errorf("%s %d %v", session, generation, err)
		case err == nil && (header != goodRefreshHeader || generation < 0 || generation > 1<<53 ||
			!strings.Contains(claims, `"`)):
			t.Errorf("accepted: %q %q", header, claims)
		}
	})
}

// fmt never shows the keys of a Codec.
func TestRefreshJWT_CodecHidesItsKeys(t *testing.T) {
	t.Parallel()
	m := newMaster(t)
	c, own := token.NewCodec(m, noon), m.HMACKeys("refresh")[0]
	for _, form := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		out := fmt.Sprintf(form, any(*c)) + fmt.Sprintf(form, any(c))
		if strings.Contains(out, string(own)) || strings.Contains(out, fmt.Sprintf("%x", own)) ||
			strings.Contains(out, strings.Trim(fmt.Sprint(own), "[]")) {
			t.Error("the codec shows its key")
		}
	}
}
