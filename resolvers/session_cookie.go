package resolvers

import (
	"context"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
	"github.com/dragoman-auth/dragoman/internal/fault"
	"github.com/dragoman-auth/dragoman/internal/visit"
)

// checkDelivery refuses a cookie that would not arrive, and a cookie for a page of a foreign origin: the page could
// sign the browser in to an account of its choice. Call it before any other work.
func (r *resolver) checkDelivery(ctx context.Context, delivery graph.TokenDelivery) error {
	switch {
	case delivery != graph.TokenDeliveryCookie:
		return nil
	case r.Cookie.Name == "":
		return fault.New(fault.InvalidInput,
			"This server is reached over plain http, where browsers keep no cookie. It needs https.",
			"input", "tokenDelivery")
	case visit.From(ctx).Foreign:
		return fault.New(fault.InvalidInput, "Pages of this origin get no cookie here.", "input", "tokenDelivery")
	}
	return nil
}

// setCookie sets the cookie with the session token, which tells nothing about the person. It lasts as long as the
// session can.
func (r *resolver) setCookie(ctx context.Context, s *db.Session) {
	text := r.Codec.Session(s.ID.UUID).Reveal()
	visit.From(ctx).SetCookie(r.Cookie.Set(text, s.AbsoluteEnd.Sub(r.now())))
}

// clearEndedCookie clears the cookie of the request if its session just ended, or if all sessions did.
func (r *resolver) clearEndedCookie(ctx context.Context, ended db.SessionID, all bool) {
	v := visit.From(ctx)
	if !v.SessionCookie {
		return
	}
	// sessionOf gives no error for a session token, and the cookie holds one.
	if named, _ := r.sessionOf(v.Credential); all || !named.session.IsZero() && named.session == ended {
		v.ClearCookie(r.Cookie.Clear())
	}
}

// clearOwnCookie clears the cookie of an administrator who just ended the sessions of their own account.
func (r *resolver) clearOwnCookie(ctx context.Context, c *caller, user db.UserID) {
	if user == c.User.ID {
		r.clearEndedCookie(ctx, c.Caller.Session.ID, false)
	}
}
