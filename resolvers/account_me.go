package resolvers

import (
	"context"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
)

// Me is Query.me: null without a credential, UNAUTHENTICATED for one that is refused, FORBIDDEN for an API key without
// PROFILE_READ.
func (r *resolver) Me(ctx context.Context) (*db.User, error) {
	c, err := r.presented(ctx)
	if err != nil || c == nil {
		return nil, err
	}
	if !c.may(db.ProfileRead) {
		needs := db.ProfileRead
		return nil, r.forbidden(ctx, c, &needs)
	}
	return &c.User, nil
}

// CurrentCredential is Query.currentCredential: null without a credential, UNAUTHENTICATED for one that is refused.
func (r *resolver) CurrentCredential(ctx context.Context) (*graph.Credential, error) {
	c, err := r.presented(ctx)
	if err != nil || c == nil {
		return nil, err
	}
	credential := &graph.Credential{Kind: c.kind, ExpiresAt: c.expires, Permissions: c.permissions()}
	switch c.kind {
	case graph.CredentialKindAPIKey:
		credential.APIKey = &c.Key
	case graph.CredentialKindAccessToken, graph.CredentialKindSessionToken:
		credential.Session = &c.Caller.Session
	case graph.CredentialKindLegacyToken:
	}
	return credential, nil
}
