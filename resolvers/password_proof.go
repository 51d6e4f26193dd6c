package resolvers

import (
	"context"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/internal/fault"
	"github.com/dragoman-auth/dragoman/internal/limit"
	"github.com/dragoman-auth/dragoman/internal/password"
)

// prove demands a proof that the person themselves is asking. A given password must be right. Without one, the sudo
// window must be open, unless the session suffices in the dialect; the attempt is nil then. Errors are recorded. Call
// leave after the write that the proof is for.
func (r *resolver) prove(
	ctx context.Context, c *caller, given *string, action db.Action,
) (a *db.Attempt, leave func(), err error) {
	if given != nil {
		return r.checkCurrentPassword(ctx, c, *given, action, "currentPassword")
	}
	bare := r.profile(ctx).SessionSuffices && !c.User.BeyondUser() // AZ-15
	if bare || r.sudoEnd(ctx, &c.Caller.Session) != nil {
		return nil, func() {}, nil
	}
	return nil, nil, r.sudoRequired(ctx, c, action)
}

// checkCurrentPassword checks the password of a person who is signed in. A wrong one counts like a failed sign-in, with
// the same delays and turns (PW-09): for the device whose token the request shows, else for the session, so that no
// stranger locks a person out who is signed in (LG-21).
func (r *resolver) checkCurrentPassword(
	ctx context.Context, c *caller, given string, action db.Action, field string,
) (a *db.Attempt, leave func(), err error) {
	if err := password.CheckForm(given); err != nil {
		return nil, nil, atField(err, field)
	}
	if err := limit.Enter(ctx); err != nil {
		return nil, nil, err
	}
	a, leave, err = r.attempt(ctx, db.Identifier{
		Account: c.User.ID, Pseudonym: c.User.ID.UUID, Session: c.Caller.Session.ID, Shown: r.shownDevice(ctx, nil),
		Event: db.Event{Action: action, User: c.User.ID, Sess: c.Caller.Session.ID},
	})
	if err != nil {
		return nil, nil, auditedError{err}
	}
	a.Notices = r.notices(ctx, a)
	right, err := r.Hasher.Verify(ctx, a.User.PasswordHash, given)
	if err == nil && (!right || a.User.PasswordDisabledAt != nil) {
		err = r.wrongPassword(ctx, a, failureReason(a, right), field)
	}
	if err != nil {
		leave()
		return nil, nil, err
	}
	return a, leave, nil
}

// wrongPassword counts the failure and gives the error.
func (r *resolver) wrongPassword(ctx context.Context, a *db.Attempt, reason, field string) error {
	if err := r.countFailure(ctx, a, reason, r.now()); err != nil {
		return err
	}
	return auditedError{fault.New(fault.WrongPassword, "The current password is wrong.", "input", field)}
}

// superseded gives the error for a change that was not written: the session ended, or the password changed meanwhile.
// a is the proof, nil for none.
func (r *resolver) superseded(ctx context.Context, a *db.Attempt, field string) error {
	forget(ctx)
	if _, err := r.person(ctx); err != nil {
		return err
	}
	if a == nil {
		return errEnded()
	}
	return r.wrongPassword(ctx, a, "account_changed", field)
}
