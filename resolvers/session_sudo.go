package resolvers

import (
	"cmp"
	"context"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
	"github.com/dragoman-auth/dragoman/internal/fault"
	"github.com/dragoman-auth/dragoman/internal/limit"
)

// sudoLasts is how long after a proof sensitive operations are allowed (SE-23).
const sudoLasts = 10 * time.Minute

// sudoWindow gives the times between which a proof counts now: after from and up to until. A proof dated in the future
// does not count: the clock was set back, and the window would be longer by the difference (AV-05).
func (r *resolver) sudoWindow(ctx context.Context) (from, until time.Time) {
	now := r.now()
	return now.Add(-cmp.Or(r.profile(ctx).Sudo, sudoLasts)), now.Add(clockSkew)
}

// sudoEnd gives the end of the sudo window of a session, nil where it is closed. The window begins with a sign-in or
// with sudo; a refresh does not extend it, and an API key has none.
func (r *resolver) sudoEnd(ctx context.Context, s *db.Session) *time.Time {
	from, until := r.sudoWindow(ctx)
	if !s.AuthAt.After(from) || s.AuthAt.After(until) {
		return nil
	}
	end := s.AuthAt.Add(cmp.Or(r.profile(ctx).Sudo, sudoLasts))
	return &end
}

// requiresSudo is the directive @sudo. The schema lists it before @requiresAuth, which then runs first.
func (r *resolver) requiresSudo(ctx context.Context, _ any, next graphql.Resolver) (any, error) {
	c, err := r.person(ctx)
	if err != nil {
		return nil, err
	}
	if r.sudoEnd(ctx, &c.Caller.Session) == nil {
		return nil, r.sudoRequired(ctx, c, actions[fieldName(ctx)])
	}
	return next(ctx)
}

// sudoRequired records that an action needs a fresh proof, and gives the error.
func (r *resolver) sudoRequired(ctx context.Context, c *caller, action db.Action) error {
	e := db.Event{Action: action, Reason: "sudo_required", User: c.User.ID, Sess: c.Caller.Session.ID, Key: c.Key.ID}
	if err := r.recordSampled(ctx, e); err != nil {
		return err
	}
	if c.kind == graph.CredentialKindAPIKey {
		return auditedError{fault.New(fault.SudoRequired,
			"An API key may not do that: it takes a person who signed in, or gave the password, a few minutes ago.")}
	}
	if c.User.MFAEnabledAt != nil {
		return auditedError{fault.New(fault.SudoRequired, "This takes a second factor of the account: "+
			"call `sudo` with a code, then repeat the request.")}
	}
	return auditedError{fault.New(fault.SudoRequired, "This takes a fresh proof of who you are: "+
		"call `sudo` with the password, or sign in again, then repeat the request.")}
}

// Sudo is Mutation.sudo.
func (r *resolver) Sudo(ctx context.Context, input graph.SudoInput) (*graph.SudoPayload, error) {
	c, err := r.person(ctx)
	if err != nil {
		return nil, err
	}
	session := c.Caller.Session
	err = r.openSudo(ctx, c, &session, input)
	forget(ctx)
	if err != nil {
		e := db.Event{Action: db.ActionSudoGranted, User: c.User.ID, Sess: session.ID}
		errs, err := userErrors(r.record(ctx, err, e))
		return &graph.SudoPayload{UserErrors: errs}, err
	}
	return &graph.SudoPayload{SudoExpiresAt: r.sudoEnd(ctx, &session), UserErrors: noErrors()}, nil
}

func (r *resolver) openSudo(ctx context.Context, c *caller, session *db.Session, input graph.SudoInput) error {
	given, code := input.Password.Value(), input.Code.Value()
	if (given == nil) == (code == nil) || (code == nil) != (input.Method.Value() == nil) {
		return fault.New(fault.InvalidInput, "Give the password, or a code with its method.", "input")
	}
	if code != nil {
		return r.openSudoByFactor(ctx, c, session, *input.Method.Value(), *code)
	}
	a, leave, err := r.checkCurrentPassword(ctx, c, *given, db.ActionSudoGranted, "password")
	if err != nil {
		return err
	}
	defer leave()
	session.AuthAt, session.ProvedBy = r.now(), db.AuthPassword
	opened, err := r.DB.Sudo(ctx, session.ID, a, session.AuthAt)
	if err == nil && !opened {
		err = r.superseded(ctx, a, "password")
	}
	return err
}

// openSudoByFactor opens the window by a second factor, which is what guards the account.
func (r *resolver) openSudoByFactor(
	ctx context.Context, c *caller, session *db.Session, method db.MfaMethod, code string,
) error {
	typed := shownCode{
		user: &c.User, method: method, text: code, shown: r.shownDevice(ctx, nil), action: db.ActionSudoGranted,
		session: session.ID,
	}
	if err := limit.Enter(ctx); err != nil {
		return err
	}
	if c.User.MFAEnabledAt == nil {
		return fault.New(fault.InvalidInput, "The account has no second factor: give the password.", "input", "code")
	}
	used, err := r.checkCode(ctx, typed)
	if err != nil {
		return err
	}
	at := r.now()
	proved, err := r.DB.ProveFactor(ctx, c.User.ID, session.ID, used, authMethod(method), at)
	switch {
	case err != nil:
		return err
	case !proved:
		return r.wrongCode(ctx, typed)
	}
	session.AuthAt, session.FactorAt, session.ProvedBy = at, &at, authMethod(method)
	return nil
}

// SudoExpiresAt is Session.sudoExpiresAt.
func (f sessionFields) SudoExpiresAt(ctx context.Context, s *db.Session) (*time.Time, error) {
	return f.sudoEnd(ctx, s), nil
}
