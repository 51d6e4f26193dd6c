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

// span is a coloured piece of a text. Class is the class of the style sheet, "" for none.
type span struct{ Class, Text string }

// command builds a curl command for a POSIX shell. Values reach curl unchanged. A gap is a shell variable in double
// quotes, and the shell expands nothing else.
type command struct{ spans []span }

// curl returns the command that sends a request to the server at the address.
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
			c.line("-H", rest.Text{{Literal: "Content-Type:"}}) // otherwise curl sends the type of forms
		}
		c.line("--data-raw", r.Body) // -d would read a file if the body began with @
	}
	return c.spans
}

// dotted matches a path with a segment . or .., which curl would resolve before sending.
var dotted = regexp.MustCompile(`/\.\.?(/|\?|$)`)

// header returns a header in the form of curl -H. An empty value needs a semicolon: with a colon curl drops the header.
func header(h rest.Header) rest.Text {
	if len(h.Value) == 0 {
		return rest.Text{{Literal: h.Name + ";"}}
	}
	return append(rest.Text{{Literal: h.Name + ": "}}, h.Value...)
}

// flat returns a text with its gaps as {name}.
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

// indented breaks long JSON into lines, and keeps its gaps.
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

// pretty indents JSON of more than 48 bytes.
func pretty(compact string) string {
	var b bytes.Buffer
	if len(compact) <= 48 || json.Indent(&b, []byte(compact), "", "  ") != nil {
		return compact
	}
	return b.String()
}

// line writes an option and its value on a new line.
func (c *command) line(option string, value rest.Text) {
	c.spans = append(c.spans, span{"", " \\\n "})
	c.word(option)
	c.arg(value)
}

func (c *command) word(text string) { c.spans = append(c.spans, span{"", " "}, span{"opt", text}) }

var (
	bare = regexp.MustCompile(`^[A-Za-z0-9_%+=:,./@-]+$`)
	// inDouble matches a text that double quotes do not change, in a script and at a prompt.
	inDouble = regexp.MustCompile(`^[^"$\x60\\!]*$`)
	// endsName matches a text that can follow the name of a variable without braces around the name.
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

// pieces writes an argument with a literal that needs single quotes. Each piece has its own quotes.
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

// quoted puts a text into single quotes. It drops NUL, which an argument of a program cannot hold.
func quoted(s string) string {
	return "'" + strings.ReplaceAll(strings.ReplaceAll(s, "\x00", ""), "'", `'\''`) + "'"
}
