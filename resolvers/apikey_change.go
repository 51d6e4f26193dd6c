package resolvers

import (
	"context"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
	"github.com/dragoman-auth/dragoman/internal/fault"
	"github.com/dragoman-auth/dragoman/internal/identity"
)

const maxKeyName = 100 // code points

// Keys is Query.keys.
func (r *resolver) Keys(ctx context.Context) ([]*db.ApiKey, error) {
	c, err := r.person(ctx)
	if err != nil {
		return nil, err
	}
	return r.DB.Keys(ctx, c.User.ID, r.now())
}

// CreateAPIKey is Mutation.createApiKey. No API key passes its directive, so no key makes another (AK-04, AK-05).
func (r *resolver) CreateAPIKey(ctx context.Context, input graph.CreateAPIKeyInput) (*graph.CreateAPIKeyPayload, error) {
	c, err := r.person(ctx)
	if err != nil {
		return nil, err
	}
	payload, err := r.createKey(ctx, c, input)
	if err != nil {
		errs, err := refused(r.record(ctx, err, db.Event{Action: "create_api_key", User: c.User.ID, Sess: c.Session.ID}))
		return &graph.CreateAPIKeyPayload{UserErrors: errs}, err
	}
	return payload, nil
}

func (r *resolver) createKey(ctx context.Context, c *caller, input graph.CreateAPIKeyInput) (*graph.CreateAPIKeyPayload, error) {
	name, err := identity.Text(input.Name, maxKeyName)
	if err != nil {
		return nil, at(err, "name")
	}
	now, expires := r.now(), input.ExpiresAt.Value()
	if expires != nil {
		end := db.Clock(*expires)
		if !end.After(now) || end.Year() > 9999 { // the last year of RFC 3339
			return nil, fault.New(fault.InvalidInput, "A key ends in the future, and before the year 10000.", "input", "expiresAt")
		}
		expires = &end
	}
	if err := c.grantable(input.Scopes); err != nil {
		return nil, err
	}
	made, err := r.Codec.NewAPIKey()
	if err != nil {
		return nil, err
	}
	key := &db.ApiKey{
		ID: db.NewKeyID(), UserID: c.User.ID, Handle: made.Handle, Hash: made.Hash, Prefix: made.Prefix,
		Name: name, Scopes: unique(input.Scopes), CreatedAt: now, ExpiresAt: expires,
	}
	stored, err := r.DB.CreateKey(ctx, key, c.Session.ID)
	if err != nil {
		return nil, err
	}
	if !stored {
		forget(ctx)
		if _, err := r.person(ctx); err != nil {
			return nil, err // erased a moment ago
		}
		return nil, fault.New(fault.Conflict, "You have as many API keys as one account may have. Delete one first.")
	}
	text := made.Text.Reveal()
	return &graph.CreateAPIKeyPayload{APIKey: key, Secret: &text, UserErrors: accepted()}, nil
}

func unique(scopes []db.Permission) []db.Permission {
	seen, out := map[db.Permission]bool{}, []db.Permission{}
	for _, s := range scopes {
		if !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	return out
}

// grantable refuses scopes beyond what the caller may do: nobody grants more than they have (AK-06, AZ-07).
func (c *caller) grantable(scopes []db.Permission) error {
	if !c.mayAll(scopes) {
		return fault.New(fault.NotGrantable, "A key may not do more than you may.", "input", "scopes")
	}
	return nil
}

// UpdateAPIKey is Mutation.updateApiKey.
func (r *resolver) UpdateAPIKey(ctx context.Context, input graph.UpdateAPIKeyInput) (*graph.UpdateAPIKeyPayload, error) {
	c, err := r.person(ctx)
	if err != nil {
		return nil, err
	}
	key, err := r.updateKey(ctx, c, input)
	if err != nil {
		errs, err := refused(r.record(ctx, err, db.Event{Action: "update_api_key", User: c.User.ID, Sess: c.Session.ID}))
		return &graph.UpdateAPIKeyPayload{UserErrors: errs}, err
	}
	return &graph.UpdateAPIKeyPayload{APIKey: key, UserErrors: accepted()}, nil
}

func (r *resolver) updateKey(ctx context.Context, c *caller, input graph.UpdateAPIKeyInput) (*db.ApiKey, error) {
	name, scopes := input.Name.Value(), input.Scopes.Value()
	if name != nil {
		text, err := identity.Text(*name, maxKeyName)
		if err != nil {
			return nil, at(err, "name")
		}
		name = &text
	}
	if scopes != nil {
		if err := c.grantable(scopes); err != nil {
			return nil, err
		}
		scopes = unique(scopes)
	}
	return found(r.DB.UpdateKey(ctx, c.User.ID, keyID(input.ID), name, scopes, c.Session.ID, r.now()))
}

// RotateAPIKey is Mutation.rotateApiKey. It needs no fresh sign-in, like the making of a key: see the deviations in README.
func (r *resolver) RotateAPIKey(ctx context.Context, input graph.RotateAPIKeyInput) (*graph.CreateAPIKeyPayload, error) {
	c, err := r.person(ctx)
	if err != nil {
		return nil, err
	}
	made, err := r.Codec.NewAPIKey()
	if err != nil {
		return nil, err
	}
	swap := &db.ApiKey{Handle: made.Handle, Hash: made.Hash, Prefix: made.Prefix}
	key, err := found(r.DB.RotateKey(ctx, c.User.ID, keyID(input.ID), swap, c.Session.ID, r.now()))
	if err != nil {
		errs, err := refused(r.record(ctx, err, db.Event{Action: "rotate_api_key", User: c.User.ID, Sess: c.Session.ID}))
		return &graph.CreateAPIKeyPayload{UserErrors: errs}, err
	}
	text := made.Text.Reveal()
	return &graph.CreateAPIKeyPayload{APIKey: key, Secret: &text, UserErrors: accepted()}, nil
}

// keyID reads the id of a key; the zero id, which no key has, for anything else.
func keyID(text string) (id db.KeyID) {
	_ = id.UnmarshalText([]byte(text))
	return id
}

// found refuses in the same words for a key that is somebody else's and for one that never was (AK-07).
func found(key *db.ApiKey, err error) (*db.ApiKey, error) {
	if err == nil && key == nil {
		err = fault.New(fault.NotFound, "There is no such API key.", "input", "id")
	}
	return key, err
}

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
		errs, err := refused(r.record(ctx, missing, db.Event{Action: "delete_api_key", User: c.User.ID, Sess: c.Session.ID}))
		return &graph.DeleteAPIKeyPayload{UserErrors: errs}, err
	}
	return &graph.DeleteAPIKeyPayload{DeletedAPIKeyID: &input.ID, UserErrors: accepted()}, nil
}
