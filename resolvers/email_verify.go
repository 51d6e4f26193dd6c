package resolvers

import (
	"context"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
	"github.com/dragoman-auth/dragoman/internal/fault"
)

// SendVerificationEmail is Mutation.sendVerificationEmail.
func (r *resolver) SendVerificationEmail(ctx context.Context, input *graph.SendVerificationEmailInput) (*graph.BasicPayload, error) {
	e := db.Event{Action: "send_verification_email"}
	pending := input != nil && input.Pending
	if input != nil {
		if email := input.Email.Value(); email != nil && pending {
			return r.asked(ctx, e, fault.New(fault.InvalidInput, "Give an address, or ask for the one that waits.", "input", "pending"))
		} else if email != nil {
			return r.askMail(ctx, e.Action, db.MailVerifyEmail, *email)
		}
	}
	c, err := r.person(ctx)
	if err != nil {
		return nil, err
	}
	if c.kind == graph.CredentialKindAPIKey {
		return nil, r.forbidden(ctx, c)
	}
	e.User, e.Sess = c.User.ID, c.Caller.Session.ID
	if pending {
		return r.asked(ctx, e, r.askPendingMail(ctx, c, e))
	}
	return r.asked(ctx, e, r.askOwnMail(ctx, c, e))
}

func (r *resolver) askOwnMail(ctx context.Context, c *caller, e db.Event) error {
	switch {
	case r.MailOff:
		return errNoMail()
	case c.User.EmailVerified() || c.User.Email == nil:
		return fault.New(fault.Conflict, "Your address is confirmed already.")
	}
	return r.queue(ctx, e, r.mail(ctx, db.MailVerifyEmail, c.User.ID, *c.User.Email, c.User.EmailCanonical))
}

// askPendingMail is about the address that waits. One that is somebody else's by now gets what it gets whenever it is asked for:
// its owner learns of it, and nothing to confirm is mailed.
func (r *resolver) askPendingMail(ctx context.Context, c *caller, e db.Event) error {
	switch {
	case r.MailOff:
		return errNoMail()
	case c.User.PendingEmail == nil:
		return fault.New(fault.Conflict, "No address waits to be confirmed.")
	}
	kind, user := db.MailConfirmChange, c.User.ID
	owner, err := r.DB.UserNamed(ctx, *c.User.PendingEmailCanonical)
	if err != nil {
		return err
	}
	if owner != nil {
		kind, user = db.MailAddressTaken, db.UserID{}
	}
	return r.queue(ctx, e, r.mail(ctx, kind, user, *c.User.PendingEmail, *c.User.PendingEmailCanonical))
}

// VerifyEmail is Mutation.verifyEmail.
func (r *resolver) VerifyEmail(ctx context.Context, input graph.VerifyEmailInput) (*graph.UserPayload, error) {
	user, err := r.verifyEmail(ctx, input)
	forget(ctx)
	if err != nil {
		errs, err := refused(err)
		return &graph.UserPayload{UserErrors: errs}, err
	}
	return &graph.UserPayload{User: user, UserErrors: accepted()}, nil
}

func (r *resolver) verifyEmail(ctx context.Context, input graph.VerifyEmailInput) (*db.User, error) {
	s := shown{
		text: input.Token, email: input.Email.Value(), action: "verify_email",
		purposes: []db.Purpose{db.PurposeVerifyEmail, db.PurposeConfirmChange},
	}
	m, err := r.showing(ctx, s)
	if err != nil {
		return nil, err
	}
	user, why, err := r.redeem(ctx, s, m, func(m *db.TokenWithUser) (*db.User, error) {
		if m.Token.Purpose == db.PurposeConfirmChange {
			return r.confirmChange(ctx, m)
		}
		return r.DB.ConfirmEmail(ctx, m, r.now())
	})
	switch {
	case err != nil || user != nil:
		return user, err
	case why == "spent" && input.AllowConfirmed:
		return r.confirmedBefore(ctx, s, m)
	}
	return nil, r.deadMail(ctx, s.action, m.User.ID, why)
}

// confirmChange makes the address that waits that of the account, and tells the former address of it, with a link to take it
// back.
func (r *resolver) confirmChange(ctx context.Context, m *db.TokenWithUser) (*db.User, error) {
	notice := r.mailNotice(ctx, db.MailEmailChanged, &m.User, db.MailData{NewAddress: m.Token.Address, Confirmed: m.User.EmailVerified()})
	user, taken, err := r.DB.ConfirmChange(ctx, m, r.now(), notice...)
	if err == nil && taken != nil {
		err = r.record(ctx, alreadyExists(taken), db.Event{Action: "verify_email", User: m.User.ID})
	}
	return user, err
}

// confirmedBefore answers for a token that confirmed the address of the account before, as that is now (OT-15).
func (r *resolver) confirmedBefore(ctx context.Context, s shown, m *db.TokenWithUser) (*db.User, error) {
	m, err := r.DB.TokenWithUser(ctx, m.Token.ID)
	if err != nil {
		return nil, err
	}
	if m == nil || !m.Confirmed(r.now()) {
		return nil, r.deadMail(ctx, s.action, db.UserID{}, "spent")
	}
	return &m.User, r.DB.Record(ctx, db.Event{Action: s.action, Note: "confirmed_before", User: m.User.ID}, r.now())
}
