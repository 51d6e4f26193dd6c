package token_test

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"math/big"
	"regexp"
	"strings"
	"testing"

	"github.com/dragoman-auth/dragoman/internal/token"
)

func newAPIKey(t testing.TB, c *token.Codec) token.APIKey {
	t.Helper()
	key, err := c.NewAPIKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// crcText computes the checksum in another way than the code: by the base 62 of math/big.
func crcText(body string) string {
	text := new(big.Int).SetUint64(uint64(crc32.ChecksumIEEE([]byte(body)))).Text(62)
	swap := strings.Map(func(r rune) rune { // the digits of math/big are 0-9a-zA-Z
		switch {
		case 'a' <= r && r <= 'z':
			return r - 32
		case 'A' <= r && r <= 'Z':
			return r + 32
		}
		return r
	}, text)
	return strings.Repeat("0", 6-len(swap)) + swap
}

func TestAK01_Shape(t *testing.T) {
	t.Parallel()
	c := newCodec(t)
	shape := regexp.MustCompile(`^sk_live_[0-9A-Za-z]{44}$`)
	for range 1000 {
		key := newAPIKey(t, c)
		text := key.Text.Reveal()
		if !shape.MatchString(text) || key.Handle != text[8:16] || key.Prefix != text[:16] || len(key.Hash) != 35 {
			t.Fatalf("another shape: %d characters, handle %s, prefix %s", len(text), key.Handle, key.Prefix)
		}
		if text[46:] != crcText(text[:46]) {
			t.Fatal("another checksum")
		}
		handle, hash, err := c.ParseAPIKey(text)
		if err != nil || handle != key.Handle || !bytes.Equal(hash, key.Hash) {
			t.Fatalf("read %s, %v", handle, err)
		}
		if shown := fmt.Sprintf("%+v %#v", key, key); strings.Contains(shown, text[16:46]) {
			t.Fatal("the secret shows")
		}
	}
}

func TestAK02_HashDependsOnEveryPart(t *testing.T) {
	t.Parallel()
	c := newCodec(t)
	key := newAPIKey(t, c)
	text := key.Text.Reveal()
	rehash := func(c *token.Codec, body string) []byte {
		_, hash, err := c.ParseAPIKey(body + crcText(body))
		if err != nil {
			t.Fatal(err)
		}
		return hash
	}
	if !bytes.Equal(rehash(c, text[:46]), key.Hash) {
		t.Fatal("the hash is not stable")
	}
	if bytes.Equal(rehash(newCodec(t), text[:46]), key.Hash) {
		t.Error("another server secret gives the same hash")
	}
	for i := 8; i < 46; i++ {
		other := "x"
		if text[i] == 'x' {
			other = "y"
		}
		if bytes.Equal(rehash(c, text[:i]+other+text[i+1:46]), key.Hash) {
			t.Errorf("the hash does not depend on character %d", i)
		}
	}
	if bytes.Contains(key.Hash, []byte(text[16:30])) {
		t.Error("the hash holds the secret")
	}
}

func TestAK03_JunkRefusedWithoutDatabase(t *testing.T) {
	t.Parallel()
	c := newCodec(t)
	body := newAPIKey(t, c).Text.Reveal()[:46]
	dashed := body[:20] + "-" + body[21:]
	dotted := body[:10] + "." + body[11:]
	table := map[string]string{
		"empty":                         "",
		"prefix":                        "sk_live_",
		"zeros":                         "sk_live_" + strings.Repeat("0", 44),
		"other prefix":                  "sk_test_" + body[8:] + crcText(body),
		"no checksum":                   body,
		"checksum of zeros":             body + "000000",
		"checksum of the run alone":     body + crcText(body[8:]),
		"dash under a right checksum":   dashed + crcText(dashed),
		"dot under a right checksum":    dotted + crcText(dotted),
		"short under a right checksum":  body[:45] + crcText(body[:45]),
		"long under a right checksum":   body + "A" + crcText(body+"A"),
		"prefix under a right checksum": "sk_Live_" + body[8:] + crcText("sk_Live_"+body[8:]),
		"long":                          "sk_live_" + strings.Repeat("a", 1<<20),
	}
	for name, text := range table {
		if handle, hash, err := c.ParseAPIKey(text); !errors.Is(err, token.ErrMalformed) || handle != "" ||
			hash != nil {
			t.Errorf("%s accepted: %s, %v", name, handle, err)
		}
	}
	// The keys have the right shape, but the checksum of another key. One in 2^32 is right by chance.
	for range 10_000 {
		junk := newAPIKey(t, c).Text.Reveal()[:46] + newAPIKey(t, c).Text.Reveal()[46:]
		if _, _, err := c.ParseAPIKey(junk); err == nil {
			t.Fatal("junk accepted")
		}
	}
}

func TestSE02_APIKeysUniqueAndUniform(t *testing.T) {
	t.Parallel()
	c := newCodec(t)
	n := samples(10_000, 1_000_000)
	seen := make(map[string]bool, n)
	var count [256]int
	for range n {
		run := newAPIKey(t, c).Text.Reveal()[8:46]
		if seen[run[8:]] {
			t.Fatal("a secret was drawn twice")
		}
		seen[run[8:]] = true
		for i := range len(run) {
			count[run[i]]++
		}
	}
	// A plain remainder of the random bytes would draw eight characters 25 % more often. 8 % is beyond six sigma.
	want := float64(n) * 38 / 62
	for _, char := range "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz" {
		if got := float64(count[char]); got < want*0.92 || got > want*1.08 {
			t.Errorf("%c came %.0f times, not about %.0f", char, got, want)
		}
	}
}

func TestSE04_APIKey_EveryMutationRefused(t *testing.T) {
	t.Parallel()
	c := newCodec(t)
	for range 20 {
		for _, text := range mutants(newAPIKey(t, c).Text.Reveal()) {
			if handle, hash, err := c.ParseAPIKey(text); !errors.Is(err, token.ErrMalformed) || handle != "" ||
				hash != nil {
				t.Fatalf("%q accepted: %s, %v", text, handle, err)
			}
		}
	}
}

func FuzzParseAPIKey(f *testing.F) {
	c := newCodec(f)
	f.Add(newAPIKey(f, c).Text.Reveal())
	f.Add("sk_live_" + strings.Repeat("0", 44))
	f.Fuzz(func(t *testing.T, text string) {
		handle, hash, err := c.ParseAPIKey(text)
		if err != nil {
			return
		}
		if len(text) != 52 || text[8:16] != handle || text[46:] != crcText(text[:46]) || len(hash) != 35 {
			t.Errorf("%q is a second spelling", text)
		}
	})
}
