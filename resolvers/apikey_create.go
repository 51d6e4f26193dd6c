package resolvers

import (
	"context"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
	"github.com/dragoman-auth/dragoman/internal/fault"
	"github.com/dragoman-auth/dragoman/internal/identity"
)

const maxKeyName = 100 // code points

// CreateAPIKey is Mutation.createApiKey. Its directive refuses API keys: no key makes another one (AK-04, AK-05).
func (r *resolver) CreateAPIKey(
	ctx context.Context, input graph.CreateAPIKeyInput,
) (*graph.CreateAPIKeyPayload, error) {
	c, err := r.person(ctx)
	if err != nil {
		return nil, err
	}
	payload, err := r.createKey(ctx, c, input)
	if err != nil {
		e := db.Event{Action: db.ActionKeyCreated, User: c.User.ID, Sess: c.Session.ID}
		errs, err := userErrors(r.record(ctx, err, e))
		return &graph.CreateAPIKeyPayload{UserErrors: errs}, err
	}
	return payload, nil
}

func (r *resolver) createKey(
	ctx context.Context, c *caller, input graph.CreateAPIKeyInput,
) (*graph.CreateAPIKeyPayload, error) {
	name, err := identity.Text(input.Name, maxKeyName)
	if err != nil {
		return nil, atField(err, "name")
	}
	now, expires := r.now(), input.ExpiresAt.Value()
	if expires != nil {
		end := db.Clock(*expires)
		if !end.After(now) || end.Year() > 9999 { // the last year of RFC 3339
			return nil, fault.New(fault.InvalidInput, "A key ends in the future, and before the year 10000.",
				"input", "expiresAt")
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
	no, err := r.DB.CreateKey(ctx, r.actor(ctx, c), key, r.keyMails(ctx, c, db.KeyMade))
	if err == nil {
		err = r.rejectedKey(ctx, c, no)
	}
	if err != nil {
		return nil, err
	}
	text := made.Text.Reveal()
	return &graph.CreateAPIKeyPayload{APIKey: key, Secret: &text, UserErrors: noErrors()}, nil
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

// grantable refuses scopes that the caller does not have (AK-06, AZ-07).
func (c *caller) grantable(scopes []db.Permission) error {
	if !c.mayAll(scopes) {
		return fault.New(fault.NotGrantable, "A key may not do more than you may.", "input", "scopes")
	}
	return nil
}
