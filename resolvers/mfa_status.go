package resolvers

import (
	"context"
	"slices"

	"github.com/99designs/gqlgen/graphql"

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
	asked := graphql.CollectAllFields(ctx)
	if len(asked) > 0 && !slices.ContainsFunc(asked, costly) {
		return s, nil // a list of accounts asks no more than once
	}
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

// costly tells whether a field of MfaStatus takes a statement.
func costly(field string) bool { return field != "enabled" && field != "required" }

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
