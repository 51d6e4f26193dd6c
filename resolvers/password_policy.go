package resolvers

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/internal/limit"
	"github.com/dragoman-auth/dragoman/internal/password"
)

// policy gives the rules for new passwords in the dialect of this request.
func (r *resolver) policy(ctx context.Context) password.Policy {
	return password.Policy{MinLength: cmp.Or(r.profile(ctx).Password.MinLength, r.Policy.MinLength)}
}

// checkPassword checks a new password. In a dialect that only flags guessable passwords it accepts one, and gives true.
// own are names that the password must not be.
func (r *resolver) checkPassword(ctx context.Context, text string, own ...string) (guessable bool, err error) {
	policy := r.policy(ctx)
	if err := policy.CheckLength(text); err != nil {
		return false, err
	}
	if err = policy.CheckGuess(text, own...); err != nil && !r.profile(ctx).Password.FlagGuessable {
		return false, err
	}
	// The input was judged. The rest costs something.
	if refusal := limit.Enter(ctx); refusal != nil {
		return false, refusal
	}
	if err == nil {
		err = r.Breaches.Check(ctx, text) // without a connection of the database; accepts on a failure
	}
	if err != nil && r.profile(ctx).Password.FlagGuessable {
		return true, nil
	}
	return false, err
}

// identifiers gives the names of an account, which must not be its password.
func identifiers(u *db.User) []string {
	var own []string
	for _, p := range []*string{u.Email, u.PendingEmail, u.Username, u.Name} {
		if p != nil {
			own = append(own, strings.TrimSpace(*p))
		}
	}
	return slices.Compact(own)
}

// checkNewPassword is checkPassword for an account. It gives the note of the audit event, "" for none.
func (r *resolver) checkNewPassword(ctx context.Context, text string, u *db.User) (note string, err error) {
	guessable, err := r.checkPassword(ctx, text, identifiers(u)...)
	if guessable {
		note = "guessable_password"
	}
	return note, err
}
