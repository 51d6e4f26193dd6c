package resolvers

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"strings"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
	"github.com/dragoman-auth/dragoman/internal/fault"
	"github.com/dragoman-auth/dragoman/internal/identity"
	"github.com/dragoman-auth/dragoman/internal/limit"
)

// tokenInput is what the reader of a mail gives back: the token of its link, or its code and the address of the mail.
type tokenInput struct {
	text     string
	email    *string      // must be the address of the token, if given; a code needs it
	purposes []db.Purpose // at most two, of one CodeGroup
	owner    db.UserID    // who is signed in, where it matters; zero for nobody
	action   db.Action    // of the audit events
	shown    db.Shown     // the device token of the request, where it counts
}

// redeemableToken finds a token and checks that it can be redeemed. Every error reads alike (OT-04). A rejection writes
// an audit event, and a wrong code counts; the token stays as it is. It can still be redeemed or revoked before redeem
// writes.
func (r *resolver) redeemableToken(ctx context.Context, in tokenInput) (*db.TokenWithUser, error) {
	m, err := r.findToken(ctx, in)
	if err != nil {
		return nil, err
	}
	if reason := m.RejectReason(r.now(), in.purposes...); reason != "" {
		return nil, r.rejectToken(ctx, in, m.User.ID, reason)
	}
	return m, nil
}

// findToken finds a token that may be expired, redeemed or invalidated.
func (r *resolver) findToken(ctx context.Context, in tokenInput) (*db.TokenWithUser, error) {
	canonical := ""
	if in.email != nil {
		var err error
		if _, canonical, err = identity.Email(*in.email); err != nil {
			return nil, errMailToken(graph.MailTokenStateUnknown)
		}
	}
	var id db.TokenID
	if parsed, err := r.Codec.ParseOneTime(in.text); err == nil {
		if err := limit.Enter(ctx); err != nil {
			return nil, err
		}
		id = db.TokenIDFrom(parsed)
	} else if id, err = r.tokenByCode(ctx, in, canonical); err != nil {
		return nil, err
	}
	m, err := r.DB.TokenWithUser(ctx, id)
	switch {
	case err != nil:
		return nil, err
	case m == nil:
		return nil, r.rejectToken(ctx, in, db.UserID{}, "unknown_token")
	case in.email != nil && m.Token.AddressCanonical != canonical:
		return nil, r.rejectToken(ctx, in, m.User.ID, "other_address") // OT-06
	}
	return m, nil
}

// tokenByCode finds the token of a code of six digits, with or without spaces.
func (r *resolver) tokenByCode(ctx context.Context, in tokenInput, canonical string) (id db.TokenID, err error) {
	code := strings.ReplaceAll(in.text, " ", "")
	if canonical == "" || len(code) != 6 || strings.Trim(code, "0123456789") != "" {
		limit.Worthless(ctx)
		return id, errMailToken(graph.MailTokenStateUnknown)
	}
	if err := limit.Enter(ctx); err != nil {
		return id, err
	}
	id, err = r.DB.TryCode(ctx, &db.CodeTry{
		Address: canonical, Key: r.Addresses.Tries(canonical, in.purposes[0]), Purposes: in.purposes,
		Owner: in.owner, Action: in.action, Shown: in.shown, Closed: r.closedNotice(ctx),
		Right: func(id db.TokenID) bool { return r.Codec.IsCode(id.UUID, code) },
	}, r.now())
	if err == nil && id.IsZero() {
		r.logFailure(ctx, in.action, "wrong_code")
		err = auditedError{errMailToken("")}
	}
	return id, err
}

// signedIn gives the account of the caller's session; zero for nobody, and for an API key.
func (r *resolver) signedIn(ctx context.Context) (id db.UserID, err error) {
	c, err := r.caller(ctx)
	if err != nil || c == nil || c.kind == graph.CredentialKindAPIKey {
		return id, err
	}
	return c.User.ID, nil
}

// errStale says that the token or its account changed after the token was read.
var errStale = errors.New("the token or its account changed: read the token again")

// orStale gives errStale for a nil user: db redeemed nothing.
func orStale(user *db.User, err error) (*db.User, error) {
	if err == nil && user == nil {
		err = errStale
	}
	return user, err
}

// redeem redeems a token with the function write. It rejects a token that can not be redeemed any more.
func (r *resolver) redeem(
	ctx context.Context, in tokenInput, m *db.TokenWithUser, write func(*db.TokenWithUser) (*db.User, error),
) (*db.User, error) {
	user, reason, err := r.tryRedeem(ctx, in, m, write)
	if err == nil && reason != "" {
		err = r.rejectToken(ctx, in, m.User.ID, reason)
	}
	return user, err
}

// tryRedeem is redeem, but returns the reason of a rejection. After errStale it reads the token again and retries once.
func (r *resolver) tryRedeem(
	ctx context.Context, in tokenInput, m *db.TokenWithUser, write func(*db.TokenWithUser) (*db.User, error),
) (user *db.User, reason string, err error) {
	for range 2 {
		if reason = m.RejectReason(r.now(), in.purposes...); reason != "" {
			return nil, reason, nil
		}
		if user, err = write(m); !errors.Is(err, errStale) {
			return user, "", err
		}
		if m, err = r.DB.TokenWithUser(ctx, m.Token.ID); err != nil {
			return nil, "", err
		}
		if m == nil {
			return nil, "unknown_token", nil
		}
	}
	return nil, cmp.Or(m.RejectReason(r.now(), in.purposes...), "overtaken"), nil
}

// rejectToken records why a token can not be redeemed. Whoever has the token of a mail learns what became of it;
// whoever has a code learns nothing.
func (r *resolver) rejectToken(ctx context.Context, in tokenInput, user db.UserID, reason string) error {
	if err := r.recordSampled(ctx, db.Event{Action: in.action, Reason: reason, User: user}); err != nil {
		return err
	}
	r.logFailure(ctx, in.action, reason)
	if r.isCode(in) {
		return auditedError{errMailToken("")}
	}
	state := tokenState(reason)
	if reason == "unknown_token" && r.longAgo(in) {
		state = graph.MailTokenStateExpired
	}
	return auditedError{errMailToken(state)}
}

// longAgo tells whether a token was made more than a day ago. The row of such a token may be gone because it expired,
// and not because its account was deleted.
func (r *resolver) longAgo(in tokenInput) bool {
	id, err := r.Codec.ParseOneTime(in.text)
	if err != nil {
		return false
	}
	made := time.UnixMilli(int64(binary.BigEndian.Uint64(id[:8]) >> 16)) // RFC 9562 section 5.7
	return r.now().Sub(made) > 24*time.Hour
}

// isCode tells whether the text is no token but, at most, a code.
func (r *resolver) isCode(in tokenInput) bool {
	_, err := r.Codec.ParseOneTime(in.text)
	return err != nil
}

// tokenState is what callers learn of a reason.
func tokenState(reason string) graph.MailTokenState {
	switch reason {
	case "":
		return graph.MailTokenStateValid
	case "spent", "replaced", "overtaken":
		return graph.MailTokenStateSpent
	case "expired":
		return graph.MailTokenStateExpired
	case "suspended", "address_changed", "address_taken", "registration_ended",
		"unknown_token": // the rows of an account are deleted with it
		return graph.MailTokenStateAccountUnavailable
	}
	return graph.MailTokenStateUnknown
}

func errMailToken(state graph.MailTokenState) error {
	err := fault.New(
		fault.InvalidToken, "This link or code is wrong, used or too old. Ask for another mail.", "input", "token",
	)
	err.TokenState = string(state)
	return err
}
