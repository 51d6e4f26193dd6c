package rest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/dragoman-auth/dragoman/internal/fault"
	"github.com/dragoman-auth/dragoman/internal/gqlhttp"
)

// prepare holds a route against the schema.
func (e *Engine) prepare(ctx context.Context, d *Dialect, r *route) (*mounted, error) {
	m := &mounted{route: r, dialect: d}
	at := r.place()
	for _, v := range r.variants {
		as, err := e.prepare(ctx, d, v.route)
		if err != nil {
			return nil, err
		}
		m.variants = append(m.variants, &mountedVariant{v.when, as})
	}
	codes := []string{
		string(fault.Internal), malformedRequest, unsupportedMedia, bodyTooLarge, methodNotAllowed,
		unknownRoute, crossSite,
	}
	for _, f := range r.fields {
		if f.required || f.kind != "any" {
			codes = append(codes, string(fault.BadUserInput))
			break
		}
	}
	for _, c := range r.checks {
		codes = append(codes, c.code)
	}
	for _, o := range r.outcomes {
		codes = append(codes, o.code)
	}
	if r.document != "" {
		var err error
		if m.document, err = e.document(r); err != nil {
			return nil, err
		}
		for _, code := range m.document.Refusals() {
			codes = append(codes, string(code))
		}
	} else if len(r.variables) > 0 {
		return nil, r.variables[0].value.at.fault("Add document:, or take variables: away.",
			"the route has variables and no document")
	}
	slices.Sort(codes)
	m.codes = slices.DeleteFunc(slices.Compact(codes), func(code string) bool { return code == "" })
	for _, code := range m.codes {
		if err := d.checkRow(at, r, code); err != nil {
			return nil, err
		}
		if err := d.tryRow(ctx, r, code); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// document validates the route's GraphQL.
func (e *Engine) document(r *route) (*gqlhttp.Document, error) {
	doc, err := e.graphql.Document(r.document)
	if err != nil {
		at := *r.documentAt
		if inside, ok := errors.AsType[*gqlhttp.DocumentError](err); ok {
			at.line = at.begins + inside.Line - 1
			mend := "Compare it with the schema; the playground shows it at /."
			if strings.HasPrefix(inside.Message, "Ask ") {
				mend = "For example: userErrors { code message field retryAfterSeconds }."
			}
			return nil, at.fault(mend, "the schema refuses the document: %s", inside.Message)
		}
		return nil, at.fault("Compare it with the schema; the playground shows it at /.",
			"the schema refuses the document: %v", err)
	}
	if doc.Mutates() && r.method == http.MethodGet && !r.changesState {
		return nil, r.place().fault("Use another method, or say changesState: true where the API documents it so.",
			"a GET route runs a mutation")
	}
	for _, v := range r.variables {
		if !slices.Contains(doc.Variables(), v.key) {
			return nil, v.value.at.fault("Declare it in the document, or take it away.",
				"the document has no variable $%s", v.key)
		}
	}
	for _, name := range doc.Variables() {
		given := slices.ContainsFunc(r.variables, func(v pairTree) bool { return v.key == name })
		if doc.Requires(name) && !given {
			return nil, r.documentAt.fault("Add it under variables:.", "the document needs the variable $%s", name)
		}
	}
	return doc, nil
}

// sampleTime is what a row may take at the start: far more than in a request, so that a busy machine does not keep a
// server from coming up.
const sampleTime = 10 * time.Second

// tried is a row that a route answers a code with.
type tried struct {
	route *route
	code  string
}

// tryRow evaluates a row once with what it would get, so that a mistake in it shows now and not in the face of a
// caller. What comes of it is the same for every engine, so one that did well is not tried again.
func (d *Dialect) tryRow(ctx context.Context, r *route, code string) error {
	if _, well := d.tried.Load(tried{r, code}); well {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, sampleTime)
	defer cancel()
	samples := []apiError{
		{
			code: code, message: "A message.", field: []string{"field"}, problem: "missing", found: map[string]any{},
			retry: 1,
		},
		{code: code, message: "A message.", field: []string{"field"}, problem: "type", kind: "string"},
		{code: code, message: "A message."},
	}
	request := map[string]any{
		"method": r.method, "path": r.path, "params": map[string]any{}, "headers": map[string]any{},
		"cookies": map[string]any{},
		"hasBody": false, "mailedToken": nil, "renewed": nil,
	}
	for _, sample := range samples {
		_, err := d.render(ctx, r, &sample, request)
		if err == nil {
			continue
		}
		at := r.at
		if failed, ok := errors.AsType[*evalError](err); ok {
			at, err = failed.at, errors.New(describe(failed.cause))
		}
		return at.fault("It is given .status, .code, .message, .field, .name, .problem, .type, .retryAfter, .found, "+
			".accountsRevealed and $request, of which some may be null.",
			"the row %s fails on a sample: %v", code, err)
	}
	d.tried.Store(tried{r, code}, true)
	return nil
}

// evalClaims makes the function that a profile asks for its claims.
func evalClaims(claims []pairTree) func(context.Context, map[string]any) (map[string]any, error) {
	return func(ctx context.Context, subject map[string]any) (map[string]any, error) {
		ctx, cancel := bound(ctx)
		defer cancel()
		out := make(map[string]any, len(claims))
		for _, c := range claims {
			value, present, err := c.value.eval(scope{ctx: ctx, dot: subject})
			if err != nil {
				return nil, fmt.Errorf("rest: the claim %s: %w", c.key, err)
			}
			if present {
				out[c.key] = plain(value)
			}
		}
		return out, nil
	}
}
