package limit

import (
	"context"
	"log/slog"
	"time"

	"github.com/dragoman-auth/dragoman/internal/fault"
	"github.com/dragoman-auth/dragoman/internal/visit"
)

// LogRefusals gives what writes down a sample of the requests that admission refused, by the address block and the name
// of the field (AU-09). Nothing that the caller sent is among it. Other errors than a *fault.Error are logged
// elsewhere.
func LogRefusals(now func() time.Time, log *slog.Logger) func(ctx context.Context, field string, err error) {
	sample := NewSample()
	return func(ctx context.Context, field string, err error) {
		f, v := fault.From(err), visit.From(ctx)
		if f == nil || !sample.Take(ctx, now(), v.Block()) {
			return
		}
		log.WarnContext(ctx, "request sent away", "code", f.Code, "field", field, "block", v.Block(), "dialect",
			v.Dialect,
			"request_id", v.RequestID)
	}
}
