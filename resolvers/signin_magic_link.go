package resolvers

import (
	"context"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
)

// RequestMagicLink is Mutation.requestMagicLink.
func (r *resolver) RequestMagicLink(ctx context.Context, input graph.RequestMagicLinkInput) (*graph.BasicPayload, error) {
	return r.askMail(ctx, "request_magic_link", db.MailMagicLink, input.Email)
}

// LoginWithMagicLink is Mutation.loginWithMagicLink.
func (r *resolver) LoginWithMagicLink(ctx context.Context, input graph.LoginWithMagicLinkInput) (*graph.LoginPayload, error) {
	payload, err := r.loginWithMagicLink(ctx, input)
	forget(ctx)
	if err != nil {
		errs, err := refused(err)
		return &graph.LoginPayload{UserErrors: errs}, err
	}
	return payload, nil
}

func (r *resolver) loginWithMagicLink(ctx context.Context, input graph.LoginWithMagicLinkInput) (*graph.LoginPayload, error) {
	s := shown{
		text: input.Token, email: input.Email.Value(), action: "login_with_magic_link", purposes: []db.Purpose{db.PurposeMagicLink},
	}
	if err := r.canDeliver(ctx, input.TokenDelivery); err != nil {
		return nil, r.record(ctx, err, db.Event{Action: s.action})
	}
	m, err := r.mailed(ctx, s)
	if err != nil {
		return nil, err
	}
	p := proof{user: &m.User, method: db.AuthMagicLink, at: r.now(), delivery: input.TokenDelivery}
	return r.startSession(ctx, p, func(session *db.Session) (*db.User, error) {
		user, why, err := r.redeem(ctx, s, m, func(m *db.TokenWithUser) (*db.User, error) {
			return r.DB.LoginByMail(ctx, m, session, r.SessionLimit)
		})
		if err == nil && why != "" {
			err = r.deadMail(ctx, s.action, m.User.ID, why)
		}
		return user, err
	})
}
