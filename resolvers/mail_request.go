package resolvers

import (
	"context"

	"github.com/99designs/gqlgen/graphql"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
	"github.com/dragoman-auth/dragoman/internal/fault"
	"github.com/dragoman-auth/dragoman/internal/identity"
	"github.com/dragoman-auth/dragoman/internal/limit"
)

// basicPayload makes the payload of a mutation that requests a mail. It records an expected error with the event e.
func (r *resolver) basicPayload(ctx context.Context, e db.Event, err error) (*graph.BasicPayload, error) {
	if err != nil {
		errs, err := userErrors(r.record(ctx, err, e))
		return &graph.BasicPayload{UserErrors: errs}, err
	}
	return &graph.BasicPayload{UserErrors: noErrors()}, nil
}

// requestMail queues a mail for whoever has an address. Statements and answer are the same for every address (LG-05):
// the account is looked up only when the mail is sent.
func (r *resolver) requestMail(
	ctx context.Context, action db.Action, kind db.MailKind, address string, wanted graphql.Omittable[*string],
) (*graph.BasicPayload, error) {
	e := db.Event{Action: action}
	if r.MailOff {
		return r.basicPayload(ctx, e, errNoMail())
	}
	email, canonical, err := identity.Email(address)
	if err != nil {
		return r.basicPayload(ctx, e, atField(err, "email"))
	}
	returnTo, err := r.returnTo(wanted)
	if err != nil {
		return r.basicPayload(ctx, e, err)
	}
	if err := limit.Enter(ctx); err != nil {
		return nil, err
	}
	mails := leadOn(returnTo, r.mail(ctx, kind, db.UserID{}, email, canonical))
	return r.basicPayload(ctx, e, r.DB.AskMails(ctx, e, r.now(), mails...))
}

func errNoMail() error { return fault.New(fault.FeatureDisabled, "This server sends no mail.") }
