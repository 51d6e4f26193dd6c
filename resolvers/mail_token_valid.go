package resolvers

import (
	"context"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
	"github.com/dragoman-auth/dragoman/internal/fault"
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
	in := tokenInput{text: token, email: email, purposes: purposes(purpose), action: db.ActionTokenChecked}
	m, err := q.findToken(ctx, in)
	if err != nil && !fault.Is(err, fault.InvalidToken) {
		return nil, err
	}
	valid := err == nil && m.RejectReason(q.now(), in.purposes...) == ""
	return &valid, nil
}
