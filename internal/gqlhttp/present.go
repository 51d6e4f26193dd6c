package gqlhttp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/dragoman-auth/dragoman/internal/fault"
	"github.com/dragoman-auth/dragoman/internal/visit"
)

const internalMessage = "Something went wrong on our side."

// present makes the error that a caller sees of the error of a resolver (gqlgen's ErrorPresenter). A *fault.Error shows
// its message and its code. Refused arguments are BAD_USER_INPUT. Any other error is logged here, once, and shown as
// internal. The original error stays in the chain for callers of Do.
func (h *Handler) present(ctx context.Context, err error) *gqlerror.Error {
	shown := &gqlerror.Error{Err: err}
	if outer, ok := errors.AsType[*gqlerror.Error](err); ok {
		shown.Path, shown.Locations = outer.Path, outer.Locations
	}
	f := fault.From(err)
	_, panicked := errors.AsType[*panicError](err)
	switch fc := graphql.GetFieldContext(ctx); {
	case !panicked && fc != nil && refusedArguments(fc):
		outerPath := shown.Path
		shown.Message = argumentMessage(fc, outerPath, f)
		shown.Path = fc.Path()
		shown.Extensions = map[string]any{"code": fault.BadUserInput}
		refused := fault.New(fault.BadUserInput, shown.Message, argumentPath(fc, outerPath)...)
		shown.Err = errors.Join(refused, err)
	case f != nil:
		shown.Message = f.Message
		shown.Extensions = extensions(f)
	default:
		id := visit.From(ctx).RequestID
		h.report(ctx, id, shown.Path, err)
		shown.Message = internalMessage
		shown.Extensions = map[string]any{"code": fault.Internal, "requestId": id}
	}
	return shown
}

// extensions gives the machine-readable part of a refusal. An overloaded server has the code RATE_LIMITED too: only the
// status of the answer, 503 or 429, tells it from a caller beyond a limit.
func extensions(f *fault.Error) map[string]any {
	m := map[string]any{"code": f.Code}
	if f.Code == fault.Unavailable {
		m["code"] = fault.RateLimited
	}
	if s := f.RetrySeconds(); s > 0 {
		m["retryAfterSeconds"] = s
	}
	return m
}

// refusedArguments tells whether an argument of the field could not be converted to its Go type. The generated code
// sets Args after it converted all arguments, and runs the resolver only then.
func refusedArguments(fc *graphql.FieldContext) bool {
	return fc.Args == nil && fc.Field.Field != nil && fc.Field.Definition != nil &&
		len(fc.Field.Definition.Arguments) > 0
}

// argumentMessage names the argument by its path below the field. The reason is the message of a scalar of this server,
// if one refused the value.
func argumentMessage(fc *graphql.FieldContext, path ast.Path, f *fault.Error) string {
	reason := "It does not have the form that its type asks for."
	if f != nil {
		reason = f.Message
	}
	if below := len(fc.Path()); below < len(path) {
		return fmt.Sprintf("The argument %q is not accepted. %s", clip(path[below:].String()), reason)
	}
	return "An argument is not accepted. " + reason
}

// argumentPath is the path of a refused argument, in the steps of fault.Error.
func argumentPath(fc *graphql.FieldContext, path ast.Path) (steps []string) {
	for _, step := range path[min(len(fc.Path()), len(path)):] {
		steps = append(steps, fmt.Sprint(step))
	}
	return steps
}

// report logs an internal error. A request that its caller canceled is logged at debug level.
func (h *Handler) report(ctx context.Context, id string, path ast.Path, err error) {
	level := slog.LevelError
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		level = slog.LevelDebug
	}
	attrs := []slog.Attr{slog.String("request_id", id), slog.String("path", path.String()), slog.Any("error", err)}
	if p, ok := errors.AsType[*panicError](err); ok {
		attrs = append(attrs, slog.String("stack", p.stack))
	}
	h.log.LogAttrs(ctx, level, "graphql: internal error", attrs...)
}

// list presents an error that belongs to no field.
func (h *Handler) list(ctx context.Context, err error) gqlerror.List {
	return gqlerror.List{h.present(ctx, err)}
}

// panicError is a panic on its way to the presenter.
type panicError struct {
	value any
	stack string
}

func (p *panicError) Error() string { return fmt.Sprintf("panic: %v", p.value) }

func recovered(_ context.Context, value any) error {
	return &panicError{value: value, stack: string(debug.Stack())}
}
