package resolvers

import (
	"context"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
	"github.com/dragoman-auth/dragoman/internal/fault"
	"github.com/dragoman-auth/dragoman/internal/identity"
)

// UpdateUser is Mutation.updateUser. It sets no password: an administrator must not know the password of a person
// (AZ-05).
func (r *resolver) UpdateUser(ctx context.Context, input graph.UpdateUserInput) (*graph.UserPayload, error) {
	return r.change(ctx, db.ActionUserUpdated, input.ID, func(c *caller) (*db.UserChange, error) {
		return r.userChange(ctx, c, input)
	})
}

// SuspendUser is Mutation.suspendUser.
func (r *resolver) SuspendUser(ctx context.Context, input graph.SuspendUserInput) (*graph.UserPayload, error) {
	return r.change(ctx, db.ActionUserSuspended, input.ID, statusOnly(db.UserSuspended))
}

// ReactivateUser is Mutation.reactivateUser.
func (r *resolver) ReactivateUser(ctx context.Context, input graph.ReactivateUserInput) (*graph.UserPayload, error) {
	return r.change(ctx, db.ActionUserReactivated, input.ID, statusOnly(db.UserActive))
}

func statusOnly(status db.UserStatus) func(*caller) (*db.UserChange, error) {
	return func(*caller) (*db.UserChange, error) { return &db.UserChange{Status: &status}, nil }
}

// change changes one account for an administrator. what gives the change for the caller, or an error.
func (r *resolver) change(
	ctx context.Context, action db.Action, id string, what func(*caller) (*db.UserChange, error),
) (*graph.UserPayload, error) {
	c, err := r.person(ctx)
	if err != nil {
		return nil, err
	}
	e := c.actorEvent(action)
	user, err := r.changed(ctx, c, &e, id, what)
	forget(ctx)
	if err != nil {
		errs, err := userErrors(r.record(ctx, err, e))
		return &graph.UserPayload{UserErrors: errs}, err
	}
	if user.Status == db.UserSuspended {
		r.clearOwnCookie(ctx, c, user.ID)
	}
	return &graph.UserPayload{User: c.shown(user), UserErrors: noErrors()}, nil
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
	user, no, err := r.DB.ChangeUser(ctx, r.actor(ctx, c), e.User, change, done, r.now())
	if err == nil {
		err = r.rejected(ctx, c, no, errNoUser())
	}
	return user, err
}

// userChange reads the input of updateUser.
func (r *resolver) userChange(ctx context.Context, c *caller, input graph.UpdateUserInput) (*db.UserChange, error) {
	change := &db.UserChange{
		SetUsername: input.Username.IsSet(), SetName: input.Name.IsSet(), SetMetadata: input.Metadata.IsSet(),
	}
	for field, cleared := range map[string]bool{
		"email":  input.Email.IsSet() && input.Email.Value() == nil,
		"active": input.Active.IsSet() && input.Active.Value() == nil,
		"role":   input.Role.IsSet() && input.Role.Value() == nil,
	} {
		if cleared {
			return nil, fault.New(fault.InvalidInput, "This can be changed, and not be cleared.", "input", field)
		}
	}
	returnTo, err := r.returnTo(input.ReturnTo)
	if err != nil {
		return nil, err
	}
	if text := input.Email.Value(); text != nil {
		own := input.ID == c.User.ID.String()
		if err := r.changeAddress(ctx, c, change, own, *text, returnTo); err != nil {
			return nil, err
		}
	}
	if text := input.Username.Value(); text != nil {
		username, canonical, err := identity.Username(*text)
		if err != nil {
			return nil, atField(err, "username")
		}
		change.Username, change.UsernameCanonical = &username, &canonical
	}
	if text := input.Name.Value(); text != nil {
		name, err := identity.Name(*text)
		if err != nil {
			return nil, atField(err, "name")
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
		if err := checkRole(*change.Role); err != nil {
			return nil, err
		}
	}
	change.Metadata, err = metadata(input.Metadata.Value())
	return change, err
}

// changeAddress reads the address of updateUser. The own address waits to be confirmed, as in changeEmail.
func (r *resolver) changeAddress(
	ctx context.Context, c *caller, change *db.UserChange, own bool, text, returnTo string,
) error {
	email, canonical, err := identity.Email(text)
	if err != nil {
		return atField(err, "email")
	}
	if own && c.User.Email != nil && *c.User.Email == email {
		return nil // a form that shows the address sends it back, as in updateMe
	}
	change.Email, change.EmailCanonical = &email, &canonical
	switch {
	case !own:
		change.Mails, change.KeepPassword = r.addressSet(ctx, returnTo), r.MailOff
	case r.MailOff && canonical != c.User.EmailCanonical:
		return errNoMail()
	default:
		asked := &edit{Change: db.Change{To: &db.User{EmailCanonical: canonical}, Email: true}, returnTo: returnTo}
		change.Mails = r.changeMails(ctx, asked)
	}
	return err
}

// addressSet makes the mails when an administrator sets another address: a notice to the former one, and to the new one
// a link that chooses a password and confirms it. The notice has no revert link: a lost or stolen mailbox may be the
// reason for the change.
func (r *resolver) addressSet(ctx context.Context, returnTo string) func(was, is *db.User, taken bool) []*db.Mail {
	return func(was, is *db.User, _ bool) []*db.Mail {
		if r.MailOff || was.EmailCanonical == is.EmailCanonical {
			return nil
		}
		data := db.MailData{NewAddress: *is.Email}
		mails := r.mailNotice(ctx, db.MailEmailChanged, was, data)
		for _, m := range mails {
			m.NoLink()
			m.Data.Device, m.Data.IP = "", "" // the owner does not learn those of the administrator
		}
		setup := r.mail(ctx, db.MailSetPassword, is.ID, *is.Email, is.EmailCanonical)
		setup.Data = data
		return leadOn(returnTo, append(mails, setup)...)
	}
}
