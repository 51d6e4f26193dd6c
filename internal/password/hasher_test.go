package password

import (
	"context"
	"regexp"
	"strings"
	"testing"

	"github.com/dragoman-auth/dragoman/internal/fault"
)

func TestPW11_Form(t *testing.T) {
	t.Parallel()
	h := NewHasher(2)
	a, err := h.Hash(t.Context(), "correct horse battery staple")
	if err != nil {
		t.Fatal(err)
	}
	form := regexp.MustCompile(`^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$`)
	if !form.MatchString(a) {
		t.Errorf("form: %s", a)
	}
	b, err := h.Hash(t.Context(), "correct horse battery staple")
	if err != nil || a == b {
		t.Errorf("two hashes share their salt (%v)", err)
	}
}

// The hash is from the tests of the reference implementation, github.com/P-H-C/phc-winner-argon2. Its command line tool
// makes it: echo -n password | argon2 somesalt -id -t 2 -k 65536 -p 1
func TestVerifyKnownAnswer(t *testing.T) {
	t.Parallel()
	const known = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	if ok, err := NewHasher(1).Verify(t.Context(), known, "password"); err != nil || !ok {
		t.Errorf("%v, %v", ok, err)
	}
}

func TestVerify(t *testing.T) {
	t.Parallel()
	h := NewHasher(2)
	long := strings.Repeat("x", 72)
	for _, c := range []struct {
		rule, stored, typed string
		want                bool
	}{
		{"same", "correct horse", "correct horse", true},
		{"PW-02 a byte behind the 72nd", long, long + "x", false},
		{"PW-04 decomposed", "caf\u00e9 noir", "cafe\u0301 noir", true},
		{"PW-05 leading space", "correct horse", " correct horse", false},
		{"PW-05 trailing space", "correct horse", "correct horse ", false},
		{"PW-05 case", "correct horse", "Correct horse", false},
		{"PW-05 compatibility forms differ", "file name", "\ufb01le name", false},
		{"empty", "correct horse", "", false},
	} {
		t.Run(c.rule, func(t *testing.T) {
			t.Parallel()
			encoded, err := h.Hash(t.Context(), c.stored)
			if err != nil {
				t.Fatal(err)
			}
			if ok, err := h.Verify(t.Context(), encoded, c.typed); ok != c.want || err != nil {
				t.Errorf("%v, %v", ok, err)
			}
		})
	}
}

func TestVerifyRefusesABrokenHash(t *testing.T) {
	t.Parallel()
	h := NewHasher(1)
	h.derive = func([]byte, stored) []byte { panic("worked on a hash that should have been refused") }
	ok, err := h.Verify(t.Context(), "$argon2id$v=19$m=4194304,t=2,p=1$"+goodSalt+"$"+goodSum, "x")
	if ok || err == nil || fault.From(err) != nil {
		t.Errorf("PW-12: %v, %v", ok, err)
	}
}

func TestPW02_TooLongIsRefusedBeforeHashing(t *testing.T) {
	t.Parallel()
	h := NewHasher(1)
	h.derive = func([]byte, stored) []byte { panic("hashed") }
	huge := strings.Repeat("x", 1<<20)
	if _, err := h.Hash(t.Context(), huge); !fault.Is(err, fault.InvalidInput) {
		t.Errorf("Hash: %v", err)
	}
	for _, encoded := range []string{"", goodPHC} {
		if ok, err := h.Verify(t.Context(), encoded, huge); ok || !fault.Is(err, fault.InvalidInput) {
			t.Errorf("Verify(%q): %v, %v", encoded, ok, err)
		}
	}
}

// LG-03: an unknown account costs the same derivation as a known account, and Verify returns false for it even if the
// derived sum matches.
func TestLG03_UnknownAccountCostsTheSame(t *testing.T) {
	t.Parallel()
	h := NewHasher(1)
	var asked []stored
	h.derive = func(_ []byte, p stored) []byte { asked = append(asked, p); return p.sum }
	if ok, err := h.Verify(context.Background(), "", "correct horse"); ok || err != nil {
		t.Errorf("unknown: %v, %v", ok, err)
	}
	if ok, err := h.Verify(context.Background(), goodPHC, "correct horse"); !ok || err != nil {
		t.Errorf("known: %v, %v", ok, err)
	}
	if len(asked) != 2 || asked[0].kind != asked[1].kind || asked[0].kind != current().kind() {
		t.Errorf("the work differs: %+v", asked)
	}
}

func BenchmarkHash(b *testing.B) {
	h := NewHasher(1)
	for b.Loop() {
		if _, err := h.Hash(context.Background(), "correct horse battery staple"); err != nil {
			b.Fatal(err)
		}
	}
}
