package resolvers

import (
	"context"
	"crypto/rand"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
	"github.com/dragoman-auth/dragoman/internal/fault"
)

// Register is Mutation.register.
func (r *resolver) Register(ctx context.Context, input graph.RegisterInput) (*graph.RegisterPayload, error) {
	payload, err := r.register(ctx, input)
	if err != nil {
		errs, err := userErrors(r.record(ctx, err, db.Event{Action: "register"}))
		return &graph.RegisterPayload{UserErrors: errs}, err
	}
	return payload, nil
}

// Where the address must be confirmed first, the answer is the same for a new address and for one that is taken, and whose mailbox it
// is learns which (LG-04). The hash is made either way.
func (r *resolver) register(ctx context.Context, input graph.RegisterInput) (*graph.RegisterPayload, error) {
	if !r.RegistrationOpen {
		return nil, fault.New(fault.FeatureDisabled, "This server does not take new accounts.")
	}
	if err := r.checkDelivery(ctx, input.TokenDelivery); err != nil {
		return nil, err
	}
	if r.MailOff && input.SendPasswordSetupEmail && input.Password.Value() == nil {
		return nil, errNoMail() // there would be no way in
	}
	user, err := r.newUser(input)
	if err != nil {
		return nil, err
	}
	notes, err := r.firstPassword(ctx, user, input.Password.Value())
	if err != nil {
		return nil, err
	}
	var taken *db.Taken
	write := func(s *db.Session) (made *db.User, err error) {
		if taken, err = r.DB.Register(ctx, user, s, r.firstMails(ctx, user, input), notes...); taken == nil {
			made = user
		}
		return made, err
	}
	in := &graph.LoginPayload{}
	if input.SignIn && !r.RequireVerifiedEmail {
		p := proof{user: user, method: db.AuthPassword, device: r.deviceID(ctx), at: user.CreatedAt, delivery: input.TokenDelivery}
		in, err = r.startSession(ctx, p, write)
	} else {
		_, err = write(nil)
	}
	if err != nil {
		return nil, err
	}
	if taken != nil {
		err = r.takenError(ctx, user, taken)
		if r.RequireVerifiedEmail && !taken.Username && fault.Is(err, fault.AlreadyExists) {
			err = r.record(ctx, err, db.Event{Action: "register"})
		}
	}
	switch {
	case r.RequireVerifiedEmail && (err == nil || fault.Is(err, fault.AlreadyExists) && !taken.Username):
		return &graph.RegisterPayload{ConfirmationRequired: true, UserErrors: noErrors()}, nil
	case err != nil:
		return nil, err
	}
	return &graph.RegisterPayload{User: user, Session: in.Session, Tokens: in.Tokens, UserErrors: noErrors()}, nil
}

// firstPassword gives a new account its password: one that nobody learns where none was chosen (PW-17). It tells what the log shall
// say of it. Hashing comes before the database is asked, and holds no connection.
func (r *resolver) firstPassword(ctx context.Context, user *db.User, chosen *string) (notes []string, err error) {
	text := rand.Text() + rand.Text() // 260 bits
	if chosen != nil {
		text = *chosen
		guessable, err := r.checkPassword(ctx, text, identifiers(user)...)
		if err != nil {
			return nil, atField(err, "password")
		}
		if guessable {
			notes = append(notes, "guessable_password")
		}
	} else {
		notes = append(notes, "no_password")
	}
	user.PasswordHash, err = r.Hasher.Hash(ctx, text)
	return notes, err
}

// firstMails are those of a new account.
func (r *resolver) firstMails(ctx context.Context, u *db.User, input graph.RegisterInput) (mails []*db.Mail) {
	if r.MailOff {
		return nil
	}
	for _, one := range []struct {
		due  bool
		kind db.MailKind
	}{
		{input.SendVerificationEmail || r.RequireVerifiedEmail, db.MailVerifyEmail},
		{input.SendPasswordSetupEmail && input.Password.Value() == nil, db.MailSetPassword},
		{input.SendWelcomeEmail, db.MailWelcome},
	} {
		if one.due {
			mails = append(mails, r.mail(ctx, one.kind, u.ID, *u.Email, u.EmailCanonical))
		}
	}
	return mails
}
