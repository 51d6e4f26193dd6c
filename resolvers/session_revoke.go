package resolvers

import (
	"context"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
	"github.com/dragoman-auth/dragoman/internal/fault"
)

// RevokeSession is Mutation.revokeSession.
func (r *resolver) RevokeSession(
	ctx context.Context, input graph.RevokeSessionInput,
) (*graph.RevokeSessionPayload, error) {
	c, err := r.person(ctx)
	if err != nil {
		return nil, err
	}
	id, err := r.revokeSession(ctx, c, input)
	forget(ctx)
	if err != nil {
		e := db.Event{Action: db.ActionSessionRevoked, User: c.User.ID, Sess: c.Caller.Session.ID}
		errs, err := userErrors(r.record(ctx, err, e))
		return &graph.RevokeSessionPayload{UserErrors: errs}, err
	}
	r.clearEndedCookie(ctx, id, false)
	text := id.String()
	return &graph.RevokeSessionPayload{RevokedSessionID: &text, UserErrors: noErrors()}, nil
}

func (r *resolver) revokeSession(ctx context.Context, c *caller, input graph.RevokeSessionInput) (db.SessionID, error) {
	want, ok := sessionNamed(input.ID.Value(), input.Number.Value())
	if !ok {
		return want.id, fault.New(fault.InvalidInput, "Give the id or the number, one of them.", "input")
	}
	id, err := r.DB.RevokeSession(ctx, c.User.ID, want.id, want.number, r.now())
	if err == nil && id.IsZero() {
		err = fault.New(fault.NotFound, "There is no such session.", "input")
	}
	return id, err
}

// RevokeOtherSessions is Mutation.revokeOtherSessions.
func (r *resolver) RevokeOtherSessions(ctx context.Context) (*graph.RevokeOtherSessionsPayload, error) {
	c, err := r.person(ctx)
	if err != nil {
		return nil, err
	}
	n, err := r.DB.LogoutOthers(ctx, c.Caller.Session.ID, r.now())
	if err == nil && n == 0 {
		forget(ctx)
		if _, err := r.person(ctx); err != nil {
			return nil, err // the session of the caller ended meanwhile
		}
	}
	if err != nil {
		return nil, err
	}
	return &graph.RevokeOtherSessionsPayload{RevokedCount: &n, UserErrors: noErrors()}, nil
}
