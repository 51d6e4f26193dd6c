package resolvers

import (
	"context"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
)

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
	user, why, err := r.redeem(ctx, s, m, func(m *db.Mailed) (*db.User, error) {
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
func (r *resolver) confirmChange(ctx context.Context, m *db.Mailed) (*db.User, error) {
	notice := r.mailNotice(ctx, db.MailEmailChanged, &m.User, db.MailData{NewAddress: m.Token.Address, Confirmed: m.User.EmailVerified()})
	user, taken, err := r.DB.ConfirmChange(ctx, m, r.now(), notice...)
	if err == nil && taken != nil {
		err = r.record(ctx, alreadyExists(taken), db.Event{Action: "verify_email", User: m.User.ID})
	}
	return user, err
}

// confirmedBefore answers for a token that confirmed the address of the account before, as that is now (OT-15).
func (r *resolver) confirmedBefore(ctx context.Context, s shown, m *db.Mailed) (*db.User, error) {
	m, err := r.DB.Mailed(ctx, m.Token.ID)
	if err != nil {
		return nil, err
	}
	if m == nil || !m.Confirmed(r.now()) {
		return nil, r.deadMail(ctx, s.action, db.UserID{}, "spent")
	}
	return &m.User, r.DB.Record(ctx, db.Event{Action: s.action, Note: "confirmed_before", User: m.User.ID}, r.now())
}
