package resolvers

import (
	"context"
	"slices"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"github.com/dragoman-auth/dragoman/db"
)

// DialectUsage is Query.dialectUsage. What this instance has counted is written first, so that nobody looks at the
// past of the server that they ask.
func (r *resolver) DialectUsage(ctx context.Context, since *time.Time, dialect *string) ([]*db.DialectUsage, error) {
	if err := r.DB.FlushUsage(ctx); err != nil {
		return nil, err
	}
	var filter db.UsageFilter
	if since != nil {
		filter.Since = *since
	}
	if dialect != nil {
		if filter.Dialect = *dialect; *dialect == "" { // which is no filter to the database
			return []*db.DialectUsage{}, nil
		}
	}
	if slices.Contains(graphql.CollectAllFields(ctx), "callers") { // the greater part of the work
		filter.Callers = db.MaxDialectCallers
	}
	return r.DB.DialectUsage(ctx, r.Routes, filter)
}
