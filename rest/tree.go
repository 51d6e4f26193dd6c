package rest

import (
	"bytes"
	"math"
	"strings"

	"github.com/itchyny/gojq"
)

// tree is a value of a dialect file whose leaves may be expressions. Objects keep the order of the file, because some
// callers compare bytes.
type tree struct {
	at      *node
	literal any   // the value of a plain leaf
	expr    *expr // set for a leaf that begins with =
	keys    []string
	parts   []*tree // the members of an object, or the items of a list
	list    bool
	each    *expr // `=each`: gives a list, and item is evaluated for each element
	item    *tree // `=item`: `.` is the element
}

// object is a JSON object with ordered members.
type object []pair

type pair struct {
	key   string
	value any
}

// The two keys of a mapping that makes a list.
const (
	eachKey = "=each"
	itemKey = "=item"
)

func compileTree(n *node) (*tree, error) {
	t := &tree{at: n}
	switch n.kind {
	case isList:
		t.list = true
		for _, item := range n.items {
			part, err := compileTree(item)
			if err != nil {
				return nil, err
			}
			t.parts = append(t.parts, part)
		}
		return t, nil
	case isMapping:
		return t, t.members(n)
	case isScalar:
	}
	text, ok := n.text()
	if source, isExpr := strings.CutPrefix(text, "="); ok && isExpr {
		var err error
		t.expr, err = compile(n, source)
		return t, err
	}
	t.literal = plainScalar(n.scalar)
	return t, nil
}

// plainScalar converts integers to int, the type that jq supports, or to float64 above the range.
func plainScalar(v any) any {
	switch v := v.(type) {
	case uint64:
		if v > math.MaxInt64 {
			return float64(v)
		}
		return int(v)
	case int64:
		return int(v)
	}
	return v
}

func (t *tree) members(n *node) (err error) {
	if each := n.get(eachKey); each != nil {
		item := n.get(itemKey)
		source, ok := each.text()
		if !ok || item == nil || len(n.members) != 2 {
			return n.fault("Write {=each: a jq expression that gives a list, =item: the value for each element}.",
				"%s needs %s, and no other key", eachKey, itemKey)
		}
		if t.each, err = compile(each, source); err == nil {
			t.item, err = compileTree(item)
		}
		return err
	}
	for _, m := range n.members {
		if strings.HasPrefix(m.key, "=") {
			return m.at.fault("The keys that begin with = are =each and =item.", "there is no key %s", m.key)
		}
		part, err := compileTree(m.value)
		if err != nil {
			return err
		}
		t.keys = append(t.keys, m.key)
		t.parts = append(t.parts, part)
	}
	return nil
}

// eval returns the value: a type of jq, or object. A key or item whose expression gives no value is left out.
func (t *tree) eval(s scope) (value any, present bool, err error) {
	switch {
	case t.expr != nil:
		return t.expr.first(s)
	case t.each != nil:
		value, err = t.repeat(s)
		return value, true, err
	case t.list:
		list := []any{}
		for _, part := range t.parts {
			value, present, err := part.eval(s)
			if err != nil {
				return nil, false, err
			}
			if present {
				list = append(list, value)
			}
		}
		return list, true, nil
	case t.at.kind == isMapping:
		o := make(object, 0, len(t.parts))
		for i, part := range t.parts {
			value, present, err := part.eval(s)
			if err != nil {
				return nil, false, err
			}
			if present {
				o = append(o, pair{t.keys[i], value})
			}
		}
		return o, true, nil
	}
	return t.literal, true, nil
}

func (t *tree) repeat(s scope) (any, error) {
	value, _, err := t.each.first(s)
	if err != nil {
		return nil, err
	}
	elements, ok := value.([]any)
	if !ok && value != nil {
		return nil, &evalError{at: t.each.at, cause: errNotList}
	}
	list := make([]any, 0, len(elements))
	for _, element := range elements {
		inner := s
		inner.dot = element
		value, present, err := t.item.eval(inner)
		if err != nil {
			return nil, err
		}
		if present {
			list = append(list, value)
		}
	}
	return list, nil
}

// text evaluates a tree to text. Null is "", and other values are encoded as JSON.
func (t *tree) text(s scope) (text string, present bool, err error) {
	value, present, err := t.eval(s)
	if err != nil || !present || value == nil {
		return "", present, err
	}
	if text, ok := value.(string); ok {
		return text, true, nil
	}
	encoded, err := encode(value)
	return string(encoded), true, err
}

// plain copies a value and turns ordered objects into maps. The copy is needed because jq shares its constants between
// requests.
func plain(v any) any {
	switch v := v.(type) {
	case map[string]any:
		m := make(map[string]any, len(v))
		for key, value := range v {
			m[key] = plain(value)
		}
		return m
	case object:
		m := make(map[string]any, len(v))
		for _, p := range v {
			m[p.key] = plain(p.value)
		}
		return m
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = plain(v[i])
		}
		return list
	}
	return v
}

// encode writes compact JSON and keeps the order of objects.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	err := encodeTo(&b, v)
	return b.Bytes(), err
}

func encodeTo(b *bytes.Buffer, v any) error {
	switch v := v.(type) {
	case object:
		b.WriteByte('{')
		for i, p := range v {
			if i > 0 {
				b.WriteByte(',')
			}
			if err := encodeTo(b, p.key); err != nil {
				return err
			}
			b.WriteByte(':')
			if err := encodeTo(b, p.value); err != nil {
				return err
			}
		}
		b.WriteByte('}')
		return nil
	case []any:
		b.WriteByte('[')
		for i, item := range v {
			if i > 0 {
				b.WriteByte(',')
			}
			if err := encodeTo(b, item); err != nil {
				return err
			}
		}
		b.WriteByte(']')
		return nil
	}
	text, err := gojq.Marshal(v)
	if err != nil {
		return err
	}
	b.Write(text)
	return nil
}
