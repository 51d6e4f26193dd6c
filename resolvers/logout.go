package resolvers

import (
	"context"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
	"github.com/dragoman-auth/dragoman/internal/token"
	"github.com/dragoman-auth/dragoman/internal/visit"
)

// Logout is Mutation.logout. One statement finds the session and ends it, so there is no moment between the two.
func (r *resolver) Logout(ctx context.Context, input *graph.LogoutInput) (*graph.BasicPayload, error) {
	id, err := r.toEnd(ctx, input)
	if err != nil {
		errs, err := refused(err)
		return &graph.BasicPayload{UserErrors: errs}, err
	}
	ended := false
	if input != nil && input.Everywhere {
		var n int
		n, err = r.DB.LogoutEverywhere(ctx, id, r.now())
		ended = n > 0
	} else {
		ended, err = r.DB.Logout(ctx, id, r.now())
	}
	forget(ctx)
	if err != nil {
		return nil, err
	}
	if !ended {
		if input != nil && input.RefreshToken.Value() != nil {
			errs, err := refused(errRefreshToken())
			return &graph.BasicPayload{UserErrors: errs}, err
		}
		_, err := r.person(ctx)
		return nil, err
	}
	return &graph.BasicPayload{UserErrors: accepted()}, nil
}

// toEnd names the session that is meant: that of the refresh token where one is given, else that of the request.
func (r *resolver) toEnd(ctx context.Context, input *graph.LogoutInput) (db.SessionID, error) {
	if input != nil {
		if text := input.RefreshToken.Value(); text != nil {
			id, _, err := r.Codec.ParseRefresh(*text)
			if err != nil {
				return db.SessionID{}, errRefreshToken()
			}
			return db.SessionIDFrom(id), nil
		}
	}
	text := visit.From(ctx).Credential
	if id, _ := r.sessionOf(text); !id.IsZero() {
		return id, nil
	}
	if _, err := r.person(ctx); err != nil { // nobody
		return db.SessionID{}, err
	}
	if token.Kind(text) == token.KindAPIKey {
		return db.SessionID{}, errForbidden()
	}
	return db.SessionID{}, errSignIn()
}
