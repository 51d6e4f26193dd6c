package gqlhttp

import (
	"context"
	stdjson "encoding/json" // the other package writes a json.Number as a string
	"errors"

	"github.com/go-json-experiment/json"

	"github.com/dragoman-auth/dragoman/internal/fault"
	"github.com/dragoman-auth/dragoman/internal/strictjson"
)

// Do runs a stored document in this process, through the same resolvers, the same Admit and the same presenter as a
// request over HTTP. It works without a visit in ctx, as for a caller of whom nothing is known.
//
// The variables are whatever encodes to the JSON that a client would send. Those of nil, bool, string, int, float64,
// json.Number, []any and map[string]any are taken as they are and stay unchanged; nobody may change them meanwhile, nor
// free data in them (JSONObject) ever. They are held to the types of the schema like those of a client.
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

// asJSON brings variables to a form that coerce knows. Only what a request's variables could not hold is encoded and
// read again.
func asJSON(variables map[string]any) (map[string]any, error) {
	known, err := strictjson.Check(variables)
	if known || err != nil {
		return variables, err
	}
	text, err := stdjson.Marshal(variables)
	if err != nil {
		return nil, err
	}
	value, err := strictjson.Decode(text)
	if errors.Is(err, strictjson.ErrNotStrict) { // the encoder writes valid text, so it is too deep
		return nil, fault.New(fault.BadUserInput, "A variable has too many levels.")
	}
	if err != nil {
		return nil, err
	}
	return value.(map[string]any), nil
}
