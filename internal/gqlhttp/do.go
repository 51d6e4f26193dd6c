package gqlhttp

import (
	"context"
	stdjson "encoding/json" // the other package writes a json.Number as a string

	"github.com/go-json-experiment/json"
)

// Do runs a stored document in this process, through the same resolvers, the same Admit and the same presenter as a
// request over HTTP. The variables are whatever encodes to the JSON that a client would send.
//
// The data is decoded into out, which may be nil, even where some fields failed; names must match to the letter. The
// error then holds the presented errors: its text may be shown, errors.Is and errors.As find what the resolvers
// returned, and fault.From finds the first refusal. Where it finds none the error is internal, and was logged already.
func (h *Handler) Do(ctx context.Context, doc *Document, variables map[string]any, out any) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = h.list(ctx, recovered(ctx, p))
		}
	}()
	values, err := asJSON(variables)
	if err != nil {
		return h.list(ctx, err)
	}
	op := doc.operations[0]
	coerced, refusal := coerce(h.schema.Schema(), op, values)
	if refusal != nil {
		return presented(refusal)
	}
	data, errs := h.run(ctx, doc, op, coerced)
	if out != nil && data != nil {
		if err := json.Unmarshal(data, out); err != nil {
			errs = append(errs, h.list(ctx, err)...)
		}
	}
	if len(errs) > 0 {
		return errs
	}
	return nil
}

// asJSON brings variables of any Go type to the form that a request's variables have.
func asJSON(variables map[string]any) (map[string]any, error) {
	if len(variables) == 0 {
		return nil, nil
	}
	text, err := stdjson.Marshal(variables)
	if err != nil {
		return nil, err
	}
	value, err := decodeJSON(text)
	if err != nil {
		return nil, err
	}
	return value.(map[string]any), nil
}
