package resolvers

import (
	"context"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
	"github.com/dragoman-auth/dragoman/internal/fault"
)

// forbidden gives the error for a caller without the permission, and records a sample of these errors (AU-09).
func (r *resolver) forbidden(ctx context.Context, c *caller) error {
	if c.kind == graph.CredentialKindAPIKey {
		return r.forbiddenBecause(ctx, c, "This API key may not do that.")
	}
	return r.forbiddenBecause(ctx, c, "You may not do that.")
}

// forbiddenBecause is forbidden with another message.
func (r *resolver) forbiddenBecause(ctx context.Context, c *caller, message string) error {
	now := r.now()
	if r.denials.Take(ctx, now, c.User.ID.String()) {
		e := db.Event{
			Action: db.ActionAccessGranted,
			Reason: fieldName(ctx),
			User:   c.User.ID,
			Sess:   c.Caller.Session.ID,
			Key:    c.Key.ID,
		}
		if err := r.DB.Record(ctx, e, now); err != nil {
			return err
		}
	}
	return fault.New(fault.Forbidden, message)
}
