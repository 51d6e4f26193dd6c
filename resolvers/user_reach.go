package resolvers

import (
	"context"
	"slices"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/internal/fault"
)

// actorEvent is the audit event of a change that the caller makes to the account of another.
func (c *caller) actorEvent(action db.Action) db.Event {
	return db.Event{Action: action, Actor: c.User.ID, Sess: c.Caller.Session.ID, Key: c.Key.ID}
}

// canManageAdmins tells whether the caller may change the accounts of administrators. It takes every permission of the
// role admin: with fewer, a caller could become an administrator through them (AZ-07).
func (c *caller) canManageAdmins() bool {
	admin, _ := db.RoleNamed(db.RoleAdmin)
	return c.covers(admin)
}

// covers tells whether the caller may all that a role allows, but for what everybody with an account may do with their
// own.
func (c *caller) covers(role db.Role) bool {
	own, _ := db.RoleNamed(db.RoleUser)
	return c.mayAll(
		slices.DeleteFunc(role.Permissions, func(p db.Permission) bool { return slices.Contains(own.Permissions, p) }),
	)
}

// grantable checks the name of a role that the caller wants to give to an account. One that allows more than every
// account does is given by a person who proved themselves lately, and by no API key (SE-23).
func (r *resolver) grantable(ctx context.Context, c *caller, name string) error {
	role, ok := db.RoleNamed(name)
	switch {
	case !ok:
		return fault.New(fault.InvalidInput, "There is no such role.", "input", "role")
	case !c.covers(role):
		return r.forbidden(ctx, c)
	case name != db.RoleUser && r.sudoEnd(ctx, &c.Caller.Session) == nil:
		return r.sudoRequired(ctx, c, actions[fieldName(ctx)])
	}
	return nil
}

// adminError gives the error for a change that did not happen, nil for one that did.
func (r *resolver) adminError(ctx context.Context, c *caller, no *db.Rejection) error {
	switch {
	case no == nil:
		return nil
	case no.NotFound:
		return errNoUser()
	case no.AdminsOnly:
		return r.forbidden(ctx, c)
	case no.LastAdmin:
		return fault.New(
			fault.Conflict, "This is the last administrator who can sign in. Make another one first.", "input", "id",
		)
	}
	return alreadyExists(&no.Taken)
}

func errNoUser() error { return fault.New(fault.NotFound, "There is no such account.", "input", "id") }
