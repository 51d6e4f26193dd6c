package resolvers

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
	"github.com/dragoman-auth/dragoman/internal/limit"
	"github.com/dragoman-auth/dragoman/internal/visit"
)

// VerifyMfa is Mutation.verifyMfa.
func (r *resolver) VerifyMfa(ctx context.Context, input graph.VerifyMfaInput) (*graph.LoginPayload, error) {
	payload, err := r.verifyMfa(ctx, input)
	forget(ctx)
	if err != nil {
		errs, err := userErrors(r.record(ctx, err, db.Event{Action: db.ActionLoginChallenged}))
		return &graph.LoginPayload{UserErrors: errs}, err
	}
	return payload, nil
}

func (r *resolver) verifyMfa(ctx context.Context, input graph.VerifyMfaInput) (*graph.LoginPayload, error) {
	if err := r.checkDelivery(ctx, input.TokenDelivery); err != nil {
		return nil, err
	}
	c, err := r.challenge(ctx, input.ChallengeToken)
	if err != nil {
		return nil, err
	}
	shown := r.shownDevice(ctx, input.DeviceToken.Value())
	code := shownCode{
		user: &c.User, challenge: c.Session.ID, method: input.Method, text: input.Code, shown: shown,
		action: db.ActionLoginChallenged, session: c.Session.ID,
	}
	used, err := r.checkCode(ctx, code)
	if err != nil {
		return nil, err
	}
	now := r.now()
	p := proof{
		user: &c.User, method: authMethod(input.Method), device: r.deviceID(ctx),
		shown: orNewDevice(&c.User, shown, now), at: now, delivery: input.TokenDelivery,
	}
	pass, err := r.pass(ctx, c, p)
	if err != nil {
		return nil, err
	}
	pass.Remember = remembers(input.RememberDevice, p.shown.Device)
	passed, err := r.DB.PassChallenge(ctx, c, used, pass, p.at)
	switch {
	case err != nil:
		return nil, err
	case !passed:
		return nil, r.wrongCode(ctx, code)
	}
	return r.handOut(ctx, p, &c.User, pass.Session)
}

// challenge finds a sign-in that waits for its second factor. It is bound to the API in which it began, or ours, and to
// the program that began it (MF-04).
func (r *resolver) challenge(ctx context.Context, text string) (*db.Challenge, error) {
	id, err := r.Codec.ParseChallenge(text)
	if err != nil {
		limit.Worthless(ctx)
		return nil, errChallenge()
	}
	if err := limit.Enter(ctx); err != nil {
		return nil, err
	}
	c, err := r.DB.Challenge(ctx, db.SessionIDFrom(id))
	if err != nil {
		return nil, err
	}
	v := visit.From(ctx)
	switch {
	case c == nil, !c.Waits(r.now()):
		return nil, errChallenge()
	case r.Profiles[v.Dialect] != nil && v.Dialect != c.Session.Dialect:
		return nil, errChallenge()
	case device(c.Session.UserAgent).Name != device(nilIfEmpty(v.UserAgent)).Name:
		return nil, errChallenge()
	}
	return c, nil
}

// pass describes the session that a challenge becomes.
func (r *resolver) pass(ctx context.Context, c *db.Challenge, p proof) (*db.Pass, error) {
	form, s := r.profile(ctx), c.Session
	s.Methods = append(slices.Clone(s.Methods), p.method)
	s.AuthAt, s.FactorAt, s.LastUsedAt, s.ProvedBy = p.at, &p.at, p.at, p.method
	s.RevokedAt, s.RevokedReason, s.Device = nil, nil, p.device
	s.UserAgent, s.IP = nilIfEmpty(visit.From(ctx).UserAgent), nilIfEmpty(clientIP(ctx))
	s.AbsoluteEnd = p.at.Add(cmp.Or(form.SessionTTL, r.SessionTTL))
	s.IdleSeconds = int(cmp.Or(form.Refresh.TTL, r.SessionIdle) / time.Second)
	s.Generation = 0
	if p.delivery != graph.TokenDeliveryBody {
		s.Generation = db.NoRefresh
	}
	if err := r.validateClaims(ctx, p.user, &s); err != nil {
		return nil, err
	}
	return &db.Pass{
		Session: &s, Limit: r.SessionLimit, Remembered: p.at.Add(rememberFor),
		NewDevice: r.mailNotice(ctx, db.MailNewSignIn, p.user, db.MailData{}),
	}, nil
}

// authMethod is the method that a session has by a second factor.
func authMethod(m db.MfaMethod) db.AuthMethod {
	if m == db.MfaRecovery {
		return db.AuthRecovery
	}
	return db.AuthTOTP
}
