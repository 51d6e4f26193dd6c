package gqlhttp

import (
	"context"
	"errors"
	"reflect"

	"github.com/99designs/gqlgen/graphql"

	"github.com/dragoman-auth/dragoman/internal/fault"
)

// outcome is what a root field came to, on its way from the resolver to the observer.
type outcome struct {
	code string
}

type outcomeKey struct{}

const (
	fine = "OK"
	gone = "CANCELED" // the caller hung up
)

// observeField stands around each root field.
func (h *Handler) observeField(ctx context.Context, next graphql.RootResolver) graphql.Marshaler {
	if h.observe == nil {
		return next(ctx)
	}
	seen := &outcome{code: string(fault.BadUserInput)} // the resolver does not run for arguments that are refused
	root := graphql.GetRootFieldContext(ctx)
	operation := graphql.GetOperationContext(ctx).Operation.Operation
	ctx, end := h.observe(context.WithValue(ctx, outcomeKey{}, seen), string(operation), root.Field.Name)
	defer func() { end(seen.code) }()
	return next(ctx)
}

// observeResult stands around each resolver, and looks at those of root fields.
func observeResult(ctx context.Context, next graphql.Resolver) (any, error) {
	if fc := graphql.GetFieldContext(ctx); fc == nil || fc.Parent == nil || fc.Parent.Parent != nil {
		return next(ctx) // below the root
	}
	seen, ok := ctx.Value(outcomeKey{}).(*outcome)
	if !ok {
		return next(ctx) // nobody observes
	}
	seen.code = string(fault.Internal) // what a panic leaves
	result, err := next(ctx)
	switch {
	case err != nil:
		seen.code = codeOf(ctx, err)
	default:
		seen.code = refusedWith(result)
	}
	return result, err
}

func codeOf(ctx context.Context, err error) string {
	if f := fault.From(err); f != nil {
		return string(f.Code)
	}
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return gone
	}
	return string(fault.Internal)
}

// refusedWith is the code of the first of the userErrors of a payload. Its type is the schema's, which this package
// does not know: it has the field by the contract of the interface Payload.
func refusedWith(result any) string {
	v := reflect.Indirect(reflect.ValueOf(result))
	if v.Kind() != reflect.Struct {
		return fine
	}
	list := v.FieldByName("UserErrors")
	if !list.IsValid() || list.Kind() != reflect.Slice || list.Len() == 0 {
		return fine
	}
	if code := reflect.Indirect(list.Index(0)).FieldByName("Code"); code.Kind() == reflect.String {
		return code.String()
	}
	return fine
}

// observeRefusal is for a field that is not admitted, and does not run.
func (h *Handler) observeRefusal(ctx context.Context, op *operation, field string, err error) {
	if h.observe != nil {
		_, end := h.observe(ctx, string(op.definition.Operation), field)
		end(codeOf(ctx, err))
	}
}
