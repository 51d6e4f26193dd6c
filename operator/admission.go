package operator

import (
	"context"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/internal/config"
	"github.com/dragoman-auth/dragoman/internal/limit"
	"github.com/dragoman-auth/dragoman/internal/password"
)

// Admission is asked before a document that checks a secret runs: the limit by address first, then the hash queue, where
// what would wait too long is sent away. The tokens of sessions and of mails cost no hash.
func Admission(settings *config.Settings, database *db.DB, hasher *password.Hasher, refused func(string), now func() time.Time) (
	func(context.Context, string) error, error,
) {
	hash := func(_ context.Context, field string) error {
		switch field {
		case "refresh", "sendVerificationEmail", "verifyEmail", "requestPasswordReset", "requestMagicLink", "loginWithMagicLink", "tokenIsValid":
			return nil
		}
		return hasher.Admit()
	}
	if !settings.RateLimits {
		return hash, nil
	}
	var store limit.Store = limit.NewMemory(limit.DefaultSize)
	if database.Postgres() {
		store = database // all instances count together
	}
	limiter, err := limit.New(store, limit.Defaults(), now)
	if err != nil {
		return nil, err
	}
	limiter.Refused = refused
	return func(ctx context.Context, field string) error {
		if err := limiter.Admit(ctx, field); err != nil {
			return err
		}
		return hash(ctx, field)
	}, nil
}
