package rest

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// Fault is a mistake in a dialect file. Callers never see one; the error of a request is a fault.Error or an apiError.
type Fault struct {
	File   string
	Line   int    // from 1; 0 for the whole file
	Reason string // the problem
	Mend   string // what to do
}

func (f *Fault) Error() string {
	where := f.File
	if f.Line > 0 {
		where = fmt.Sprintf("%s:%d", f.File, f.Line)
	}
	return fmt.Sprintf("%s: %s\n    %s", where, f.Reason, f.Mend)
}

// node is one value of a dialect file, with its place. kind says which of scalar, members and items is in use.
type node struct {
	file    string
	line    int
	begins  int // the first line of a scalar's text, which is below the | of a block
	kind    kind
	scalar  any // string, bool, int64, uint64, float64 or nil
	members []member
	items   []*node
}

type kind int

const (
	isScalar kind = iota
	isMapping
	isList
)

// member is one key of a mapping, in the order of the file.
type member struct {
	key   string
	at    *node // the place of the key
	value *node
}

func (n *node) fault(mend, reason string, args ...any) *Fault {
	return &Fault{File: n.file, Line: n.line, Reason: fmt.Sprintf(reason, args...), Mend: mend}
}

// text returns a string scalar. ok is false for every other value.
func (n *node) text() (s string, ok bool) {
	if n.kind != isScalar {
		return "", false
	}
	s, ok = n.scalar.(string)
	return s, ok
}

// get returns the value of a key, nil if the mapping does not have it.
func (n *node) get(key string) *node {
	for _, m := range n.members {
		if m.key == key {
			return m.value
		}
	}
	return nil
}

// parseYAML reads a file of one document. It supports anchors and aliases, and rejects merge keys, tags and further
// documents.
func parseYAML(file string, text []byte) (*node, error) {
	if len(text) > maxFile {
		return nil, &Fault{
			File:   file,
			Reason: "the file is too large",
			Mend:   "Split it into several dialects of at most 256 KiB.",
		}
	}
	parsed, err := parser.ParseBytes(bytes.TrimPrefix(text, []byte("\ufeff")), 0)
	if err != nil {
		f := &Fault{File: file, Reason: "this is not YAML", Mend: "Check the indentation, and quote texts with : or #."}
		var syntax yaml.Error
		if errors.As(err, &syntax) {
			f.Reason = strings.TrimSpace(syntax.GetMessage())
			if strings.Contains(f.Reason, "already defined") {
				f.Mend = "Keep one of them."
			}
			if t := syntax.GetToken(); t != nil {
				f.Line = t.Position.Line
			}
		}
		return nil, f
	}
	c := &converter{file: file, anchors: map[string]ast.Node{}, within: map[string]bool{}}
	if len(parsed.Docs) != 1 || parsed.Docs[0].Body == nil {
		return nil, &Fault{
			File:   file,
			Reason: "a dialect file holds one YAML document",
			Mend:   "Begin it with dialect: and the name.",
		}
	}
	return c.node(parsed.Docs[0].Body, 0)
}

// converter turns the syntax tree of the library into nodes.
type converter struct {
	file    string
	anchors map[string]ast.Node
	within  map[string]bool // the anchors whose value is being read
	count   int
}

// The bounds of a file. Nested aliases could make a small file grow exponentially.
const (
	maxFile  = 256 << 10 // bytes
	maxDepth = 64
	maxNodes = 50_000
)

func (c *converter) node(in ast.Node, depth int) (*node, error) {
	out := &node{file: c.file, line: in.GetToken().Position.Line}
	if c.count++; depth > maxDepth || c.count > maxNodes {
		return nil, out.fault("Split it into several dialects.", "this file is too deep or too large")
	}
	switch in := in.(type) {
	case *ast.AnchorNode:
		name := in.Name.GetToken().Value
		c.anchors[name], c.within[name] = in.Value, true
		defer delete(c.within, name)
		return c.node(in.Value, depth+1)
	case *ast.AliasNode:
		name := in.Value.GetToken().Value
		anchored, ok := c.anchors[name]
		if c.within[name] {
			return nil, out.fault("Write the value out.", "the alias *%s is used inside its own value", name)
		}
		if !ok {
			return nil, out.fault("Write &"+name+" before the value, above this line.",
				"there is no anchor &%s", name)
		}
		return c.node(anchored, depth+1)
	case *ast.MappingNode:
		out.kind = isMapping
		return out, c.members(out, in.Values, depth)
	case *ast.MappingValueNode:
		out.kind = isMapping
		return out, c.members(out, []*ast.MappingValueNode{in}, depth)
	case *ast.SequenceNode:
		out.kind = isList
		for _, value := range in.Values {
			item, err := c.node(value, depth+1)
			if err != nil {
				return nil, err
			}
			out.items = append(out.items, item)
		}
		return out, nil
	}
	scalar, ok := scalarOf(in)
	if !ok {
		return nil, out.fault("Write it out in plain YAML.", "tags and other special forms of YAML are not supported")
	}
	out.scalar, out.begins = scalar, out.line
	if block, ok := in.(*ast.LiteralNode); ok {
		out.begins = block.Start.Position.Line + 1
	}
	return out, nil
}

func (c *converter) members(out *node, values []*ast.MappingValueNode, depth int) error {
	for _, value := range values {
		at := &node{file: c.file, line: value.Key.GetToken().Position.Line}
		if _, merge := value.Key.(*ast.MergeKeyNode); merge {
			return at.fault("Write the keys out.", "merge keys (<<) are not supported")
		}
		key, err := c.node(value.Key, depth+1)
		if err != nil {
			return err
		}
		name := fmt.Sprint(key.scalar) // the keys 404 and true are names too
		inner, err := c.node(value.Value, depth+1)
		if err != nil {
			return err
		}
		out.members = append(out.members, member{key: name, at: at, value: inner})
	}
	out.line = max(out.line, 1)
	if len(out.members) > 0 {
		out.line = out.members[0].at.line
	}
	return nil
}

func scalarOf(in ast.Node) (any, bool) {
	switch in := in.(type) {
	case *ast.StringNode:
		return in.Value, true
	case *ast.LiteralNode:
		return in.Value.Value, true
	case *ast.IntegerNode:
		return in.Value, true
	case *ast.FloatNode:
		return in.Value, true
	case *ast.BoolNode:
		return in.Value, true
	case *ast.NullNode:
		return nil, true
	}
	return nil, false
}
