package resolvers

import (
	"context"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
)

// ChangePassword is Mutation.changePassword.
func (r *resolver) ChangePassword(ctx context.Context, input graph.ChangePasswordInput) (*graph.UserPayload, error) {
	c, err := r.person(ctx)
	if err != nil {
		return nil, err
	}
	e := r.edit(ctx, c, db.ActionPasswordChanged)
	e.current = input.CurrentPassword.Value()
	return r.userPayload(r.applyEdit(ctx, e, func() error {
		e.setPassword(input.NewPassword, "newPassword", input.RevokeOtherSessions)
		e.EndKeys = input.RevokeAPIKeys
		return nil
	}))
}
