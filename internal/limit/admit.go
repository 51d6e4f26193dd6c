package limit

import (
	"context"
	"fmt"

	"github.com/dragoman-auth/dragoman/internal/fault"
	"github.com/dragoman-auth/dragoman/internal/visit"
)

// Admit takes one try of the rule for name, for the address block of the visit in the context, and sets the header
// fields of the answer. Without a try left it fails with RATE_LIMITED. It fails if the store fails, so credentials fail
// closed.
func (l *Limiter) Admit(ctx context.Context, name string) error {
	v := visit.From(ctx)
	d, err := l.Allow(ctx, name, v.Block())
	if err != nil {
		return err
	}
	if d.Rule.Name == "" {
		return fmt.Errorf("limit: %s has no rule; add one to Defaults", name) // a check of a secret is never unlimited
	}
	v.SetHeader("RateLimit-Policy", d.PolicyField())
	v.SetHeader("RateLimit", d.LimitField())
	if !d.Allowed {
		if l.OnLimited != nil {
			l.OnLimited(d.Rule.Name)
		}
		return fault.Wait(fault.RateLimited, "Too many requests. Wait a moment, then try again.", d.RetryAfter)
	}
	return nil
}
