package password

import (
	"strings"
	"testing"

	"github.com/dragoman-auth/dragoman/internal/fault"
)

// codeOf returns the code of a *fault.Error, and "" without an error.
func codeOf(t *testing.T, err error) fault.Code {
	t.Helper()
	if err == nil {
		return ""
	}
	f := fault.From(err)
	if f == nil {
		t.Fatalf("not a refusal: %v", err)
	}
	return f.Code
}

func TestPolicy(t *testing.T) {
	t.Parallel()
	const weak, breached, invalid = fault.PasswordTooWeak, fault.PasswordBreached, fault.InvalidInput
	own := []string{"Alice.Jones@Example.com", "al1ce", "Alice Jones", "Bo", ""}
	for _, c := range []struct {
		name, password string
		want           fault.Code
	}{
		{"PW-01 one below", "tR7-wq2", weak},
		{"PW-01 at the minimum", "tR7-wq2z", ""},
		{"PW-01 above", "tR7-wq2zk", ""},
		{"PW-01 counted after NFC", strings.Repeat("e\u0301", 7), weak},
		{"PW-01 code points, not bytes", "ééééééé", weak},
		{"PW-02 64", strings.Repeat("aB3-", 16), ""},
		{"PW-02 256 code points, 1024 bytes", strings.Repeat("🌳", 256), ""},
		{"PW-02 257 code points", strings.Repeat("x", 257), invalid},
		{"PW-02 257 code points that NFC makes 256", strings.Repeat("x", 255) + "e\u0301", ""},
		{"PW-02 1025 bytes", strings.Repeat("🌳", 256) + "x", invalid},
		{"PW-02 1 MiB", strings.Repeat("x", 1<<20), invalid},
		{"PW-02 invalid UTF-8", "tR7-wq2z\xc0\x80", invalid},
		{"PW-02 NUL", "tR7-wq2z\x00", invalid},
		{"PW-03 spaces", "correct horse battery staple", ""},
		{"PW-03 spaces around", "    x     ", ""},
		{"PW-21 only spaces", "          ", weak},
		{"PW-21 only spaces, as many as may be", strings.Repeat(" ", 256), weak},
		{"PW-21 only white space", "\t\n\r\v\f\u0085\u00a0\u3000\u2028", weak},
		{"PW-21 only characters of no width", "\u200b\u200c\u200d\u2060\ufeff\u00ad\u034f\u115f", weak},
		{"PW-21 only fillers", "\u3164\u2800\uffa0\u3164\u2800\uffa0\u3164\u2800", weak},
		{"PW-03 emoji", "🦊🌲🌧🚲🎻🧀🧦🪁", ""},
		{"PW-03 CJK", "春眠不覺曉處處聞啼鳥", ""},
		{"PW-06 common", "password123", breached},
		{"PW-06 common in another case", "PassWord123", breached},
		{"PW-06 service", "dragoman", weak},
		{"PW-06 service and a year", "Dragoman-2031!", weak},
		{"PW-06 email", "alice.jones@example.com", weak},
		{"PW-08 email in another case", "ALICE.JONES@EXAMPLE.COM", weak},
		{"PW-08 local part", "alice.jones", weak},
		{"PW-08 local part and digits", "alice.jones1990", weak},
		{"PW-08 local part twice", "AliceJonesAliceJones", weak},
		{"PW-08 user name", "al1ce!!al1ce", weak},
		{"PW-08 display name", "alice_jones", weak},
		{"PW-08 display name and much more", "alice jones walks the northern line", ""},
		{"PW-08 a short name inside", "Bob0ts-and-trees", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			err := Policy{MinLength: 8}.Check(c.password, own...)
			if got := codeOf(t, err); got != c.want {
				t.Fatalf("code %q, want %q", got, c.want)
			}
			if err != nil && strings.Contains(err.Error(), c.password) {
				t.Error("the message repeats the password")
			}
			if err != nil && fault.From(err).Field != nil {
				t.Error("the error has a field; the caller sets it")
			}
		})
	}
}

func TestPolicyOfADialectFlagsOnlyWhatCanBeGuessed(t *testing.T) {
	t.Parallel()
	p := Policy{MinLength: 6}
	if err := p.CheckLength("qwerty"); err != nil {
		t.Errorf("CheckLength: %v", err)
	}
	if got := codeOf(t, p.CheckGuess("qwerty")); got != fault.PasswordBreached {
		t.Errorf("CheckGuess: %q", got)
	}
	if got := codeOf(t, p.CheckLength("qwert")); got != fault.PasswordTooWeak {
		t.Errorf("CheckLength of one below: %q", got)
	}
	if got := codeOf(t, Policy{}.CheckLength("tR7-wq2")); got != fault.PasswordTooWeak {
		t.Errorf("the zero Policy: %q", got)
	}
}
