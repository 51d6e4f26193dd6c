package resolvers

import (
	"context"

	"github.com/dragoman-auth/dragoman/graph"
	"github.com/dragoman-auth/dragoman/internal/limit"
)

// ExportMyData is Mutation.exportMyData.
func (r *resolver) ExportMyData(ctx context.Context) (*graph.ExportMyDataPayload, error) {
	c, err := r.person(ctx)
	if err != nil {
		return nil, err
	}
	if err := limit.Enter(ctx); err != nil {
		return nil, err
	}
	if r.Limits != nil {
		if err := r.Limits.AdmitAs(ctx, limit.AccountExport, c.User.ID.String(), 1); err != nil {
			return nil, err
		}
	}
	data, err := r.DB.ExportUser(ctx, c.Caller, r.now())
	switch {
	case err != nil:
		return nil, err
	case data == nil:
		forget(ctx)
		return nil, errEnded()
	}
	return &graph.ExportMyDataPayload{Data: data, UserErrors: noErrors()}, nil
}
