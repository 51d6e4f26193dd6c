package operator

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/dragoman-auth/dragoman/app"
	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/internal/config"
	"github.com/dragoman-auth/dragoman/internal/fault"
	"github.com/dragoman-auth/dragoman/internal/identity"
	"github.com/dragoman-auth/dragoman/internal/password"
	"github.com/dragoman-auth/dragoman/internal/visit"
)

// CreateAdmin is `dragoman admin create`: the only way to the first account with the role admin (AZ-04). The password
// is made here, 130 bits of randomness, and printed this once.
func CreateAdmin(ctx context.Context, settings *config.Settings, stdout io.Writer, email, username string) (err error) {
	u := db.NewUser(db.Clock(time.Now()))
	u.Role = "admin"
	original, canonical, err := identity.Email(email)
	if err != nil {
		return errors.New(fault.From(err).Message)
	}
	u.Email, u.EmailCanonical, u.Invited = &original, canonical, true
	// by whoever types it here: where addresses must be confirmed, it is an administrator who can sign in
	u.EmailVerifiedAt = &u.CreatedAt
	if username != "" {
		original, canonical, err := identity.Username(username)
		if err != nil {
			return errors.New(fault.From(err).Message)
		}
		u.Username, u.UsernameCanonical = &original, &canonical
	}
	chosen := rand.Text()
	if u.PasswordHash, err = password.NewHasher(1).Hash(ctx, chosen); err != nil {
		return err
	}
	database, err := app.OpenDB(ctx, settings)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, database.Close()) }()
	ctx = visit.With(ctx, &visit.Visit{Dialect: "terminal", RequestID: rand.Text()})
	taken, err := database.Register(ctx, u, nil, nil)
	switch {
	case err != nil:
		return err
	case taken != nil && taken.Email:
		return fmt.Errorf("%s: an account has this email address already; choose another one", original)
	case taken != nil:
		return fmt.Errorf("%s: the username is taken; choose another one", username)
	}
	_, err = fmt.Fprintf(
		stdout, "Made the administrator %s (%s).\nPassword, shown this once: %s\n", original, u.ID, chosen,
	)
	return err
}
