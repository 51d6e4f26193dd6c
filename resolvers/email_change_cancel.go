package resolvers

import (
	"context"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
	"github.com/dragoman-auth/dragoman/internal/fault"
	"github.com/dragoman-auth/dragoman/internal/limit"
)

// CancelEmailChange is Mutation.cancelEmailChange.
func (r *resolver) CancelEmailChange(
	ctx context.Context, input graph.CancelEmailChangeInput,
) (*graph.EmailPayload, error) {
	user, err := r.cancelEmailChange(ctx, input.Token)
	forget(ctx)
	if err != nil {
		errs, err := userErrors(r.record(ctx, err, db.Event{Action: db.ActionEmailChangeCanceled}))
		return &graph.EmailPayload{UserErrors: errs}, err
	}
	return r.emailPayload(ctx, user, user.Email)
}

func (r *resolver) cancelEmailChange(ctx context.Context, text string) (*db.User, error) {
	id, err := r.Codec.ParseOneTime(text)
	if err != nil {
		limit.Worthless(ctx)
		return nil, errMailToken("")
	}
	if err := limit.Enter(ctx); err != nil {
		return nil, err
	}
	user, taken, err := r.DB.CancelEmailChange(ctx, id, r.now())
	switch {
	case err != nil:
		return nil, err
	case taken != nil:
		return nil, fault.New(fault.AlreadyExists, "Somebody else has this address by now.")
	case user == nil:
		return nil, errMailToken("")
	}
	return user, nil
}
