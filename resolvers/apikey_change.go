package resolvers

import (
	"context"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
	"github.com/dragoman-auth/dragoman/internal/fault"
	"github.com/dragoman-auth/dragoman/internal/identity"
)

// UpdateAPIKey is Mutation.updateApiKey.
func (r *resolver) UpdateAPIKey(
	ctx context.Context, input graph.UpdateAPIKeyInput,
) (*graph.UpdateAPIKeyPayload, error) {
	c, err := r.person(ctx)
	if err != nil {
		return nil, err
	}
	key, err := r.updateKey(ctx, c, input)
	if err != nil {
		e := db.Event{Action: db.ActionKeyUpdated, User: c.User.ID, Sess: c.Session.ID}
		errs, err := userErrors(r.record(ctx, err, e))
		return &graph.UpdateAPIKeyPayload{UserErrors: errs}, err
	}
	return &graph.UpdateAPIKeyPayload{APIKey: key, UserErrors: noErrors()}, nil
}

func (r *resolver) updateKey(ctx context.Context, c *caller, input graph.UpdateAPIKeyInput) (*db.ApiKey, error) {
	name, scopes := input.Name.Value(), input.Scopes.Value()
	if name != nil {
		text, err := identity.Text(*name, maxKeyName)
		if err != nil {
			return nil, atField(err, "name")
		}
		name = &text
	}
	if scopes != nil {
		if err := c.grantable(scopes); err != nil {
			return nil, err
		}
		scopes = unique(scopes)
	}
	by := r.actor(ctx, c)
	key, no, err := r.DB.UpdateKey(ctx, by, keyID(input.ID), name, scopes, r.now(), r.keyMails(ctx, c, db.KeyWidened))
	if err == nil {
		err = r.rejectedKey(ctx, c, no)
	}
	return key, err
}

// keyID parses the id of a key. Any other text gives the zero id, which no key has.
func keyID(text string) (id db.KeyID) {
	_ = id.UnmarshalText([]byte(text))
	return id
}

// rejectedKey gives the error for the Rejection of a change of an API key, nil for none.
func (r *resolver) rejectedKey(ctx context.Context, c *caller, no *db.Rejection) error {
	return r.rejected(ctx, c, no, errNoKey())
}

// errNoKey is the error for a key that does not exist, and for the key of somebody else (AK-07).
func errNoKey() error { return fault.New(fault.NotFound, "There is no such API key.", "input", "id") }
