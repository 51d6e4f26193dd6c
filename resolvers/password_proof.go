package resolvers

import (
	"context"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/internal/fault"
	"github.com/dragoman-auth/dragoman/internal/password"
)

// prove makes sure that it is the person who asks: by the password where one is given, which must be right then, else
// by the sudo window, or by the session alone where the dialect documents it so. The attempt is nil for the latter
// two. What it refuses is written down. The caller has to call leave when what the proof is for is done.
func (r *resolver) prove(
	ctx context.Context, c *caller, given *string, action db.Action,
) (a *db.Attempt, leave func(), err error) {
	if given != nil {
		return r.checkCurrentPassword(ctx, c, *given, action, "currentPassword")
	}
	if r.profile(ctx).SessionSuffices || r.sudoEnd(ctx, &c.Caller.Session) != nil {
		return nil, func() {}, nil
	}
	return nil, nil, r.sudoRequired(ctx, c, action)
}

// checkCurrentPassword checks the password of a person who is signed in. A wrong one is a failure of the account like
// that of a sign-in: it counts in the same place, is slowed down by the same delays and waits for the same turns
// (PW-09, LG-06).
func (r *resolver) checkCurrentPassword(
	ctx context.Context, c *caller, given string, action db.Action, field string,
) (a *db.Attempt, leave func(), err error) {
	if err := password.CheckForm(given); err != nil {
		return nil, nil, atField(err, field)
	}
	a, leave, err = r.attempt(ctx, db.Identifier{
		Account: c.User.ID, Pseudonym: c.User.ID.UUID, Address: clientIP(ctx),
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

// wrongPassword counts the failure and gives the refusal.
func (r *resolver) wrongPassword(ctx context.Context, a *db.Attempt, reason, field string) error {
	if err := r.countFailure(ctx, a, reason, r.now()); err != nil {
		return err
	}
	return auditedError{fault.New(fault.WrongPassword, "The current password is wrong.", "input", field)}
}

// superseded gives the error for a change that was not written: the session ended, or the password changed meanwhile.
func (r *resolver) superseded(ctx context.Context, a *db.Attempt, field string) error {
	forget(ctx)
	if _, err := r.person(ctx); err != nil {
		return err
	}
	if a == nil {
		return errSignIn()
	}
	return r.wrongPassword(ctx, a, "account_changed", field)
}
