package password

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
	"testing"
)

// nameOf is the keyed hash of a name.
func nameOf(n int) (name [16]byte) {
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(n)))
	copy(name[:], sum[:])
	return name
}

// LG-03: while accounts have hashes of other systems, as many names of nobody verify such a hash, of the kinds in their
// proportion, and a name the same one each time. As accounts leave, names do, and none comes back. Accounts verify
// their own hash, and a name is never right.
func TestLG03_Mix(t *testing.T) {
	t.Parallel()
	h, derived := NewHasher(1), ""
	h.derive = func(_ []byte, p stored) []byte { derived = p.kind; return p.sum }
	own, names := current().kind(), 20_000
	var kinds []MixKind
	for text, weight := range map[string]int64{
		"$2b$10$abcdefghijklmnopqrstuuO.T0xOeEVlIVLtbq1WcmDPYbl/LUdPy":                700,
		"{SSHA}MTIzNDU2Nzg5MDEyMzQ1Njc4OTBzYWx0":                                      250,
		"$pbkdf2-sha256$1000$c2FsdHNhbHQ$MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI": 50,
	} {
		f, err := ReadForeign(text)
		if err != nil {
			t.Fatal(err)
		}
		kinds = append(kinds, MixKind{f.Dummy, weight})
	}
	kinds = append(kinds, MixKind{"$of a later version$", 1000})
	last := map[int]string{}
	for _, foreign := range []float64{1, 0.9, 0.5, 0.01, 0} {
		h.SetMix(Mix{Foreign: foreign, Kinds: kinds})
		count := map[string]int{}
		for n := range names {
			if ok, err := h.VerifyNamed(t.Context(), nameOf(n), "", "correct horse"); ok || err != nil {
				t.Fatalf("%v, %v", ok, err)
			}
			if before, seen := last[n]; seen && derived != before && derived != own {
				t.Fatalf("name %d verified %s, and then %s", n, before, derived)
			}
			last[n] = derived
			count[derived]++
		}
		for kind, part := range map[string]float64{
			own: 1 - foreign, "bcrypt 10": 0.7 * foreign, "ssha": 0.25 * foreign, "pbkdf2-sha256 1000": 0.05 * foreign,
		} {
			if got := float64(count[kind]) / float64(names); math.Abs(got-part) > 0.015 {
				t.Errorf("with %v of other systems %.3f of the names verify %s, want %.3f", foreign, got, kind, part)
			}
		}
	}
	h.SetMix(Mix{Foreign: 1, Kinds: kinds})
	for encoded, want := range map[string]string{goodPHC: own, kinds[0].Dummy: ""} {
		if _, err := h.VerifyNamed(t.Context(), nameOf(1), encoded, "x"); err != nil || want != "" && derived != want {
			t.Errorf("%s: %s, %v", encoded, derived, err)
		}
	}
	for name, m := range map[string]Mix{"no kinds": {Foreign: 1}, "none": {}, "kinds alone": {Kinds: kinds}} {
		h.SetMix(m)
		if _, err := h.VerifyNamed(t.Context(), nameOf(1), "", "x"); err != nil || derived != own {
			t.Errorf("%s: %s, %v", name, derived, err)
		}
	}
}
