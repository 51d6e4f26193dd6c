package rest

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/itchyny/gojq"

	"github.com/dragoman-auth/dragoman/internal/identity"
)

// maxEval is the total time that the expressions of one phase of a request may take.
const maxEval = 200 * time.Millisecond

var errTooLong = errors.New("it exceeded the time limit")

// expr is a compiled jq expression. It is safe for concurrent use.
type expr struct {
	at   *node
	text string
	code *gojq.Code
	path []string // the steps of a plain path such as .user.id, which needs no interpreter; nil for other expressions
}

var plainPath = regexp.MustCompile(`^\s*(\.[A-Za-z_][A-Za-z0-9_]*)+\s*$`)

// scope is the input of expressions: dot is `.`, request is `$request`.
type scope struct {
	ctx     context.Context //nolint:containedctx // one phase of one request, to bound its expressions
	dot     any
	request any
}

func compile(at *node, text string) (*expr, error) {
	query, err := gojq.Parse(text)
	if err == nil {
		var code *gojq.Code
		code, err = gojq.Compile(query, options...)
		if err == nil {
			e := &expr{at: at, text: text, code: code}
			if plainPath.MatchString(text) {
				e.path = strings.Split(strings.TrimSpace(text)[1:], ".")
			}
			return e, nil
		}
	}
	return nil, at.fault("It must be jq; try it with: jq '"+strings.TrimSpace(text)+"'",
		"the expression does not compile: %v", err)
}

// options add our functions and the variable $request to jq. docs/dialects.md lists them.
var options = []gojq.CompilerOption{
	gojq.WithVariables([]string{"$request"}),
	gojq.WithFunction("blank", 0, 0, func(v any, _ []any) any { return blank(v) }),
	gojq.WithFunction("epoch", 0, 0, func(v any, _ []any) any {
		return onTime("epoch", v, func(t time.Time) any { return int(t.Unix()) })
	}),
	gojq.WithFunction("seconds", 0, 0, func(v any, _ []any) any {
		return onTime("seconds", v, func(t time.Time) any { return t.UTC().Format("2006-01-02T15:04:05Z") })
	}),
	gojq.WithFunction("downcase", 0, 0, func(v any, _ []any) any {
		switch v := v.(type) {
		case nil:
			return nil
		case string:
			return strings.ToLower(v)
		}
		return errors.New("downcase takes a text")
	}),
	gojq.WithFunction("is_email", 0, 0, func(v any, _ []any) any {
		s, ok := v.(string)
		if !ok {
			return false
		}
		_, _, err := identity.Email(s)
		return err == nil
	}),
}

// blank tells whether a value is null, an empty list or object, or text of white space only.
func blank(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return strings.TrimSpace(v) == ""
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}

func onTime(name string, v any, do func(time.Time) any) any {
	switch v := v.(type) {
	case nil:
		return nil
	case string:
		if t, err := time.Parse(time.RFC3339Nano, v); err == nil {
			return do(t)
		}
	}
	return fmt.Errorf("%s needs a timestamp of RFC 3339", name)
}

// first runs the expression and returns its first value. present is false if there is none, as for jq's `empty`.
func (e *expr) first(s scope) (value any, present bool, err error) {
	if e.path != nil {
		if value, ok := walkPath(e.path, s.dot); ok {
			return value, true, nil
		}
	}
	value, present = e.code.RunWithContext(s.ctx, s.dot, s.request).Next()
	if failure, _ := value.(error); errors.Is(failure, context.DeadlineExceeded) {
		// The machine may have been suspended. Running again is safe: expressions have no side effects.
		again, cancel := bound(s.ctx)
		defer cancel()
		value, present = e.code.RunWithContext(again, s.dot, s.request).Next()
	}
	if failure, ok := value.(error); ok {
		if errors.Is(failure, context.DeadlineExceeded) {
			failure = errTooLong
		}
		// The text of a jq error may quote the value that it failed on, which can be a secret.
		return nil, false, &evalError{at: e.at, cause: failure}
	}
	return value, present, nil
}

// walkPath follows a path through objects. ok is false for a value on the way that is not an object: jq reports it.
func walkPath(path []string, v any) (value any, ok bool) {
	for _, step := range path {
		if v == nil {
			return nil, true
		}
		object, isObject := v.(map[string]any)
		if !isObject {
			return nil, false
		}
		v = object[step]
	}
	return v, true
}

// holds tells whether the condition is true: its value is present and neither null nor false.
func (e *expr) holds(s scope) (bool, error) {
	value, present, err := e.first(s)
	return present && value != nil && value != false, err
}

// evalError is the failure of an expression on a request.
type evalError struct {
	at    *node
	cause error
}

func (e *evalError) Error() string {
	return fmt.Sprintf("%s:%d: an expression failed: %s", e.at.file, e.at.line, describe(e.cause))
}

// describe returns the start of a jq error, up to where it may quote a value: the value can be a secret.
func describe(err error) string {
	var value gojq.ValueError
	if errors.As(err, &value) {
		return "it called error()"
	}
	return strings.TrimSpace(ownWords.FindString(err.Error()))
}

var ownWords = regexp.MustCompile(`^[a-z_@ ]*`)
