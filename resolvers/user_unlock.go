package resolvers

import (
	"context"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
)

// UnlockUser is Mutation.unlockUser.
func (r *resolver) UnlockUser(ctx context.Context, input graph.UnlockUserInput) (*graph.UserPayload, error) {
	c, err := r.person(ctx)
	if err != nil {
		return nil, err
	}
	e, no, user := c.actorEvent(db.ActionUserUnlocked), &db.Rejection{Why: db.NotFound}, (*db.User)(nil)
	if e.User.UnmarshalText([]byte(input.ID)) == nil {
		if user, no, err = r.DB.UnlockUser(ctx, r.actor(ctx, c), e.User, e, r.Addresses, r.now()); err != nil {
			return nil, err
		}
	}
	forget(ctx)
	if err := r.rejected(ctx, c, no, errNoUser()); err != nil {
		errs, err := userErrors(r.record(ctx, err, e))
		return &graph.UserPayload{UserErrors: errs}, err
	}
	return &graph.UserPayload{User: c.shown(user), UserErrors: noErrors()}, nil
}
