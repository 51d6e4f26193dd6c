package gqlhttp

import (
	"context"
	stdjson "encoding/json" // go-json-experiment writes a json.Number as a string
	"errors"

	"github.com/go-json-experiment/json"

	"github.com/dragoman-auth/dragoman/internal/fault"
	"github.com/dragoman-auth/dragoman/internal/limit"
	"github.com/dragoman-auth/dragoman/internal/strictjson"
)

// Do runs a stored document in this process. It uses the same resolvers, the same Admit and the same presenter as a
// request over HTTP. Without a visit in ctx the caller is anonymous.
//
// The variables may hold any value that encodes to the JSON that a client would send. Do takes values of nil, bool,
// string, int, float64, json.Number, []any and map[string]any without a copy, and does not change them. Nobody may
// change them before Do returns; a JSONObject in them may never change. The types of the schema hold for variables as
// they do for a client.
//
// The data is decoded into out even if some fields failed; names must match exactly, and out may be nil. The error
// holds the presented errors, so its text may be shown. errors.Is and errors.As find the error of a resolver, and
// fault.From finds the first refusal. An error without a refusal is internal and was logged.
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
	coerced, refusal := h.coerce(op, values)
	if refusal != nil {
		return presented(refusal)
	}
	total, _ := op.checkCost(h.schema.Schema(), coerced) // a stored document is counted by its cost, and not held to it
	data, errs := h.execute(limit.WithCost(ctx, total), doc, op, coerced)
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

// asJSON brings variables to the types that coerce knows. Values of other types are encoded and decoded again.
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
	if errors.Is(err, strictjson.ErrNotStrict) { // Marshal writes valid JSON, so its depth alone can be wrong
		return nil, fault.New(fault.BadUserInput, "A variable has too many levels.")
	}
	if err != nil {
		return nil, err
	}
	return value.(map[string]any), nil
}
