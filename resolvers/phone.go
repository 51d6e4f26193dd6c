package resolvers

import (
	"cmp"
	"context"
	"strings"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
	"github.com/dragoman-auth/dragoman/internal/fault"
	"github.com/dragoman-auth/dragoman/internal/identity"
	"github.com/dragoman-auth/dragoman/internal/limit"
	"github.com/dragoman-auth/dragoman/internal/visit"
)

// phoneCodeLives is how long the code of a message to a phone is good.
const phoneCodeLives = 10 * time.Minute

func errNoSMS() error {
	return fault.New(fault.FeatureDisabled, "This server sends no messages to phones.")
}

// SendPhoneCode is Mutation.sendPhoneCode.
func (r *resolver) SendPhoneCode(ctx context.Context, input *graph.SendPhoneCodeInput) (*graph.BasicPayload, error) {
	c, err := r.ownPhone(ctx)
	if err != nil {
		return nil, err
	}
	e := db.Event{Action: db.ActionPhoneCodeRequested, User: c.User.ID, Sess: c.Caller.Session.ID}
	var given *string
	if input != nil {
		given = input.Phone.Value()
	}
	return r.basicPayload(ctx, e, r.sendPhoneCode(ctx, c, given, e))
}

// ownPhone gives the signed-in person. An API key neither confirms nor changes a number.
func (r *resolver) ownPhone(ctx context.Context) (*caller, error) {
	c, err := r.person(ctx)
	if err != nil {
		return nil, err
	}
	if c.kind == graph.CredentialKindAPIKey {
		return nil, r.forbidden(ctx, c, nil)
	}
	return c, nil
}

func (r *resolver) sendPhoneCode(ctx context.Context, c *caller, given *string, e db.Event) error {
	phone, err := r.numberOf(c, given)
	if err != nil {
		return err
	}
	if !r.Countries.Allows(phone) {
		return errCountry()
	}
	if c.User.PhoneVerified() && *c.User.Phone == phone {
		return fault.New(fault.Conflict, "This number is confirmed already.")
	}
	if err := cmp.Or(limit.Enter(ctx), r.countMutation(ctx, c)); err != nil {
		return err
	}
	if changed := c.User.Phone == nil || *c.User.Phone != phone; changed && r.sudoEnd(ctx, &c.Caller.Session) == nil {
		return r.sudoRequired(ctx, c, e.Action)
	}
	m := r.sms(ctx, db.SMSVerifyPhone, c.User.ID, phone)
	over, lasts, err := r.DB.SMSLimited(ctx, m, m.CreatedAt)
	switch {
	case err != nil:
		return err
	case over != "":
		return fault.Wait(fault.RateLimited, "Too many codes were sent: wait before you ask for another one.", lasts)
	}
	return r.DB.AskSMS(ctx, e, m, m.CreatedAt)
}

// numberOf reads a number, or gives that of the account.
func (r *resolver) numberOf(c *caller, given *string) (string, error) {
	switch {
	case r.SMSOff:
		return "", errNoSMS()
	case given != nil:
		phone, err := identity.Phone(*given)
		return phone, atField(err, "phone")
	case c.User.Phone == nil:
		return "", fault.New(fault.InvalidInput, "Your account has no phone number: give one.", "input", "phone")
	}
	return *c.User.Phone, nil
}

func errCountry() error {
	return fault.New(fault.InvalidInput, "This server sends no messages to phones of that country.", "input", "phone")
}

// sms makes a message about this request, for db to queue. The zero user stands for whoever has the number when the
// message is resolved, if anybody has.
func (r *resolver) sms(ctx context.Context, purpose db.SMSPurpose, user db.UserID, phone string) *db.SMS {
	v, now := visit.From(ctx), r.now()
	return &db.SMS{
		ID: db.NewSMSID(), Purpose: purpose, UserID: user, Phone: phone, Country: r.Countries.Of(phone),
		Network: r.Addresses.Network(v.Network()), Locale: v.Languages, Dialect: v.Dialect, State: db.MailQueued,
		CreatedAt: now, ExpiresAt: now.Add(phoneCodeLives),
	}
}

