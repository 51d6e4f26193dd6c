package rest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Step is one step of an example: a call of a route, a GraphQL document, a mail that is read, or time that passes. In
// its texts, {name} stands for a value that an earlier step captured.
type Step struct {
	at      *node
	Name    string
	Given   []string // the fixtures that come before it
	GraphQL string
	Call    string // for example POST /login; an example calls its own route
	Params  map[string]string
	Query   map[string]string
	Headers map[string]string
	JSON    any // object, list or scalar; nil for none
	Form    map[string]string
	Raw     string // a verbatim body; its Content-Type is among the headers
	Wait    time.Duration
	Promote string     // the account that becomes admin before the step
	Mail    *MailStep  // the mail that is read instead of a call, nil for none
	TOTP    string     // the secret of an authenticator app whose code is read instead of a call; "" for none
	keep    []pairTree // the captured values of the answer, by name
}

// Line returns the line of the step in its file.
func (s *Step) Line() int { return s.at.line }

// Example is a request and its answer, as the documentation of the API shows them. It can be run against a server.
type Example struct {
	Step
	Title    string
	Settings map[string]string // settings of the server that this example needs
	Want     Want
}

// Want is the expected answer. The JSON must have exactly these members. Varies names the members whose value differs
// each time: only their type must match, and the form of a timestamp.
type Want struct {
	Status  int
	Headers map[string]string
	JSON    any
	HasJSON bool
	Text    *string
	Varies  []string
}

// keys returns the keys that fixtures and examples share. An example has no graphql, call or keep: it calls its own
// route, and it is the last step.
func (s *Step) keys() keys {
	return keys{
		"given":   texts(&s.Given),
		"params":  stringMap(&s.Params),
		"query":   stringMap(&s.Query),
		"headers": stringMap(&s.Headers),
		"json":    literal(&s.JSON),
		"form":    stringMap(&s.Form),
		"raw":     rawText(&s.Raw),
	}
}

func (d *Dialect) decodeFixture(m member) error {
	s := &Step{at: m.at, Name: m.key}
	table := s.keys()
	table["keep"] = pairsOf(&s.keep)
	table["graphql"] = text(&s.GraphQL)
	table["call"] = text(&s.Call)
	table["promote"] = text(&s.Promote)
	table["mail"] = s.decodeMail
	table["totp"] = text(&s.TOTP)
	table["wait"] = duration(&s.Wait, time.Second, 10_000*time.Hour)
	d.Fixtures[m.key] = s
	return m.value.decode("a fixture", table)
}

func (r *route) decodeExample(n *node) error {
	e := &Example{Step: Step{at: n}}
	table := e.Step.keys()
	table["title"] = text(&e.Title)
	table["settings"] = e.decodeSettings
	table["wait"] = duration(&e.Wait, time.Second, 10_000*time.Hour)
	table["answer"] = func(n *node) error { return e.Want.decode(n) }
	if err := n.decode("an example", table); err != nil {
		return err
	}
	e.Name = e.Title
	r.examples = append(r.examples, e)
	return n.require("an example", "title", "answer")
}

// exampleSettings are the settings that an example may set: the server's behaviour, never the place of its data or
// keys.
var exampleSettings = []string{
	"DRAGOMAN_ACCESS_TTL",
	"DRAGOMAN_AUDIENCE",
	"DRAGOMAN_DIALECT_PASSWORDS",
	"DRAGOMAN_ISSUER",
	"DRAGOMAN_PASSWORD_MIN_LENGTH",
	"DRAGOMAN_PUBLIC_URL",
	"DRAGOMAN_RATE_LIMITS",
	"DRAGOMAN_REFRESH_GRACE",
	"DRAGOMAN_REGISTRATION",
	"DRAGOMAN_REQUIRE_VERIFIED_EMAIL",
	"DRAGOMAN_RETURN_URLS",
	"DRAGOMAN_REVEAL_ACCOUNTS",
	"DRAGOMAN_SESSION_IDLE",
	"DRAGOMAN_SESSION_TTL",
}

