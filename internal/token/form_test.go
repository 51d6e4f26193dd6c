package token_test

import (
	"math/big"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/internal/token"
)

func TestJW06_CompactForm(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	i := newIssuer(t, key)
	good := forge(t, key, goodHeader(key), goodClaims())
	part := strings.Split(good, ".")
	withID := func(length int) string {
		return forge(t, key, goodHeader(key), goodClaims(`"jti":"j"`, `"jti":"`+strings.Repeat("j", length)+`"`))
	}
	for name, text := range map[string]string{
		"empty":                    "",
		"one dot":                  ".",
		"two dots":                 "..",
		"three dots":               "...",
		"one segment":              part[0],
		"two segments":             part[0] + "." + part[1],
		"four segments":            good + "." + part[2],
		"empty fourth":             good + ".",
		"JWE":                      good + ".." + part[2],
		"empty signature":          part[0] + "." + part[1] + ".",
		"empty claims":             part[0] + ".." + part[2],
		"empty header":             "." + part[1] + "." + part[2],
		"padding":                  good + "=",
		"padding twice":            good + "==",
		"padded header":            part[0] + "=." + part[1] + "." + part[2],
		"space before":             " " + good,
		"space behind":             good + " ",
		"newline behind":           good + "\n",
		"newline inside":           good[:30] + "\n" + good[30:],
		"CR inside":                good[:30] + "\r" + good[30:],
		"newline in the signature": good[:len(good)-9] + "\n" + good[len(good)-9:],
		"NUL":                      good + "\x00",
		"plus":                     strings.Replace(good, part[2][:1], "+", 1),
		"slash":                    good[:len(good)-2] + "/" + good[len(good)-1:],
		"percent":                  strings.Replace(good, ".", "%2E", 1),
		"JSON":                     `{"protected":"` + part[0] + `"}`,
		"scheme":                   "Bearer " + good,
		"one character more":       good + "A",
		"one byte more":            good + "AA",
		"length of 1 mod 4":        part[0] + "." + part[1] + "." + part[2] + "AAA",
		"over 8 KiB":               withID(6000),
	} {
		t.Run(name, func(t *testing.T) { t.Parallel(); refuses(t, i, text) })
	}
	long := withID(5770)
	if _, err := i.Verify(long); err != nil || len(long) > 8192 || len(long) < 7900 {
		t.Errorf("%d bytes: %v", len(long), err)
	}
}

// The test is not parallel, because it counts the allocations of the whole process.
func TestJW06_HugeInputCostsNothing(t *testing.T) {
	i := newIssuer(t, newKey(t))
	c := newCodec(t)
	for name, text := range map[string]string{
		"dots":               strings.Repeat(".", 1<<20),
		"letters":            strings.Repeat("A", 1<<20),
		"segments":           strings.Repeat("AA.", 1<<19),
		"refresh":            "rt1." + strings.Repeat(".", 1<<20),
		"session":            "st1." + strings.Repeat("0", 1<<20),
		"key":                "sk_live_" + strings.Repeat("0", 1<<20),
		"refresh JWT":        b64(goodRefreshHeader) + strings.Repeat(".", 1<<20),
		"refresh JWT claims": b64(goodRefreshHeader) + "." + strings.Repeat("A", 1<<20) + ".AA",
		"generation":         c.Refresh(token.NewID(), 1).Reveal()[:31] + strings.Repeat("0", 1<<20),
	} {
		const runs = 100
		var before, after runtime.MemStats
		quickest := time.Hour // other load of the machine slows all other runs
		runtime.ReadMemStats(&before)
		for range runs {
			start := time.Now()
			_, _ = i.Verify(text)
			_, _, _ = c.ParseRefresh(text)
			_, _ = c.ParseSession(text)
			_, _, _ = c.ParseAPIKey(text)
			_ = token.Kind(text)
			quickest = min(quickest, time.Since(start))
		}
		runtime.ReadMemStats(&after)
		if each := (after.TotalAlloc - before.TotalAlloc) / runs; each > 4<<10 {
			t.Errorf("%s: %d bytes allocated", name, each)
		}
		if quickest > time.Millisecond {
			t.Errorf("%s: %s", name, quickest)
		}
	}
}

func TestJW15_SpareBitTwinRefused(t *testing.T) {
	t.Parallel()
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	key := newKey(t)
	i := newIssuer(t, key)
	twins := 0
	for _, filler := range []string{"j", "jj", "jjj"} { // one length of the claims for each number of spare bits
		claims := goodClaims(`"jti":"j"`, `"jti":"`+filler+`"`)
		for _, good := range []string{
			forge(t, key, goodHeader(key), claims),
			forgeHMAC(hmacKey(), goodHMACHeader, claims),
		} {
			part := strings.Split(good, ".")
			for n, segment := range part {
				last := strings.IndexByte(alphabet, segment[len(segment)-1])
				for bits := 1; bits < []int{1, 1, 16, 4}[len(segment)%4]; bits++ {
					twin := append([]string{}, part...)
					twin[n] = segment[:len(segment)-1] + alphabet[last|bits:last|bits+1]
					refuses(t, i, strings.Join(twin, "."))
					twins++
				}
			}
		}
	}
	if twins < 3*(15+3) {
		t.Errorf("only %d twins were tried", twins)
	}
}

// Anybody can turn an ECDSA signature (r, s) into a second valid one, (r, n-s). Revocation goes by the session, so both
// tokens must name the same session.
func TestJW15_SignatureTwinNamesTheSameSession(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	i := newIssuer(t, key)
	good := issue(t, i)
	input, signature := good[:strings.LastIndexByte(good, '.')], decode(t, good[strings.LastIndexByte(good, '.')+1:])
	s := new(big.Int).SetBytes(signature[32:])
	s.Sub(private(t, key).Curve.Params().N, s).FillBytes(signature[32:])
	first, err := i.Verify(good)
	if err != nil {
		t.Fatal(err)
	}
	if second, err := i.Verify(input + "." + b64(string(signature))); err == nil &&
		(second.Session != first.Session || second.ID != first.ID) {
		t.Errorf("the twin of %v names %v", first, second)
	}
}
