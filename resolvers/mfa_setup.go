package resolvers

import (
	"context"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
	"github.com/dragoman-auth/dragoman/internal/fault"
	"github.com/dragoman-auth/dragoman/internal/identity"
	"github.com/dragoman-auth/dragoman/internal/limit"
	"github.com/dragoman-auth/dragoman/internal/totp"
)

const maxAuthenticatorName = 100 // code points

// enroller is who sets up an authenticator app: a person in a session, or one whose sign-in waits for it.
type enroller struct {
	user      *db.User
	session   db.SessionID
	challenge *db.Challenge
}

// enroller finds who sets up an app. A session must have proved itself lately (MF-08), by a second factor where the
// account has one.
func (r *resolver) enroller(ctx context.Context, challenge *string) (*enroller, error) {
	if challenge != nil && *challenge != "" {
		c, err := r.challenge(ctx, *challenge)
		if err != nil {
			return nil, err
		}
		if c.User.MFAEnabledAt != nil {
			return nil, errChallenge() // it is answered by a code
		}
		return &enroller{user: &c.User, session: c.Session.ID, challenge: c}, nil
	}
	if _, err := r.requiresAuth(ctx, nil, func(context.Context) (any, error) { return nil, nil }, nil); err != nil {
		return nil, err
	}
	if err := limit.Enter(ctx); err != nil {
		return nil, err
	}
	c, err := r.person(ctx)
	if err != nil {
		return nil, err
	}
	if r.sudoEnd(ctx, &c.Caller.Session) == nil {
		return nil, r.sudoRequired(ctx, c, actions[fieldName(ctx)])
	}
	if err := r.factorRequired(ctx, c); err != nil {
		return nil, err
	}
	return &enroller{user: &c.User, session: c.Caller.Session.ID}, nil
}

// SetupTotp is Mutation.setupTotp.
func (r *resolver) SetupTotp(ctx context.Context, input graph.SetupTotpInput) (*graph.SetupTotpPayload, error) {
	payload, err := r.setupTotp(ctx, input)
	if err != nil {
		errs, err := userErrors(r.record(ctx, err, db.Event{Action: db.ActionMfaEnrolmentStarted}))
		return &graph.SetupTotpPayload{UserErrors: errs}, err
	}
	return payload, nil
}

func (r *resolver) setupTotp(ctx context.Context, input graph.SetupTotpInput) (*graph.SetupTotpPayload, error) {
	by, err := r.enroller(ctx, input.ChallengeToken.Value())
	if err != nil {
		return nil, err
	}
	if r.MfaPolicy.Off {
		return nil, fault.New(fault.FeatureDisabled, "This server has no second factors.")
	}
	name, err := identity.Text(input.Name, maxAuthenticatorName)
	if err != nil {
		return nil, atField(err, "name")
	}
	raw := totp.NewSecret()
	shown, err := totp.Enrol(raw, r.MfaIssuer, accountName(by.user))
	if err != nil {
		return nil, err
	}
	app := &db.Authenticator{ID: db.NewAuthenticatorID(), UserID: by.user.ID, Name: name, CreatedAt: r.now()}
	if app.Sealed, err = r.Sealing.Seal(raw, totp.SealedAt(by.user.ID)); err != nil {
		return nil, err
	}
	added, err := r.DB.AddAuthenticator(ctx, app, by.session)
	if err == nil && !added {
		err = fault.New(fault.Conflict, "The account has as many authenticator apps as it may have. Remove one first.")
	}
	if err != nil {
		return nil, err
	}
	return &graph.SetupTotpPayload{
		Enrolment: &graph.TotpEnrolment{
			ID: app.ID.String(), Secret: shown.Secret.Reveal(), OtpauthURI: shown.URI.Reveal(),
			QRCodeDataURI: shown.QRCode.Reveal(), ExpiresAt: app.CreatedAt.Add(db.EnrolmentLives),
		},
		UserErrors: noErrors(),
	}, nil
}

// accountName is what an app shows beside the issuer.
func accountName(u *db.User) string {
	for _, name := range []*string{u.CurrentEmail(), u.Username} {
		if name != nil {
			return *name
		}
	}
	return u.ID.String()
}

