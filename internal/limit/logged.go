package limit

import (
	"context"
	"log/slog"
	"time"

	"github.com/dragoman-auth/dragoman/internal/fault"
	"github.com/dragoman-auth/dragoman/internal/visit"
)

// Logged is admit with a log: of the requests that it sends away, a sample is written down, by the address block and the name
// of what was tried (AU-09). Nothing that the caller sent is among it.
func Logged(admit func(ctx context.Context, name string) error, now func() time.Time, log *slog.Logger) func(context.Context, string) error {
	sample := NewSample()
	return func(ctx context.Context, name string) error {
		err := admit(ctx, name)
		if f := fault.From(err); f != nil {
			v := visit.From(ctx)
			if sample.Take(ctx, v.Block(), now()) {
				log.WarnContext(ctx, "request sent away", "code", f.Code, "field", name, "block", v.Block(), "dialect", v.Dialect,
					"request_id", v.RequestID)
			}
		}
		return err
	}
}
