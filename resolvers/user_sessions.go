package resolvers

import (
	"context"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
)

// RevokeUserSessions is Mutation.revokeUserSessions.
func (r *resolver) RevokeUserSessions(
	ctx context.Context, input graph.RevokeUserSessionsInput,
) (*graph.RevokeOtherSessionsPayload, error) {
	c, err := r.person(ctx)
	if err != nil {
		return nil, err
	}
	e, no, n := c.actorEvent(db.ActionSessionAllRevoked), &db.Rejection{Why: db.NotFound}, 0
	if e.User.UnmarshalText([]byte(input.ID)) == nil {
		if n, no, err = r.DB.RevokeUserSessions(ctx, r.actor(ctx, c), e.User, e, r.now()); err != nil {
			return nil, err
		}
	}
	forget(ctx)
	if err := r.rejected(ctx, c, no, errNoUser()); err != nil {
		errs, err := userErrors(r.record(ctx, err, e))
		return &graph.RevokeOtherSessionsPayload{UserErrors: errs}, err
	}
	r.clearOwnCookie(ctx, c, e.User)
	return &graph.RevokeOtherSessionsPayload{RevokedCount: &n, UserErrors: noErrors()}, nil
}
