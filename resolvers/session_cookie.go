package resolvers

import (
	"context"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
	"github.com/dragoman-auth/dragoman/internal/fault"
	"github.com/dragoman-auth/dragoman/internal/visit"
)

// checkDelivery refuses, before anything is done, a cookie that would not arrive, and one for a page that is not
// trusted: it would sign the browser in as somebody whom the page chose.
func (r *resolver) checkDelivery(ctx context.Context, delivery graph.TokenDelivery) error {
	switch {
	case delivery != graph.TokenDeliveryCookie:
		return nil
	case r.Cookie.Name == "":
		return fault.New(
			fault.InvalidInput,
			"This server is reached over plain http, where browsers keep no cookie. It needs https.", "input",
			"tokenDelivery",
		)
	case visit.From(ctx).Foreign:
		return fault.New(fault.InvalidInput, "Pages of this origin get no cookie here.", "input", "tokenDelivery")
	}
	return nil
}

// setCookie delivers the session to the browser, until its last possible moment. The token says nothing of the person.
func (r *resolver) setCookie(ctx context.Context, s *db.Session) {
	text := r.Codec.Session(s.ID.UUID).Reveal()
	visit.From(ctx).SetCookie(r.Cookie.Set(text, s.AbsoluteEnd.Sub(r.now())))
}

// clearEndedCookie clears the cookie of the request when its session is the one that just ended, or when all did.
func (r *resolver) clearEndedCookie(ctx context.Context, ended db.SessionID, all bool) {
	v := visit.From(ctx)
	if !v.SessionCookie {
		return
	}
	// The cookie holds a session token, which asks nobody.
	if id, _, _ := r.sessionOf(v.Credential); all || !id.IsZero() && id == ended {
		v.ClearCookie(r.Cookie.Clear())
	}
}

// clearOwnCookie clears the cookie of an administrator whose own sessions just ended with those of the account user.
func (r *resolver) clearOwnCookie(ctx context.Context, c *caller, user db.UserID) {
	if user == c.User.ID {
		r.clearEndedCookie(ctx, c.Caller.Session.ID, false)
	}
}
