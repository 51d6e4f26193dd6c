package resolvers

import (
	"context"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
	"github.com/dragoman-auth/dragoman/internal/fault"
)

// DeleteAPIKey is Mutation.deleteApiKey.
func (r *resolver) DeleteAPIKey(ctx context.Context, input graph.DeleteAPIKeyInput) (*graph.DeleteAPIKeyPayload, error) {
	c, err := r.person(ctx)
	if err != nil {
		return nil, err
	}
	var id db.KeyID
	deleted := false
	if id.UnmarshalText([]byte(input.ID)) == nil {
		if deleted, err = r.DB.DeleteKey(ctx, c.User.ID, id, c.Session.ID, r.now()); err != nil {
			return nil, err
		}
	}
	if !deleted {
		// The same for a key that is somebody else's and for one that never was (AK-07).
		missing := fault.New(fault.NotFound, "There is no such API key.", "input", "id")
		errs, err := userErrors(r.record(ctx, missing, db.Event{Action: "delete_api_key", User: c.User.ID, Sess: c.Session.ID}))
		return &graph.DeleteAPIKeyPayload{UserErrors: errs}, err
	}
	return &graph.DeleteAPIKeyPayload{DeletedAPIKeyID: &input.ID, UserErrors: noErrors()}, nil
}
