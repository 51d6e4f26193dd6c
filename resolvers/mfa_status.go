package resolvers

import (
	"context"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
)

// Mfa is User.mfa: null for anybody else's account without USERS_READ.
func (f userFields) Mfa(ctx context.Context, u *db.User) (*graph.MfaStatus, error) {
	c, err := f.caller(ctx)
	if err != nil || c == nil || c.User.ID != u.ID && !c.may(db.UsersRead) {
		return nil, err
	}
	s := &graph.MfaStatus{Enabled: u.MFAEnabledAt != nil, Required: f.MfaPolicy.requires(u)}
	if s.Authenticators, err = f.DB.Authenticators(ctx, u.ID); err != nil {
		return nil, err
	}
	if s.RecoveryCodesRemaining, err = f.DB.RecoveryCodesLeft(ctx, u.ID); err != nil {
		return nil, err
	}
	if s.GuessesRemaining, err = f.DB.FactorTriesLeft(ctx, u.ID, f.now()); err != nil {
		return nil, err
	}
	s.Methods, err = f.mfaMethods(ctx, u)
	return s, err
}

// SudoMethod is Session.sudoMethod.
func (f sessionFields) SudoMethod(ctx context.Context, s *db.Session) (*db.AuthMethod, error) {
	if f.sudoEnd(ctx, s) == nil {
		return nil, nil
	}
	if s.ProvedBy != "" {
		return &s.ProvedBy, nil
	}
	return &s.Methods[0], nil
}
