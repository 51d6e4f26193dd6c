package limit

import (
	"context"
	"log/slog"
	"time"

	"github.com/dragoman-auth/dragoman/internal/fault"
	"github.com/dragoman-auth/dragoman/internal/visit"
)

// Logged wraps admit, and logs a sample of the rejected requests with their address block and field (AU-09). The log
// has nothing that the caller sent.
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
