package identity

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/dragoman-auth/dragoman/internal/fault"
)

func TestText(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ rule, text, want string }{
		{"plain", "Alice Jones", "Alice Jones"},
		{"trimmed", "  Alice\u00a0", "Alice"},
		{"NFC", "Zoe\u0308", "Zoë"},
		{"other scripts", "علی‌رضا", "علی‌رضا"},
		{"emoji with joiners", "👩‍🚀 Alice ❤️", "👩‍🚀 Alice ❤️"},
		{"markup is text", "<b>&\"'", "<b>&\"'"},
		{"ten code points", "春眠不覺曉處處聞啼鳥", "春眠不覺曉處處聞啼鳥"},
		{"twelve allowed", strings.Repeat("x", 12), strings.Repeat("x", 12)},
		{"thirteen not", strings.Repeat("x", 13), ""},
		{"counted after NFC", strings.Repeat("e\u0301", 12), strings.Repeat("é", 12)},
		{"empty", "", ""},
		{"only space", " \u3000 ", ""},
		{"only a joiner", "\u200d", ""},
		{"only a mark", "\u0301", ""},
		{"only a filler", "\u3164", ""},
		{"only a blank of braille", "\u2800", ""},
		{"ID-06 NUL", "Al\x00ice", ""},
		{"ID-06 lone surrogate as decoders leave it", "Al\ufffdice", ""},
		{"ID-06 surrogate in bytes", "Al\xed\xa0\x80ice", ""},
		{"ID-06 overlong", "Al\xc0\x80ice", ""},
		{"control", "Al\x1bice", ""},
		{"C1 control", "Al\u0085ice", ""},
		{"line break", "Al\nice", ""},
		{"line separator", "Al\u2028ice", ""},
		{"bidi override", "Al\u202eice", ""},
		{"bidi isolate", "Al\u2066ice", ""},
		{"zero-width space", "Al\u200bice", ""},
		{"byte order mark", "\ufeffAlice", ""},
		{"tag characters", "Al\U000e0041ice", ""},
		{"noncharacter", "Al\uffffice", ""},
		{"a tower of accents", "A" + strings.Repeat("\u0316", 40), ""},
	} {
		t.Run(c.rule, func(t *testing.T) {
			t.Parallel()
			got, err := Text(c.text, 12)
			if strings.HasPrefix(c.rule, "emoji") || strings.HasPrefix(c.rule, "a tower") {
				got, err = Text(c.text, 100)
			}
			if got != c.want {
				t.Errorf("Text(%q) = %q", c.text, got)
			}
			checkRefusal(t, err, c.want == "")
		})
	}
}

func FuzzText(f *testing.F) {
	for _, seed := range []string{"Alice", "👩‍🚀", "A" + strings.Repeat("\u0316", 40), "\u3164", " \u200d "} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := Text(text, 64)
		if err != nil {
			return
		}
		if again, err := Text(got, 64); err != nil || again != got {
			t.Errorf("%q became %q, %v", got, again, err)
		}
		if n := utf8.RuneCountInString(got); n < 1 || n > 64 {
			t.Errorf("%d code points", n)
		}
	})
}

// ID-09: white space around a name is no error. What stays and cannot be seen is one that says so.
func TestID09_CheckPrintable(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"", " ", "ada", "ada\n", "\u2028ada\u3000", "a b", "\u00e5da@example.com"} {
		if err := CheckPrintable(good); err != nil {
			t.Errorf("%+q: %v", good, err)
		}
	}
	for _, bad := range []string{
		"a\nb", "a\tb", "ada\x00", "a\u200bda", "\ufeffada", "ada\u00ad", "a\u202eda", "ada\xff", "a\u2028b", "\u2800",
	} {
		if f := fault.From(CheckPrintable(bad)); f == nil || f.Code != fault.InvalidInput ||
			!strings.Contains(f.Message, "cannot be printed") {
			t.Errorf("%+q: %v", bad, f)
		}
	}
	for text, want := range map[string]string{
		"a\nb@example.com": "cannot be printed", "\u00e5da@example.com": "beyond ASCII", "ada": "valid email address",
	} {
		if _, _, err := Email(text); err == nil || !strings.Contains(fault.From(err).Message, want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// PW-21: blanks of every kind, alone and together.
func TestPW21_Blank(t *testing.T) {
	t.Parallel()
	for _, blank := range []string{
		"", " ", "\t\n\v\f\r", "\u0085\u00a0", "\u1680\u2000\u200a\u202f\u205f\u3000", "\u2028\u2029",
		"\u200b\u200c\u200d\u2060\ufeff", "\u00ad\u034f\u061c", "\u115f\u1160\u3164\uffa0", "\u2800", "\u180e\u180b",
		"\ufe0f\U000e0100", "\U000e0020", "\u17b4\u17b5",
	} {
		if !Blank(blank) {
			t.Errorf("%+q is not blank", blank)
		}
	}
	for _, seen := range []string{"a", " a ", ".", "\u00a0_", "\u0301", "\u6625", "\U0001f600\ufe0f"} {
		if Blank(seen) {
			t.Errorf("%+q is blank", seen)
		}
	}
}
