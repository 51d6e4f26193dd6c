package resolvers

import (
	"cmp"
	"context"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
	"github.com/dragoman-auth/dragoman/internal/limit"
	"github.com/dragoman-auth/dragoman/internal/token"
	"github.com/dragoman-auth/dragoman/internal/visit"
)

// Logout is Mutation.logout. One statement checks the session and ends it: nothing can come between the two.
func (r *resolver) Logout(ctx context.Context, input *graph.LogoutInput) (*graph.BasicPayload, error) {
	err := r.logout(ctx, input)
	forget(ctx)
	if err != nil {
		errs, err := userErrors(err)
		return &graph.BasicPayload{UserErrors: errs}, err
	}
	return &graph.BasicPayload{UserErrors: noErrors()}, nil
}

func (r *resolver) logout(ctx context.Context, input *graph.LogoutInput) error {
	end, err := r.logoutTarget(ctx, input)
	if err != nil {
		return err
	}
	end.EndKeys = input != nil && input.RevokeAPIKeys
	n := 0
	if input != nil && input.Everywhere {
		n, err = r.DB.LogoutEverywhere(ctx, end, r.now())
	} else {
		var ended bool
		if ended, err = r.DB.Logout(ctx, end, r.now()); ended {
			n = 1
		}
	}
	switch {
	case err != nil:
		return err
	case n > 0:
		r.clearEndedCookie(ctx, end.Session, input != nil && input.Everywhere)
		return nil
	case end.Generation == nil:
		forget(ctx)
		_, err := r.person(ctx) // looks the session up again: it has ended, and the answer says so
		return cmp.Or(err, errEnded())
	}
	// A refresh token that ended nothing counts as in a refresh: the reuse of a rotated one ends the session.
	seen, err := r.replay(ctx, end.Session, *end.Generation)
	over := seen != nil && seen.Verdict == db.VerdictOver && seen.Session.RevokedAt != nil
	if over && input.AllowEnded && !input.Everywhere && !input.RevokeAPIKeys {
		return nil // the session has ended already (SE-25)
	}
	return cmp.Or(err, errRefreshToken())
}

// logoutTarget finds the session to end: the session of the refresh token if there is one, else the session of the
// request.
func (r *resolver) logoutTarget(ctx context.Context, input *graph.LogoutInput) (end db.LogoutTarget, err error) {
	if input != nil {
		if text := input.RefreshToken.Value(); text != nil {
			id, generation, err := r.Codec.ParseRefresh(*text)
			if err != nil {
				limit.Worthless(ctx)
				return end, errRefreshToken()
			}
			session := db.SessionIDFrom(id)
			if err := cmp.Or(limit.Enter(ctx), r.countRefreshToken(ctx, session)); err != nil {
				return end, err
			}
			return db.LogoutTarget{
				Session:    session,
				Generation: &generation,
				Rules:      r.refreshRules(ctx),
			}, nil
		}
	}
	text := visit.From(ctx).Credential
	named, err := r.sessionOf(text)
	if err != nil {
		return end, err
	}
	if end.Session = named.session; !end.Session.IsZero() {
		return end, limit.Enter(ctx)
	}
	c, err := r.person(ctx)
	if err != nil {
		return end, err
	}
	if token.Kind(text) == token.KindAPIKey {
		return end, r.forbidden(ctx, c)
	}
	return end, errEnded()
}
