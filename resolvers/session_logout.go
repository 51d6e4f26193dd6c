package resolvers

import (
	"cmp"
	"context"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
	"github.com/dragoman-auth/dragoman/internal/fault"
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
	end, ended, err := r.logoutTarget(ctx, input)
	switch {
	case err != nil:
		return err
	case ended:
		return r.replayLogout(ctx, input, end)
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
		r.ended.add(end.Session, true)
		r.clearEndedCookie(ctx, end.Session, input != nil && input.Everywhere)
		return nil
	case end.Generation == nil:
		forget(ctx)
		_, err := r.person(ctx) // looks the session up again: it has ended, and the answer says so
		return cmp.Or(err, errEnded())
	}
	return r.replayLogout(ctx, input, end)
}

// replayLogout answers a refresh token that ended nothing. It counts as in a refresh: the reuse of a rotated one ends
// the session. A session that somebody ended before may be what was asked for (SE-25).
func (r *resolver) replayLogout(ctx context.Context, input *graph.LogoutInput, end db.LogoutTarget) error {
	_, err := r.replay(ctx, end.Session, *end.Generation)
	revoked, _ := r.ended.find(end.Session)
	if revoked && fault.Is(err, fault.InvalidToken) &&
		input.AllowEnded && !input.Everywhere && !input.RevokeAPIKeys {
		limit.Worthless(ctx)
		return nil
	}
	return cmp.Or(err, errRefreshToken())
}

// logoutTarget finds the session to end: the session of the refresh token if there is one, else the session of the
// request. The session of a refresh token may be known to be over.
func (r *resolver) logoutTarget(ctx context.Context, input *graph.LogoutInput) (
	end db.LogoutTarget, ended bool, err error,
) {
	if input != nil {
		if text := input.RefreshToken.Value(); text != nil {
			id, generation, err := r.Codec.ParseRefresh(*text)
			if err != nil {
				limit.Worthless(ctx)
				return end, false, errNoRefreshToken(*text)
			}
			session := db.SessionIDFrom(id)
			ended, err := r.enterByRefreshToken(ctx, session)
			return db.LogoutTarget{
				Session:    session,
				Generation: &generation,
				Rules:      r.refreshRules(ctx),
			}, ended, err
		}
	}
	text := visit.From(ctx).Credential
	named, err := r.sessionOf(text)
	if err != nil {
		return end, false, err
	}
	if end.Session = named.session; !end.Session.IsZero() {
		return end, false, limit.Enter(ctx)
	}
	c, err := r.person(ctx)
	if err != nil {
		return end, false, err
	}
	if token.Kind(text) == token.KindAPIKey {
		return end, false, r.forbidden(ctx, c, nil)
	}
	return end, false, errEnded()
}
