package resolvers

import (
	"context"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
)

// RequestPasswordReset is Mutation.requestPasswordReset.
func (r *resolver) RequestPasswordReset(ctx context.Context, input graph.RequestPasswordResetInput) (*graph.BasicPayload, error) {
	return r.askMail(ctx, "request_password_reset", db.MailResetPassword, input.Email)
}

// ResetPassword is Mutation.resetPassword.
func (r *resolver) ResetPassword(ctx context.Context, input graph.ResetPasswordInput) (*graph.ResetPasswordPayload, error) {
	payload, err := r.resetPassword(ctx, input)
	forget(ctx)
	if err != nil {
		errs, err := refused(err)
		return &graph.ResetPasswordPayload{UserErrors: errs}, err
	}
	return payload, nil
}

// resetPassword checks the token and the password first, then hashes, which takes long and holds no connection, and spends the
// token last: a password that is refused, and a caller who is sent away, leave it good.
func (r *resolver) resetPassword(ctx context.Context, input graph.ResetPasswordInput) (*graph.ResetPasswordPayload, error) {
	s := shown{
		text: input.Token, email: input.Email.Value(), action: "reset_password", purposes: []db.Purpose{db.PurposeResetPassword},
	}
	m, err := r.mailed(ctx, s)
	if err != nil {
		return nil, err
	}
	note, err := r.checkNewPassword(ctx, input.NewPassword, &m.User)
	if err != nil {
		return nil, r.record(ctx, at(err, "newPassword"), db.Event{Action: s.action, User: m.User.ID})
	}
	hash, err := r.Hasher.Hash(ctx, input.NewPassword)
	if err != nil {
		return nil, err
	}
	user, why, err := r.redeem(ctx, s, m, func(m *db.TokenWithUser) (*db.User, error) {
		return r.DB.ResetPassword(ctx, m, hash, note, r.now(), r.mailNotice(ctx, db.MailPassword, &m.User, db.MailData{})...)
	})
	if err == nil && why != "" {
		err = r.deadMail(ctx, s.action, m.User.ID, why)
	}
	if err != nil {
		return nil, err
	}
	return r.afterReset(ctx, user)
}

// afterReset signs the person in where an older API documents it so, and nowhere else (OT-09): a reset proves that somebody
// reads the mailbox, and is no way around what a sign-in asks beyond the password.
func (r *resolver) afterReset(ctx context.Context, user *db.User) (*graph.ResetPasswordPayload, error) {
	payload := &graph.ResetPasswordPayload{User: user, UserErrors: accepted()}
	if !r.profile(ctx).SignInAfterReset {
		return payload, nil
	}
	p := proof{user: user, method: db.AuthMagicLink, at: r.now(), delivery: graph.TokenDeliveryBody} // what was shown came by mail
	in, err := r.startSession(ctx, p, func(s *db.Session) (*db.User, error) {
		started, err := r.DB.Login(ctx, &db.Attempt{User: *user}, s, r.SessionLimit)
		if !started { // changed again since: they sign in by what counts now
			return nil, err
		}
		return user, err
	})
	if err != nil {
		return nil, err
	}
	payload.Session, payload.Tokens = in.Session, in.Tokens
	return payload, nil
}
