package identity

import (
	"strings"
	"testing"
	"unicode"

	"github.com/dragoman-auth/dragoman/internal/fault"
)

func TestEmail(t *testing.T) {
	t.Parallel()
	local64 := strings.Repeat("l", 64)
	domain := func(n int) string { return strings.Repeat("a.", (n-4)/2) + strings.Repeat("a", n%2) + "test" }
	for _, c := range []struct {
		rule, text          string
		original, canonical string // "" if text is rejected
	}{
		{"ID-01 plain", "alice@example.com", "alice@example.com", "alice@example.com"},
		{"ID-01 trimmed", "  alice@example.com ", "alice@example.com", "alice@example.com"},
		{"ID-01 no-break space", "\u00a0alice@example.com\u3000", "alice@example.com", "alice@example.com"},
		{"ID-01 case", "Alice@EXAMPLE.com", "Alice@EXAMPLE.com", "alice@example.com"},
		{"ID-01 dots stay", "a.b@example.com", "a.b@example.com", "a.b@example.com"},
		{"ID-01 tags stay", "a+b@example.com", "a+b@example.com", "a+b@example.com"},
		{"ID-01 domain beyond ASCII", "a@Bücher.example", "a@Bücher.example", "a@xn--bcher-kva.example"},
		{"ID-01 decomposed domain", "a@bu\u0308cher.example", "a@bücher.example", "a@xn--bcher-kva.example"},
		{"ID-01 A-label", "a@XN--BCHER-KVA.example", "a@XN--BCHER-KVA.example", "a@xn--bcher-kva.example"},
		{"ID-01 full-width domain", "a@ｅｘａｍｐｌｅ。com", "a@ｅｘａｍｐｌｅ。com", "a@example.com"},
		{"ID-01 sharp s is a letter", "a@straße.example", "a@straße.example", "a@xn--strae-oqa.example"},
		{
			"atext",
			"!#$%&'*+-/=?^_`{|}~@example.com",
			"!#$%&'*+-/=?^_`{|}~@example.com",
			"!#$%&'*+-/=?^_`{|}~@example.com",
		},
		{"digits", "1@2.example", "1@2.example", "1@2.example"},
		{"ID-03 local of 64", local64 + "@x.test", local64 + "@x.test", local64 + "@x.test"},
		{"ID-03 local of 65", local64 + "l@x.test", "", ""},
		{"ID-03 254 octets", local64 + "@" + domain(189), local64 + "@" + domain(189), local64 + "@" + domain(189)},
		{"ID-03 255 octets", local64 + "@" + domain(190), "", ""},
		{"ID-03 255 octets as A-labels", local64 + "@" + domain(176) + ".bücher", "", ""},
		{"ID-03 local beyond ASCII", "ålice@example.com", "", ""},
		{"ID-03 Kelvin sign", "\u212aelvin@example.com", "", ""},
		{"ID-03 header injection", "a@x\r\nBcc: b@y.test", "", ""},
		{"ID-09 line break behind", "a@example.com\n", "a@example.com", "a@example.com"},
		{"ID-09 tab", "\ta@example.com", "a@example.com", "a@example.com"},
		{"ID-09 white space", "\r\n\v\f\u0085a@example.com\u2029\u202f", "a@example.com", "a@example.com"},
		{"ID-09 white space", "\u2028a@example.com\u205f\u1680", "a@example.com", "a@example.com"},
		{"ID-09 much of it", strings.Repeat(" \n", 1000) + "a@example.com", "a@example.com", "a@example.com"},
		{"ID-09 line break inside", "a\n@example.com", "", ""},
		{"ID-03 NUL", "a@example.com\x00", "", ""},
		{"ID-03 bidi", "a@\u202eexample.com", "", ""},
		{"ID-03 zero width", "a\u200b@example.com", "", ""},
		{"ID-03 joiner in the domain", "a@exam\u200dple.com", "", ""},
		{"ID-03 soft hyphen", "a@exam\u00adple.com", "", ""},
		{"ID-03 byte order mark", "\ufeffa@example.com", "", ""},
		{"ID-06 invalid UTF-8", "a@example.com\xff", "", ""},
		{"ID-06 overlong UTF-8", "a@example\xc0\xae.com", "", ""},
		{"ID-06 replacement character", "a@ex\ufffdample.com", "", ""},
		{"empty", "", "", ""},
		{"no @", "example.com", "", ""},
		{"two @", "a@b@example.com", "", ""},
		{"full-width @", "a\uff20example.com", "", ""},
		{"full-width @ in the domain", "a@b\uff20example.com", "", ""},
		{"no local part", "@example.com", "", ""},
		{"no domain", "a@", "", ""},
		{"dot first", ".a@example.com", "", ""},
		{"dot last", "a.@example.com", "", ""},
		{"two dots", "a..b@example.com", "", ""},
		{"space inside", "a b@example.com", "", ""},
		{"quoted", `"a b"@example.com`, "", ""},
		{"comment", "a(b)@example.com", "", ""},
		{"with a name", "Alice <a@example.com>", "", ""},
		{"list", "a@example.com,b@example.com", "", ""},
		{"one label", "a@localhost", "", ""},
		{"dot behind the domain", "a@example.com.", "", ""},
		{"ideographic dot behind the domain", "a@example.com。", "", ""},
		{"dot before the domain", "a@.example.com", "", ""},
		{"two dots in the domain", "a@example..com", "", ""},
		{"address of a machine", "a@192.0.2.1", "", ""},
		{"address literal", "a@[192.0.2.1]", "", ""},
		{"hyphen first", "a@-example.com", "", ""},
		{"hyphen last", "a@example-.com", "", ""},
		{"underscore", "a@ex_ample.com", "", ""},
		{"label of 64", "a@" + strings.Repeat("d", 64) + ".com", "", ""},
		{"broken A-label", "a@xn--a-.example", "", ""},
		{"port", "a@example.com:25", "", ""},
		{"1 MiB", strings.Repeat("a", 1<<20) + "@example.com", "", ""},
	} {
		t.Run(c.rule, func(t *testing.T) {
			t.Parallel()
			original, canonical, err := Email(c.text)
			if original != c.original || canonical != c.canonical {
				t.Errorf("Email(%.80q) = %q, %q", c.text, original, canonical)
			}
			checkRefusal(t, err, c.canonical == "")
		})
	}
}

