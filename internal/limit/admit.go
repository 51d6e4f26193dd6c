package limit

import (
	"context"
	"fmt"

	"github.com/dragoman-auth/dragoman/internal/fault"
	"github.com/dragoman-auth/dragoman/internal/visit"
)

// Admit takes one try at what name stands for, for the address block of the visit in the context, and notes the header
// fields of the answer. It refuses with RATE_LIMITED; an error of the store is an error, so credentials fail closed.
func (l *Limiter) Admit(ctx context.Context, name string) error {
	v := visit.From(ctx)
	d, err := l.Allow(ctx, name, v.Block())
	if err != nil {
		return err
	}
	if d.Rule.Name == "" {
		return fmt.Errorf("limit: there is no rule for %s", name) // what checks a secret is never unlimited by oversight
	}
	v.SetHeader("RateLimit-Policy", d.PolicyField())
	v.SetHeader("RateLimit", d.LimitField())
	if !d.Allowed {
		if l.Refused != nil {
			l.Refused(d.Rule.Name)
		}
		return fault.Wait(fault.RateLimited, "Too many requests. Wait a moment, then try again.", d.RetryAfter)
	}
	return nil
}
