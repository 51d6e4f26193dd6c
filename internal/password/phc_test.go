package password

import (
	"strings"
	"testing"
)

const (
	goodSalt = "c29tZXNhbHRzb21lc2FsdA"
	goodSum  = "MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI"
	goodPHC  = "$argon2id$v=19$m=19456,t=2,p=1$" + goodSalt + "$" + goodSum
)

func TestPW12_OnlyOneSpellingWithinTheBounds(t *testing.T) {
	t.Parallel()
	with := func(old, replacement string) string { return strings.Replace(goodPHC, old, replacement, 1) }
	for encoded, want := range map[string]bool{
		goodPHC: true,
		with("m=19456,t=2,p=1", "m=262144,t=10,p=4"): true,
		with("m=19456", "m=262145"):                  false,
		with("m=19456", "m=4194304"):                 false, // 4 GiB
		with("m=19456", "m=99999999999999999999"):    false,
		with("m=19456", "m=7"):                       false,
		with("m=19456", "m=019456"):                  false,
		with("m=19456", "m=+19456"):                  false,
		with("m=19456", "m= 19456"):                  false,
		with("t=2", "t=11"):                          false,
		with("t=2", "t=0"):                           false,
		with("p=1", "p=5"):                           false,
		with("p=1", "p=0"):                           false,
		with("p=1", "p=1,keyid=x"):                   false,
		with("m=19456,t=2", "t=2,m=19456"):           false,
		with("v=19", "v=16"):                         false,
		with("$v=19", ""):                            false,
		with("argon2id", "argon2i"):                  false,
		with("argon2id", "ARGON2ID"):                 false,
		with(goodSalt, "c29tZQ"):                     false, // 4 bytes of salt
		with(goodSalt, ""):                           false,
		with(goodSalt, goodSalt+"=="):                false,
		with(goodSalt, "c29tZXNhbHRzb21lc2FsdB"):     false, // spare bits
		with(goodSalt, "c29t\nZXNhbHRzb21lc2FsdA"):   false,
		with(goodSum, "MTIz"):                        false,
		goodPHC + "$":                                false,
		goodPHC + "\n":                               false,
		" " + goodPHC:                                false,
		goodPHC + strings.Repeat("A", 300):           false,
		"":                                           false,
		"$$$$$":                                      false,
	} {
		if _, err := parsePHC(encoded); (err == nil) != want {
			t.Errorf("parsePHC(%q) = %v, want accepted %v", encoded, err, want)
		}
	}
}

// An accepted string is within the bounds and has one spelling. No string panics.
func FuzzParsePHC(f *testing.F) {
	for _, seed := range []string{goodPHC, "", "$argon2id$v=19$m=4294967295,t=1,p=255$$", "$2b$12$x", goodPHC + "\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, encoded string) {
		h, err := parsePHC(encoded)
		if err != nil {
			return
		}
		if h.String() != encoded {
			t.Errorf("%q has a second spelling %q", encoded, h.String())
		}
		if h.memory > maxMemoryKiB || h.time > maxPasses || h.threads > maxLanes || h.time < 1 || h.threads < 1 {
			t.Errorf("%q asks for too much or too little", encoded)
		}
	})
}
