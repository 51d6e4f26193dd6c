package gqlhttp

import (
	"context"
	"errors"
	"reflect"

	"github.com/99designs/gqlgen/graphql"

	"github.com/dragoman-auth/dragoman/internal/fault"
	"github.com/dragoman-auth/dragoman/internal/limit"
)

// rootField is a root field that runs. It goes from wrapField to wrapResult through the context.
type rootField struct {
	name       string
	code       string        // what Observe is told
	ticket     *limit.Ticket // nil for a field without a limit by address
	credential Credential    // of the ticket
}

type rootFieldKey struct{}

const (
	codeOK       = "OK"
	codeCanceled = "CANCELED" // the caller hung up
)

// wrapField wraps each root field. It gives the field the ticket of its limit and reports the field to Observe.
func (h *Handler) wrapField(ctx context.Context, next graphql.RootResolver) graphql.Marshaler {
	root := graphql.GetRootFieldContext(ctx)
	operation := graphql.GetOperationContext(ctx).Operation.Operation
	// This code stays if the arguments are refused: no resolver runs.
	running := &rootField{name: root.Field.Name, code: string(fault.BadUserInput)}
	if c, limited := limitOf(operation, root.Field.Definition); limited {
		running.credential = c
		ctx, running.ticket = limit.WithTicket(ctx, func(ctx context.Context) error { return h.admit(ctx, c) })
	}
	if h.observe != nil {
		var end func(code string)
		ctx, end = h.observe(ctx, string(operation), running.name)
		defer func() { end(running.code) }()
	}
	return next(context.WithValue(ctx, rootFieldKey{}, running))
}

// wrapResult wraps each resolver. It counts a root field that was refused before it asked for admission, and notes the
// code.
func (h *Handler) wrapResult(ctx context.Context, next graphql.Resolver) (any, error) {
	if fc := graphql.GetFieldContext(ctx); fc == nil || fc.Parent == nil || fc.Parent.Parent != nil {
		return next(ctx) // below the root
	}
	running, ok := ctx.Value(rootFieldKey{}).(*rootField)
	if !ok {
		return next(ctx)
	}
	running.code = string(fault.Internal) // stays if the resolver panics
	result, err := next(ctx)
	h.giveBack(ctx, running, err)
	if refusal := h.countRefused(ctx, running, result, err); refusal != nil {
		result, err = nil, refusal
	}
	if err != nil {
		running.code = codeOf(ctx, err)
	} else {
		running.code = payloadCode(result)
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
