package resolvers

import (
	"context"
	"slices"
	"strings"

	"github.com/99designs/gqlgen/graphql"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
)

// RequestPasswordReset is Mutation.requestPasswordReset.
func (r *resolver) RequestPasswordReset(
	ctx context.Context, input graph.RequestPasswordResetInput,
) (*graph.BasicPayload, error) {
	return r.requestMail(ctx, db.ActionPasswordResetRequested, db.MailResetPassword, input.Email,
		input.ReturnTo)
}

// ResetPassword is Mutation.resetPassword.
func (r *resolver) ResetPassword(
	ctx context.Context, input graph.ResetPasswordInput,
) (*graph.ResetPasswordPayload, error) {
	payload, err := r.resetPassword(ctx, input)
	forget(ctx)
	if err != nil {
		errs, err := userErrors(err)
		return &graph.ResetPasswordPayload{UserErrors: errs}, err
	}
	return payload, nil
}

// resetPassword redeems the token last: a weak password, and a server too busy to hash, leave it redeemable. No
// connection of the database waits for the hash.
func (r *resolver) resetPassword(
	ctx context.Context, input graph.ResetPasswordInput,
) (*graph.ResetPasswordPayload, error) {
	in := tokenInput{
		text: input.Token, email: input.Email.Value(), action: db.ActionPasswordReset,
		purposes: []db.Purpose{db.PurposeResetPassword},
	}
	m, err := r.redeemableToken(ctx, in)
	if err != nil {
		return nil, err
	}
	note, err := r.checkNewPassword(ctx, input.NewPassword, &m.User)
	if err != nil {
		return nil, r.record(ctx, atField(err, "newPassword"), db.Event{Action: in.action, User: m.User.ID})
	}
	if input.RevokeAPIKeys {
		note = strings.TrimSpace(note + " " + db.NoteKeysEnded)
	}
	hash, err := r.Hasher.Hash(ctx, input.NewPassword)
	if err != nil {
		return nil, err
	}
	tookOver := false
	user, err := r.redeem(ctx, in, m, func(m *db.TokenWithUser) (*db.User, error) {
		tookOver = m.TakesOver()
		return orStale(r.DB.ResetPassword(ctx, m, &db.Reset{
			Hash: hash, StartEmpty: input.StartEmpty, EndKeys: input.RevokeAPIKeys, Note: note,
			Mails: r.mailNotice(ctx, db.MailPassword, &m.User, db.MailData{}),
		}, r.now()))
	})
	if err != nil {
		return nil, err
	}
	payload, err := r.afterReset(ctx, user)
	if err == nil {
		payload.ReturnTo = r.goesOn(m)
	}
	if err == nil && tookOver {
		payload.TakeOver = takenOver(user)
	}
	if err == nil && slices.Contains(graphql.CollectAllFields(ctx), "apiKeys") {
		payload.APIKeys, err = r.DB.Keys(ctx, user.ID, r.now())
	}
	return payload, err
}

// takenOver says what a take-over made of an account, for whoever typed a code and could not look before (OT-57).
func takenOver(user *db.User) *graph.TakeOver {
	t := &graph.TakeOver{PasswordMissing: user.PasswordHash == ""}
	if !user.Invited {
		t.Username, t.Name, t.Metadata = user.Username, user.Name, user.Metadata
	}
	return t
}

// afterReset starts a session only in a dialect that documents it (OT-09). A reset proves the mailbox alone, and must
// not skip what a sign-in asks beyond the password.
func (r *resolver) afterReset(ctx context.Context, user *db.User) (*graph.ResetPasswordPayload, error) {
	payload := &graph.ResetPasswordPayload{User: user, UserErrors: noErrors()}
	if !r.profile(ctx).SignInAfterReset {
		return payload, nil
	}
	// The method is a magic link: the token came by mail.
	p := proof{
		user: user, method: db.AuthMagicLink, shown: r.shownDevice(ctx, nil), at: r.now(),
		delivery: graph.TokenDeliveryBody,
	}
	login, err := r.startSession(ctx, p, func(s *db.Session) (*db.User, error) {
		started, err := r.DB.Login(ctx, &db.Attempt{User: *user}, s, r.SessionLimit)
		if !started { // the account changed again: there is no session
			return nil, err
		}
		return user, err
	})
	if err != nil {
		return nil, err
	}
	payload.Session, payload.Tokens, payload.Challenge = login.Session, login.Tokens, login.Challenge
	return payload, nil
}
