package mail

import (
	"bytes"
	"cmp"
	"embed"
	"errors"
	"fmt"
	html "html/template"
	"slices"
	"strings"
	text "text/template"
	"time"

	"golang.org/x/text/language"
)

// embedded holds layout.html and layout.txt, and for each language a folder with common.tmpl and one file for each
// kind.
//
//go:embed templates
var embedded embed.FS

// standard is the language of those whose own there is none of.
const standard = "en"

// common is the file of a language with the words that all of its mails share.
const common = "common"

// kinds are the mails that there are, and whether they carry a link.
var kinds = map[string]bool{
	"verify-email": true, "reset-password": true, "set-password": true, "magic-link": true, "confirm-change": true,
	"change-asked":  true,
	"email-changed": true, "password-changed": false, "new-sign-in": false, "after-failures": false,
	"password-disabled": false,
	"address-taken":     false, "welcome": false,
}

// Templates words mails. The words are plain text in each language, one file a kind; the two layouts make of them what
// a mail looks like. So the parts of a mail say the same, and no word and nothing that a person typed is ever read as
// HTML (OT-20).
type Templates struct {
	html  *html.Template
	text  *text.Template
	words map[string]map[string]*text.Template // by language and kind
	tags  []language.Tag                       // the first is the standard
	match language.Matcher
}

// facts is what the words of a mail see: the message, and its times in their units.
type facts struct {
	Message
	LinkFor, CodeFor Lasting
}

// Layout is what the layouts see: a mail in its words. A text is "" for what it does not have.
type Layout struct {
	Kind     string
	Language string // a tag such as en
	Site     string
	Home     string
	Subject  string
	Greeting string
	Before   []string // paragraphs

	Action    string // what the button says, "" for a mail without one
	Link      html.URL
	LinkIntro string // over the link that is written out
	LinkNote  string // how long it is good
	CodeNote  string
	Code      string

	Facts  []Fact
	After  []string // paragraphs
	Footer string
}

// Fact is a line of the particulars.
type Fact struct{ Name, Value string }

// Render words a message, in the language of its account, or else of its request, or else in English.
func (t *Templates) Render(m Message) (Rendered, error) {
	return t.render(t.language(m), m)
}

// language finds the folder for a message.
func (t *Templates) language(m Message) string {
	var wanted []language.Tag
	if tag, err := language.Parse(m.Locale); err == nil {
		wanted = append(wanted, tag)
	}
	if tags, _, err := language.ParseAcceptLanguage(m.Accept); err == nil {
		wanted = append(wanted, tags...)
	}
	_, i, confidence := t.match.Match(wanted...)
	if found := t.tags[i].String(); confidence >= language.Low && t.words[found][m.Kind] != nil {
		return found
	}
	return standard
}

func (t *Templates) render(lang string, m Message) (Rendered, error) {
	words := t.words[lang][m.Kind]
	if words == nil {
		return Rendered{}, fmt.Errorf("mail: there is no template for a mail of the kind %q", m.Kind)
	}
	m = m.cleaned()
	see := facts{Message: m, LinkFor: lasting(m.LinkFor), CodeFor: lasting(m.CodeFor)}
	var errs []error
	say := func(name string) string {
		var out bytes.Buffer
		if words.Lookup(name) == nil {
			return ""
		}
		if err := words.ExecuteTemplate(&out, name, see); err != nil {
			errs = append(errs, err)
		}
		return strings.TrimSpace(strings.ReplaceAll(out.String(), "\r", ""))
	}
	oneLine := func(name string) string { return strings.Join(strings.Fields(say(name)), " ") }
	l := Layout{
		Kind: m.Kind, Language: lang, Site: m.Site, Home: m.Home, Subject: oneLine("subject"),
		Greeting: oneLine("greeting"),
		Before:   paragraphs(say("before")), After: paragraphs(say("after")), Footer: oneLine("footer"),
	}
	if m.Link != "" {
		l.Action, l.LinkIntro, l.LinkNote = oneLine("action"), oneLine("link-intro"), oneLine("link-note")
		l.Link = html.URL(m.Link) //nolint:gosec // made of the settings and the files of the operator, with escaped values in it
	}
	if m.Code != "" {
		l.Code, l.CodeNote = m.Code, oneLine("code-note")
	}
	at := ""
	if !m.At.IsZero() {
		at = m.At.UTC().Format("2006-01-02 15:04 UTC")
	}
	for _, f := range []Fact{
		{"account", m.Account},
		{"new-address", m.NewAddress},
		{"time", at},
		{"device", m.Device},
		{"ip", m.IP},
	} {
		if f.Value != "" {
			l.Facts = append(l.Facts, Fact{oneLine("label-" + f.Name), f.Value})
		}
	}
	if len(errs) > 0 {
		return Rendered{}, errors.Join(errs...)
	}
	return t.layOut(l)
}

