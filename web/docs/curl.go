package docs

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/dragoman-auth/dragoman/rest"
)

// span is a piece of a text that is shown in a colour: the class of the style sheet, "" for none.
type span struct{ Class, Text string }

// command puts a curl command together. Whatever the values are, a shell of the POSIX kind gives curl exactly them: the
// only thing that it expands is the name of a gap, which stands in double quotes.
type command struct{ spans []span }

// curl is the command that sends a request to the server at this address.
func curl(address string, r rest.Request) []span {
	c := &command{}
	c.spans = append(c.spans, span{"cmd", "curl"})
	data := r.JSON != nil || r.Form != nil || r.Body != nil
	if r.Method != http.MethodGet && r.Method != http.MethodPost || (r.Method == http.MethodPost) != data {
		c.word("-X")
		c.arg(rest.Text{{Literal: r.Method}})
	}
	target := append(rest.Text{{Literal: address}}, r.Path...)
	for i, q := range r.Query {
		mark := "&"
		if i == 0 {
			mark = "?"
		}
		target = append(target, rest.Piece{Literal: mark + url.QueryEscape(q.Name) + "="})
		for _, p := range q.Value {
			p.Literal = url.QueryEscape(p.Literal)
			target = append(target, p)
		}
	}
	if dotted.MatchString(flat(target)) {
		c.word("--path-as-is")
	}
	c.arg(target)
	typed := false
	for _, h := range r.Headers {
		typed = typed || strings.EqualFold(h.Name, "Content-Type")
		c.line("-H", header(h))
	}
	switch {
	case r.JSON != nil:
		if !typed {
			c.line("-H", rest.Text{{Literal: "Content-Type: application/json"}})
		}
		c.line("-d", indented(r.JSON))
	case r.Form != nil:
		for _, f := range r.Form {
			c.line("--data-urlencode", append(rest.Text{{Literal: url.QueryEscape(f.Name) + "="}}, f.Value...))
		}
	case r.Body != nil:
		if !typed {
			c.line("-H", rest.Text{{Literal: "Content-Type:"}}) // curl would say that it is a form
		}
		c.line("--data-raw", r.Body) // of which a leading @ is no file
	}
	return c.spans
}

// dotted is a path that curl would shorten before it sends it.
var dotted = regexp.MustCompile(`/\.\.?(/|\?|$)`)

// header is a header as curl takes it; one without a value would be taken away.
func header(h rest.Header) rest.Text {
	if len(h.Value) == 0 {
		return rest.Text{{Literal: h.Name + ";"}}
	}
	return append(rest.Text{{Literal: h.Name + ": "}}, h.Value...)
}

// flat is a text with its gaps as {name}.
func flat(t rest.Text) string {
	var b strings.Builder
	for _, p := range t {
		b.WriteString(p.Literal)
		if p.Gap != "" {
			b.WriteString("{" + p.Gap + "}")
		}
	}
	return b.String()
}

// indented spreads JSON over lines when it is long.
func indented(t rest.Text) rest.Text {
	text := pretty(flat(t))
	var out rest.Text
	for len(text) > 0 {
		at, name := len(text), ""
		for _, gap := range t.Gaps() {
			if i := strings.Index(text, "{"+gap+"}"); i >= 0 && i < at {
				at, name = i, gap
			}
		}
		out = append(out, rest.Piece{Literal: text[:at]})
		if name != "" {
			out = append(out, rest.Piece{Gap: name})
			at += len(name) + 2
		}
		text = text[at:]
	}
	return out
}

// pretty gives JSON with its members on lines of their own, unless it is short.
func pretty(compact string) string {
	var b bytes.Buffer
	if len(compact) <= 48 || json.Indent(&b, []byte(compact), "", "  ") != nil {
		return compact
	}
	return b.String()
}

// line begins a new line with an option and its value.
func (c *command) line(option string, value rest.Text) {
	c.spans = append(c.spans, span{"", " \\\n "})
	c.word(option)
	c.arg(value)
}

func (c *command) word(text string) { c.spans = append(c.spans, span{"", " "}, span{"opt", text}) }

var (
	bare = regexp.MustCompile(`^[A-Za-z0-9_%+=:,./@-]+$`)
	// inDouble is what may stand between double quotes as it is, in a script and at a prompt.
	inDouble = regexp.MustCompile(`^[^"$\x60\\!]*$`)
	// endsName is what may follow the name of a variable without braces around it.
	endsName = regexp.MustCompile(`^($|[ /."'}&,;])`)
)

// arg writes one argument.
func (c *command) arg(t rest.Text) {
	c.spans = append(c.spans, span{"", " "})
	if len(t.Gaps()) == 0 {
		c.literal(flat(t))
		return
	}
	for _, p := range t {
		if !inDouble.MatchString(p.Literal) {
			c.pieces(t)
			return
		}
	}
	c.spans = append(c.spans, span{"str", `"`})
	for i, p := range t {
		if p.Literal != "" {
			c.spans = append(c.spans, span{"str", p.Literal})
		}
		if p.Gap == "" {
			continue
		}
		after := ""
		if i+1 < len(t) {
			after = t[i+1].Literal + "$"
		}
		if endsName.MatchString(after) {
			c.gap("$" + p.Gap)
		} else {
			c.gap("${" + p.Gap + "}")
		}
	}
	c.spans = append(c.spans, span{"str", `"`})
}

// pieces writes an argument of which some part may not stand between double quotes: each in quotes of its own.
func (c *command) pieces(t rest.Text) {
	for _, p := range t {
		if p.Literal != "" {
			c.spans = append(c.spans, span{"str", quoted(p.Literal)})
		}
		if p.Gap != "" {
			c.spans = append(c.spans, span{"str", `"`})
			c.gap("$" + p.Gap)
			c.spans = append(c.spans, span{"str", `"`})
		}
	}
}

func (c *command) literal(s string) {
	if bare.MatchString(s) {
		c.spans = append(c.spans, span{"", s})
		return
	}
	c.spans = append(c.spans, span{"str", quoted(s)})
}

func (c *command) gap(text string) { c.spans = append(c.spans, span{"gap", text}) }

// quoted puts a text into single quotes, between which a shell changes nothing. A NUL, which no argument of a program
// can hold, is left out, as a shell would.
func quoted(s string) string {
	return "'" + strings.ReplaceAll(strings.ReplaceAll(s, "\x00", ""), "'", `'\''`) + "'"
}
