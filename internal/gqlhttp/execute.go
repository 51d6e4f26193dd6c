package gqlhttp

import (
	"context"
	"slices"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

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
		ResolverMiddleware:     h.wrapResult,
		RootResolverMiddleware: h.wrapField,
	})
	ctx = graphql.WithResponseContext(ctx, h.present, recovered)
	response := h.schema.Exec(ctx)(ctx)
	errs := slices.Concat(response.Errors, graphql.GetErrors(ctx))
	return response.Data, errs[:min(len(errs), maxErrors)]
}
