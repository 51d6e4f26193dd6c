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
		with("m=19456,t=2,p=1", "m=262144,t=4,p=16"): true,
		with("m=19456", "m=262145"):                  false,
		with("m=19456", "m=4194304"):                 false, // 4 GiB
		with("m=19456", "m=99999999999999999999"):    false,
		with("m=19456", "m=7"):                       false,
		with("m=19456", "m=019456"):                  false,
		with("m=19456", "m=+19456"):                  false,
		with("m=19456", "m= 19456"):                  false,
		with("t=2", "t=20"):                          true,
		with("t=2", "t=21"):                          false,
		with("m=19456,t=2", "m=262144,t=5"):          false,
		with("m=19456,t=2", "m=131072,t=8"):          true,
		with("t=2", "t=0"):                           false,
		with("p=1", "p=17"):                          false,
		with("p=1", "p=0"):                           false,
		with("p=1", "p=1,keyid=x"):                   false,
		with("m=19456,t=2", "t=2,m=19456"):           false,
		with("v=19", "v=16"):                         false,
		with("$v=19", ""):                            false,
		with("argon2id", "argon2i"):                  true,
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
		if _, err := parse(encoded); (err == nil) != want {
			t.Errorf("parse(%q) = %v, want accepted %v", encoded, err, want)
		}
	}
}
