package resolvers

import (
	"context"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
	"github.com/dragoman-auth/dragoman/internal/fault"
)

// RequestMagicLink is Mutation.requestMagicLink.
func (r *resolver) RequestMagicLink(
	ctx context.Context, input graph.RequestMagicLinkInput,
) (*graph.BasicPayload, error) {
	action, returnTo := db.ActionMagicLinkRequested, ""
	if wanted := input.ReturnTo.Value(); wanted != nil {
		var allowed bool
		if returnTo, allowed = r.Returns.Allows(*wanted); !allowed {
			return r.basicPayload(ctx, db.Event{Action: action}, errReturnTo())
		}
	}
	return r.requestMail(ctx, action, db.MailMagicLink, input.Email, returnTo)
}

func errReturnTo() error {
	return fault.New(fault.InvalidInput, "This server does not lead back to that address. "+
		"DRAGOMAN_RETURN_URLS of the server lists those that it does, by scheme, host, port and path.", "input",
		"returnTo")
}

// LoginWithMagicLink is Mutation.loginWithMagicLink.
func (r *resolver) LoginWithMagicLink(
	ctx context.Context, input graph.LoginWithMagicLinkInput,
) (*graph.LoginPayload, error) {
	payload, err := r.loginWithMagicLink(ctx, input)
	forget(ctx)
	if err != nil {
		errs, err := userErrors(err)
		return &graph.LoginPayload{UserErrors: errs}, err
	}
	return payload, nil
}

func (r *resolver) loginWithMagicLink(
	ctx context.Context, input graph.LoginWithMagicLinkInput,
) (*graph.LoginPayload, error) {
	in := tokenInput{
		text: input.Token, email: input.Email.Value(), action: db.ActionLoginSucceeded,
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
		method:   db.AuthMagicLink,
		shown:    r.shownDevice(ctx, input.DeviceToken.Value()),
		at:       r.now(),
		delivery: input.TokenDelivery,
	}
	tookOver := false
	payload, err := r.startSession(ctx, p, func(session *db.Session) (*db.User, error) {
		return r.redeem(ctx, in, m, func(m *db.TokenWithUser) (*db.User, error) {
			tookOver = m.TakesOver()
			return orStale(r.DB.LoginByMail(ctx, m, &db.MailLogin{
				Session: session, Limit: r.SessionLimit, StartEmpty: input.StartEmpty, Mails: r.takeOverNotice(ctx, m),
			}))
		})
	})
	if err != nil {
		return nil, err
	}
	if tookOver {
		payload.TakeOver = takenOver(payload.User)
	}
	// The list may have become shorter since the mail was requested.
	if to, allowed := r.Returns.Allows(m.Token.ReturnTo); allowed {
		payload.ReturnTo = &to
	}
	return payload, nil
}
