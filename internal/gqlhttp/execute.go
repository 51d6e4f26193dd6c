package gqlhttp

import (
	"context"
	"slices"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// admitAll calls Admit once for every @credential field of the operation. Nothing has run when it fails.
func (h *Handler) admitAll(ctx context.Context, op *operation) gqlerror.List {
	for _, c := range op.credentials {
		if err := h.admit(ctx, c); err != nil {
			h.observeRefusal(ctx, op, c.Field, err)
			return h.list(ctx, err)
		}
	}
	return nil
}

// execute runs an operation through the generated code. Of gqlgen's server the code needs the operation context and the
// response context alone.
func (h *Handler) execute(
	ctx context.Context, doc *Document, op *operation, variables map[string]any,
) ([]byte, gqlerror.List) {
	ctx = graphql.WithOperationContext(ctx, &graphql.OperationContext{
		Doc:                    doc.syntax,
		Operation:              op.definition,
		OperationName:          op.definition.Name,
		Variables:              variables,
		DisableIntrospection:   !h.introspection,
		RecoverFunc:            recovered,
		ResolverMiddleware:     observeResult,
		RootResolverMiddleware: h.observeField,
	})
	ctx = graphql.WithResponseContext(ctx, h.present, recovered)
	response := h.schema.Exec(ctx)(ctx)
	errs := slices.Concat(response.Errors, graphql.GetErrors(ctx))
	return response.Data, errs[:min(len(errs), maxErrors)]
}
