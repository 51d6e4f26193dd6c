package app

import (
	"context"

	"github.com/dragoman-auth/dragoman/internal/limit"
)

// admission is asked before a document that checks a secret runs: the limit by address first, then the hash queue, where
// what would wait too long is sent away. The tokens of sessions and of mails cost no hash.
func (s *Server) admission() (func(context.Context, string) error, error) {
	hash := func(_ context.Context, field string) error {
		switch field {
		case "refresh", "sendVerificationEmail", "verifyEmail", "requestPasswordReset", "requestMagicLink", "loginWithMagicLink", "tokenIsValid":
			return nil
		}
		return s.options.Hasher.Admit()
	}
	if !s.settings.RateLimits {
		return hash, nil
	}
	var store limit.Store = limit.NewMemory(limit.DefaultSize)
	if s.DB.Postgres() {
		store = s.DB // all instances count together
	}
	limiter, err := limit.New(store, limit.Defaults(), s.options.Now)
	if err != nil {
		return nil, err
	}
	limiter.OnLimited = s.Observer.Limited
	return func(ctx context.Context, field string) error {
		if err := limiter.Admit(ctx, field); err != nil {
			return err
		}
		return hash(ctx, field)
	}, nil
}