func (e *Example) decodeSettings(n *node) error {
	for _, m := range n.members {
		if !slices.Contains(exampleSettings, m.key) {
			return m.at.fault("Choose from "+strings.Join(exampleSettings, ", ")+".",
				"%s is not a setting of examples", m.key)
		}
	}
	return stringMap(&e.Settings)(n)
}

func (w *Want) decode(n *node) error {
	w.Status = 200
	err := n.decode("the answer of an example", keys{
		"status":  whole(&w.Status, 200, 599),
		"headers": stringMap(&w.Headers),
		"json": func(n *node) error {
			w.HasJSON = true
			return literal(&w.JSON)(n)
		},
		"text": func(n *node) error {
			w.Text = new(string)
			return rawText(w.Text)(n)
		},
		"varies": texts(&w.Varies),
	})
	if err == nil && w.HasJSON && w.Text != nil {
		return n.fault("Keep one of json and text.", "an answer cannot be several things at once")
	}
	return err
}

// literal takes a value verbatim. An example has no expressions.
func literal(to *any) func(*node) error {
	return func(n *node) error {
		*to = literalOf(n)
		return nil
	}
}

func literalOf(n *node) any {
	switch n.kind {
	case isList:
		list := make([]any, len(n.items))
		for i, item := range n.items {
			list[i] = literalOf(item)
		}
		return list
	case isMapping:
		o := make(object, len(n.members))
		for i, m := range n.members {
			o[i] = pair{m.key, literalOf(m.value)}
		}
		return o
	case isScalar:
	}
	return plainScalar(n.scalar)
}

func stringMap(to *map[string]string) func(*node) error {
	return func(n *node) error {
		*to = map[string]string{}
		return entries(func(m member) error {
			if m.value.kind != isScalar || m.value.scalar == nil {
				return m.value.fault("Write a text, a number, true or false.", "%s must be one value", m.key)
			}
			(*to)[m.key] = fmt.Sprint(m.value.scalar)
			return nil
		})(n)
	}
}

func rawText(to *string) func(*node) error {
	return func(n *node) error {
		s, ok := n.text()
		if !ok {
			return n.fault("Quote it.", "this must be text")
		}
		*to = s
		return nil
	}
}

// completeSteps checks the references of all steps.
func (d *Dialect) completeSteps() error {
	for _, r := range d.routes {
		for _, e := range r.examples {
			if err := d.checkGiven(&e.Step, nil); err != nil {
				return err
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(d.Fixtures)) {
		s := d.Fixtures[name]
		if err := d.checkGiven(s, nil); err != nil {
			return err
		}
		if s.Call != "" && !d.has(s.Call) {
			return s.at.fault("Write call: as the route: has it, for example POST /login.",
				"the fixture %s calls %q, which is not a route", name, s.Call)
		}
		if len(s.keep) > 0 && s.Call == "" && s.GraphQL == "" && s.Mail == nil && s.TOTP == "" {
			return s.at.fault("Add call:, graphql:, mail: or totp:, or take keep: away.",
				"the fixture %s keeps values, and has no answer to take them from", name)
		}
		if s.Call != "" && s.GraphQL != "" || s.Mail != nil && s.Call+s.GraphQL+s.TOTP != "" ||
			s.TOTP != "" && s.Call+s.GraphQL != "" {
			return s.at.fault("Keep one of call, graphql, mail and totp.", "the fixture %s does two things", name)
		}
	}
	return nil
}

func (d *Dialect) has(call string) bool {
	method, path, _ := strings.Cut(call, " ")
	return slices.ContainsFunc(d.routes, func(r *route) bool { return r.method == method && r.path == path })
}

func (d *Dialect) checkGiven(s *Step, under []string) error {
	for _, name := range s.Given {
		inner := d.Fixtures[name]
		if inner == nil {
			return s.at.fault("Describe it under fixtures:.", "there is no fixture %q", name)
		}
		if slices.Contains(under, name) {
			return s.at.fault("Break the circle.", "the fixture %q is given by itself", name)
		}
		if err := d.checkGiven(inner, append(slices.Clone(under), name)); err != nil {
			return err
		}
	}
	return nil
}
