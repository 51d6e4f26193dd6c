package resolvers

import (
	"context"
	"slices"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/internal/fault"
)

// DialectUsage is Query.dialectUsage. It flushes the counts of this instance first, so that they are in the answer.
func (r *resolver) DialectUsage(
	ctx context.Context, since *time.Time, dialect *string, first, skip int,
) ([]*db.DialectUsage, error) {
	if err := checkPage(first); err != nil {
		return nil, err
	}
	if skip < 0 {
		return nil, fault.New(fault.BadUserInput, `"skip" must be 0 or more.`)
	}
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
	all, err := r.DB.DialectUsage(ctx, r.Routes, filter)
	all = all[min(skip, len(all)):]
	return all[:min(first, len(all))], err
}
