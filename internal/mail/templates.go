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

// embedded holds layout.html, layout.txt, and for each language a folder with common.tmpl and one file for each kind.
//
//go:embed templates
var embedded embed.FS

// defaultLanguage is the language of mails that have no template in the language of the account.
const defaultLanguage = "en"

// common is the file of the texts that all mails of a language share.
const common = "common"

// kinds holds all kinds of mails, and whether a kind has a link.
var kinds = map[string]bool{
	"verify-email":      true,
	"reset-password":    true,
	"set-password":      true,
	"magic-link":        true,
	"confirm-change":    true,
	"change-asked":      true,
	"email-changed":     true,
	"password-changed":  false,
	"new-sign-in":       false,
	"after-failures":    false,
	"password-disabled": false,
	"session-elsewhere": false,
	"api-key-made":      false,
	"second-factor":     false,
	"address-taken":     false,
	"welcome":           false,
	"took-over":         false,
	"digest":            false,
	"login-code":        false,
	"phone-changed":     false,
	"codes-closed":      false,
}

// Templates renders mails. The texts are plain text, one file for each language and kind, and the two layouts turn them
// into text and HTML. So both parts of a mail say the same, and no text of a template or of a user is read as HTML
// (OT-20).
type Templates struct {
	html  *html.Template
	text  *text.Template
	words map[string]map[string]*text.Template // by language and kind
	tags  []language.Tag                       // the first is defaultLanguage
	match language.Matcher
}

// templateData is the data of the templates of a language. Its durations replace those of the message.
type templateData struct {
	Message
	LinkFor, CodeFor Lasting
}

// Layout is the data of the layouts: the texts of a mail. A text that the mail does not have is "".
type Layout struct {
	Kind     string
	Language string // a tag such as en
	Site     string
	Home     string
	Subject  string
	Greeting string
	Before   []string // paragraphs

	Action    string // the text of the button, "" for a mail without one
	Link      html.URL
	LinkIntro string // stands above the written-out link
	LinkNote  string // says how long the link is valid
	CodeNote  string
	Code      string

	Facts  []Fact
	After  []string // paragraphs
	Footer string
}

// Fact is one line of the details of a mail, such as the time or the device.
type Fact struct{ Name, Value string }

// Render renders a message in the language of its account, else of its request, else in English.
func (t *Templates) Render(m Message) (Rendered, error) {
	return t.render(t.language(m), m)
}

// language gives the language of a message: the best match that has a template of its kind.
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
	return defaultLanguage
}

func (t *Templates) render(lang string, m Message) (Rendered, error) {
	words := t.words[lang][m.Kind]
	if words == nil {
		return Rendered{}, fmt.Errorf("mail: no template for mails of the kind %q", m.Kind)
	}
	m = m.cleaned()
	data := templateData{Message: m, LinkFor: lasting(m.LinkFor), CodeFor: lasting(m.CodeFor)}
	var errs []error
	execute := func(name string) string {
		var out bytes.Buffer
		if words.Lookup(name) == nil {
			return ""
		}
		if err := words.ExecuteTemplate(&out, name, data); err != nil {
			errs = append(errs, err)
		}
		return strings.TrimSpace(strings.ReplaceAll(out.String(), "\r", ""))
	}
	oneLine := func(name string) string { return strings.Join(strings.Fields(execute(name)), " ") }
	l := Layout{
		Kind:     m.Kind,
		Language: lang,
		Site:     m.Site,
		Home:     m.Home,
		Subject:  oneLine("subject"),
		Greeting: oneLine("greeting"),
		Before:   paragraphs(execute("before")),
		After:    paragraphs(execute("after")),
		Footer:   oneLine("footer"),
	}
	if m.Link != "" {
		l.Action, l.LinkIntro, l.LinkNote = oneLine("action"), oneLine("link-intro"), oneLine("link-note")
		l.Action = cmp.Or(m.Button[lang], m.Button[""], l.Action)
		l.Link = html.URL(m.Link) //nolint:gosec // comes from settings and files of the operator; values are escaped
	}
	if m.Code != "" {
		l.Code, l.CodeNote = m.Code, oneLine("code-note")
	}
	about := func(name string, of any) string {
		var out bytes.Buffer
		if words.Lookup(name) == nil {
			return ""
		}
		if err := words.ExecuteTemplate(&out, name, of); err != nil {
			errs = append(errs, err)
		}
		return strings.Join(strings.Fields(out.String()), " ")
	}
	for _, f := range m.facts(about) {
		if f.Value != "" {
			l.Facts = append(l.Facts, Fact{oneLine("label-" + f.Name), f.Value})
		}
	}
	for _, r := range m.Repeats {
		fact, err := t.repeated(lang, words, data, r)
		l.Facts, errs = append(l.Facts, fact), append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return Rendered{}, err
	}
	return t.layOut(l)
}

// facts are the particulars of a message, each under the name of its label; about words a part of it.
func (m *Message) facts(about func(name string, of any) string) []Fact {
	all := []Fact{{"account", m.Account}, {"new-address", m.NewAddress}}
	if m.Key != nil {
		all = append(all, Fact{"key", m.Key.Name}, Fact{"scopes", strings.Join(m.Key.Scopes, ", ")})
	}
	if m.Phone != nil {
		all = append(all, Fact{"phone", m.Phone.Number})
	}
	for _, key := range m.Keys {
		all = append(all, Fact{"key", cmp.Or(about("key", key), key.Name)})
	}
	return append(all, Fact{"time", clock(m.At)}, Fact{"device", m.Device}, Fact{"ip", m.IP})
}

