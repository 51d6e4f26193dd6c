package resolvers

import (
	"context"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
)

// RotateAPIKey is Mutation.rotateApiKey. Like createApiKey it needs no sudo window: see the deviations in README.
func (r *resolver) RotateAPIKey(
	ctx context.Context, input graph.RotateAPIKeyInput,
) (*graph.CreateAPIKeyPayload, error) {
	c, err := r.person(ctx)
	if err != nil {
		return nil, err
	}
	made, err := r.Codec.NewAPIKey()
	if err != nil {
		return nil, err
	}
	swap := &db.ApiKey{Handle: made.Handle, Hash: made.Hash, Prefix: made.Prefix}
	mails := r.keyMails(ctx, c, db.KeyRotated)
	key, no, err := r.DB.RotateKey(ctx, r.actor(ctx, c), keyID(input.ID), swap, r.now(), mails)
	if err == nil {
		err = r.rejectedKey(ctx, c, no)
	}
	if err != nil {
		e := db.Event{Action: db.ActionKeyRotated, User: c.User.ID, Sess: c.Session.ID}
		errs, err := userErrors(r.record(ctx, err, e))
		return &graph.CreateAPIKeyPayload{UserErrors: errs}, err
	}
	text := made.Text.Reveal()
	return &graph.CreateAPIKeyPayload{APIKey: key, Secret: &text, UserErrors: noErrors()}, nil
}
