package resolvers

import (
	"context"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/internal/limit"
)

// countMutation counts a mutation of a live credential, from everywhere together: those of an API key for the key, all
// others for the account (LG-29).
func (r *resolver) countMutation(ctx context.Context, c *caller) error {
	switch {
	case r.Limits == nil || operation(ctx) != ast.Mutation:
		return nil
	case !c.Key.ID.IsZero():
		return r.Limits.AdmitAs(ctx, limit.KeyMutation, c.Key.ID.String(), 1)
	}
	return r.Limits.AdmitAs(ctx, limit.AccountMutation, c.User.ID.String(), 1)
}

// countSession counts a call with a genuine refresh token for its session, whose account is not known before the
// statement (LG-29).
func (r *resolver) countSession(ctx context.Context, session db.SessionID) error {
	if r.Limits == nil {
		return nil
	}
	return r.Limits.AdmitAs(ctx, limit.SessionRefresh, session.String(), 1)
}

// countQuery counts a query of a live credential by its cost, likewise (LG-31).
func (r *resolver) countQuery(ctx context.Context, c *caller) error {
	switch {
	case r.Limits == nil || operation(ctx) != ast.Query:
		return nil
	case !c.Key.ID.IsZero():
		return r.Limits.AdmitAs(ctx, limit.KeyQuery, c.Key.ID.String(), limit.Tries(ctx))
	}
	return r.Limits.AdmitAs(ctx, limit.AccountQuery, c.User.ID.String(), limit.Tries(ctx))
}

// enter asks for admission for a mutation without @credential. A field with it does so itself, when it has judged its
// input.
func enter(ctx context.Context) error {
	fc := graphql.GetFieldContext(ctx)
	if operation(ctx) != ast.Mutation || fc == nil || fc.Field.Field == nil ||
		fc.Field.Definition.Directives.ForName("credential") != nil {
		return nil
	}
	return limit.Enter(ctx)
}

// operation is the kind of the operation that runs, "" for none.
func operation(ctx context.Context) ast.Operation {
	if !graphql.HasOperationContext(ctx) {
		return ""
	}
	return graphql.GetOperationContext(ctx).Operation.Operation
}