// ConfirmTotp is Mutation.confirmTotp.
func (r *resolver) ConfirmTotp(ctx context.Context, input graph.ConfirmTotpInput) (*graph.ConfirmTotpPayload, error) {
	payload, err := r.confirmTotp(ctx, input)
	forget(ctx)
	if err != nil {
		errs, err := userErrors(r.record(ctx, err, db.Event{Action: db.ActionMfaAdded}))
		return &graph.ConfirmTotpPayload{UserErrors: errs}, err
	}
	return payload, nil
}

func (r *resolver) confirmTotp(ctx context.Context, input graph.ConfirmTotpInput) (*graph.ConfirmTotpPayload, error) {
	if err := r.checkDelivery(ctx, input.TokenDelivery); err != nil {
		return nil, err
	}
	by, err := r.enroller(ctx, input.ChallengeToken.Value())
	if err != nil {
		return nil, err
	}
	app, step, err := r.firstCode(ctx, by, input)
	if err != nil {
		return nil, err
	}
	codes, hashes, short := r.newRecoveryCodes(ctx, by.user.ID)
	now := r.now()
	e := &db.Enrolment{
		FactorChange: db.FactorChange{
			User: by.user.ID, Session: by.session, Version: by.user.AuthVersion, Codes: hashes, Short: short,
			Mails: r.factorNotice(ctx, db.FactorAdded, by.user, app.Name),
		},
		Authenticator: app.ID, Step: step, Challenge: by.challenge,
	}
	p := proof{
		user: by.user, method: db.AuthTOTP, device: r.deviceID(ctx), at: now, delivery: input.TokenDelivery,
		shown: orNewDevice(by.user, r.shownDevice(ctx, nil), now),
	}
	if by.challenge != nil {
		if e.Pass, err = r.pass(ctx, by.challenge, p); err != nil {
			return nil, err
		}
	}
	done, withCodes, err := r.DB.ConfirmAuthenticator(ctx, e, now)
	switch {
	case err != nil:
		return nil, err
	case !done:
		return nil, fault.New(fault.NotFound, "This set-up has ended. Begin it again.", "input", "id")
	}
	return r.confirmed(ctx, by, e, p, app, codes, withCodes)
}

// confirmed is the answer to a first right code.
func (r *resolver) confirmed(
	ctx context.Context, by *enroller, e *db.Enrolment, p proof, app *db.Authenticator, codes []string, withCodes bool,
) (*graph.ConfirmTotpPayload, error) {
	app.ConfirmedAt, app.LastUsedAt = &p.at, &p.at
	user, err := r.DB.User(ctx, by.user.ID)
	if err != nil {
		return nil, err
	}
	payload := &graph.ConfirmTotpPayload{User: user, Authenticator: app, UserErrors: noErrors()}
	if withCodes {
		payload.RecoveryCodes = codes
	}
	if e.Pass == nil {
		return payload, nil
	}
	login, err := r.handOut(ctx, p, user, e.Pass.Session)
	if err != nil {
		return nil, err
	}
	payload.Tokens, payload.Session, payload.DeviceToken = login.Tokens, login.Session, login.DeviceToken
	return payload, nil
}

// firstCode checks the code of an app that waits for its first one. Whoever has the secret needs no guesses, so tries
// are not counted.
func (r *resolver) firstCode(
	ctx context.Context, by *enroller, input graph.ConfirmTotpInput,
) (*db.Authenticator, int64, error) {
	gone := fault.New(fault.NotFound, "This set-up has ended. Begin it again.", "input", "id")
	var id db.AuthenticatorID
	if id.UnmarshalText([]byte(input.ID)) != nil {
		return nil, 0, gone
	}
	now := r.now()
	app, err := r.DB.AuthenticatorOf(ctx, by.user.ID, id)
	switch {
	case err != nil:
		return nil, 0, err
	case app == nil, app.ConfirmedAt != nil, !app.CreatedAt.After(now.Add(-db.EnrolmentLives)):
		return nil, 0, gone
	}
	raw, err := r.Sealing.Open(app.Sealed, totp.SealedAt(by.user.ID))
	if err != nil {
		return nil, 0, gone
	}
	code := cleanCode(input.Code)
	if !totp.IsCode(code) {
		return nil, 0, malformedCode()
	}
	step, ok := totp.Step(raw, code, now)
	if !ok {
		return nil, 0, r.wrongCode(ctx, shownCode{user: by.user, action: db.ActionMfaAdded, session: by.session})
	}
	return app, step, nil
}
