package rest

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Sample is an example as it is shown to people: what is sent, and what comes back.
type Sample struct {
	Title    string
	Settings map[string]string // of the server, that it needs
	Steps    []Request         // what has to happen before, in order, and the request itself last
	Answer   SampleAnswer
}

// keptHeader is an expression that is nothing but a header of the answer.
var keptHeader = regexp.MustCompile(`^\$request\.headers\["([^"]+)"\]$`)

// keptCookie is one that is nothing but a cookie of the answer.
var keptCookie = regexp.MustCompile(`^\$request\.cookies\.(\w+)$`)

// Call is the request that the sample is about.
func (s *Sample) Call() Request { return s.Steps[len(s.Steps)-1] }

// Text is a text with gaps, which earlier steps fill.
type Text []Piece

// Piece is a part of a Text: a literal, or the name of a value that an earlier step kept.
type Piece struct{ Literal, Gap string }

// Gaps are the names of what is missing in the text.
func (t Text) Gaps() []string {
	var names []string
	for _, p := range t {
		if p.Gap != "" && !slices.Contains(names, p.Gap) {
			names = append(names, p.Gap)
		}
	}
	return names
}

// Header is a field of a request or an answer.
type Header struct {
	Name  string
	Value Text
}

// Request is one step of a Sample.
type Request struct {
	Name    string        // of the fixture; "" for the sample's own
	Wait    time.Duration // that passes before it
	Method  string        // "" for a step that only waits
	Path    Text          // with its mount, encoded, without the query string
	Query   []Header      // not encoded
	Headers []Header      // without the Content-Type of Form and JSON
	Form    []Header      // not encoded
	JSON    Text          // compact, its members in the order of the file
	Body    Text          // as it is, where it is neither Form nor JSON
	Keeps   []Kept
	Promote string // the email address or username of who becomes an administrator first, "" for nobody

	Mail *MailStep // a mail that is read, of which Keeps takes something; nil for none
}

// Kept is a value of the answer that later steps send.
type Kept struct {
	Name   string
	Header string // the header of the answer that has it, "" when another place has
	Cookie string // the cookie that the answer sets with it, "" when another place has
	From   string // a jq expression on the body
}

// SampleAnswer is what comes back.
type SampleAnswer struct {
	Status  int
	Headers []Header
	Body    string // compact JSON, its members in the order of the file, or text
	JSON    bool
	Varies  []string // what is different each time: paths such as user.id or [].id, and `header NAME`
}

func (d *Dialect) sample(e *Example) *Sample {
	s := &sampler{dialect: d, kept: map[string]bool{}, done: map[string]bool{}}
	s.given(&e.Step)
	s.add(&e.Step)
	out := &Sample{Title: e.Title, Settings: maps.Clone(e.Settings), Steps: s.steps}
	out.Steps[len(out.Steps)-1].Name = ""
	out.Answer = SampleAnswer{Status: e.Want.Status, JSON: e.Want.HasJSON, Varies: slices.Clone(e.Want.Varies), Headers: s.headers(e.Want.Headers)}
	switch {
	case e.Want.HasJSON:
		text, _ := encode(e.Want.JSON) // it was read from YAML, all of which JSON has
		out.Answer.Body = string(text)
	case e.Want.Text != nil:
		out.Answer.Body = *e.Want.Text
	}
	return out
}

// sampler walks the steps of an example as a player does.
type sampler struct {
	dialect *Dialect
	steps   []Request
	kept    map[string]bool
	done    map[string]bool
}

func (s *sampler) given(step *Step) {
	for _, name := range step.Given {
		if s.done[name] {
			continue
		}
		s.done[name] = true
		before := s.dialect.Fixtures[name]
		s.given(before)
		s.add(before)
	}
}

func (s *sampler) add(step *Step) {
	out := Request{Name: step.Name, Wait: step.Wait, Promote: step.Promote, Mail: step.Mail, Headers: s.headers(step.Headers), Query: s.headers(step.Query)}
	switch {
	case step.GraphQL != "":
		out.Method, out.Path = http.MethodPost, Text{{Literal: "/graphql"}}
		text, _ := json.Marshal(map[string]string{"query": strings.TrimSpace(step.GraphQL)})
		out.JSON = s.text(string(text))
	case step.Call != "":
		method, path, _ := strings.Cut(step.Call, " ")
		out.Method, out.Path = method, s.path(strings.TrimSuffix(s.dialect.mountOf(step.Call), "/"), path, step.Params)
		switch {
		case step.JSON != nil:
			text, _ := encode(step.JSON)
			out.JSON = s.text(string(text))
		case step.Form != nil:
			out.Form = s.headers(step.Form)
		default:
			out.Body = s.text(step.Raw)
		}
	}
	for _, k := range step.keep {
		kept := Kept{Name: k.key}
		if k.value.expr != nil {
			kept.From = strings.TrimSpace(k.value.expr.text)
			if found := keptHeader.FindStringSubmatch(kept.From); found != nil {
				kept.Header, kept.From = http.CanonicalHeaderKey(found[1]), ""
			} else if found := keptCookie.FindStringSubmatch(kept.From); found != nil {
				kept.Cookie, kept.From = found[1], ""
			} else if step.GraphQL != "" {
				kept.From = ".data | " + kept.From
			}
		}
		out.Keeps = append(out.Keeps, kept)
		s.kept[k.key] = true
	}
	s.steps = append(s.steps, out)
}

// path puts the parameters into the path of a route.
func (s *sampler) path(mount, path string, params map[string]string) Text {
	out, end := Text{}, 0
	for _, at := range parameter.FindAllStringSubmatchIndex(path, -1) {
		out = append(out, Piece{Literal: mount + path[end:at[0]]})
		mount, end = "", at[1]
		for _, p := range s.text(params[path[at[2]:at[3]]]) {
			p.Literal = url.PathEscape(p.Literal)
			out = append(out, p)
		}
	}
	return joined(append(out, Piece{Literal: mount + path[end:]}))
}

func (s *sampler) headers(given map[string]string) []Header {
	var out []Header
	for _, name := range slices.Sorted(maps.Keys(given)) {
		out = append(out, Header{name, s.text(given[name])})
	}
	return out
}

// text finds the gaps: names in braces that an earlier step kept.
func (s *sampler) text(text string) Text {
	out, end := Text{}, 0
	for _, at := range placeholder.FindAllStringSubmatchIndex(text, -1) {
		if name := text[at[2]:at[3]]; s.kept[name] {
			out = append(out, Piece{Literal: text[end:at[0]]}, Piece{Gap: name})
			end = at[1]
		}
	}
	return joined(append(out, Piece{Literal: text[end:]}))
}

// joined brings literals that stand side by side together, and leaves empty ones out.
func joined(pieces Text) Text {
	var out Text
	for _, p := range pieces {
		switch last := len(out) - 1; {
		case p == Piece{}:
		case p.Gap == "" && last >= 0 && out[last].Gap == "":
			out[last].Literal += p.Literal
		default:
			out = append(out, p)
		}
	}
	return out
}
