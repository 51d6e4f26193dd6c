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
	return l.admit(ctx, name, visit.From(ctx).Block(), 1, true)
}

// AdmitAs is Admit for another key than the address block, and for several tries at once. The header fields are set on
// a refusal alone.
func (l *Limiter) AdmitAs(ctx context.Context, name, key string, tries int) error {
	return l.admit(ctx, name, key, tries, false)
}

func (l *Limiter) admit(ctx context.Context, name, key string, tries int, tell bool) error {
	d, err := l.allow(ctx, name, key, tries)
	if err != nil {
		return err
	}
	if d.Rule.Name == "" {
		return fmt.Errorf("limit: %s has no rule; add one to Table", name) // a check of a secret is never unlimited
	}
	if v := visit.From(ctx); tell || !d.Allowed {
		v.SetHeader("RateLimit-Policy", d.PolicyField())
		v.SetHeader("RateLimit", d.LimitField())
	}
	if !d.Allowed {
		if l.OnLimited != nil {
			l.OnLimited(d.Rule.Name)
		}
		return fault.Wait(fault.RateLimited, "Too many requests. Wait a moment, then try again.", d.RetryAfter)
	}
	return nil
}
