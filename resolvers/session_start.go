package resolvers

import (
	"cmp"
	"context"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
)

// proof is the result of a sign-in method: who signs in, and by which method.
type proof struct {
	user      *db.User
	method    db.AuthMethod
	device    []byte    // becomes a known device; nil for a method that remembers none
	shown     db.Shown  // the device token of the request
	takesOver bool      // whether the sign-in is the first proof of whose address it is, and removes what was before
	at        time.Time // the start of the session
	delivery  graph.TokenDelivery
}

// startSession makes the session and its tokens; every sign-in method ends here, and nothing else makes a session.
// Conditions for every sign-in belong here.
//
// write stores the session in the statement that also writes the changes of the method, such as a redeemed token. It
// gives the account after them, or nil when the proof does not hold any more: the payload has no session then.
func (r *resolver) startSession(
	ctx context.Context, p proof, write func(*db.Session) (*db.User, error),
) (*graph.LoginPayload, error) {
	// Each method checks this before its work too. Here no method can forget it.
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
	if err := r.gate(ctx, p, session); err != nil {
		return nil, err
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
	if session.Challenge != nil {
		return r.challengePayload(ctx, p, session)
	}
	user.LastLoginAt = &session.CreatedAt
	return r.handOut(ctx, p, user, session)
}

// handOut makes the tokens of a session that just began.
func (r *resolver) handOut(
	ctx context.Context, p proof, user *db.User, session *db.Session,
) (*graph.LoginPayload, error) {
	tokens, err := r.tokens(ctx, user, session, p.delivery)
	if err != nil {
		return nil, err
	}
	return &graph.LoginPayload{
		User: user, Session: session, Tokens: tokens, UserErrors: noErrors(),
		DeviceToken: r.deliverDevice(ctx, user, p.shown, p.at, p.delivery),
	}, nil
}
