package resolvers

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/internal/password"
)

// policy is what new passwords must pass.
func (r *resolver) policy(ctx context.Context) password.Policy {
	return password.Policy{MinLength: cmp.Or(r.profile(ctx).Password.MinLength, r.Policy.MinLength)}
}

// checkPassword tells whether a password that others would guess was let through, as the dialect wants it.
func (r *resolver) checkPassword(ctx context.Context, text string, own ...string) (guessable bool, err error) {
	policy := r.policy(ctx)
	if err := policy.CheckLength(text); err != nil {
		return false, err
	}
	if err = policy.CheckGuess(text, own...); err == nil {
		err = r.Breaches.Check(ctx, text) // holds no connection, and fails open
	}
	if err != nil && r.profile(ctx).Password.FlagGuessable {
		return true, nil
	}
	return false, err
}

// identifiers are what nobody may take as password: the names of the account.
func identifiers(u *db.User) []string {
	var own []string
	for _, p := range []*string{u.Email, u.Username, u.Name} {
		if p != nil {
			own = append(own, strings.TrimSpace(*p))
		}
	}
	return slices.Compact(own)
}

// checkNewPassword gives the note for the log when a password that others would guess was let through.
func (r *resolver) checkNewPassword(ctx context.Context, text string, u *db.User) (note string, err error) {
	guessable, err := r.checkPassword(ctx, text, identifiers(u)...)
	if guessable {
		note = "guessable_password"
	}
	return note, err
}
