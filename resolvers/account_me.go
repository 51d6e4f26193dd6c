package resolvers

import (
	"context"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
	"github.com/dragoman-auth/dragoman/internal/password"
)

// Me is Query.me: null for nobody, FORBIDDEN for an API key that may not read the account.
func (r *resolver) Me(ctx context.Context) (*db.User, error) {
	c, err := r.caller(ctx)
	if err != nil || c == nil {
		return nil, err
	}
	if !c.may(db.ProfileRead) {
		return nil, r.forbidden(ctx, c)
	}
	return &c.User, nil
}

// CurrentCredential is Query.currentCredential.
func (r *resolver) CurrentCredential(ctx context.Context) (*graph.Credential, error) {
	c, err := r.caller(ctx)
	if err != nil || c == nil {
		return nil, err
	}
	credential := &graph.Credential{Kind: c.kind, ExpiresAt: c.expires, Permissions: c.permissions()}
	if c.kind == graph.CredentialKindAPIKey {
		credential.APIKey = &c.Key
	} else {
		credential.Session = &c.Caller.Session
	}
	return credential, nil
}

// ServerInfo is Query.serverInfo.
func (r *resolver) ServerInfo(ctx context.Context) (*graph.ServerInfo, error) {
	methods := []db.AuthMethod{db.AuthPassword, db.AuthMagicLink, db.AuthAPIKey}
	if r.MailOff {
		methods = []db.AuthMethod{db.AuthPassword, db.AuthAPIKey}
	}
	return &graph.ServerInfo{
		Version:     r.Version,
		AuthMethods: methods,
		PasswordPolicy: &graph.PasswordPolicy{
			MinLength: r.policy(ctx).MinLength, MaxLength: password.MaxRunes, MaxBytes: password.MaxBytes,
			ChecksBreaches: !r.profile(ctx).Password.FlagGuessable,
		},
		RegistrationOpen: r.RegistrationOpen, VerifiedEmailRequired: r.RequireVerifiedEmail,
	}, nil
}