// repeated gives the line of a digest about the notices of one kind, whose subject is its name.
func (t *Templates) repeated(lang string, words *text.Template, data templateData, r Repeat) (Fact, error) {
	var name, value bytes.Buffer
	data.Key, data.Phone = &Key{Change: r.Change}, &Phone{Change: r.Change}
	notice := cmp.Or(t.words[lang][r.Kind], t.words[defaultLanguage][r.Kind])
	if notice == nil {
		name.WriteString(r.Kind)
	} else if err := notice.ExecuteTemplate(&name, "subject", data); err != nil {
		return Fact{}, err
	}
	err := words.ExecuteTemplate(&value, "repeat", struct {
		Count int
		Since string
	}{r.Count, clock(r.Since)})
	return Fact{strings.Join(strings.Fields(name.String()), " "), strings.Join(strings.Fields(value.String()), " ")},
		err
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

// paragraphs splits a text at empty lines, and joins the lines of each paragraph.
func paragraphs(text string) []string {
	var all []string
	for part := range strings.SplitSeq(text, "\n\n") {
		if words := strings.Join(strings.Fields(part), " "); words != "" {
			all = append(all, words)
		}
	}
	return all
}

// sample gives a message with every field that its kind can have.
func sample(kind string) Message {
	m := Message{
		Kind:     kind,
		Site:     "auth.example.com",
		Home:     "https://auth.example.com",
		To:       "ada@example.com",
		Name:     "Ada",
		Account:  "ada@example.com",
		At:       time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC),
		Device:   "Safari on iPhone",
		IP:       "192.0.2.1",
		Failures: 100,
	}
	if kind == "change-asked" || kind == "email-changed" {
		m.NewAddress = "ada@example.org"
	}
	if kind == "api-key-made" {
		m.Key = &Key{Name: "Backup", Scopes: []string{"PROFILE_READ", "USERS_READ"}, Change: "made"}
	}
	if kind == "second-factor" {
		m.Factor = &Factor{Change: "code-used", Name: "Phone", Left: 3}
	}
	if kind == "phone-changed" {
		m.Phone = &Phone{Number: "…56", Change: "confirmed"}
	}
	if kind == "login-code" {
		m.Code, m.CodeFor = "012345", 10*time.Minute
	}
	if kind == "password-changed" {
		m.Keys = []Key{{Name: "Backup", LastUsed: m.At}, {Name: "Import"}}
	}
	if kind == "digest" {
		m.Repeats = []Repeat{{Kind: "new-sign-in", Count: 2, Since: m.At}}
	}
	if kinds[kind] {
		m.Link, m.LinkFor = "https://auth.example.com/account/page#token=sample", time.Hour
		m.Page, m.Code, m.CodeFor = "https://auth.example.com/account/page", "012345", 10*time.Minute
	}
	return m
}

// check renders every mail twice: with all fields, and with those alone that every mail of its kind has.
func (t *Templates) check() error {
	var errs []error
	for lang, byKind := range t.words {
		for kind, words := range byKind {
			full := sample(kind)
			bare := full
			bare.Name, bare.Account, bare.NewAddress = "", "", ""
			bare.Page, bare.Code = "", ""
			bare.Device, bare.IP, bare.Failures = "", "", 0
			bare.Keys = nil
			for _, m := range []Message{full, bare} {
				out, err := t.render(lang, m)
				switch {
				case err != nil:
				case out.Subject == "":
					err = fmt.Errorf("%s: the subject is empty; write a text in subject", words.Name())
				case kinds[kind] && oneLineOf(words, "action", m) == "":
					err = fmt.Errorf("%s: the button of the link has no text; define action", words.Name())
				case !strings.Contains(out.Text, m.Link) || !strings.Contains(out.HTML, html.HTMLEscapeString(m.Link)):
					err = fmt.Errorf("%s: the link is missing; check layout.html and layout.txt", words.Name())
				case !strings.Contains(out.Text, m.Code) || !strings.Contains(out.HTML, m.Code):
					err = fmt.Errorf("%s: the code is missing; check layout.html and layout.txt", words.Name())
				}
				errs = append(errs, err)
			}
		}
	}
	all := errors.Join(errs...)
	if all == nil {
		return nil
	}
	lines := strings.Split(all.Error(), "\n") // a mistake in a layout is found in every mail
	slices.Sort(lines)
	return errors.New(strings.Join(slices.Compact(lines), "\n"))
}

func oneLineOf(words *text.Template, name string, m Message) string {
	var out bytes.Buffer
	if words.Lookup(name) == nil || words.ExecuteTemplate(&out, name, templateData{Message: m}) != nil {
		return ""
	}
	return strings.TrimSpace(out.String())
}

// languages gives the languages of all templates, defaultLanguage first.
func (t *Templates) languages() []language.Tag {
	tags := make([]language.Tag, 0, len(t.words))
	for name := range t.words {
		tags = append(tags, language.MustParse(name)) // checkName parsed it
	}
	slices.SortFunc(tags, func(a, b language.Tag) int {
		if a.String() == defaultLanguage || b.String() == defaultLanguage {
			return cmp.Compare(b2i(b.String() == defaultLanguage), b2i(a.String() == defaultLanguage))
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
