package app

import (
	"context"
	"fmt"

	"github.com/dragoman-auth/dragoman/internal/gqlhttp"
	"github.com/dragoman-auth/dragoman/internal/limit"
)

// admission gives the check that runs before a field with @credential: first the limit by address, then the queue of
// hashes, which refuses when the wait would be too long. A sample of the refusals is logged.
func (s *Server) admission(fields []gqlhttp.Credential) (func(context.Context, gqlhttp.Credential) error, error) {
	limiter, err := s.limiter(fields)
	if err != nil {
		return nil, err
	}
	log := limit.LogRefusals(s.options.Now, s.options.Log)
	return func(ctx context.Context, c gqlhttp.Credential) (err error) {
		if limiter != nil {
			err = limiter.Admit(ctx, c.Limit)
		}
		if err == nil && c.Hash {
			err = s.options.Hasher.Admit()
		}
		log(ctx, c.Field, err)
		return err
	}, nil
}

// limiter makes the limiter of the fields, nil with DRAGOMAN_RATE_LIMITS off. A field with an unknown rule is an error
// in any case.
func (s *Server) limiter(fields []gqlhttp.Credential) (*limit.Limiter, error) {
	rules := limit.Defaults()
	for _, c := range fields {
		if _, known := rules[c.Limit]; !known {
			return nil, fmt.Errorf("%s has @credential(limit: %q), but no rule has this name; "+
				"add it in internal/limit/rule.go", c.Field, c.Limit)
		}
	}
	if !s.settings.RateLimits {
		return nil, nil
	}
	var store limit.Store = limit.NewMemory(limit.DefaultSize)
	if s.DB.Postgres() {
		store = s.DB // all instances count together
	}
	limiter, err := limit.New(store, rules, s.options.Now)
	if err != nil {
		return nil, err
	}
	limiter.OnLimited = s.Observer.Limited
	return limiter, nil
}
