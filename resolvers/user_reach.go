package resolvers

import (
	"context"
	"slices"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/internal/fault"
)

// actorEvent makes the event of a change that the caller makes to another account.
func (c *caller) actorEvent(action db.Action) db.Event {
	return db.Event{Action: action, Actor: c.User.ID, Sess: c.Caller.Session.ID, Key: c.Key.ID}
}

// canManageAdmins tells whether the caller may change the accounts of administrators. It needs every permission of the
// role admin: else a caller with fewer could take over an administrator's account (AZ-07).
func (c *caller) canManageAdmins() bool {
	admin, _ := db.RoleNamed(db.RoleAdmin)
	return c.covers(admin)
}

// covers tells whether the caller holds the permissions of a role. The permissions of the role user do not count: they
// are about the own account.
func (c *caller) covers(role db.Role) bool {
	own, _ := db.RoleNamed(db.RoleUser)
	return c.mayAll(slices.DeleteFunc(role.Permissions, func(p db.Permission) bool {
		return slices.Contains(own.Permissions, p)
	}))
}

// grantable checks the role that the caller wants to give to an account. Every role but user needs the sudo window,
// which no API key has (SE-23).
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

// adminError gives the error for a Rejection, nil for none.
func (r *resolver) adminError(ctx context.Context, c *caller, no *db.Rejection) error {
	switch {
	case no == nil:
		return nil
	case no.NotFound:
		return errNoUser()
	case no.AdminsOnly:
		return r.forbidden(ctx, c)
	case no.LastAdmin:
		return fault.New(fault.Conflict, "This is the last administrator who can sign in. Make another one first.",
			"input", "id")
	}
	return alreadyExists(&no.Taken)
}

func errNoUser() error { return fault.New(fault.NotFound, "There is no such account.", "input", "id") }
