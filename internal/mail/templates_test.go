package mail

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// builtin loads the templates of the program.
func builtin(t *testing.T) *Templates {
	t.Helper()
	all, err := Load("")
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestGolden compares mails with those in testdata; with DRAGOMAN_TEST_GOLDEN=write it writes them there.
func TestGolden(t *testing.T) {
	t.Parallel()
	templates := builtin(t)
	for _, lang := range []string{"en", "de"} {
		for _, kind := range []string{"verify-email", "reset-password", "change-asked", "new-sign-in"} {
			m := sample(kind)
			m.Locale = lang
			out, err := templates.Render(m)
			if err != nil {
				t.Fatal(err)
			}
			for ext, got := range map[string]string{
				"txt":  "Subject: " + out.Subject + "\n\n" + out.Text,
				"html": out.HTML,
			} {
				name := filepath.Join("testdata", kind+"."+lang+"."+ext)
				if os.Getenv("DRAGOMAN_TEST_GOLDEN") == "write" {
					if err := os.WriteFile(name, []byte(got), 0o600); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(name)
				if err != nil || string(want) != got {
					t.Errorf("%s is different (%v):\n%s", name, err, got)
				}
			}
		}
	}
}

// Every language has every kind of mail, with its necessary texts, and the HTML loads nothing from the network.
func TestKinds(t *testing.T) {
	t.Parallel()
	templates := builtin(t)
	loads := regexp.MustCompile(
		`(?i)<(img|link|script|iframe|object|embed|svg|video|form)|url\(|@import|src=|background=`)
	for lang, byKind := range templates.words {
		if len(byKind) != len(kinds) {
			t.Errorf("%s has %d kinds", lang, len(byKind))
		}
		for kind, link := range kinds {
			m := sample(kind)
			m.Locale = lang
			out, err := templates.Render(m)
			if err != nil {
				t.Errorf("%s, %s: %v", lang, kind, err)
				continue
			}
			if found := loads.FindString(out.HTML); found != "" {
				t.Errorf("%s, %s: the mail has %q", lang, kind, found)
			}
			for _, want := range []string{
				"auth.example.com", "ada@example.com", "2026-01-02 15:04 UTC", "Safari on iPhone", "192.0.2.1",
			} {
				if !strings.Contains(out.Text, want) || !strings.Contains(out.HTML, want) {
					t.Errorf("%s, %s does not say %q:\n%s", lang, kind, want, out.Text)
				}
			}
			if link && (strings.Count(out.HTML, m.Link) < 3 || !strings.Contains(out.Text, m.Link+"\n") ||
				!strings.Contains(out.Text, "\n    012345\n")) {
				t.Errorf("%s, %s: link or code is missing:\n%s", lang, kind, out.Text)
			}
			if strings.Contains(out.Text+out.HTML, "ZgotmplZ") || strings.Contains(out.Text, "<no value>") {
				t.Errorf("%s, %s: %s", lang, kind, out.HTML)
			}
		}
	}
}

// OT-20, WH-08: a text that a user chose arrives as text on one line, and cannot become a link.
func TestOT20_NamesAreText(t *testing.T) {
	t.Parallel()
	templates := builtin(t)
	hostile := map[string]struct{ text, html string }{
		`<a href="https://evil.example/x">Win</a>`: {
			`Hello <a href="https: / / evil. example/ x">Win</ a>,`,
			`Hello &lt;a href=&#34;https: / / evil. example/ x&#34;&gt;Win&lt;/ a&gt;,`,
		},
		"Ada\r\nBcc: eve@evil.example": {
			"Hello Ada Bcc: eve@ evil. example,",
			"Hello Ada Bcc: eve@ evil. example,",
		},
		"{{.Link}}<script>alert(1)</script>": {
			"Hello {{. Link}}<script>alert(1)</ script>,",
			"Hello {{. Link}}&lt;script&gt;alert(1)&lt;/ script&gt;,",
		},
		"J.R.R. Tolkien":          {"Hello J. R. R. Tolkien,", "Hello J. R. R. Tolkien,"},
		"\u202eevil\u0000\u2028x": {"Hello evil x,", "Hello evil x,"},
		strings.Repeat("ä", 300): {
			"Hello " + strings.Repeat("ä", 59) + "…,",
			"Hello " + strings.Repeat("ä", 59) + "…,",
		},
	}
	for name, want := range hostile {
		for kind := range kinds {
			m := sample(kind)
			m.Name, m.Device, m.Site = name, name, "auth.example.com\r\nBcc: x"
			out, err := templates.Render(m)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(out.Text, want.text) || !strings.Contains(out.HTML, ">"+want.html+"<") {
				t.Errorf("%q in %s:\n%s", name, kind, out.Text)
			}
			if strings.ContainsAny(out.Subject, "\r\n") || strings.Contains(out.Text, "\r") ||
				strings.Contains(out.HTML, "<script") {
				t.Errorf("%q in %s: subject %q", name, kind, out.Subject)
			}
		}
	}
}

func TestLanguage(t *testing.T) {
	t.Parallel()
	templates := builtin(t)
	for _, c := range []struct{ locale, accept, want string }{
		{"", "", "en"},
		{"de", "", "de"},
		{"de-AT", "en", "de"},
		{"en-GB", "de", "en"},
		{"", "de-CH,de;q=0.9,en;q=0.5", "de"},
		{"", "fr,de;q=0.5", "de"},
		{"", "fr", "en"},
		{"ja", "", "en"},
		{"ja", "de", "de"},
		{"not a tag", "also;;not", "en"},
		{"", "en;q=0.1,de;q=0.9", "de"},
	} {
		if got := templates.language(Message{Kind: "welcome", Locale: c.locale, Accept: c.accept}); got != c.want {
			t.Errorf("%q, %q: %s, want %s", c.locale, c.accept, got, c.want)
		}
	}
}

func TestLasting(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]Lasting{
		time.Second:      {1, "minute"},
		time.Minute:      {1, "minute"},
		10 * time.Minute: {10, "minute"},
		time.Hour:        {1, "hour"},
		90 * time.Minute: {90, "minute"},
		24 * time.Hour:   {24, "hour"},
		30 * time.Hour:   {30, "hour"},
		48 * time.Hour:   {2, "day"},
		72 * time.Hour:   {3, "day"},
	} {
		if got := lasting(d); got != want {
			t.Errorf("%s: %v, want %v", d, got, want)
		}
	}
}

// put writes the files of an operator. The arguments alternate between name and content.
func put(t *testing.T, files ...string) string {
	t.Helper()
	dir := t.TempDir()
	for i := 0; i < len(files); i += 2 {
		name := filepath.Join(dir, files[i])
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(files[i+1]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestLoad_Own(t *testing.T) {
	t.Parallel()
	const words = `{{define "greeting"}}Bonjour{{with .Name}} {{.}}{{end}},{{end}}` +
		`{{define "link-note"}}Valable {{.LinkFor.Count}} h.{{end}}` +
		`{{define "code-note"}}Code :{{end}}`
	dir := put(t,
		"en/welcome.tmpl", `{{define "subject"}}Hi {{.Name}} & all{{end}}{{define "before"}}<b>1</b>{{end}}`,
		"fr/common.tmpl", words,
		"fr/magic-link.tmpl", `{{define "subject"}}Connexion{{end}}{{define "action"}}Se connecter{{end}}`,
		".DS_Store", "x", "..data/x", "y", "fr/.swp", "z",
	)
	templates, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	m := sample("welcome")
	out, err := templates.Render(m)
	if err != nil || out.Subject != "Hi Ada & all" || !strings.Contains(out.HTML, "&lt;b&gt;1&lt;/b&gt;") ||
		!strings.Contains(out.Text, "<b>1</b>") {
		t.Errorf("%v: %q\n%s", err, out.Subject, out.Text)
	}
	m = sample("magic-link")
	m.Accept = "fr-CA"
	if out, err = templates.Render(m); err != nil || out.Subject != "Connexion" ||
		!strings.HasPrefix(out.Text, "Bonjour Ada,") {
		t.Errorf("%v: %q\n%s", err, out.Subject, out.Text)
	}
	m = sample("welcome")
	m.Locale = "fr" // a language without this kind
	if out, err = templates.Render(m); err != nil || out.Subject != "Hi Ada & all" {
		t.Errorf("%v: %q", err, out.Subject)
	}
}

func TestLoad_Refusals(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		files []string
		want  string
	}{
		"broken": {
			[]string{"en/welcome.tmpl", "{{define \"subject\"}}a{{end}}\n\n{{if}}"},
			"welcome.tmpl:3",
		},
		"an unknown field": {
			[]string{"en/welcome.tmpl", "\n{{define \"subject\"}}{{.Password}}{{end}}"},
			"welcome.tmpl:2",
		},
		"a broken layout":   {[]string{"layout.html", "<p>\n{{.Nothing}}"}, "layout.html:2"},
		"a broken text":     {[]string{"layout.txt", "{{.Text"}, "layout.txt:1"},
		"no link":           {[]string{"layout.html", "<p>{{.Code}}</p>"}, "the link is missing"},
		"no code":           {[]string{"layout.txt", "{{.Link}}"}, "the code is missing"},
		"no subject":        {[]string{"en/welcome.tmpl", "{{define \"before\"}}a{{end}}"}, "does not define subject"},
		"an empty subject":  {[]string{"en/welcome.tmpl", "{{define \"subject\"}} {{end}}"}, "the subject is empty"},
		"no button":         {[]string{"en/magic-link.tmpl", "{{define \"subject\"}}a{{end}}"}, "define action"},
		"an unknown kind":   {[]string{"en/welcom.tmpl", ""}, "welcom.tmpl: not a template"},
		"an unknown file":   {[]string{"style.css", ""}, "style.css: not a template"},
		"no language":       {[]string{"english/welcome.tmpl", ""}, "not named after a language"},
		"another spelling":  {[]string{"EN/welcome.tmpl", ""}, "not named after a language"},
		"no common":         {[]string{"fr/welcome.tmpl", "{{define \"subject\"}}a{{end}}"}, "no common.tmpl"},
		"a template within": {[]string{"en/deep/welcome.tmpl", ""}, "not a template"},
	} {
		_, err := Load(put(t, c.files...))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if _, err := Load(filepath.Join(t.TempDir(), "nowhere")); err == nil {
		t.Error("a directory that is not there is taken")
	}
}

// The templates of the program pass the checks of Load for those of an operator.
func TestLoad_BuiltIn(t *testing.T) {
	t.Parallel()
	if _, err := Load(t.TempDir()); err != nil {
		t.Error(err)
	}
}
