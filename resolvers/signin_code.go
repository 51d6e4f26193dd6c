package resolvers

import (
	"context"
	"slices"
	"strings"

	"github.com/99designs/gqlgen/graphql"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
	"github.com/dragoman-auth/dragoman/internal/fault"
	"github.com/dragoman-auth/dragoman/internal/identity"
	"github.com/dragoman-auth/dragoman/internal/limit"
)

// RequestLoginCode is Mutation.requestLoginCode.
func (r *resolver) RequestLoginCode(
	ctx context.Context, input graph.RequestLoginCodeInput,
) (*graph.BasicPayload, error) {
	e := db.Event{Action: db.ActionLoginCodeRequested}
	email, phone, err := oneWay(input.Email, input.Phone)
	switch {
	case err != nil:
		return r.basicPayload(ctx, e, err)
	case email != nil:
		return r.requestMail(ctx, e.Action, db.MailLoginCode, *email, input.ReturnTo)
	}
	return r.basicPayload(ctx, e, r.requestLoginSMS(ctx, e, *phone))
}

// oneWay gives the address or the number.
func oneWay(email, phone graphql.Omittable[*string]) (mail, number *string, err error) {
	mail, number = email.Value(), phone.Value()
	if (mail == nil) == (number == nil) {
		err = fault.New(fault.InvalidInput, "Give the email or the phone, one of them.", "input")
	}
	return mail, number, err
}

// loginNumber reads the number of a sign-in.
func (r *resolver) loginNumber(text string) (string, error) {
	if !r.SMSLogin {
		return "", fault.New(fault.FeatureDisabled, "This server signs nobody in by a message to a phone.")
	}
	phone, err := identity.Phone(text)
	if err != nil {
		return "", atField(err, "phone")
	}
	if !r.Countries.Allows(phone) {
		return "", errCountry()
	}
	return phone, nil
}

// requestLoginSMS queues a message for whoever has a number. Statements and answer are the same for every number.
func (r *resolver) requestLoginSMS(ctx context.Context, e db.Event, text string) error {
	phone, err := r.loginNumber(text)
	if err != nil {
		return err
	}
	if err := limit.Enter(ctx); err != nil {
		return err
	}
	m := r.sms(ctx, db.SMSLogin, db.UserID{}, phone)
	return r.DB.AskSMS(ctx, e, m, m.CreatedAt)
}

// LoginWithCode is Mutation.loginWithCode.
func (r *resolver) LoginWithCode(ctx context.Context, input graph.LoginWithCodeInput) (*graph.LoginPayload, error) {
	payload, err := r.loginWithCode(ctx, input)
	forget(ctx)
	if err != nil {
		errs, err := userErrors(r.record(ctx, err, db.Event{Action: db.ActionLoginSucceeded}))
		for _, e := range errs {
			if slices.Equal(e.Field, []string{"input", "token"}) { // the input has a code where that of a link has a token
				e.Field = []string{"input", "code"}
			}
		}
		return &graph.LoginPayload{UserErrors: errs}, err
	}
	return payload, nil
}

func (r *resolver) loginWithCode(ctx context.Context, input graph.LoginWithCodeInput) (*graph.LoginPayload, error) {
	email, phone, err := oneWay(input.Email, input.Phone)
	switch {
	case err != nil:
		return nil, err
	case phone != nil:
		return r.loginBySMS(ctx, *phone, input)
	case !isSixDigits(strings.ReplaceAll(input.Code, " ", "")): // nor the token of a link
		limit.Worthless(ctx)
		return nil, errPhoneCode()
	}
	return r.loginByMail(ctx, db.AuthEmailCode, graph.LoginWithMagicLinkInput{
		Token: input.Code, Email: graphql.OmittableOf(email), StartEmpty: input.StartEmpty,
		DeviceToken: input.DeviceToken, TokenDelivery: input.TokenDelivery,
	})
}

// loginBySMS signs in by the code of a message to a confirmed number.
func (r *resolver) loginBySMS(
	ctx context.Context, text string, input graph.LoginWithCodeInput,
) (*graph.LoginPayload, error) {
	phone, err := r.loginNumber(text)
	if err != nil {
		return nil, err
	}
	if err := r.checkDelivery(ctx, input.TokenDelivery); err != nil {
		return nil, err
	}
	shown := r.shownDevice(ctx, input.DeviceToken.Value())
	m, err := r.phoneCode(ctx, input.Code, &db.PhoneTry{
		Phone: phone, Purpose: db.SMSLogin, Shown: shown, Action: db.ActionLoginSucceeded, Closed: r.closedNotice(ctx),
	})
	if err != nil {
		return nil, err
	}
	user, err := r.DB.User(ctx, m.UserID)
	switch {
	case err != nil:
		return nil, err
	case user == nil:
		return nil, errPhoneCode()
	case r.RequireVerifiedEmail && !user.EmailVerified():
		return nil, fault.New(fault.NotVerified, "Confirm your email address first.")
	}
	p := proof{
		user: user, method: db.AuthSMS, device: r.deviceID(ctx), shown: shown, at: r.now(),
		delivery: input.TokenDelivery,
	}
	payload, err := r.startSession(ctx, p, func(s *db.Session) (*db.User, error) {
		var notice []*db.Mail
		if !shown.Counts(user) {
			notice = r.mailNotice(ctx, db.MailNewSignIn, user, db.MailData{})
		}
		return r.DB.LoginBySMS(ctx, m, user, s, r.SessionLimit, notice)
	})
	if err == nil && payload.Session == nil && payload.Challenge == nil {
		err = errPhoneCode()
	}
	return payload, err
}
