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

// Sample is an example for readers: the requests, and the answer to the last of them.
type Sample struct {
	Title    string
	Settings map[string]string // the settings that the server needs
	Steps    []Request         // in order; the request itself is the last
	Answer   SampleAnswer
}

// headerCapture matches an expression that only names a header of the answer.
var headerCapture = regexp.MustCompile(`^\$request\.headers\["([^"]+)"\]$`)

// cookieCapture matches an expression that only names a cookie of the answer.
var cookieCapture = regexp.MustCompile(`^\$request\.cookies\.(\w+)$`)

// Call returns the request that the sample is about.
func (s *Sample) Call() Request { return s.Steps[len(s.Steps)-1] }

// Text is a text with gaps. Earlier steps fill them.
type Text []Piece

// Piece is a part of a Text: a literal, or the name of a value that an earlier step captured.
type Piece struct{ Literal, Gap string }

// Gaps returns the names of the gaps, each once.
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
	Name     string        // of the fixture; "" for the sample's own request
	Wait     time.Duration // passes before the step
	Method   string        // "" for a step that only waits
	Path     Text          // with its mount, encoded, without the query string
	Query    []Header      // not encoded
	Headers  []Header      // without the Content-Type of Form and JSON
	Form     []Header      // not encoded
	JSON     Text          // compact, its members in the order of the file
	Body     Text          // verbatim, if neither Form nor JSON is set
	Captures []Captured
	Promote  string // the email address or username of the account that becomes admin first, "" for none

	TOTP Text      // the secret of an authenticator app whose code the step reads instead of a call; nil for none
	Mail *MailStep // the mail that the step reads instead of a call, nil for none
}

// Captured is a value of the answer that later steps send.
type Captured struct {
	Name   string
	Header string // set if the value is a header of the answer
	Cookie string // set if the value is a cookie of the answer
	From   string // otherwise: a jq expression on the body
}

// SampleAnswer is the answer of a Sample.
type SampleAnswer struct {
	Status  int
	Headers []Header
	Body    string // compact JSON, its members in the order of the file, or text
	JSON    bool
	Varies  []string // what differs each time: paths such as user.id or [].id, and `header NAME`
}

func (d *Dialect) sample(e *Example) *Sample {
	s := &sampler{dialect: d, captured: map[string]bool{}, done: map[string]bool{}}
	s.addSetup(&e.Step)
	s.add(&e.Step)
	out := &Sample{Title: e.Title, Settings: maps.Clone(e.Settings), Steps: s.steps}
	out.Steps[len(out.Steps)-1].Name = ""
	out.Answer = SampleAnswer{
		Status:  e.Want.Status,
		Headers: s.headers(e.Want.Headers),
		JSON:    e.Want.HasJSON,
		Varies:  slices.Clone(e.Want.Varies),
	}
	switch {
	case e.Want.HasJSON:
		text, _ := encode(e.Want.JSON) // cannot fail: the value was read from YAML
		out.Answer.Body = string(text)
	case e.Want.Text != nil:
		out.Answer.Body = *e.Want.Text
	}
	return out
}

// sampler walks the steps of an example in the order of a runner.
type sampler struct {
	dialect  *Dialect
	steps    []Request
	captured map[string]bool
	done     map[string]bool
}

func (s *sampler) addSetup(step *Step) {
	for _, name := range step.Given {
		if s.done[name] {
			continue
		}
		s.done[name] = true
		before := s.dialect.Fixtures[name]
		s.addSetup(before)
		s.add(before)
	}
}

func (s *sampler) add(step *Step) {
	out := Request{
		Name:    step.Name,
		Wait:    step.Wait,
		Promote: step.Promote,
		Mail:    step.Mail,
		Headers: s.headers(step.Headers),
		Query:   s.headers(step.Query),
	}
	if step.TOTP != "" {
		out.TOTP = s.text(step.TOTP)
	}
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
		c := Captured{Name: k.key}
		if k.value.expr != nil {
			c.From = strings.TrimSpace(k.value.expr.text)
			if found := headerCapture.FindStringSubmatch(c.From); found != nil {
				c.Header, c.From = http.CanonicalHeaderKey(found[1]), ""
			} else if found := cookieCapture.FindStringSubmatch(c.From); found != nil {
				c.Cookie, c.From = found[1], ""
			} else if step.GraphQL != "" {
				c.From = ".data | " + c.From
			}
		}
		out.Captures = append(out.Captures, c)
		s.captured[k.key] = true
	}
	s.steps = append(s.steps, out)
}

// path fills the parameters into the path of a route.
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

// text finds the gaps: names in braces that an earlier step captured.
func (s *sampler) text(text string) Text {
	out, end := Text{}, 0
	for _, at := range placeholder.FindAllStringSubmatchIndex(text, -1) {
		if name := text[at[2]:at[3]]; s.captured[name] {
			out = append(out, Piece{Literal: text[end:at[0]]}, Piece{Gap: name})
			end = at[1]
		}
	}
	return joined(append(out, Piece{Literal: text[end:]}))
}

// joined merges neighbouring literals and drops empty ones.
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
