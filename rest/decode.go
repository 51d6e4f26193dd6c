package rest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

var errNotList = errors.New("the value of =each is not a list")

// keys maps each key of a mapping to the function that reads its value.
type keys map[string]func(*node) error

// decode reads every member of a mapping. what names the mapping in messages, for example "a route".
func (n *node) decode(what string, table keys) error {
	if n.kind != isMapping {
		return n.fault("The keys here are "+table.names()+".", "%s must be a mapping", what)
	}
	for _, m := range n.members {
		set, ok := table[m.key]
		if !ok {
			return m.at.fault(table.suggest(m.key)+"The keys here are "+table.names()+".",
				"%s has no key %q", what, m.key)
		}
		if err := set(m.value); err != nil {
			return err
		}
	}
	return nil
}

// require rejects a mapping that lacks one of these keys.
func (n *node) require(what string, names ...string) error {
	for _, name := range names {
		if n.get(name) == nil {
			return n.fault("Add "+name+":.", "%s needs the key %s", what, name)
		}
	}
	return nil
}

func (k keys) names() string {
	var names []string
	for name := range k {
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// suggest names the key with the longest common prefix, ignoring case. It returns "" below three common letters.
func (k keys) suggest(given string) string {
	best, most := "", 0
	for name := range k {
		shared := 0
		for shared < min(len(name), len(given)) && strings.EqualFold(name[shared:shared+1], given[shared:shared+1]) {
			shared++
		}
		if shared > most || shared == most && name < best {
			best, most = name, shared
		}
	}
	if most >= 3 {
		return "Did you mean " + best + "? "
	}
	return ""
}

func text(to *string) func(*node) error {
	return func(n *node) error {
		s, ok := n.text()
		if !ok || strings.TrimSpace(s) == "" {
			return n.fault("Write a text; quote it when it looks like something else.", "this must be text")
		}
		*to = strings.TrimSpace(s)
		return nil
	}
}

func texts(to *[]string) func(*node) error {
	return func(n *node) error {
		if n.kind != isList {
			return n.fault("Write it as [one, two].", "this must be a list")
		}
		*to = []string{}
		for _, item := range n.items {
			var s string
			if err := text(&s)(item); err != nil {
				return err
			}
			*to = append(*to, s)
		}
		return nil
	}
}

func boolean(to *bool) func(*node) error {
	return func(n *node) error {
		b, ok := n.scalar.(bool)
		if !ok {
			return n.fault("Write true or false.", "this must be true or false")
		}
		*to = b
		return nil
	}
}

func duration(to *time.Duration, least, most time.Duration) func(*node) error {
	return func(n *node) error {
		s, _ := n.text()
		d, err := time.ParseDuration(s)
		if err != nil || d < least || d > most {
			return n.fault(fmt.Sprintf("Write a duration from %v to %v, for example 1h or 168h.", least, most),
				"this is not a duration within the bounds")
		}
		*to = d
		return nil
	}
}

func whole(to *int, least, most int) func(*node) error {
	return func(n *node) error {
		i, ok := plainScalar(n.scalar).(int)
		if !ok || i < least || i > most {
			return n.fault(fmt.Sprintf("Write a whole number from %d to %d.", least, most),
				"this is not a whole number within the bounds")
		}
		*to = i
		return nil
	}
}

// oneOf accepts one of the words and passes it to set.
func oneOf(set func(string), words ...string) func(*node) error {
	return func(n *node) error {
		s, _ := n.text()
		if !slices.Contains(words, s) {
			return n.fault("Write one of "+strings.Join(words, ", ")+".", "%q is not known here", fmt.Sprint(n.scalar))
		}
		set(s)
		return nil
	}
}

func treeOf(to **tree) func(*node) error {
	return func(n *node) (err error) {
		*to, err = compileTree(n)
		return err
	}
}

// condition accepts jq with or without a leading =, because a condition is always an expression.
func condition(to **expr) func(*node) error {
	return func(n *node) (err error) {
		var source string
		if err := text(&source)(n); err != nil {
			return err
		}
		*to, err = compile(n, strings.TrimPrefix(source, "="))
		return err
	}
}

// items calls each for every item of a list.
func items(each func(*node) error) func(*node) error {
	return func(n *node) error {
		if n.kind != isList {
			return n.fault("Write each item on a line of its own, with - in front.", "this must be a list")
		}
		for _, item := range n.items {
			if err := each(item); err != nil {
				return err
			}
		}
		return nil
	}
}

// entries calls each for every member of a mapping.
func entries(each func(m member) error) func(*node) error {
	return func(n *node) error {
		if n.kind != isMapping {
			return n.fault("Write name: value.", "this must be a mapping")
		}
		for _, m := range n.members {
			if err := each(m); err != nil {
				return err
			}
		}
		return nil
	}
}
