package resolvers

import (
	"context"
	"slices"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
	"github.com/dragoman-auth/dragoman/internal/fault"
	"github.com/dragoman-auth/dragoman/internal/identity"
	"github.com/dragoman-auth/dragoman/internal/limit"
)

// purposes maps a TokenPurpose of the schema to the purposes of db.
func purposes(p graph.TokenPurpose) []db.Purpose {
	switch p {
	case graph.TokenPurposePasswordReset:
		return []db.Purpose{db.PurposeResetPassword}
	case graph.TokenPurposeEmailVerification:
		return []db.Purpose{db.PurposeVerifyEmail}
	case graph.TokenPurposeMagicLink:
		return []db.Purpose{db.PurposeMagicLink}
	case graph.TokenPurposeEmailChange:
		return []db.Purpose{db.PurposeConfirmChange}
	case graph.TokenPurposeEmailChangeCancel:
		return []db.Purpose{db.PurposeCancelChange}
	}
	return nil
}

// TokenIsValid is Query.tokenIsValid.
func (q queries) TokenIsValid(
	ctx context.Context, purpose graph.TokenPurpose, token string, email *string,
) (*bool, error) {
	state, err := q.TokenState(ctx, purpose, token, email)
	if err != nil {
		return nil, err
	}
	valid := *state == graph.MailTokenStateValid
	return &valid, nil
}

// MailedToken is Query.mailedToken.
func (q queries) MailedToken(ctx context.Context, token string) (*graph.MailedToken, error) {
	m, err := q.linkToken(ctx, token)
	if err != nil || m == nil || m.RejectReason(q.now(), m.Token.Purpose) != "" {
		return nil, err
	}
	if m.OfRegistration() {
		return q.mailedRegistration(ctx, m), nil
	}
	told := &graph.MailedToken{
		Purpose: tokenPurpose(m.Token.Purpose), Email: m.Token.Address, Account: accountLabel(&m.User),
		TakesOver: m.TakesOver(), Invited: m.User.Invited, ReturnTo: q.goesOn(m),
	}
	if told.TakesOver {
		told.Username, told.Name, told.Metadata = m.User.Username, m.User.Name, m.User.Metadata
	}
	return told, nil
}

// MailReturnTo is Query.mailReturnTo.
func (q queries) MailReturnTo(ctx context.Context, token string) (*string, error) {
	m, err := q.linkToken(ctx, token)
	if err != nil || m == nil {
		return nil, err
	}
	return q.goesOn(m), nil
}

// linkToken finds the token of a link, good or not; nil for none. Looking redeems nothing.
func (q queries) linkToken(ctx context.Context, token string) (*db.TokenWithUser, error) {
	id, err := q.Codec.ParseOneTime(token)
	if err != nil {
		limit.Worthless(ctx)
		return nil, nil //nolint:nilerr // no token of a mail: the answer is null, and costs no look-up
	}
	if err := limit.Enter(ctx); err != nil {
		return nil, err
	}
	return q.DB.TokenWithUser(ctx, db.TokenIDFrom(id))
}

// tokenPurpose is the inverse of purposes.
func tokenPurpose(p db.Purpose) graph.TokenPurpose {
	for _, of := range graph.AllTokenPurpose {
		if slices.Contains(purposes(of), p) {
			return of
		}
	}
	return ""
}

// accountLabel names an account to somebody who may be a stranger: enough for its owner to recognize it.
func accountLabel(u *db.User) *string {
	if u.Username != nil {
		return u.Username
	}
	if u.Email == nil {
		return nil
	}
	label := identity.Abridged(*u.Email)
	return &label
}

// TokenState is Query.tokenState.
func (q queries) TokenState(
	ctx context.Context, purpose graph.TokenPurpose, token string, email *string,
) (*graph.MailTokenState, error) {
	owner, err := q.signedIn(ctx)
	if err != nil {
		return nil, err
	}
	in := tokenInput{
		text: token, email: email, purposes: purposes(purpose), owner: owner, action: db.ActionTokenChecked,
	}
	m, err := q.findToken(ctx, in)
	if fault.Is(err, fault.InvalidToken) {
		limit.Worthless(ctx) // unless a token or a code was looked up
	}
	state := graph.MailTokenStateUnknown
	switch f := fault.From(err); {
	case err == nil:
		if state = tokenState(m.RejectReason(q.now(), in.purposes...)); state != graph.MailTokenStateValid &&
			q.isCode(in) {
			state = graph.MailTokenStateUnknown
		}
	case f == nil || f.Code != fault.InvalidToken:
		return nil, err
	case f.TokenState != "":
		state = graph.MailTokenState(f.TokenState)
	}
	return &state, nil
}
