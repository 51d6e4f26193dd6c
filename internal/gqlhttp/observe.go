package gqlhttp

import (
	"context"
	"errors"
	"reflect"

	"github.com/99designs/gqlgen/graphql"

	"github.com/dragoman-auth/dragoman/internal/fault"
)

// outcome is the code of a root field. It goes from observeResult to observeField through the context.
type outcome struct {
	code string
}

type outcomeKey struct{}

const (
	codeOK       = "OK"
	codeCanceled = "CANCELED" // the caller hung up
)

// observeField wraps each root field and reports it to Observe.
func (h *Handler) observeField(ctx context.Context, next graphql.RootResolver) graphql.Marshaler {
	if h.observe == nil {
		return next(ctx)
	}
	seen := &outcome{code: string(fault.BadUserInput)} // stays if the arguments are refused: no resolver runs
	root := graphql.GetRootFieldContext(ctx)
	operation := graphql.GetOperationContext(ctx).Operation.Operation
	ctx, end := h.observe(context.WithValue(ctx, outcomeKey{}, seen), string(operation), root.Field.Name)
	defer func() { end(seen.code) }()
	return next(ctx)
}

// observeResult wraps each resolver and notes the code of root fields.
func observeResult(ctx context.Context, next graphql.Resolver) (any, error) {
	if fc := graphql.GetFieldContext(ctx); fc == nil || fc.Parent == nil || fc.Parent.Parent != nil {
		return next(ctx) // below the root
	}
	seen, ok := ctx.Value(outcomeKey{}).(*outcome)
	if !ok {
		return next(ctx) // nobody observes
	}
	seen.code = string(fault.Internal) // stays if the resolver panics
	result, err := next(ctx)
	if err != nil {
		seen.code = codeOf(ctx, err)
	} else {
		seen.code = payloadCode(result)
	}
	return result, err
}

func codeOf(ctx context.Context, err error) string {
	if f := fault.From(err); f != nil {
		return string(f.Code)
	}
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return codeCanceled
	}
	return string(fault.Internal)
}

// payloadCode gives the code of the first of the userErrors of a payload, or OK. This package does not know the types
// of payloads, so reflection finds the field: the interface Payload of the schema demands it.
func payloadCode(result any) string {
	v := reflect.Indirect(reflect.ValueOf(result))
	if v.Kind() != reflect.Struct {
		return codeOK
	}
	list := v.FieldByName("UserErrors")
	if !list.IsValid() || list.Kind() != reflect.Slice || list.Len() == 0 {
		return codeOK
	}
	if code := reflect.Indirect(list.Index(0)).FieldByName("Code"); code.Kind() == reflect.String {
		return code.String()
	}
	return codeOK
}

// observeRefusal reports a field that Admit refused. observeField does not see it, because it does not run.
func (h *Handler) observeRefusal(ctx context.Context, op *operation, field string, err error) {
	if h.observe != nil {
		_, end := h.observe(ctx, string(op.definition.Operation), field)
		end(codeOf(ctx, err))
	}
}
