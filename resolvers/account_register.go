package resolvers

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
	"github.com/dragoman-auth/dragoman/internal/fault"
	"github.com/dragoman-auth/dragoman/internal/limit"
)

// Register is Mutation.register.
func (r *resolver) Register(ctx context.Context, input graph.RegisterInput) (*graph.RegisterPayload, error) {
	payload, err := r.register(ctx, input)
	if err != nil {
		errs, err := userErrors(r.record(ctx, err, db.Event{Action: db.ActionUserCreated}))
		return &graph.RegisterPayload{UserErrors: errs}, err
	}
	return payload, nil
}

func (r *resolver) register(ctx context.Context, input graph.RegisterInput) (*graph.RegisterPayload, error) {
	if !r.RegistrationOpen {
		return nil, fault.New(fault.FeatureDisabled, "This server does not take new accounts.")
	}
	if err := r.checkDelivery(ctx, input.TokenDelivery); err != nil {
		return nil, err
	}
	if r.MailOff && input.SendPasswordSetupEmail && input.Password.Value() == nil {
		return nil, errNoMail() // nobody could ever sign in
	}
	user, err := r.newUser(input)
	if err != nil {
		return nil, err
	}
	returnTo, err := r.returnTo(input.ReturnTo)
	if err != nil {
		return nil, err
	}
	notes, err := r.firstPassword(ctx, user, input)
	if err != nil {
		return nil, err
	}
	if r.RequireVerifiedEmail {
		return r.registerConfirmed(ctx, input, user, returnTo, notes)
	}
	return r.registerOpen(ctx, input, user, leadOn(returnTo, r.firstMails(ctx, user, input)...), notes)
}

// registerConfirmed registers where the address must be confirmed first. It makes no account: the registration waits
// until somebody proves the address. Statements and answer are the same for every address; only the owner of the
// mailbox learns the difference (LG-04, OT-43). The device token is the proof of who registered (OT-45).
func (r *resolver) registerConfirmed(
	ctx context.Context, input graph.RegisterInput, user *db.User, returnTo string, notes []string,
) (*graph.RegisterPayload, error) {
	chosen := input.Password.Value() != nil
	m := r.mail(ctx, db.MailVerifyEmail, db.UserID{}, *user.Email, user.EmailCanonical)
	leadOn(returnTo, m)
	m.RegistrationID = user.ID
	g := &db.Registration{
		ID: user.ID, Address: *user.Email, AddressCanonical: user.EmailCanonical, Username: user.Username,
		UsernameCanonical: user.UsernameCanonical, Name: user.Name, Phone: user.Phone, Metadata: user.Metadata,
		Locale:  user.Locale,
		Dialect: m.Dialect, SendWelcome: input.SendWelcomeEmail,
		SendPasswordSetup: input.SendPasswordSetupEmail && !chosen,
		CreatedAt:         user.CreatedAt, ExpiresAt: user.CreatedAt.Add(time.Duration(m.TTLSeconds) * time.Second),
	}
	if chosen {
		g.PasswordHash = user.PasswordHash
	}
	taken, err := r.DB.AddRegistration(ctx, g, m, notes...)
	if err == nil && taken {
		err = alreadyExists(&db.Taken{Username: true})
	}
	if err != nil {
		return nil, err
	}
	return &graph.RegisterPayload{
		DeviceToken:          r.deliverDevice(ctx, user, db.Shown{}, user.CreatedAt, input.TokenDelivery),
		ConfirmationRequired: true, UserErrors: noErrors(),
	}, nil
}

// registerOpen creates an account that is usable at once, with a session where input.SignIn asks for one.
func (r *resolver) registerOpen(
	ctx context.Context, input graph.RegisterInput, user *db.User, mails []*db.Mail, notes []string,
) (*graph.RegisterPayload, error) {
	var taken *db.Taken
	write := func(s *db.Session) (_ *db.User, err error) {
		taken, err = r.DB.Register(ctx, user, s, mails, notes...)
		if err != nil || taken != nil {
			return nil, err
		}
		return user, nil
	}
	login, err := &graph.LoginPayload{}, error(nil)
	if input.SignIn {
		login, err = r.startSession(ctx, proof{
			user: user, method: db.AuthPassword, at: user.CreatedAt,
			device: r.deviceID(ctx), delivery: input.TokenDelivery,
		}, write)
	} else {
		_, err = write(nil)
	}
	switch {
	case err != nil:
		return nil, err
	case taken != nil:
		return nil, r.takenError(ctx, user, taken)
	}
	requested, err := r.firstPhoneCode(ctx, user, input.SendPhoneCode)
	if err != nil {
		return nil, err
	}
	return &graph.RegisterPayload{
		User: user, Session: login.Session, Tokens: login.Tokens, DeviceToken: login.DeviceToken,
		Challenge: login.Challenge, PhoneCodeRequested: requested,
		UserErrors: noErrors(),
	}, nil
}

// firstPassword sets the password of a new account and gives notes for the audit log. Without a chosen password the
// account gets a random one that nobody learns (PW-17), where input asks for that (PW-20). The hash comes before any
// statement, for a taken name too: no connection waits for it, and the time of the answer does not reveal a taken name.
func (r *resolver) firstPassword(
	ctx context.Context, user *db.User, input graph.RegisterInput,
) (notes []string, err error) {
	chosen := input.Password.Value()
	if chosen == nil && !input.Passwordless && !input.SendPasswordSetupEmail {
		return nil, fault.New(fault.InvalidInput, "Please enter a password.", "input", "password")
	}
	if chosen == nil {
		if err := limit.Enter(ctx); err != nil {
			return nil, err
		}
		user.PasswordHash, err = r.Hasher.Hash(ctx, rand.Text()+rand.Text()) // 260 bits
		return []string{"no_password"}, err
	}
	guessable, err := r.checkPassword(ctx, *chosen, identifiers(user)...)
	if err != nil {
		return nil, atField(err, "password")
	}
	if guessable {
		notes = append(notes, "guessable_password")
	}
	user.PasswordHash, err = r.Hasher.Hash(ctx, *chosen)
	return notes, err
}

// firstMails makes the mails to a new account.
func (r *resolver) firstMails(ctx context.Context, u *db.User, input graph.RegisterInput) (mails []*db.Mail) {
	if r.MailOff {
		return nil
	}
	for _, one := range []struct {
		due  bool
		kind db.MailKind
	}{
		{input.SendVerificationEmail, db.MailVerifyEmail},
		{input.SendPasswordSetupEmail && input.Password.Value() == nil, db.MailSetPassword},
		{input.SendWelcomeEmail, db.MailWelcome},
	} {
		if one.due {
			mails = append(mails, r.mail(ctx, one.kind, u.ID, *u.Email, u.EmailCanonical))
		}
	}
	return mails
}
