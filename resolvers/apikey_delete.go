package resolvers

import (
	"context"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
)

// DeleteAPIKey is Mutation.deleteApiKey.
func (r *resolver) DeleteAPIKey(
	ctx context.Context, input graph.DeleteAPIKeyInput,
) (*graph.DeleteAPIKeyPayload, error) {
	c, err := r.person(ctx)
	if err != nil {
		return nil, err
	}
	deleted := false
	if id := keyID(input.ID); !id.IsZero() {
		if deleted, err = r.DB.DeleteKey(ctx, c.User.ID, id, c.Session.ID, r.now()); err != nil {
			return nil, err
		}
	}
	if !deleted {
		e := db.Event{Action: db.ActionKeyDeleted, User: c.User.ID, Sess: c.Session.ID}
		errs, err := userErrors(r.record(ctx, errNoKey(), e))
		return &graph.DeleteAPIKeyPayload{UserErrors: errs}, err
	}
	return &graph.DeleteAPIKeyPayload{DeletedAPIKeyID: &input.ID, UserErrors: noErrors()}, nil
}
