package resolvers

import (
	"context"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
	"github.com/dragoman-auth/dragoman/internal/fault"
	"github.com/dragoman-auth/dragoman/internal/identity"
)

// RequestPasswordReset is Mutation.requestPasswordReset.
func (r *resolver) RequestPasswordReset(ctx context.Context, input graph.RequestPasswordResetInput) (*graph.BasicPayload, error) {
	return r.askMail(ctx, "request_password_reset", db.MailResetPassword, input.Email)
}

// RequestMagicLink is Mutation.requestMagicLink.
func (r *resolver) RequestMagicLink(ctx context.Context, input graph.RequestMagicLinkInput) (*graph.BasicPayload, error) {
	return r.askMail(ctx, "request_magic_link", db.MailMagicLink, input.Email)
}

// SendVerificationEmail is Mutation.sendVerificationEmail.
func (r *resolver) SendVerificationEmail(ctx context.Context, input *graph.SendVerificationEmailInput) (*graph.BasicPayload, error) {
	e := db.Event{Action: "send_verification_email"}
	pending := input != nil && input.Pending
	if input != nil {
		if email := input.Email.Value(); email != nil && pending {
			return r.asked(ctx, e, fault.New(fault.InvalidInput, "Give an address, or ask for the one that waits.", "input", "pending"))
		} else if email != nil {
			return r.askMail(ctx, e.Action, db.MailVerifyEmail, *email)
		}
	}
	c, err := r.person(ctx)
	if err != nil {
		return nil, err
	}
	if c.kind == graph.CredentialKindAPIKey {
		return nil, r.forbidden(ctx, c)
	}
	e.User, e.Sess = c.User.ID, c.Caller.Session.ID
	if pending {
		return r.asked(ctx, e, r.askPendingMail(ctx, c, e))
	}
	return r.asked(ctx, e, r.askOwnMail(ctx, c, e))
}

func (r *resolver) askOwnMail(ctx context.Context, c *caller, e db.Event) error {
	switch {
	case r.MailOff:
		return errNoMail()
	case c.User.EmailVerified() || c.User.Email == nil:
		return fault.New(fault.Conflict, "Your address is confirmed already.")
	}
	return r.queue(ctx, e, r.mail(ctx, db.MailVerifyEmail, c.User.ID, *c.User.Email, c.User.EmailCanonical))
}

// askPendingMail is about the address that waits. One that is somebody else's by now gets what it gets whenever it is asked for:
// its owner learns of it, and nothing to confirm is mailed.
func (r *resolver) askPendingMail(ctx context.Context, c *caller, e db.Event) error {
	switch {
	case r.MailOff:
		return errNoMail()
	case c.User.PendingEmail == nil:
		return fault.New(fault.Conflict, "No address waits to be confirmed.")
	}
	kind, user := db.MailConfirmChange, c.User.ID
	owner, err := r.DB.UserNamed(ctx, *c.User.PendingEmailCanonical)
	if err != nil {
		return err
	}
	if owner != nil {
		kind, user = db.MailAddressTaken, db.UserID{}
	}
	return r.queue(ctx, e, r.mail(ctx, kind, user, *c.User.PendingEmail, *c.User.PendingEmailCanonical))
}

// asked is the answer to whoever asks for a mail; a refusal is written down.
func (r *resolver) asked(ctx context.Context, e db.Event, err error) (*graph.BasicPayload, error) {
	if err != nil {
		errs, err := refused(r.record(ctx, err, e))
		return &graph.BasicPayload{UserErrors: errs}, err
	}
	return &graph.BasicPayload{UserErrors: accepted()}, nil
}

// askMail queues a mail for whoever has an address. It does not look whether anybody has: the same statements run, and the
// answer is the same, for every address (LG-05). Whose it is comes out when the mail is sent.
func (r *resolver) askMail(ctx context.Context, action string, kind db.MailKind, address string) (*graph.BasicPayload, error) {
	e := db.Event{Action: action}
	if r.MailOff {
		return r.asked(ctx, e, errNoMail())
	}
	email, canonical, err := identity.Email(address)
	if err != nil {
		return r.asked(ctx, e, at(err, "email"))
	}
	return r.asked(ctx, e, r.queue(ctx, e, r.mail(ctx, kind, db.UserID{}, email, canonical)))
}

// queue queues a mail that was asked for, unless its address had too many: then nothing is different but the note in the log.
func (r *resolver) queue(ctx context.Context, e db.Event, m *db.Mail) error {
	allowed, err := r.mayMail(ctx, m.Kind, m.AddressCanonical)
	if err != nil {
		return err
	}
	if !allowed {
		e.Note = "limited"
		return r.DB.AskMails(ctx, e, r.now())
	}
	return r.DB.AskMails(ctx, e, r.now(), m)
}

func errNoMail() error { return fault.New(fault.FeatureDisabled, "This server sends no mail.") }