// checkRefusal checks that err is an INVALID_INPUT with a message and without a field if refused is true, and nil
// otherwise.
func checkRefusal(t *testing.T, err error, refused bool) {
	t.Helper()
	switch f := fault.From(err); {
	case !refused && err != nil:
		t.Errorf("refused: %v", err)
	case refused && (f == nil || f.Code != fault.InvalidInput || f.Field != nil || f.Message == ""):
		t.Errorf("error %#v", err)
	}
}

func FuzzEmail(f *testing.F) {
	for _, seed := range []string{
		"alice@example.com", " A.B+c@Bücher.example ", "a@xn--bcher-kva.example", "a@x\r\nBcc:", "a@straße.example",
		"a@ｅｘａｍｐｌｅ。com", "a@\u202ex.y", "@", "a@1.2", "a@xn--zca.xn--9a", "\u212a@x.test", "a@faß.ایران",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		original, canonical, err := Email(text)
		if err != nil {
			if original != "" || canonical != "" {
				t.Errorf("a refusal with a result: %q, %q", original, canonical)
			}
			return
		}
		if strings.ContainsFunc(original+canonical, unicode.IsControl) {
			t.Errorf("control characters in %q, %q", original, canonical)
		}
		if len(canonical) > maxEmail || len(original) > maxEmail {
			t.Errorf("too long: %q, %q", original, canonical)
		}
		if strings.ContainsFunc(canonical, func(r rune) bool { return r <= ' ' || r > '~' }) {
			t.Errorf("the canonical form is not plain ASCII: %q", canonical)
		}
		for _, form := range []string{original, canonical} {
			o, c, err := Email(form)
			if err != nil || c != canonical || o != form {
				t.Errorf("%q became %q, %q, %v; canonical was %q", form, o, c, err, canonical)
			}
		}
		if _, _, err := Username(text); err == nil {
			t.Errorf("ID-05: %q is a user name too", text)
		}
	})
}

// OT-17: addresses of one mailbox are counted as one, and of two mailboxes as two.
func TestMailbox(t *testing.T) {
	t.Parallel()
	for canonical, want := range map[string]string{
		"ada@example.com": "ada@example.com", "ada+x+y@example.com": "ada@example.com",
		"a.da@example.com": "a.da@example.com", "a.d.a+x@gmail.com": "ada@gmail.com", "a.da@googlemail.com": "ada@gmail.com",
		"+ada@example.com": "+ada@example.com",
	} {
		if got := Mailbox(canonical); got != want {
			t.Errorf("%s: %s, want %s", canonical, got, want)
		}
	}
}
