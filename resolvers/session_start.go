package resolvers

import (
	"cmp"
	"context"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
)

// proof is what a way in has found out when it asks for a session: who it is, and how they showed it.
type proof struct {
	user     *db.User
	method   db.AuthMethod
	device   []byte    // is known from now on; nil where this way in remembers none
	at       time.Time // the session begins then
	delivery graph.TokenDelivery
}

// startSession is where every way in ends: it makes the session and its tokens, and nothing else does. What is asked
// of everybody who signs in, whichever way, belongs here.
//
// write stores the session in the same statement as what the way in changes, such as a token that is spent, and gives
// the account as it is then. It gives nil when the proof does not hold any more; the payload has no session then.
func (r *resolver) startSession(
	ctx context.Context, p proof, write func(*db.Session) (*db.User, error),
) (*graph.LoginPayload, error) {
	// Each way in asks this before it does its work too; here none can forget it.
	if err := r.checkDelivery(ctx, p.delivery); err != nil {
		return nil, err
	}
	form := r.profile(ctx)
	life, idle := cmp.Or(form.SessionTTL, r.SessionTTL), cmp.Or(form.Refresh.TTL, r.SessionIdle)
	session := db.NewSession(ctx, p.user.ID, life, idle, p.at, p.method)
	session.Device = p.device
	if p.delivery != graph.TokenDeliveryBody {
		session.Generation = db.NoRefresh
	}
	if err := r.validateClaims(ctx, p.user, session); err != nil {
		return nil, err
	}
	user, err := write(session)
	if err != nil {
		return nil, err
	}
	if user == nil {
		return &graph.LoginPayload{}, nil
	}
	user.LastLoginAt = &session.CreatedAt
	tokens, err := r.tokens(ctx, user, session, p.delivery)
	if err != nil {
		return nil, err
	}
	return &graph.LoginPayload{User: user, Session: session, Tokens: tokens, UserErrors: noErrors()}, nil
}
