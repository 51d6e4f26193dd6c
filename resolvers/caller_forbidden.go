package resolvers

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
	"github.com/dragoman-auth/dragoman/internal/fault"
)

// forbidden gives the error for a caller without a permission, and records a sample of these errors (AU-09). Without
// needs no API key passes.
func (r *resolver) forbidden(ctx context.Context, c *caller, needs *db.Permission) error {
	return r.forbiddenBecause(ctx, c, c.lacks(needs))
}

// lacks says what the caller would need.
func (c *caller) lacks(needs *db.Permission) string {
	switch {
	case c.kind == graph.CredentialKindLegacyToken:
		return "An access token of the former system reads the own account alone: sign in."
	case needs == nil:
		return "No API key may do this: it takes a person who signed in. Send an access or session token."
	case c.kind != graph.CredentialKindAPIKey:
		return fmt.Sprintf("This takes the permission %s, which the role of your account does not have.%s", *needs,
			grantedBy(*needs))
	case slices.Contains(c.Key.Scopes, *needs):
		return fmt.Sprintf("This takes the permission %s, which the role of the owner of this API key does not have.%s",
			*needs, grantedBy(*needs))
	}
	return fmt.Sprintf("This API key lacks the scope %s: make a key that has it, or send an access token.", *needs)
}

// grantedBy names the roles that have a permission.
func grantedBy(p db.Permission) string {
	having := slices.DeleteFunc(db.BuiltInRoles(),
		func(role db.Role) bool { return !slices.Contains(role.Permissions, p) })
	return " Roles that have it: " + roleNames(having) + "."
}

func roleNames(roles []db.Role) string {
	names := make([]string, len(roles))
	for i, role := range roles {
		names[i] = role.Name
	}
	return strings.Join(names, ", ")
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