// firstPhoneCode asks for a code to the number of a new account, where that is wanted and can be.
func (r *resolver) firstPhoneCode(ctx context.Context, u *db.User, wanted bool) (requested bool, err error) {
	if !wanted || u.Phone == nil || r.SMSOff || !r.Countries.Allows(*u.Phone) {
		return false, nil
	}
	e := db.Event{Action: db.ActionPhoneCodeRequested, User: u.ID}
	return true, r.DB.AskSMS(ctx, e, r.sms(ctx, db.SMSVerifyPhone, u.ID, *u.Phone), r.now())
}

// VerifyPhone is Mutation.verifyPhone.
func (r *resolver) VerifyPhone(ctx context.Context, input graph.VerifyPhoneInput) (*graph.UserPayload, error) {
	c, err := r.ownPhone(ctx)
	if err != nil {
		return nil, err
	}
	user, err := r.verifyPhone(ctx, c, input)
	forget(ctx)
	if err != nil {
		err = r.record(ctx, err, db.Event{
			Action: db.ActionPhoneVerified, User: c.User.ID, Sess: c.Caller.Session.ID,
		})
		errs, err := userErrors(err)
		return &graph.UserPayload{UserErrors: errs}, err
	}
	return &graph.UserPayload{User: user, UserErrors: noErrors()}, nil
}

func (r *resolver) verifyPhone(ctx context.Context, c *caller, input graph.VerifyPhoneInput) (*db.User, error) {
	phone, err := r.numberOf(c, input.Phone.Value())
	if err != nil {
		return nil, err
	}
	m, err := r.phoneCode(ctx, input.Code, &db.PhoneTry{
		Phone: phone, Purpose: db.SMSVerifyPhone, Owner: c.User.ID, Action: db.ActionPhoneVerified,
		Account: r.Addresses.PhoneTries(c.User.ID.String(), db.SMSVerifyPhone),
	})
	if err != nil {
		return nil, err
	}
	user, err := r.DB.VerifyPhone(ctx, c.Caller, m, r.phoneMails(ctx), r.now())
	if err == nil && user == nil {
		err = errPhoneCode()
	}
	return user, err
}

// phoneCode finds the message whose code somebody typed. A wrong code has its event already.
func (r *resolver) phoneCode(ctx context.Context, text string, try *db.PhoneTry) (*db.SMS, error) {
	code := strings.ReplaceAll(text, " ", "")
	if !isSixDigits(code) {
		limit.Worthless(ctx)
		return nil, errPhoneCode()
	}
	if err := limit.Enter(ctx); err != nil {
		return nil, err
	}
	try.Number = r.Addresses.PhoneTries(try.Phone, try.Purpose)
	if try.Account == nil {
		try.Account = try.Number
	}
	try.Right = func(m *db.SMS) bool { return r.Codec.IsPhoneCode(m.ID.UUID, m.UserID.UUID, m.Phone, code) }
	m, err := r.DB.TryPhoneCode(ctx, try, r.now())
	if err == nil && m == nil {
		r.logFailure(ctx, try.Action, "wrong_code")
		err = auditedError{errPhoneCode()}
	}
	return m, err
}

// isSixDigits tells whether a text can be a code.
func isSixDigits(text string) bool { return len(text) == 6 && strings.Trim(text, "0123456789") == "" }

func errPhoneCode() error {
	return fault.New(fault.InvalidToken, "This code is wrong, used or too old. Ask for another one.", "input", "code")
}

// RemovePhone is Mutation.removePhone.
func (r *resolver) RemovePhone(ctx context.Context) (*graph.UserPayload, error) {
	c, err := r.ownPhone(ctx)
	if err != nil {
		return nil, err
	}
	notice := r.phoneNotice(ctx, &c.User, c.User.Phone, db.PhoneRemoved)
	user, err := r.DB.RemovePhone(ctx, c.Caller, notice, r.now())
	forget(ctx)
	if err == nil && user == nil {
		err = fault.New(fault.Conflict, "Your account has no phone number.")
	}
	if err != nil {
		err = r.record(ctx, err, db.Event{Action: db.ActionPhoneRemoved, User: c.User.ID, Sess: c.Caller.Session.ID})
		errs, err := userErrors(err)
		return &graph.UserPayload{UserErrors: errs}, err
	}
	return &graph.UserPayload{User: user, UserErrors: noErrors()}, nil
}
