package app

import (
	"context"
	"fmt"

	"github.com/dragoman-auth/dragoman/internal/gqlhttp"
	"github.com/dragoman-auth/dragoman/internal/limit"
)

// admission gives what is asked before one of the fields with @credential runs: the limit by address first, then the
// queue of hashes, which refuses who would wait too long. Refusals are logged by sample.
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

// limiter has a rule for the limit of every field; nil where the operator has switched limits off.
func (s *Server) limiter(fields []gqlhttp.Credential) (*limit.Limiter, error) {
	rules := limit.Defaults()
	for _, c := range fields {
		if _, known := rules[c.Limit]; !known {
			return nil, fmt.Errorf("%s has @credential(limit: %q): there is no rule of this name; see internal/limit",
				c.Field, c.Limit)
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
