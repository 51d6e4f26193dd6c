package resolvers

import (
	"context"
	"strings"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/internal/fault"
	"github.com/dragoman-auth/dragoman/internal/identity"
)

// shown is what somebody shows of a mail: the token of its link, or its code beside the address that it went to.
type shown struct {
	text     string
	email    *string // compared where there is a token; a code is worth nothing without it
	purposes []db.Purpose
	action   string // of the events
}

// mailed reads the token that is shown, and refuses one that is good for nothing, all with the same answer (OT-04). It changes
// nothing but the count of a wrong code. Only what is redeemed afterwards is known to have been good.
func (r *resolver) mailed(ctx context.Context, s shown) (*db.TokenWithUser, error) {
	m, err := r.showing(ctx, s)
	if err != nil {
		return nil, err
	}
	if why := m.RejectReason(r.now(), s.purposes...); why != "" {
		return nil, r.deadMail(ctx, s.action, m.User.ID, why)
	}
	return m, nil
}

// showing is mailed without a look at whether the token is good.
func (r *resolver) showing(ctx context.Context, s shown) (*db.TokenWithUser, error) {
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
	} else if id, err = r.byCode(ctx, s, canonical); err != nil {
		return nil, err
	}
	m, err := r.DB.TokenWithUser(ctx, id)
	switch {
	case err != nil:
		return nil, err
	case m == nil:
		return nil, r.deadMail(ctx, s.action, db.UserID{}, "unknown_token")
	case s.email != nil && m.Token.AddressCanonical != canonical:
		return nil, r.deadMail(ctx, s.action, m.User.ID, "other_address") // OT-06
	}
	return m, nil
}

// byCode finds the token of a code. People type the digits in groups.
func (r *resolver) byCode(ctx context.Context, s shown, canonical string) (id db.TokenID, err error) {
	code := strings.ReplaceAll(s.text, " ", "")
	if canonical == "" || len(code) != 6 || strings.Trim(code, "0123456789") != "" {
		return id, errMailToken()
	}
	right := func(id db.TokenID) bool { return r.Codec.IsCode(id.UUID, code) }
	id, err = r.DB.TryCode(ctx, canonical, s.purposes, right, s.action, r.now())
	if err == nil && id.IsZero() {
		err = noted{errMailToken()}
	}
	return id, err
}

// redeem has do spend the token, and says why it is not good. Where do finds that it can not spend it, the account or the
// token changed since m was read: it is read again, and tried once more if it is good still.
func (r *resolver) redeem(
	ctx context.Context, s shown, m *db.TokenWithUser, do func(*db.TokenWithUser) (*db.User, error),
) (user *db.User, why string, err error) {
	for range 2 {
		if why = m.RejectReason(r.now(), s.purposes...); why != "" {
			return nil, why, nil
		}
		if user, err = do(m); err != nil || user != nil {
			return user, "", err
		}
		again, err := r.DB.TokenWithUser(ctx, m.Token.ID)
		if err != nil || again == nil {
			return nil, "unknown_token", err
		}
		m = again
	}
	if why = m.RejectReason(r.now(), s.purposes...); why == "" {
		why = "overtaken"
	}
	return nil, why, nil
}

// deadMail writes down why a token is good for nothing, and gives the refusal, which says nothing of that.
func (r *resolver) deadMail(ctx context.Context, action string, user db.UserID, why string) error {
	if err := r.DB.Record(ctx, db.Event{Action: action, Reason: why, User: user}, r.now()); err != nil {
		return err
	}
	return noted{errMailToken()}
}

func errMailToken() error {
	return fault.New(fault.InvalidToken, "This link or code is wrong, used or too old. Ask for another mail.", "input", "token")
}
