package resolvers

import (
	"context"

	"github.com/dragoman-auth/dragoman/db"
)

// Keys is Query.keys.
func (r *resolver) Keys(ctx context.Context) ([]*db.ApiKey, error) {
	c, err := r.person(ctx)
	if err != nil {
		return nil, err
	}
	return r.DB.Keys(ctx, c.User.ID, r.now())
}