func (t *Templates) layOut(l Layout) (Rendered, error) {
	var page, plain bytes.Buffer
	if err := t.html.Execute(&page, l); err != nil {
		return Rendered{}, err
	}
	if err := t.text.Execute(&plain, l); err != nil {
		return Rendered{}, err
	}
	return Rendered{Subject: l.Subject, Text: strings.TrimSpace(plain.String()) + "\n", HTML: page.String()}, nil
}

// paragraphs cuts a text at its empty lines; within a paragraph lines are joined.
func paragraphs(text string) []string {
	var all []string
	for part := range strings.SplitSeq(text, "\n\n") {
		if words := strings.Join(strings.Fields(part), " "); words != "" {
			all = append(all, words)
		}
	}
	return all
}

// sample is a message with everything that one of its kind can have.
func sample(kind string) Message {
	m := Message{
		Kind: kind, Site: "auth.example.com", Home: "https://auth.example.com", To: "ada@example.com", Name: "Ada",
		Account: "ada@example.com",
		At:      time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC), Device: "Safari on iPhone", IP: "192.0.2.1",
		Failures: 100,
	}
	if kind == "change-asked" || kind == "email-changed" {
		m.NewAddress = "ada@example.org"
	}
	if kinds[kind] {
		m.Link, m.LinkFor = "https://auth.example.com/account/page#token=sample", time.Hour
		m.Page, m.Code, m.CodeFor = "https://auth.example.com/account/page", "012345", 10*time.Minute
	}
	return m
}

// check renders every mail once, with everything and with as little as there can be.
func (t *Templates) check() error {
	var errs []error
	for lang, byKind := range t.words {
		for kind, words := range byKind {
			full := sample(kind)
			bare := full
			bare.Name, bare.Device, bare.IP, bare.Code, bare.Page, bare.Account, bare.NewAddress, bare.Failures = "",
				"", "", "", "", "", "", 0
			for _, m := range []Message{full, bare} {
				out, err := t.render(lang, m)
				switch {
				case err != nil:
				case out.Subject == "":
					err = fmt.Errorf("%s: the subject is empty", words.Name())
				case kinds[kind] && oneLineOf(words, "action", m) == "":
					err = fmt.Errorf("%s: it carries a link, and does not say what its button says: define action",
						words.Name())
				case !strings.Contains(out.Text, m.Link) || !strings.Contains(out.HTML, html.HTMLEscapeString(m.Link)):
					err = fmt.Errorf("%s: the link is missing in it: look at layout.html and layout.txt", words.Name())
				case !strings.Contains(out.Text, m.Code) || !strings.Contains(out.HTML, m.Code):
					err = fmt.Errorf("%s: the code is missing in it: look at layout.html and layout.txt", words.Name())
				}
				errs = append(errs, err)
			}
		}
	}
	all := errors.Join(errs...)
	if all == nil {
		return nil
	}
	lines := strings.Split(all.Error(), "\n") // one mistake of a layout shows in every mail
	slices.Sort(lines)
	return errors.New(strings.Join(slices.Compact(lines), "\n"))
}

func oneLineOf(words *text.Template, name string, m Message) string {
	var out bytes.Buffer
	if words.Lookup(name) == nil || words.ExecuteTemplate(&out, name, facts{Message: m}) != nil {
		return ""
	}
	return strings.TrimSpace(out.String())
}

// languages are the folders that there are, the standard first.
func (t *Templates) languages() []language.Tag {
	tags := make([]language.Tag, 0, len(t.words))
	for name := range t.words {
		tags = append(tags, language.MustParse(name)) // load has read it
	}
	slices.SortFunc(tags, func(a, b language.Tag) int {
		if a.String() == standard || b.String() == standard {
			return cmp.Compare(b2i(b.String() == standard), b2i(a.String() == standard))
		}
		return strings.Compare(a.String(), b.String())
	})
	return tags
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}
