package resolvers

import (
	"context"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/internal/fault"
)

// actor gives the caller as db judges them: whoever changes another account, or an API key.
func (r *resolver) actor(ctx context.Context, c *caller) *db.Actor {
	by := &db.Actor{User: c.User.ID, Session: c.Caller.Session.ID, Key: c.Key.ID}
	by.ProvedFrom, by.ProvedUntil = r.sudoWindow(ctx)
	return by
}

// actorEvent makes the event of a change that the caller makes to another account.
func (c *caller) actorEvent(action db.Action) db.Event {
	return db.Event{Action: action, Actor: c.User.ID, Sess: c.Caller.Session.ID, Key: c.Key.ID}
}

// rejected gives the error for a Rejection, nil for none. missing is the error for what does not exist.
func (r *resolver) rejected(ctx context.Context, c *caller, no *db.Rejection, missing error) error {
	if no == nil {
		return nil
	}
	switch no.Why {
	case db.NotFound:
		return missing
	case db.CallerGone:
		forget(ctx)
		if _, err := r.person(ctx); err != nil {
			return err
		}
		return errEnded()
	case db.Forbidden:
		return r.forbiddenBecause(ctx, c, "This takes every permission beyond the own account, as administrators "+
			"have them: "+
			"it gives a role beyond user, or touches an account that has one.")
	case db.OwnerOnly:
		return r.forbiddenBecause(ctx, c, "The address of an account with more than the role user is changed by its "+
			"owner, in a session of their own, or by the operator on the terminal.")
	case db.SudoRequired:
		return r.sudoRequired(ctx, c, actions[fieldName(ctx)])
	case db.LastAdmin:
		return fault.New(fault.Conflict, "This is the last administrator who can sign in. Make another one first.",
			"input", "id")
	case db.KeysFull:
		return fault.New(fault.Conflict, "You have as many API keys as one account may have. Delete one first.")
	case db.NameTaken:
	}
	return alreadyExists(&no.Taken)
}

func errNoUser() error { return fault.New(fault.NotFound, "There is no such account.", "input", "id") }

// checkRole refuses the name of a role that does not exist. Who may give it is judged by db.
func checkRole(name string) error {
	if _, ok := db.RoleNamed(name); !ok {
		return fault.New(fault.InvalidInput, "There is no such role. The roles are "+roleNames(db.BuiltInRoles())+".",
			"input", "role")
	}
	return nil
}

// shown gives an account to a caller who may read it, and nil to any other, and to nobody: a change answers no more
// than Query.user (AZ-14).
func (c *caller) shown(u *db.User) *db.User {
	if c == nil {
		return nil
	}
	if c.may(db.UsersRead) || u.ID == c.User.ID && c.may(db.ProfileRead) {
		return u
	}
	return nil
}
