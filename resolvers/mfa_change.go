package resolvers

import (
	"context"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
	"github.com/dragoman-auth/dragoman/internal/fault"
	"github.com/dragoman-auth/dragoman/internal/identity"
)

// factorRequired demands a second factor in the last few minutes, of an account that has one: to weaken the account
// takes what guards it (MF-08).
func (r *resolver) factorRequired(ctx context.Context, c *caller) error {
	from, until := r.sudoWindow(ctx)
	at := c.Caller.Session.FactorAt
	if c.User.MFAEnabledAt == nil || at != nil && at.After(from) && !at.After(until) {
		return nil
	}
	e := db.Event{
		Action: actions[fieldName(ctx)], Reason: "second_factor_required", User: c.User.ID,
		Sess: c.Caller.Session.ID, Key: c.Key.ID,
	}
	if err := r.recordSampled(ctx, e); err != nil {
		return err
	}
	return auditedError{fault.New(fault.SudoRequired, "This takes a second factor of the account: "+
		"call `sudo` with a code, then repeat the request.")}
}

// UpdateAuthenticator is Mutation.updateAuthenticator.
func (r *resolver) UpdateAuthenticator(
	ctx context.Context, input graph.UpdateAuthenticatorInput,
) (*graph.AuthenticatorPayload, error) {
	c, err := r.person(ctx)
	if err != nil {
		return nil, err
	}
	app, err := r.renameAuthenticator(ctx, c, input)
	if err != nil {
		e := db.Event{Action: db.ActionMfaRenamed, User: c.User.ID, Sess: c.Caller.Session.ID}
		errs, err := userErrors(r.record(ctx, err, e))
		return &graph.AuthenticatorPayload{UserErrors: errs}, err
	}
	return &graph.AuthenticatorPayload{Authenticator: app, UserErrors: noErrors()}, nil
}

func (r *resolver) renameAuthenticator(
	ctx context.Context, c *caller, input graph.UpdateAuthenticatorInput,
) (*db.Authenticator, error) {
	name, err := identity.Text(input.Name, maxAuthenticatorName)
	if err != nil {
		return nil, atField(err, "name")
	}
	var id db.AuthenticatorID
	if id.UnmarshalText([]byte(input.ID)) != nil {
		return nil, errNoAuthenticator()
	}
	renamed, err := r.DB.RenameAuthenticator(ctx, c.Caller, id, name, r.now())
	if err == nil && !renamed {
		err = errNoAuthenticator()
	}
	if err != nil {
		return nil, err
	}
	return r.DB.AuthenticatorOf(ctx, c.User.ID, id)
}

func errNoAuthenticator() error {
	return fault.New(fault.NotFound, "There is no such authenticator app.", "input", "id")
}

// RemoveAuthenticator is Mutation.removeAuthenticator.
func (r *resolver) RemoveAuthenticator(
	ctx context.Context, input graph.RemoveAuthenticatorInput,
) (*graph.UserPayload, error) {
	c, err := r.person(ctx)
	if err != nil {
		return nil, err
	}
	if err := r.factorRequired(ctx, c); err != nil {
		return nil, err
	}
	err = r.removeAuthenticator(ctx, c, input.ID)
	forget(ctx)
	if err != nil {
		e := db.Event{Action: db.ActionMfaRemoved, User: c.User.ID, Sess: c.Caller.Session.ID}
		errs, err := userErrors(r.record(ctx, err, e))
		return &graph.UserPayload{UserErrors: errs}, err
	}
	user, err := r.DB.User(ctx, c.User.ID)
	return &graph.UserPayload{User: user, UserErrors: noErrors()}, err
}

func (r *resolver) removeAuthenticator(ctx context.Context, c *caller, text string) error {
	var id db.AuthenticatorID
	if id.UnmarshalText([]byte(text)) != nil {
		return errNoAuthenticator()
	}
	apps, err := r.DB.Authenticators(ctx, c.User.ID)
	if err != nil {
		return err
	}
	name := ""
	for _, app := range apps {
		if app.ID == id {
			name = app.Name
		}
	}
	if len(apps) == 1 && name != "" && r.MfaPolicy.requires(&c.User) {
		return fault.New(fault.Conflict, "The account must have a second factor: set up another one first.")
	}
	removed, err := r.DB.RemoveAuthenticator(ctx, &db.FactorChange{
		User: c.User.ID, Session: c.Caller.Session.ID, Version: c.User.AuthVersion, Keep: r.MfaPolicy.requires(&c.User),
		Mails: r.factorNotice(ctx, db.FactorRemoved, &c.User, name),
	}, id, r.now())
	switch {
	case err != nil || removed:
		return err
	case name == "":
		return errNoAuthenticator()
	}
	return r.factorsChanged(ctx)
}

// factorsChanged is the error for a change that was not written: the session ended, or the factors changed meanwhile.
func (r *resolver) factorsChanged(ctx context.Context) error {
	forget(ctx)
	if _, err := r.person(ctx); err != nil {
		return err
	}
	return fault.New(fault.Conflict, "The second factors changed meanwhile. Look at them, then repeat the request.")
}

// ForgetDevices is Mutation.forgetDevices.
func (r *resolver) ForgetDevices(ctx context.Context) (*graph.BasicPayload, error) {
	c, err := r.person(ctx)
	if err != nil {
		return nil, err
	}
	return &graph.BasicPayload{UserErrors: noErrors()}, r.DB.ForgetDevices(ctx, c.Caller, r.now())
}

// ResetUserMfa is Mutation.resetUserMfa.
func (r *resolver) ResetUserMfa(ctx context.Context, input graph.ResetUserMfaInput) (*graph.UserPayload, error) {
	c, err := r.person(ctx)
	if err != nil {
		return nil, err
	}
	user, err := r.resetUserMfa(ctx, c, input.ID)
	forget(ctx)
	if err != nil {
		errs, err := userErrors(err)
		return &graph.UserPayload{UserErrors: errs}, err
	}
	if !c.may(db.UsersRead) {
		user = nil
	}
	return &graph.UserPayload{User: user, UserErrors: noErrors()}, nil
}

func (r *resolver) resetUserMfa(ctx context.Context, c *caller, text string) (*db.User, error) {
	e := db.Event{Action: db.ActionMfaReset, Actor: c.User.ID, Sess: c.Caller.Session.ID}
	var id db.UserID
	user, err := (*db.User)(nil), error(nil)
	if id.UnmarshalText([]byte(text)) == nil {
		if user, err = r.DB.User(ctx, id); err != nil {
			return nil, err
		}
	}
	if user == nil {
		return nil, r.record(ctx, errNoUser(), e)
	}
	e.User = id
	if id == c.User.ID {
		return nil, r.record(ctx, fault.New(fault.Conflict,
			"Factors of the own account are removed by `removeAuthenticator`."), e)
	}
	reset, no, err := r.DB.ResetFactors(ctx, &db.FactorChange{
		User: id, Actor: r.actor(ctx, c), Mails: r.factorNotice(ctx, db.FactorsReset, user, ""),
	}, r.now())
	if err == nil {
		err = r.rejected(ctx, c, no, errNoUser())
	}
	if err == nil && !reset {
		err = fault.New(fault.Conflict, "The account has no second factor.")
	}
	if err != nil {
		return nil, r.record(ctx, err, e)
	}
	return r.DB.User(ctx, id)
}
