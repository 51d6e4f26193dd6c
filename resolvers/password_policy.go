package resolvers

import (
	"cmp"
	"context"
	"strings"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
	"github.com/dragoman-auth/dragoman/internal/password"
	"github.com/dragoman-auth/dragoman/internal/profile"
	"github.com/dragoman-auth/dragoman/internal/visit"
)

// profile is what the dialect of the present request changes, whichever dialect a session was made in.
func (r *resolver) profile(ctx context.Context) *profile.Profile {
	if p := r.Profiles[visit.From(ctx).Dialect]; p != nil {
		return p
	}
	return &profile.Profile{}
}

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

// furtherClaims are those that the dialect adds to an access token, from the person and the session as they are now.
func (r *resolver) furtherClaims(ctx context.Context, u *db.User, s *db.Session) (map[string]any, error) {
	claims := r.profile(ctx).Access.Claims
	if claims == nil {
		return nil, nil
	}
	return claims(ctx, map[string]any{
		"user": map[string]any{
			"id": u.ID.String(), "number": u.Number, "email": orNull(u.Email), "emailVerified": u.EmailVerified(),
			"username": orNull(u.Username), "name": orNull(u.Name), "metadata": object(u.Metadata),
			"roles":  []any{map[string]any{"name": u.Role}},
			"status": string(u.Status), "createdAt": dateTime(u.CreatedAt), "updatedAt": dateTime(u.UpdatedAt),
		},
		"session": map[string]any{
			"id": s.ID.String(), "number": s.Number, "createdAt": dateTime(s.CreatedAt), "expiresAt": dateTime(s.ExpiresAt()),
		},
	})
}

// The plain values of JSON that expressions know: a nil pointer or a named map would be something else to them.

func orNull(s *string) any {
	if s == nil {
		return nil
	}
	return *s
}

func object(o db.JSONObject) any {
	if o == nil {
		return nil
	}
	return map[string]any(o)
}

// dateTime is the text of the GraphQL scalar.
func dateTime(t time.Time) string {
	var b strings.Builder
	graph.MarshalDateTime(t).MarshalGQL(&b)
	return strings.Trim(b.String(), `"`)
}
