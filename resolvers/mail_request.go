package resolvers

import (
	"context"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
	"github.com/dragoman-auth/dragoman/internal/fault"
	"github.com/dragoman-auth/dragoman/internal/identity"
)

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
