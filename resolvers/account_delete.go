package resolvers

import (
	"context"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
	"github.com/dragoman-auth/dragoman/internal/fault"
)

// DeleteAccount is Mutation.deleteAccount.
func (r *resolver) DeleteAccount(ctx context.Context) (*graph.BasicPayload, error) {
	c, err := r.person(ctx)
	if err != nil {
		return nil, err
	}
	if err := r.factorRequired(ctx, c); err != nil {
		return nil, err
	}
	erased, err := r.DB.EraseAccount(ctx, c.Caller, r.now())
	forget(ctx)
	if err != nil {
		return nil, err
	}
	switch erased {
	case db.EraseSessionOver:
		return nil, r.superseded(ctx, nil, "")
	case db.EraseLastAdmin:
		last := fault.New(fault.Conflict, "You are the last administrator. Make somebody else one first.")
		e := db.Event{Action: db.ActionUserDeleted, User: c.User.ID, Sess: c.Caller.Session.ID}
		errs, err := userErrors(r.record(ctx, last, e))
		return &graph.BasicPayload{UserErrors: errs}, err
	case db.EraseDone:
		r.clearEndedCookie(ctx, c.Caller.Session.ID, false)
	}
	return &graph.BasicPayload{UserErrors: noErrors()}, nil
}
