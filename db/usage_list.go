package db

import (
	"context"
	"math"
	"time"
)

// DialectUsage counts the calls of a route of a dialect since some day.
type DialectUsage struct {
	Dialect, Route string
	IsMounted      bool
	Count          int // at most 2^31-1, as everything that GraphQL calls Int
	RefusedCount   int
	LastCallAt     *time.Time
	DeprecatedAt   *time.Time // as the file says; nil for none, and for routes that are not mounted
	SunsetAt       *time.Time
	Successor      *string

	callers []*DialectCaller // the busiest, where the filter wants them
}

// MaxDialectCallers is how many callers of a route a list can have.
const MaxDialectCallers = 100

// Callers gives the busiest callers, 20 by default.
func (u *DialectUsage) Callers(first *int) []*DialectCaller {
	n := 20
	if first != nil {
		n = min(max(*first, 0), MaxDialectCallers)
	}
	return append([]*DialectCaller{}, u.callers[:min(n, len(u.callers))]...)
}

// DialectCaller is a caller of a route.
type DialectCaller struct {
	Kind                DialectCallerKind
	Value               string // the first characters of a key, or a User-Agent header; "" for CallerOther
	AddressBlock        *string
	Count, RefusedCount int
	LastCallAt          time.Time
}

// UsageFilter selects calls.
type UsageFilter struct {
	Since   time.Time // whole days of UTC from its day on; zero for everything that is kept
	Dialect string    // "" for all
	Callers int       // how many callers of each route are wanted, 0 for none, at most MaxDialectCallers
}

// maxUsage is how many routes a list has besides the mounted ones.
const maxUsage = 1000

type usedRoute struct {
	Dialect, Route string
	Calls, Refused int64
	LastAt         time.Time
}

const usedRoutes = `SELECT dialect, route, CAST(sum(calls) AS bigint) AS calls, CAST(sum(refused) AS bigint) AS refused,
  max(last_at) AS last_at
FROM dialect_usage WHERE day >= ?0 AND (?1 = '' OR dialect = ?1)
GROUP BY dialect, route ORDER BY calls DESC, dialect, route LIMIT ?2`

type usedBy struct {
	Dialect, Route string
	Kind           DialectCallerKind
	Caller, Block  string
	Calls, Refused int64
	LastAt         time.Time
}

const usedByWhom = `SELECT dialect, route, kind, caller, block, calls, refused, last_at FROM (
  SELECT dialect, route, kind, caller, block, CAST(sum(calls) AS bigint) AS calls,
    CAST(sum(refused) AS bigint) AS refused, max(last_at) AS last_at,
    row_number() OVER (PARTITION BY dialect, route ORDER BY sum(calls) DESC, kind, caller, block) AS place
  FROM dialect_usage WHERE day >= ?0 AND (?1 = '' OR dialect = ?1)
  GROUP BY dialect, route, kind, caller, block
) AS c WHERE place <= ?2 ORDER BY dialect, route, place`

// DialectUsage counts the calls that FlushUsage wrote. The mounted routes come first, in their given order, with or
// without calls; then the other routes with calls, the busiest first.
func (d *DB) DialectUsage(ctx context.Context, mounted []DialectUsage, filter UsageFilter) ([]*DialectUsage, error) {
	since := "0001-01-01"
	if !filter.Since.IsZero() {
		since = filter.Since.UTC().Format(time.DateOnly)
	}
	var routes []usedRoute
	if err := d.r.NewRaw(usedRoutes, since, filter.Dialect, maxUsage+len(mounted)).Scan(ctx, &routes); err != nil {
		return nil, wrap(err, "usage of dialects")
	}
	list, at := []*DialectUsage{}, map[[2]string]*DialectUsage{}
	for _, m := range mounted {
		if filter.Dialect == "" || filter.Dialect == m.Dialect {
			m.IsMounted = true
			list = append(list, &m)
			at[[2]string{m.Dialect, m.Route}] = &m
		}
	}
	for _, r := range routes {
		key := [2]string{r.Dialect, r.Route}
		if at[key] == nil {
			at[key] = &DialectUsage{Dialect: r.Dialect, Route: r.Route}
			list = append(list, at[key])
		}
		u := at[key]
		u.Count, u.RefusedCount, u.LastCallAt = graphInt(r.Calls), graphInt(r.Refused), &r.LastAt
	}
	if filter.Callers == 0 {
		return list, nil
	}
	var callers []usedBy
	if err := d.r.NewRaw(usedByWhom, since, filter.Dialect, filter.Callers).Scan(ctx, &callers); err != nil {
		return nil, wrap(err, "callers of dialects")
	}
	for _, c := range callers {
		u := at[[2]string{c.Dialect, c.Route}]
		if u == nil {
			continue // beyond the end of the list
		}
		caller := &DialectCaller{
			Kind: c.Kind, Value: c.Caller, Count: graphInt(c.Calls), RefusedCount: graphInt(c.Refused),
			LastCallAt: c.LastAt,
		}
		if c.Block != "" {
			caller.AddressBlock = &c.Block
		}
		u.callers = append(u.callers, caller)
	}
	return list, nil
}

func graphInt(n int64) int { return int(min(n, math.MaxInt32)) }
