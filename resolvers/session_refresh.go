package resolvers

import (
	"cmp"
	"context"
	"net/netip"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
	"github.com/dragoman-auth/dragoman/internal/fault"
	"github.com/dragoman-auth/dragoman/internal/limit"
	"github.com/dragoman-auth/dragoman/internal/token"
	"github.com/dragoman-auth/dragoman/internal/visit"
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
		limit.Worthless(ctx)
		return nil, errNoRefreshToken(text)
	}
	session := db.SessionIDFrom(id)
	switch ended, err := r.enterByRefreshToken(ctx, session); {
	case err != nil:
		return nil, err
	case ended:
		_, err := r.replay(ctx, session, generation)
		return nil, cmp.Or(err, errRefreshToken())
	}
	c, err := r.rotate(ctx, session, generation)
	if err != nil {
		return nil, err
	}
	tokens, err := r.tokens(ctx, &c.User, &c.Session, graph.TokenDeliveryBody)
	return &graph.LoginPayload{User: &c.User, Session: &c.Session, Tokens: tokens, UserErrors: noErrors()}, err
}

// rotate gives the session of a refresh token in the generation that follows the token's: by a rotation, or because the
// token is a predecessor that still gets its successor.
func (r *resolver) rotate(ctx context.Context, session db.SessionID, generation int64) (*db.Caller, error) {
	rules, now := r.refreshRules(ctx), r.now()
	c, err := r.DB.Rotate(ctx, session, generation, rules, now)
	if err != nil || c != nil {
		return c, err
	}
	for range 2 { // a retry that another caller was ahead of is judged anew, and within the grace of that one
		seen, err := r.replay(ctx, session, generation)
		if err != nil {
			return nil, err
		}
		if seen.Verdict == db.VerdictWithinGrace {
			return &seen.Caller, nil
		}
		c, err := r.DB.Retry(ctx, session, generation, rules, now, r.elsewhereNotice(ctx, seen)...)
		if err != nil || c != nil {
			return c, err
		}
	}
	return nil, errRefreshToken()
}

// refreshRules are those of the present dialect. A server without a grace gives nothing twice, to nobody.
func (r *resolver) refreshRules(ctx context.Context) db.RefreshRules {
	rules := db.RefreshRules{Grace: r.RefreshGrace, SingleUse: r.profile(ctx).Refresh.SingleUse}
	if rules.Grace > 0 {
		rules.Retry = r.accessTTL(ctx)
	}
	return rules
}

// elsewhereNotice tells the person of a retry that comes from another network than the rotation did.
func (r *resolver) elsewhereNotice(ctx context.Context, seen *db.Replayed) []*db.Mail {
	if before := seen.Session.IP; before != nil {
		if ip, err := netip.ParseAddr(*before); err == nil && networkPrefix(ip) == networkPrefix(visit.From(ctx).IP) {
			return nil
		}
	}
	return r.mailNotice(ctx, db.MailSessionElsewhere, &seen.User, db.MailData{})
}

// replay handles a token that is not in force: see db.Replay for the decision. Without an error the token gets its
// successor, at once or by db.Retry. A session that was ended or deleted is remembered.
func (r *resolver) replay(ctx context.Context, session db.SessionID, generation int64) (*db.Replayed, error) {
	if over, err := r.overAgain(ctx, session); over || err != nil {
		return nil, cmp.Or(err, errRefreshToken())
	}
	seen, err := r.DB.Replay(ctx, session, generation, r.refreshRules(ctx), r.now())
	switch {
	case err != nil:
		return nil, err
	case seen == nil:
		r.ended.add(session, false)
		return nil, errRefreshToken()
	}
	if seen.Session.RevokedAt != nil || seen.Verdict == db.VerdictReused {
		r.ended.add(session, true)
	}
	switch seen.Verdict {
	case db.VerdictWithinGrace, db.VerdictAnswerLost:
		return seen, nil
	case db.VerdictReused:
		forget(ctx)
		return nil, fault.New(fault.TokenReused,
			"This refresh token was used before. The session was ended: sign in again.", "input", "refreshToken")
	case db.VerdictSingleUse, db.VerdictOver:
	}
	return nil, errRefreshToken()
}

// overAgain tells, without an event, whether a session is over, where one network shows tokens of it again and again:
// five a minute are on record, and more of the same tell nothing (LG-30). Until then, and of a session that is alive,
// it says no.
func (r *resolver) overAgain(ctx context.Context, session db.SessionID) (over bool, err error) {
	now := r.now()
	if r.sampled(ctx, db.Event{Action: db.ActionSessionRefreshed, Reason: session.String()}, now) {
		return false, nil
	}
	if _, over = r.ended.find(session); over {
		return true, nil
	}
	over, revoked, err := r.DB.SessionOver(ctx, session, now)
	if revoked {
		r.ended.add(session, true)
	}
	return over, err
}

func errRefreshToken() error {
	return fault.New(fault.InvalidToken, "This refresh token is not valid, or its session is over: sign in again.",
		"input", "refreshToken")
}

// errNoRefreshToken is errRefreshToken for a text that is none, and says so of the other tokens of this server.
func errNoRefreshToken(text string) error {
	names := map[token.Credential]string{
		token.KindAccess: "an access token", token.KindSession: "a session token", token.KindDevice: "a device token",
		token.KindAPIKey: "an API key",
	}
	if name, ok := names[token.Kind(text)]; ok {
		return fault.New(fault.InvalidToken, "This is "+name+": send the refresh token.", "input", "refreshToken")
	}
	return errRefreshToken()
}
