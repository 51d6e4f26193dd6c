package resolvers

import (
	"context"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
)

// RequestMagicLink is Mutation.requestMagicLink.
func (r *resolver) RequestMagicLink(
	ctx context.Context, input graph.RequestMagicLinkInput,
) (*graph.BasicPayload, error) {
	return r.requestMail(ctx, db.ActionMagicLinkRequested, db.MailMagicLink, input.Email, input.ReturnTo)
}

// LoginWithMagicLink is Mutation.loginWithMagicLink.
func (r *resolver) LoginWithMagicLink(
	ctx context.Context, input graph.LoginWithMagicLinkInput,
) (*graph.LoginPayload, error) {
	payload, err := r.loginByMail(ctx, db.AuthMagicLink, input)
	forget(ctx)
	if err != nil {
		errs, err := userErrors(err)
		return &graph.LoginPayload{UserErrors: errs}, err
	}
	return payload, nil
}

// loginByMail signs in by what a mail brought: the token of its link, or its code. The method says by which operation.
func (r *resolver) loginByMail(
	ctx context.Context, method db.AuthMethod, input graph.LoginWithMagicLinkInput,
) (*graph.LoginPayload, error) {
	shown := r.shownDevice(ctx, input.DeviceToken.Value())
	in := tokenInput{
		text: input.Token, email: input.Email.Value(), action: db.ActionLoginSucceeded, shown: shown,
		purposes: []db.Purpose{db.PurposeMagicLink},
	}
	if err := r.checkDelivery(ctx, input.TokenDelivery); err != nil {
		return nil, r.record(ctx, err, db.Event{Action: in.action})
	}
	m, err := r.redeemableToken(ctx, in)
	if err != nil {
		return nil, err
	}
	p := proof{
		user:     &m.User,
		method:   method,
		shown:    shown,
		at:       r.now(),
		delivery: input.TokenDelivery, takesOver: m.TakesOver(),
	}
	var tookOver *db.User
	payload, err := r.startSession(ctx, p, func(session *db.Session) (*db.User, error) {
		return r.redeem(ctx, in, m, func(m *db.TokenWithUser) (*db.User, error) {
			p.user, p.takesOver = &m.User, m.TakesOver()
			if err := r.gate(ctx, p, session); err != nil { // the account may have changed since
				return nil, err
			}
			user, err := orStale(r.DB.LoginByMail(ctx, m, &db.MailLogin{
				Session: session, Limit: r.SessionLimit, StartEmpty: input.StartEmpty, Mails: r.takeOverNotice(ctx, m),
			}))
			if p.takesOver {
				tookOver = user
			}
			return user, err
		})
	})
	if err != nil {
		return nil, err
	}
	if tookOver != nil {
		payload.TakeOver = takenOver(tookOver)
	}
	payload.ReturnTo = r.goesOn(m)
	return payload, nil
}
