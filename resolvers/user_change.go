package resolvers

import (
	"context"
	"slices"
	"strings"

	"github.com/99designs/gqlgen/graphql"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
	"github.com/dragoman-auth/dragoman/internal/fault"
	"github.com/dragoman-auth/dragoman/internal/identity"
)

// acted is the event of what the caller does to the account of another.
func (c *caller) acted(action string) db.Event {
	return db.Event{Action: action, Actor: c.User.ID, Sess: c.Caller.Session.ID, Key: c.Key.ID}
}

// reach tells whether the caller may all that administrators may, and so may change their accounts: whoever may less could
// become one through them (AZ-07).
func (c *caller) reach() bool {
	admin, _ := db.RoleNamed(db.RoleAdmin)
	return c.covers(admin)
}

// covers tells whether the caller may all that a role allows, but for what everybody with an account may do with their own.
func (c *caller) covers(role db.Role) bool {
	own, _ := db.RoleNamed(db.RoleUser)
	return c.mayAll(slices.DeleteFunc(role.Permissions, func(p db.Permission) bool { return slices.Contains(own.Permissions, p) }))
}

// grantable checks the name of a role that the caller wants to give to an account. One that allows more than every account
// does is given by a person who proved themselves lately, and by no API key (SE-23).
func (r *resolver) grantable(ctx context.Context, c *caller, name string) error {
	role, ok := db.RoleNamed(name)
	switch {
	case !ok:
		return fault.New(fault.InvalidInput, "There is no such role.", "input", "role")
	case !c.covers(role):
		return r.forbidden(ctx, c)
	case name != db.RoleUser && r.sudoEnd(ctx, &c.Caller.Session) == nil:
		return r.askSudo(ctx, c, action(graphql.GetFieldContext(ctx).Field.Name))
	}
	return nil
}

// CreateUser is Mutation.createUser.
func (r *resolver) CreateUser(ctx context.Context, input graph.CreateUserInput) (*graph.UserPayload, error) {
	c, err := r.person(ctx)
	if err != nil {
		return nil, err
	}
	e := c.acted("create_user")
	user, err := r.createUser(ctx, c, e, input)
	if err != nil {
		errs, err := refused(r.record(ctx, err, e))
		return &graph.UserPayload{UserErrors: errs}, err
	}
	return &graph.UserPayload{User: user, UserErrors: accepted()}, nil
}

func (r *resolver) createUser(ctx context.Context, c *caller, e db.Event, input graph.CreateUserInput) (*db.User, error) {
	if err := r.grantable(ctx, c, input.Role); err != nil {
		return nil, err
	}
	user, err := r.newUser(graph.RegisterInput{
		Email: input.Email, Username: input.Username, Name: input.Name, Metadata: input.Metadata,
	})
	if err != nil {
		return nil, err
	}
	notes := []string{"role_" + input.Role}
	user.Role = input.Role
	if !input.Active {
		user.Status = db.UserSuspended
		notes = append(notes, "suspended")
	}
	if input.EmailVerified {
		user.EmailVerifiedAt = &user.CreatedAt
		notes = append(notes, "email_verified")
	}
	if text := input.Password.Value(); text != nil {
		guessable, err := r.checkPassword(ctx, *text, identifiers(user)...)
		if err != nil {
			return nil, at(err, "password")
		}
		if user.PasswordHash, err = r.Hasher.Hash(ctx, *text); err != nil {
			return nil, err
		}
		notes = append(notes, "password")
		if guessable {
			notes = append(notes, "guessable_password")
		}
	}
	e.Note = strings.Join(notes, " ")
	var mails []*db.Mail
	if input.Password.Value() == nil && !r.MailOff {
		mails = append(mails, r.mail(ctx, db.MailSetPassword, user.ID, *user.Email, user.EmailCanonical))
	}
	taken, err := r.DB.CreateUser(ctx, user, e, mails...)
	if err == nil && taken != nil {
		err = alreadyExists(taken)
	}
	return user, err
}

// UpdateUser is Mutation.updateUser. It sets no password: whoever administers an account does not choose what its owner
// knows (AZ-05).
func (r *resolver) UpdateUser(ctx context.Context, input graph.UpdateUserInput) (*graph.UserPayload, error) {
	return r.change(ctx, "update_user", input.ID, func(c *caller) (*db.UserChange, error) {
		return r.userChange(ctx, c, input)
	})
}

// SuspendUser is Mutation.suspendUser.
func (r *resolver) SuspendUser(ctx context.Context, input graph.SuspendUserInput) (*graph.UserPayload, error) {
	return r.change(ctx, "suspend_user", input.ID, statusOnly(db.UserSuspended))
}

// ReactivateUser is Mutation.reactivateUser.
func (r *resolver) ReactivateUser(ctx context.Context, input graph.ReactivateUserInput) (*graph.UserPayload, error) {
	return r.change(ctx, "reactivate_user", input.ID, statusOnly(db.UserActive))
}

func statusOnly(status db.UserStatus) func(*caller) (*db.UserChange, error) {
	return func(*caller) (*db.UserChange, error) { return &db.UserChange{Status: &status}, nil }
}

// change does what changes one account, whoever's it is.
func (r *resolver) change(
	ctx context.Context, action, id string, what func(*caller) (*db.UserChange, error),
) (*graph.UserPayload, error) {
	c, err := r.person(ctx)
	if err != nil {
		return nil, err
	}
	e := c.acted(action)
	user, err := r.changed(ctx, c, &e, id, what)
	forget(ctx) // it may be the caller's own account
	if err != nil {
		errs, err := refused(r.record(ctx, err, e))
		return &graph.UserPayload{UserErrors: errs}, err
	}
	if user.Status == db.UserSuspended {
		r.ownEnded(ctx, c, user.ID)
	}
	return &graph.UserPayload{User: user, UserErrors: accepted()}, nil
}

