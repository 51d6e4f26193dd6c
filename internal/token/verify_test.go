package token_test

import (
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/internal/token"
)

func TestVerify_ForgedGoodTokenAccepted(t *testing.T) {
	t.Parallel()
	// The tests below change one thing of this token each. They prove something only if Verify accepts it unchanged.
	key := newKey(t)
	if got, err := newIssuer(t, key).Verify(forge(t, key, goodHeader(key), goodClaims())); err != nil ||
		got.User != "user_x" {
		t.Fatalf("%+v, %v", got, err)
	}
	if got, err := newIssuer(t, key).Verify(forgeHMAC(hmacKey(), goodHMACHeader, goodClaims())); err != nil ||
		got.User != "user_x" {
		t.Fatalf("%+v, %v", got, err)
	}
}

func TestJW03_TimeTable(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	i := newIssuer(t, key)
	const exp, iat = `"exp":1800000600`, `"iat":1800000000`
	bad := map[string]string{
		"no exp":              goodClaims(exp+",", ""),
		"exp null":            goodClaims(exp, `"exp":null`),
		"no iat":              goodClaims(iat+",", ""),
		"expired":             goodClaims(exp, `"exp":1799999995`),
		"exp zero":            goodClaims(exp, `"exp":0`),
		"exp negative":        goodClaims(exp, `"exp":-1`),
		"iat ahead":           goodClaims(iat, `"iat":1800000006`),
		"iat in milliseconds": goodClaims(iat, `"iat":1800000000000`),
		"iat negative":        goodClaims(iat, `"iat":-1`),
		"nbf ahead":           goodClaims(iat, iat+`,"nbf":1800000006`),
		"nbf string":          goodClaims(iat, iat+`,"nbf":"0"`),
		"nbf fraction":        goodClaims(iat, iat+`,"nbf":0.5`),
		"nbf negative":        goodClaims(iat, iat+`,"nbf":-5`),
	}
	for _, number := range []string{
		"1e999", "-1e999", "1e10", "1.8e9", "1800000600.0", "1800000600.5", `"1800000600"`, `""`, "true",
		"[1800000600]", "{}", "9223372036854775807", "9223372036854775808", "9007199254740993",
		"1800000600000000000000", "NaN", "Infinity", "0x6b49d200", "01800000600", "+1800000600",
	} {
		bad["exp "+number] = goodClaims(exp, `"exp":`+number)
	}
	for name, claims := range bad {
		t.Run(name, func(t *testing.T) { t.Parallel(); refusesBoth(t, i, key, claims) })
	}
	for name, claims := range map[string]string{ // within the leeway of 5 seconds
		"just expired":  goodClaims(exp, `"exp":1799999996`),
		"a clock ahead": goodClaims(iat, `"iat":1800000005`),
		"nbf now":       goodClaims(iat, iat+`,"nbf":1800000000`),
	} {
		for _, text := range []string{
			forge(t, key, goodHeader(key), claims),
			forgeHMAC(hmacKey(), goodHMACHeader, claims),
		} {
			if _, err := i.Verify(text); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func TestJW03_TokenEnds(t *testing.T) {
	t.Parallel()
	now := noon()
	i, err := token.NewIssuer(issuerName, audience, newKey(t), nil, hmacKey(), func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	text, older := issue(t, i), issueHS256(t, i)
	for _, row := range []struct {
		after time.Duration
		valid bool
	}{
		{-6 * time.Second, false},
		{0, true},
		{599 * time.Second, true},
		{604 * time.Second, true},
		{605 * time.Second, false},
		{1e6 * time.Hour, false},
	} {
		now = noon().Add(row.after)
		for _, text := range []string{text, older} {
			if _, err := i.Verify(text); (err == nil) != row.valid {
				t.Errorf("after %s: %v", row.after, err)
			}
		}
	}
}

func TestJW04_IssuerAndAudienceTable(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	i := newIssuer(t, key)
	const iss, aud = `"iss":"https://auth.example"`, `"aud":"https://api.example"`
	for name, claims := range map[string]string{
		"no iss":          goodClaims(iss+",", ""),
		"iss null":        goodClaims(iss, `"iss":null`),
		"iss empty":       goodClaims(iss, `"iss":""`),
		"iss slash":       goodClaims(iss, `"iss":"https://auth.example/"`),
		"iss case":        goodClaims(iss, `"iss":"https://AUTH.example"`),
		"iss prefix":      goodClaims(iss, `"iss":"https://auth.exampl"`),
		"iss list":        goodClaims(iss, `"iss":["https://auth.example"]`),
		"no aud":          goodClaims(aud+",", ""),
		"aud null":        goodClaims(aud, `"aud":null`),
		"aud empty":       goodClaims(aud, `"aud":""`),
		"aud other":       goodClaims(aud, `"aud":"https://app.example"`),
		"aud list":        goodClaims(aud, `"aud":["https://api.example"]`),
		"aud list of two": goodClaims(aud, `"aud":["https://api.example","https://other.example"]`),
		"aud empty list":  goodClaims(aud, `"aud":[]`),
		"aud longer":      goodClaims(aud, `"aud":"https://api.example.evil"`),
		"aud capitals":    goodClaims(aud, `"AUD":"https://api.example"`),
	} {
		t.Run(name, func(t *testing.T) { t.Parallel(); refusesBoth(t, i, key, claims) })
	}
	// Another deployment has the same key if it was restored from the same backup.
	for _, names := range [][2]string{{issuerName, "https://api2.example"}, {"https://auth2.example", audience}} {
		twin, err := token.NewIssuer(names[0], names[1], key, nil, hmacKey(), noon)
		if err != nil {
			t.Fatal(err)
		}
		refuses(t, i, issue(t, twin))
		refuses(t, twin, issue(t, i))
		refuses(t, i, issueHS256(t, twin))
		refuses(t, twin, issueHS256(t, i))
	}
}

func TestJW09_AnyErrorRefuses(t *testing.T) {
	t.Parallel()
	key, thief := newKey(t), newKey(t)
	i := newIssuer(t, key)
	const exp, sub, sid, jti = `"exp":1800000600`, `"sub":"user_x"`, `"sid":"sess_x"`, `"jti":"j"`
	expired := goodClaims(exp, `"exp":1700000000`)
	refuses(t, i, forge(t, thief, goodHeader(key), expired)) // expired, and with a wrong signature
	refuses(t, i, forge(t, key, goodHeader(key), expired))
	refuses(t, i, forge(t, thief, goodHeader(key), goodClaims()))
	for name, claims := range map[string]string{
		"no sub":         goodClaims(sub+",", ""),
		"sub empty":      goodClaims(sub, `"sub":""`),
		"sub null":       goodClaims(sub, `"sub":null`),
		"sub number":     goodClaims(sub, `"sub":1`),
		"no sid":         goodClaims(sid+",", ""),
		"sid empty":      goodClaims(sid, `"sid":""`),
		"sid list":       goodClaims(sid, `"sid":["sess_x"]`),
		"gen text":       goodClaims(sid, sid+`,"gen":"1"`),
		"gen negative":   goodClaims(sid, sid+`,"gen":-1`),
		"gen huge":       goodClaims(sid, sid+`,"gen":9007199254740993`),
		"gen part":       goodClaims(sid, sid+`,"gen":1.5`),
		"gen twice":      goodClaims(sid, sid+`,"gen":1,"gen":2`),
		"no jti":         goodClaims(","+jti, ""),
		"roles string":   goodClaims(jti, jti+`,"roles":"admin"`),
		"metadata list":  goodClaims(jti, jti+`,"metadata":[]`),
		"null":           `null`,
		"list":           `[]`,
		"string":         `"x"`,
		"nothing in it":  `{}`,
		"cut":            goodClaims()[:50],
		"text behind":    goodClaims() + "x",
		"invalid UTF-8":  goodClaims("user_x", "user_\xff"),
		"lone surrogate": goodClaims("user_x", `user_\ud800`),
		"deep":           `{"x":` + strings.Repeat("[", 2500),
	} {
		t.Run(name, func(t *testing.T) { t.Parallel(); refusesBoth(t, i, key, claims) })
	}
}

func TestJW10_DuplicateClaimsRefused(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	i := newIssuer(t, key)
	const sub = `"sub":"user_x"`
	for name, claims := range map[string]string{
		"sub":             goodClaims(sub, sub+`,"sub":"user_y"`),
		"the same sub":    goodClaims(sub, sub+","+sub),
		"escaped sub":     goodClaims(sub, sub+`,"\u0073ub":"user_y"`),
		"exp":             goodClaims(sub, sub+`,"exp":1800000601`),
		"unknown":         goodClaims(sub, sub+`,"x":1,"x":1`),
		"inside unknown":  goodClaims(sub, sub+`,"x":{"y":1,"y":2}`),
		"inside metadata": goodClaims(sub, sub+`,"metadata":{"y":1,"y":2}`),
	} {
		t.Run(name, func(t *testing.T) { t.Parallel(); refusesBoth(t, i, key, claims) })
	}
	// A member in another case is another member, and unknown members are ignored.
	got, err := i.Verify(forge(t, key, goodHeader(key), goodClaims(sub, sub+`,"SUB":"user_y","Sub":"user_z"`)))
	if err != nil || got.User != "user_x" {
		t.Errorf("%+v, %v", got, err)
	}
	refuses(t, i, forge(t, key, goodHeader(key), goodClaims(sub, `"Sub":"user_x"`)))
}

func TestJW14_NextAndRetiredKeysVerify(t *testing.T) {
	t.Parallel()
	old, active, next := newKey(t), newKey(t), newKey(t)
	i := newIssuer(t, active, old, next)
	for _, key := range []token.SigningKey{old, active, next} {
		if _, err := i.Verify(issue(t, newIssuer(t, key))); err != nil {
			t.Error(err)
		}
	}
	if header, _ := segments(t, issue(t, i)); header["kid"] != active.KID {
		t.Error("signed by another key than the active one")
	}
	refuses(t, newIssuer(t, next, active), issue(t, newIssuer(t, old)))
	refuses(t, i, forge(t, old, goodHeader(active), goodClaims())) // signed with old, under the kid of active
}
