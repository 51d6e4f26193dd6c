package token_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/dragoman-auth/dragoman/internal/token"
)

func TestFormatID_KnownValues(t *testing.T) {
	t.Parallel()
	// The valid examples of the TypeID specification.
	table := []struct{ prefix, id, text string }{
		{"nil", "00000000-0000-0000-0000-000000000000", "nil_00000000000000000000000000"},
		{"one", "00000000-0000-0000-0000-000000000001", "one_00000000000000000000000001"},
		{"sixteen", "00000000-0000-0000-0000-000000000010", "sixteen_0000000000000000000000000g"},
		{"thirtytwo", "00000000-0000-0000-0000-000000000020", "thirtytwo_00000000000000000000000010"},
		{"max", "ffffffff-ffff-ffff-ffff-ffffffffffff", "max_7zzzzzzzzzzzzzzzzzzzzzzzzz"},
		{"prefix", "0110c853-1d09-52d8-d73e-1194e95b5f19", "prefix_0123456789abcdefghjkmnpqrs"},
		{"prefix", "01890a5d-ac96-774b-bcce-b302099a8057", "prefix_01h455vb4pex5vsknk084sn02q"},
	}
	for _, row := range table {
		id := uuid.MustParse(row.id)
		if got := token.FormatID(row.prefix, id); got != row.text {
			t.Errorf("%s is written %s", row.id, got)
		}
		if got, err := token.ParseID(row.prefix, row.text); err != nil || got != id {
			t.Errorf("%s is read %s, %v", row.text, got, err)
		}
	}
}

func TestNewID_RoundTripSortedUnique(t *testing.T) {
	t.Parallel()
	shape := regexp.MustCompile(`^user_[0-7][0-9a-hjkmnp-tv-z]{25}$`)
	last := ""
	for range 10_000 {
		id := token.NewID()
		if id.Version() != 7 || id.Variant() != uuid.RFC4122 {
			t.Fatalf("%s is not a UUIDv7", id)
		}
		text := token.FormatID("user", id)
		if !shape.MatchString(text) {
			t.Fatalf("%s has another shape", text)
		}
		if text <= last {
			t.Fatalf("%s came after %s", text, last)
		}
		last = text
		if got, err := token.ParseID("user", text); err != nil || got != id {
			t.Fatalf("%s is read %s, %v", text, got, err)
		}
	}
}

func TestParseID_EveryOtherSpellingRefused(t *testing.T) {
	t.Parallel()
	const good = "01h455vb4pex5vsknk084sn02q"
	table := map[string]string{
		"empty":              "",
		"prefix alone":       "user",
		"nothing behind":     "user_",
		"no prefix":          good,
		"no underscore":      "user" + good,
		"other prefix":       "sess_" + good,
		"longer prefix":      "users_" + good,
		"prefix in capitals": "USER_" + good,
		"two underscores":    "user__" + good,
		"dash":               "user-" + good,
		"upper case":         "user_" + strings.ToUpper(good),
		"one capital":        "user_01H455vb4pex5vsknk084sn02q",
		"letter i":           "user_0ih455vb4pex5vsknk084sn02q",
		"letter l":           "user_0lh455vb4pex5vsknk084sn02q",
		"letter o":           "user_o1h455vb4pex5vsknk084sn02q",
		"letter u":           "user_01h455vb4pex5vsknk084sn0uq",
		"25 characters":      "user_" + good[1:],
		"27 characters":      "user_0" + good,
		"129 bits":           "user_8zzzzzzzzzzzzzzzzzzzzzzzzz",
		"more bits":          "user_z1h455vb4pex5vsknk084sn02q",
		"space":              "user_ " + good[1:],
		"space behind":       "user_" + good + " ",
		"newline":            "user_" + good + "\n",
		"hyphen inside":      "user_01h455vb4pex-vsknk084sn02q",
		"uuid":               "user_01890a5d-ac96-774b-bcce-b302099a8057",
		"two bytes":          "user_01h455vb4pexévsknk084sn02",
	}
	for name, text := range table {
		if id, err := token.ParseID("user", text); !errors.Is(err, token.ErrMalformed) || id != uuid.Nil {
			t.Errorf("%s: %q is read %s, %v", name, text, id, err)
		}
	}
}

func FuzzParseID(f *testing.F) {
	f.Add("user_01h455vb4pex5vsknk084sn02q")
	f.Add("user_7zzzzzzzzzzzzzzzzzzzzzzzzz")
	f.Add("user_8zzzzzzzzzzzzzzzzzzzzzzzzz")
	f.Fuzz(func(t *testing.T, text string) {
		id, err := token.ParseID("user", text)
		if err == nil && token.FormatID("user", id) != text {
			t.Errorf("%q is a second spelling of %s", text, id)
		}
	})
}
