package resolvers

import (
	"context"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
)

// DeleteUser is Mutation.deleteUser.
func (r *resolver) DeleteUser(ctx context.Context, input graph.DeleteUserInput) (*graph.DeleteUserPayload, error) {
	c, err := r.person(ctx)
	if err != nil {
		return nil, err
	}
	e, no := c.actorEvent(db.ActionUserDeleted), &db.Rejection{Why: db.NotFound}
	if e.User.UnmarshalText([]byte(input.ID)) == nil {
		if no, err = r.DB.DeleteUser(ctx, r.actor(ctx, c), e.User, e, r.now()); err != nil {
			return nil, err
		}
	}
	forget(ctx)
	if err := r.rejected(ctx, c, no, errNoUser()); err != nil {
		errs, err := userErrors(r.record(ctx, err, e))
		return &graph.DeleteUserPayload{UserErrors: errs}, err
	}
	r.clearOwnCookie(ctx, c, e.User)
	return &graph.DeleteUserPayload{DeletedUserID: &input.ID, UserErrors: noErrors()}, nil
}
