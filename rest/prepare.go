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

// prepare validates a route and its variants: the document against the schema, and the table of errors against the
// codes that the route can end with.
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
		string(fault.Internal),
		malformedRequest, unsupportedMedia, bodyTooLarge, methodNotAllowed, unknownRoute, crossSite,
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
		if m.document.Challenges() {
			codes = append(codes, mfaRequired)
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

// document validates the GraphQL of a route and the names of its variables. The error is a *Fault at the line of the
// document that the schema refuses.
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

// sampleTime bounds the evaluation of a row at the start. It is far longer than maxEval, so that a busy machine does
// not keep the server from starting.
const sampleTime = 10 * time.Second

// tried is the key of a row that rendered all samples: the row with which the route answers the code.
type tried struct {
	route *route
	code  string
}

// tryRow renders a row with samples, so that a mistake in it shows at the start and not in a request. The result is the
// same for every engine, so a row that rendered all samples is not tried again.
func (d *Dialect) tryRow(ctx context.Context, r *route, code string) error {
	if _, done := d.tried.Load(tried{r, code}); done {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, sampleTime)
	defer cancel()
	samples := []apiError{
		{
			code:    code,
			message: "A message.",
			field:   []string{"field"},
			problem: "missing",
			found:   map[string]any{},
			retry:   1,
		},
		{code: code, message: "A message.", field: []string{"field"}, problem: "type", kind: "string"},
		{code: code, message: "A message."},
	}
	if code == mfaRequired {
		samples = []apiError{*challenged(sampleChallenge(false)), *challenged(sampleChallenge(true))}
	}
	request := emptyRequest(r.method, r.path)
	for _, sample := range samples {
		_, err := d.render(ctx, r, &sample, request)
		if err == nil {
			continue
		}
		at := r.at
		if failed, ok := errors.AsType[*evalError](err); ok {
			at, err = failed.at, errors.New(describe(failed.cause))
		}
		return at.fault(
			"It has .status, .code, .message, .field, .name, .problem, .type, .retryAfter, .found, .accountsRevealed, "+
				".challenge and $request; some may be null.",
			"the row %s fails on a sample: %v", code, err)
	}
	d.tried.Store(tried{r, code}, true)
	return nil
}

// evalClaims returns the function with which a profile computes the additional claims of an access token.
func evalClaims(claims []pairTree) func(context.Context, map[string]any) (map[string]any, error) {
	return func(ctx context.Context, subject map[string]any) (map[string]any, error) {
		ctx, cancel := bound(ctx)
		defer cancel()
		out := make(map[string]any, len(claims))
		for _, c := range claims {
			value, present, err := c.value.eval(scope{ctx: ctx, dot: subject})
			if err != nil {
				return nil, fmt.Errorf("rest: evaluate the claim %s: %w", c.key, err)
			}
			if present {
				out[c.key] = plain(value)
			}
		}
		return out, nil
	}
}
