package resolvers

import (
	"context"
	"strings"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/internal/fault"
	"github.com/dragoman-auth/dragoman/internal/identity"
)

// tokenInput is what somebody shows of a mail: the token of its link, or its code beside the address that it went to.
type tokenInput struct {
	text     string
	email    *string // compared where there is a token; a code is worth nothing without it
	purposes []db.Purpose
	action   string // of the events
}

// redeemableToken reads the token that is shown, and refuses one that is good for nothing, all with the same answer (OT-04). It changes
// nothing but the count of a wrong code. Only what is redeemed afterwards is known to have been good.
func (r *resolver) redeemableToken(ctx context.Context, s tokenInput) (*db.Mailed, error) {
	m, err := r.findToken(ctx, s)
	if err != nil {
		return nil, err
	}
	if why := m.Why(r.now(), s.purposes...); why != "" {
		return nil, r.rejectToken(ctx, s.action, m.User.ID, why)
	}
	return m, nil
}

// findToken is mailed without a look at whether the token is good.
func (r *resolver) findToken(ctx context.Context, s tokenInput) (*db.Mailed, error) {
	canonical := ""
	if s.email != nil {
		var err error
		if _, canonical, err = identity.Email(*s.email); err != nil {
			return nil, errMailToken()
		}
	}
	var id db.TokenID
	if parsed, err := r.Codec.ParseOneTime(s.text); err == nil {
		id = db.TokenIDFrom(parsed)
	} else if id, err = r.tokenByCode(ctx, s, canonical); err != nil {
		return nil, err
	}
	m, err := r.DB.Mailed(ctx, id)
	switch {
	case err != nil:
		return nil, err
	case m == nil:
		return nil, r.rejectToken(ctx, s.action, db.UserID{}, "unknown_token")
	case s.email != nil && m.Token.AddressCanonical != canonical:
		return nil, r.rejectToken(ctx, s.action, m.User.ID, "other_address") // OT-06
	}
	return m, nil
}

// tokenByCode finds the token of a code. People type the digits in groups.
func (r *resolver) tokenByCode(ctx context.Context, s tokenInput, canonical string) (id db.TokenID, err error) {
	code := strings.ReplaceAll(s.text, " ", "")
	if canonical == "" || len(code) != 6 || strings.Trim(code, "0123456789") != "" {
		return id, errMailToken()
	}
	right := func(id db.TokenID) bool { return r.Codec.IsCode(id.UUID, code) }
	id, err = r.DB.TryCode(ctx, canonical, s.purposes, right, s.action, r.now())
	if err == nil && id.IsZero() {
		err = auditedError{errMailToken()}
	}
	return id, err
}

// redeem has do spend the token, and says why it is not good. Where do finds that it can not spend it, the account or the
// token changed since m was read: it is read again, and tried once more if it is good still.
func (r *resolver) redeem(
	ctx context.Context, s tokenInput, m *db.Mailed, do func(*db.Mailed) (*db.User, error),
) (user *db.User, why string, err error) {
	for range 2 {
		if why = m.Why(r.now(), s.purposes...); why != "" {
			return nil, why, nil
		}
		if user, err = do(m); err != nil || user != nil {
			return user, "", err
		}
		again, err := r.DB.Mailed(ctx, m.Token.ID)
		if err != nil || again == nil {
			return nil, "unknown_token", err
		}
		m = again
	}
	if why = m.Why(r.now(), s.purposes...); why == "" {
		why = "overtaken"
	}
	return nil, why, nil
}

// rejectToken writes down why a token is good for nothing, and gives the refusal, which says nothing of that.
func (r *resolver) rejectToken(ctx context.Context, action string, user db.UserID, why string) error {
	if err := r.DB.Record(ctx, db.Event{Action: action, Reason: why, User: user}, r.now()); err != nil {
		return err
	}
	return auditedError{errMailToken()}
}

func errMailToken() error {
	return fault.New(fault.InvalidToken, "This link or code is wrong, used or too old. Ask for another mail.", "input", "token")
}
