package totp_test

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/internal/totp"
)

// MF-01: the codes are those of RFC 6238 appendix B for SHA-1, of which six digits are the last six of its eight.
func TestMF01_Vectors(t *testing.T) {
	t.Parallel()
	raw := []byte("12345678901234567890")
	for at, want := range map[int64]string{
		59: "94287082", 1111111109: "07081804", 1111111111: "14050471", 1234567890: "89005924", 2000000000: "69279037",
		20000000000: "65353130",
	} {
		now := time.Unix(at, 0)
		code, err := totp.Code(raw, now)
		if err != nil || code != want[2:] {
			t.Errorf("%d: %s %v, want %s", at, code, err, want[2:])
		}
		if step, ok := totp.Step(raw, want[2:], now); !ok || step != at/30 {
			t.Errorf("%d: step %d %t", at, step, ok)
		}
		for _, beside := range []time.Duration{-totp.Period, totp.Period} {
			if step, ok := totp.Step(raw, want[2:], now.Add(beside)); !ok || step != at/30 {
				t.Errorf("%d and %v: step %d %t", at, beside, step, ok)
			}
		}
		if _, ok := totp.Step(raw, want[2:], now.Add(2*totp.Period)); ok {
			t.Errorf("%d: good for too long", at)
		}
	}
}

// MF-06: a secret has 160 bits, and no two are alike.
func TestMF06_Secret(t *testing.T) {
	t.Parallel()
	a, b := totp.NewSecret(), totp.NewSecret()
	if len(a) != 20 || string(a) == string(b) {
		t.Error("a secret is short, or drawn twice")
	}
	e, err := totp.Enrol(a, "Da: coffee", "ada@example.com")
	if err != nil {
		t.Fatal(err)
	}
	image := strings.TrimPrefix(e.QRCode.Reveal(), "data:image/png;base64,")
	if raw, err := base64.StdEncoding.DecodeString(image); err != nil || !strings.HasPrefix(string(raw), "\x89PNG") {
		t.Errorf("no picture: %v", err)
	}
	if uri := e.URI.Reveal(); !strings.HasPrefix(uri, "otpauth://totp/") || !strings.Contains(uri, e.Secret.Reveal()) {
		t.Errorf("%d bytes of another form", len(uri))
	}
}
