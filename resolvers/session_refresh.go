package resolvers

import (
	"context"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
	"github.com/dragoman-auth/dragoman/internal/fault"
)

// Refresh is Mutation.refresh.
func (r *resolver) Refresh(ctx context.Context, input graph.RefreshInput) (*graph.LoginPayload, error) {
	payload, err := r.refresh(ctx, input.RefreshToken)
	if err != nil {
		errs, err := userErrors(err)
		return &graph.LoginPayload{UserErrors: errs}, err
	}
	return payload, nil
}

func (r *resolver) refresh(ctx context.Context, text string) (*graph.LoginPayload, error) {
	// The MAC is checked before any statement: session ids are no secret, every access token holds one.
	id, generation, err := r.Codec.ParseRefresh(text)
	if err != nil {
		return nil, errRefreshToken()
	}
	session, now := db.SessionIDFrom(id), r.now()
	c, err := r.DB.Rotate(ctx, session, generation, now)
	if err != nil {
		return nil, err
	}
	if c == nil {
		seen, err := r.replay(ctx, session, generation)
		if err != nil {
			return nil, err
		}
		c = &seen.Caller
	}
	tokens, err := r.tokens(ctx, &c.User, &c.Session, graph.TokenDeliveryBody)
	return &graph.LoginPayload{User: &c.User, Session: &c.Session, Tokens: tokens, UserErrors: noErrors()}, err
}

// replay handles a token that is not in force: see db.Replay for the decision. With an error it gives the session too,
// if there is one.
func (r *resolver) replay(ctx context.Context, session db.SessionID, generation int64) (*db.Replayed, error) {
	seen, err := r.DB.Replay(ctx, session, generation, r.RefreshGrace, r.profile(ctx).Refresh.SingleUse, r.now())
	switch {
	case err != nil:
		return nil, err
	case seen != nil && seen.Ended:
		forget(ctx)
		return seen, fault.New(fault.TokenReused,
			"This refresh token was used before. The session was ended: sign in again.", "input", "refreshToken")
	case seen != nil && seen.Allowed:
		return seen, nil
	}
	return seen, errRefreshToken()
}

func errRefreshToken() error {
	return fault.New(fault.InvalidToken, "This refresh token is not valid, or its session is over.",
		"input", "refreshToken")
}
