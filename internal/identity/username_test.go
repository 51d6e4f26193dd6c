package identity

import (
	"regexp"
	"strings"
	"testing"
)

func TestUsername(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rule, text          string
		original, canonical string // "" if text is rejected
	}{
		{"ID-04 plain", "alice", "alice", "alice"},
		{"ID-04 case", "Alice", "Alice", "alice"},
		{"ID-04 trimmed", " alice ", "alice", "alice"},
		{"ID-04 all kinds", "a.b_c-9", "a.b_c-9", "a.b_c-9"},
		{"ID-04 three", "abc", "abc", "abc"},
		{"ID-04 two", "ab", "", ""},
		{"ID-04 thirty-two", strings.Repeat("z", 32), strings.Repeat("z", 32), strings.Repeat("z", 32)},
		{"ID-04 thirty-three", strings.Repeat("z", 33), "", ""},
		{"ID-04 reserved as part", "administrate", "administrate", "administrate"},
		{"ID-04 reserved", "admin", "", ""},
		{"ID-04 reserved, title case", "Admin", "", ""},
		{"ID-04 reserved, upper case", "ADMIN", "", ""},
		{"ID-04 reserved, with joiners", "-Ad.min_", "", ""},
		{"ID-04 reserved, Cyrillic a", "\u0430dmin", "", ""},
		{"ID-04 reserved, full width", "ａｄｍｉｎ", "", ""},
		{"ID-04 reserved, mailbox", "postmaster", "", ""},
		{"ID-04 reserved, service", "Dragoman", "", ""},
		{"ID-04 reserved, nothing", "null", "", ""},
		{"ID-04 Cyrillic a", "\u0430lice", "", ""},
		{"ID-04 Kelvin sign", "\u212aelvin", "", ""},
		{"ID-04 dotless i", "al\u0131ce", "", ""},
		{"ID-04 zero width", "ali\u200bce", "", ""},
		{"ID-04 bidi", "\u202ealice", "", ""},
		{"ID-04 accent", "al\u0069\u0301ce", "", ""},
		{"ID-04 UUID", "0191f0c2-7b3c-7d4e-8f5a-1b2c3d4e5f60", "", ""},
		{"ID-04 UUID without hyphens", "0191F0C27B3C7D4E8F5A1B2C3D4E5F60", "", ""},
		{"ID-04 typed id", "user_01h455vb4pex5vsknk084sn02q", "", ""},
		{"ID-04 typed id in upper case", "SESS_01H455VB4PEX5VSKNK084SN02Q", "", ""},
		{
			"not a typed id: i, l, o, u",
			"user_ilouilouilouilouilouilouil",
			"user_ilouilouilouilouilouilouil",
			"user_ilouilouilouilouilouilouil",
		},
		{"ID-05 address", "victim@x", "", ""},
		{"ID-06 NUL", "alice\x00", "", ""},
		{"ID-06 invalid UTF-8", "alice\xff", "", ""},
		{"ID-09 line break behind", "alice\n", "alice", "alice"},
		{"ID-09 white space", "\u00a0\u2028alice\t\r\n", "alice", "alice"},
		{"ID-09 line break inside", "ali\nce", "", ""},
		{"space inside", "al ice", "", ""},
		{"slash", "../etc", "", ""},
		{"only dots", "...", "", ""},
		{"empty", "", "", ""},
	} {
		t.Run(c.rule, func(t *testing.T) {
			t.Parallel()
			original, canonical, err := Username(c.text)
			if original != c.original || canonical != c.canonical {
				t.Errorf("Username(%q) = %q, %q", c.text, original, canonical)
			}
			checkRefusal(t, err, c.canonical == "")
		})
	}
}

func FuzzUsername(f *testing.F) {
	for _, seed := range []string{
		"alice", " Alice ", "\u0430dmin", "...", "user_01h455vb4pex5vsknk084sn02q", "\u212aelvin",
	} {
		f.Add(seed)
	}
	form := regexp.MustCompile(`^[a-z0-9._-]{3,32}$`)
	f.Fuzz(func(t *testing.T, text string) {
		original, canonical, err := Username(text)
		if err != nil {
			if original != "" || canonical != "" {
				t.Errorf("a refusal with a result: %q, %q", original, canonical)
			}
			return
		}
		if !form.MatchString(canonical) || !strings.EqualFold(original, canonical) {
			t.Errorf("%q, %q", original, canonical)
		}
		for _, again := range []string{original, canonical} {
			if o, c, err := Username(again); err != nil || o != again || c != canonical {
				t.Errorf("%q became %q, %q, %v", again, o, c, err)
			}
		}
	})
}