func (r *resolver) changed(
	ctx context.Context, c *caller, e *db.Event, id string, what func(*caller) (*db.UserChange, error),
) (*db.User, error) {
	if e.User.UnmarshalText([]byte(id)) != nil {
		return nil, errNoUser()
	}
	change, err := what(c)
	if err != nil {
		return nil, err
	}
	done := *e
	done.Note = change.Note()
	user, no, err := r.DB.ChangeUser(ctx, e.User, change, c.reach(), done, r.now())
	if err == nil {
		err = r.notDone(ctx, c, no)
	}
	return user, err
}

// userChange checks the values of an updateUser.
func (r *resolver) userChange(ctx context.Context, c *caller, input graph.UpdateUserInput) (*db.UserChange, error) {
	change := &db.UserChange{SetUsername: input.Username.IsSet(), SetName: input.Name.IsSet(), SetMetadata: input.Metadata.IsSet()}
	for field, cleared := range map[string]bool{
		"email":  input.Email.IsSet() && input.Email.Value() == nil,
		"active": input.Active.IsSet() && input.Active.Value() == nil,
		"role":   input.Role.IsSet() && input.Role.Value() == nil,
	} {
		if cleared {
			return nil, fault.New(fault.InvalidInput, "This can be changed, and not be cleared.", "input", field)
		}
	}
	if text := input.Email.Value(); text != nil {
		if input.ID == c.User.ID.String() && r.sudoEnd(ctx, &c.Caller.Session) == nil {
			return nil, r.askSudo(ctx, c, "update_user") // as in changeEmail
		}
		email, canonical, err := identity.Email(*text)
		if err != nil {
			return nil, at(err, "email")
		}
		change.Email, change.EmailCanonical = &email, &canonical
		change.Mails = r.addressSet(ctx)
	}
	if text := input.Username.Value(); text != nil {
		username, canonical, err := identity.Username(*text)
		if err != nil {
			return nil, at(err, "username")
		}
		change.Username, change.UsernameCanonical = &username, &canonical
	}
	if text := input.Name.Value(); text != nil {
		name, err := identity.Text(*text, maxName)
		if err != nil {
			return nil, at(err, "name")
		}
		change.Name = &name
	}
	if active := input.Active.Value(); active != nil {
		status := db.UserSuspended
		if *active {
			status = db.UserActive
		}
		change.Status = &status
	}
	if change.Role = input.Role.Value(); change.Role != nil {
		if err := r.grantable(ctx, c, *change.Role); err != nil {
			return nil, err
		}
	}
	var err error
	change.Metadata, err = metadata(input.Metadata.Value())
	return change, err
}

// DeleteUser is Mutation.deleteUser.
func (r *resolver) DeleteUser(ctx context.Context, input graph.DeleteUserInput) (*graph.DeleteUserPayload, error) {
	c, err := r.person(ctx)
	if err != nil {
		return nil, err
	}
	e, no := c.acted("delete_user"), &db.Refused{Absent: true}
	if e.User.UnmarshalText([]byte(input.ID)) == nil {
		if no, err = r.DB.DeleteUser(ctx, e.User, c.reach(), e, r.now()); err != nil {
			return nil, err
		}
	}
	forget(ctx)
	if err := r.notDone(ctx, c, no); err != nil {
		errs, err := refused(r.record(ctx, err, e))
		return &graph.DeleteUserPayload{UserErrors: errs}, err
	}
	r.ownEnded(ctx, c, e.User)
	return &graph.DeleteUserPayload{DeletedUserID: &input.ID, UserErrors: accepted()}, nil
}

// RevokeUserSessions is Mutation.revokeUserSessions.
func (r *resolver) RevokeUserSessions(
	ctx context.Context, input graph.RevokeUserSessionsInput,
) (*graph.RevokeOtherSessionsPayload, error) {
	c, err := r.person(ctx)
	if err != nil {
		return nil, err
	}
	e, no, n := c.acted("revoke_user_sessions"), &db.Refused{Absent: true}, 0
	if e.User.UnmarshalText([]byte(input.ID)) == nil {
		if n, no, err = r.DB.RevokeUserSessions(ctx, e.User, c.reach(), e, r.now()); err != nil {
			return nil, err
		}
	}
	forget(ctx)
	if err := r.notDone(ctx, c, no); err != nil {
		errs, err := refused(r.record(ctx, err, e))
		return &graph.RevokeOtherSessionsPayload{UserErrors: errs}, err
	}
	r.ownEnded(ctx, c, e.User)
	return &graph.RevokeOtherSessionsPayload{RevokedCount: &n, UserErrors: accepted()}, nil
}

// notDone words why a change did not happen; nil when it did.
func (r *resolver) notDone(ctx context.Context, c *caller, no *db.Refused) error {
	switch {
	case no == nil:
		return nil
	case no.Absent:
		return errNoUser()
	case no.OutOfReach:
		return r.forbidden(ctx, c)
	case no.LastAdmin:
		return fault.New(fault.Conflict, "This is the last administrator who can sign in. Make another one first.", "input", "id")
	}
	return alreadyExists(&no.Taken)
}

func errNoUser() error { return fault.New(fault.NotFound, "There is no such account.", "input", "id") }
