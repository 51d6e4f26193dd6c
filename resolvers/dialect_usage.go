package resolvers

import (
	"context"
	"slices"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"github.com/dragoman-auth/dragoman/db"
)

// DialectUsage is Query.dialectUsage. It flushes the counts of this instance first, so that they are in the answer.
func (r *resolver) DialectUsage(ctx context.Context, since *time.Time, dialect *string) ([]*db.DialectUsage, error) {
	if err := r.DB.FlushUsage(ctx); err != nil {
		return nil, err
	}
	var filter db.UsageFilter
	if since != nil {
		filter.Since = *since
	}
	if dialect != nil {
		if filter.Dialect = *dialect; *dialect == "" { // for db it would mean every dialect
			return []*db.DialectUsage{}, nil
		}
	}
	if slices.Contains(graphql.CollectAllFields(ctx), "callers") { // the expensive part
		filter.Callers = db.MaxDialectCallers
	}
	return r.DB.DialectUsage(ctx, r.Routes, filter)
}
