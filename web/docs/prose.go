package docs

import (
	"regexp"
	"slices"
	"strings"

	"github.com/dragoman-auth/dragoman/internal/gqlhttp"
)

// piece is a part of a description. Code is between backticks in the schema. Href is where the name is described, ""
// for none.
type piece struct {
	Text string
	Code bool
	Href string
}

// typeRef is a type with its wrapping: [Session!]! has Session between "[" and "!]!".
type typeRef struct{ Before, Name, After, Href string }

// linker knows where the names of the schema are described.
type linker struct {
	types map[string]string
	names map[string]string // the operations and the values of enums
}

const typesPath = "/docs/graphql/types"

// newLinker gives every name one home. An input or answer that one operation alone has is described there.
func newLinker(c *gqlhttp.Contract) *linker {
	l := &linker{types: map[string]string{}, names: map[string]string{}}
	for _, t := range c.Types {
		if !slices.Contains(builtIn, t.Name) {
			l.types[t.Name] = typesPath + "#" + t.Name
		}
	}
	users := usersOf(c)
	for _, t := range c.Types {
		if ops := users[t.Name]; len(ops) == 1 && (t.Kind == "input" || isPayload(t)) {
			at := "#input"
			if t.Kind != "input" {
				at = "#answer"
			}
			l.types[t.Name] = operationPath(ops[0]) + at
		}
	}
	fields := map[string]bool{}
	for _, t := range c.Types {
		for _, f := range t.Fields {
			fields[f.Name] = true
		}
		for _, v := range t.Values {
			if _, twice := l.names[v.Name]; twice {
				l.names[v.Name] = ""
			} else {
				l.names[v.Name] = l.types[t.Name]
			}
		}
	}
	for _, op := range c.Operations {
		if !fields[op.Name] { // a name that is a field too can mean either
			l.names[op.Name] = operationPath(op.Name)
		}
	}
	return l
}

func operationPath(name string) string { return "/docs/graphql/" + name }

// isPayload tells whether a type is the answer of a mutation.
func isPayload(t gqlhttp.TypeDescription) bool {
	for _, name := range t.Implements {
		if name == "Payload" {
			return true
		}
	}
	return false
}

// usersOf returns the operations that have a type as an argument or as their answer, by the name of the type. A type
// that another type has too is left out.
func usersOf(c *gqlhttp.Contract) map[string][]string {
	users := map[string][]string{}
	for _, op := range c.Operations {
		users[op.Named] = append(users[op.Named], op.Name)
		for _, a := range op.Arguments {
			users[a.Named] = append(users[a.Named], op.Name)
		}
	}
	for _, t := range c.Types {
		for _, f := range t.Fields {
			delete(users, f.Named)
		}
	}
	return users
}

func (l *linker) typeOf(f gqlhttp.FieldDescription) typeRef {
	before, after, _ := strings.Cut(f.Type, f.Named)
	return typeRef{before, f.Named, after, l.types[f.Named]}
}

func (l *linker) typeNamed(name string) typeRef { return typeRef{Name: name, Href: l.types[name]} }

var firstName = regexp.MustCompile(`^[A-Za-z]\w*`)

// prose splits a description into paragraphs, and links the names in them. self is the page that needs no link to
// itself.
func (l *linker) prose(text, self string) [][]piece {
	if text == "" {
		return nil
	}
	var all [][]piece
	for paragraph := range strings.SplitSeq(text, "\n\n") {
		var line []piece
		for i, part := range strings.Split(paragraph, "`") {
			switch {
			case part == "":
			case i%2 == 0:
				line = append(line, piece{Text: part})
			default:
				line = append(line, piece{Text: part, Code: true, Href: l.find(part, self)})
			}
		}
		all = append(all, line)
	}
	return all
}

// find returns where the first name of a code is described.
func (l *linker) find(code, self string) string {
	name := firstName.FindString(code)
	if rest := code[len(name):]; name == "" || rest != "" && rest[0] != '.' {
		return ""
	}
	href := l.types[name]
	if href == "" {
		href = l.names[name]
	}
	if href == self {
		return ""
	}
	return href
}
