package mail

import (
	"cmp"
	"html"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/text/unicode/norm"
)

// linked is what common mail programs make links of: a scheme, a domain or an address that is made of letters, dots and
// at signs, the name of a file share, and a telephone number. It is wider than any of them, and looks at a text as they
// do: with the full stops of other scripts as dots.
var linked = map[string]*regexp.Regexp{
	"a scheme":           regexp.MustCompile(`(?i)[a-z][a-z0-9+.-]*:\S`),
	"slashes":            regexp.MustCompile(`//|\\\\|\S[/\\]\S`),
	"a domain":           regexp.MustCompile(`[\pL\pM\pN_-]\.[\pL\pM\pN]`),
	"an email address":   regexp.MustCompile(`\S@\S`),
	"a telephone number": regexp.MustCompile(`\+?\pN([-x‐-―−ー－-／\s()\[\].~/*#+]*\pN){4,}`),
}

// linksIn names what a mail program would make links of.
func linksIn(text string) (found []string) {
	dots := strings.NewReplacer("\u3002", ".", "\u06d4", ".", "\u2044", "/", "\u2215", "/", "\u2216", `\`,
		"\u2236", ":")
	for line := range strings.Lines(dots.Replace(norm.NFKC.String(text))) {
		for name, form := range linked {
			if s := form.FindString(strings.TrimSpace(line)); s != "" {
				found = append(found, name+": "+s)
			}
		}
	}
	return found
}

// lures are texts that look like a link, by every kind of it.
var lures = []string{
	"www.evil.example", "WWW.EVIL.EXAMPLE", "evil.com", "evil.zip", "evil.co.uk", "evil.xn--p1ai",
	"\u0437\u043b\u043e.\u0440\u0444",
	"a.b.c", "evil.example.", "evil.example:8080/x", "10.0.0.1", "evil.museum?x=1",
	"evil\u3002com", "evil\uff0ecom", "evil\uff61com", "evil\u2024com", "evil\ufe52com", "evil\u2488com",
	"evil\u06d4com",
	"www\u3002evil\uff0eexample", "evil.\u200bcom", "evil\u2060.com", "evil.\ufe0fcom", "evil.\u0301com",
	"http://evil.example", "HTTPS://evil.example/x?y#z", "https:evil", "hxxp\uff1a\uff0f\uff0fevil", "mailto:eve",
	"tel:112",
	"javascript:alert(1)", "file:///etc/passwd", "http:\u2215\u2215evil", "http\u2236evil", "//evil",
	`\\evil\share`, "\uff3c\uff3cevil",
	"eve@evil.example", "eve\uff20evil\uff0eexample", "eve\ufe6bevil", "a@b",
	"+1 (555) 123-4567", "5551234567", "555.123.4567", "1-800-555-0199", "55512",
	"\u0665\u0665\u0665\u0661\u0662\u0663\u0664",
	"\uff15\uff15\uff15\uff11\uff12\uff13\uff14", "555\u2010123\u20114567", "555\u200b1234567",
	"555\u00a0123\u00a04567",
	"*100#12345",
	"call +49 30 1234567 now", "\u2460\u2461\u2462\u2463\u2464\u2465", "55/51/23/4", "555~1234", "5 5 5 1 2 3 4",
}

// OT-40: no text of a user becomes a link in a mail, neither in its text nor in its HTML.
func TestOT40_NothingIsLinked(t *testing.T) {
	t.Parallel()
	templates := builtin(t)
	tags := regexp.MustCompile(`(?s)<head>.*</head>|<[^>]*>`)
	anchors := regexp.MustCompile(`href="([^"]*)"`)
	for _, lure := range lures {
		if linksIn(line(lure, maxName)) == nil {
			t.Errorf("the test takes %+q for no link", lure)
		}
		for lang, byKind := range templates.words {
			for kind := range byKind {
				m := sample(kind)
				m.Locale, m.Name, m.Device, m.Account, m.NewAddress = lang, lure, lure, lure, lure
				out, err := templates.Render(m)
				if err != nil {
					t.Fatal(err)
				}
				for _, anchor := range anchors.FindAllStringSubmatch(out.HTML, -1) {
					if html.UnescapeString(anchor[1]) != m.Link {
						t.Errorf("%+q in %s: a link to %q", lure, kind, anchor[1])
					}
				}
				ours := strings.NewReplacer(m.Link, "", m.Page, "", m.To, "", m.Site, "", m.IP, "", m.Code, "",
					m.At.Format("2006-01-02 15:04"), "")
				if m.Link == "" { // a NewReplacer with an empty text would put it everywhere
					ours = strings.NewReplacer(m.To, "", m.Site, "", m.IP, "", m.At.Format("2006-01-02 15:04"), "",
						cmp.Or(m.Code, "no code"), "")
				}
				page := html.UnescapeString(tags.ReplaceAllString(out.HTML, "\n"))
				for part, text := range map[string]string{"subject": out.Subject, "text": out.Text, "HTML": page} {
					if found := linksIn(ours.Replace(text)); found != nil {
						t.Errorf("%+q in %s, %s, %s: %+q", lure, kind, lang, part, found)
					}
				}
			}
		}
	}
}

// OT-41: the text stays readable, and whoever has an honest name sees it as it is.
func TestOT41_StaysReadable(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"www.evil.example": "www. evil. example", "eve@evil.example": "eve@ evil. example",
		"evil\u3002com": "evil\u3002 com", "evil.": "evil.",
		"5551234567": "555'123'456'7", "user20261129": "user202'611'29", "+1 (555) 123-4567": "+1' (555') 123'-456'7",
		"ada": "ada", "Ada Lovelace": "Ada Lovelace", "ada_l-1815": "ada_l-1815", "Charles III": "Charles III",
		"Zo\u00eb O'Brien-Smith": "Zo\u00eb O'Brien-Smith", "Ren\u00e9 (2026)": "Ren\u00e9 (2026)",
		"\u6625\u7720\u4e0d\u89ba\u6681": "\u6625\u7720\u4e0d\u89ba\u6681",
		"Safari on iPhone":               "Safari on iPhone", "": "",
	} {
		if got := unlinked(text); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}

// OT-42: the address of the recipient stays an address, unless its part before the "@" reads as the address of a page.
// Every other address is text.
func TestOT42_OwnAddress(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ to, other, wantTo, wantOther string }{
		{"ada.l+x@example.com", "ada.l+x@example.com", "ada.l+x@example.com", "ada.l+x@example.com"},
		{"ada@example.com", "eve@evil.example", "ada@example.com", "eve@ evil. example"},
		{"ada@example.com", "Ada@example.com", "ada@example.com", "Ada@ example. com"},
		{
			"www.evil.example/x@example.com", "www.evil.example/x@example.com",
			"www. evil. example/ x@ example. com", "www. evil. example/ x@ example. com",
		},
		{"www.evil.example@example.com", "", "www. evil. example@ example. com", ""},
		{"evil.example?x=1@example.com", "", "evil. example? x=1@ example. com", ""},
		{"evil.example#x@example.com", "", "evil. example#x@ example. com", ""},
	} {
		m := Message{To: c.to, Account: c.other, NewAddress: c.other}.cleaned()
		if m.To != c.wantTo || m.Account != c.wantOther || m.NewAddress != c.wantOther {
			t.Errorf("%s: %+v", c.to, m)
		}
	}
}
