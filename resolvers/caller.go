package resolvers

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
	"github.com/dragoman-auth/dragoman/internal/limit"
	"github.com/dragoman-auth/dragoman/internal/token"
	"github.com/dragoman-auth/dragoman/internal/visit"
)

// caller is the person behind the credential of a request.
type caller struct {
	*db.Caller
	kind       graph.CredentialKind
	generation int64      // of an access token
	expires    *time.Time // when the credential itself ends, nil for never
}

// may tells whether the caller holds a permission (AK-05, AZ-03).
func (c *caller) may(p db.Permission) bool { return slices.Contains(c.permissions(), p) }

// mayAll tells whether the caller holds every permission of a list.
func (c *caller) mayAll(list []db.Permission) bool {
	return !slices.ContainsFunc(list, func(p db.Permission) bool { return !c.may(p) })
}

// permissions gives what the present role of the person grants. An API key has the part of it that is in its scopes, a
// token of a former system what reads the own account.
func (c *caller) permissions() []db.Permission {
	granted := c.User.Permissions()
	switch c.kind {
	case graph.CredentialKindLegacyToken:
		return slices.DeleteFunc(slices.Clone(granted), func(p db.Permission) bool { return p != db.ProfileRead })
	case graph.CredentialKindAccessToken, graph.CredentialKindSessionToken:
		return granted
	case graph.CredentialKindAPIKey:
	}
	return slices.DeleteFunc(slices.Clone(c.Key.Scopes), func(p db.Permission) bool {
		return !slices.Contains(granted, p)
	})
}

// callerSchema gives every operation a slot for its caller. The first field that asks looks the credential up; a
// sign-in looks nothing up.
type callerSchema struct{ graphql.ExecutableSchema }

type callerKey struct{}

type callerSlot struct {
	mu      sync.Mutex
	done    bool
	caller  *caller
	refusal refusal
	err     error

	security securityBatch
}

// Exec is graphql.ExecutableSchema.
func (s callerSchema) Exec(ctx context.Context) graphql.ResponseHandler {
	next := s.ExecutableSchema.Exec(ctx)
	slot := &callerSlot{}
	return func(ctx context.Context) *graphql.Response {
		return next(context.WithValue(ctx, callerKey{}, slot))
	}
}

// caller gives the caller of the request, nil for nobody. A credential that is malformed, expired or revoked counts as
// none here; the answer says so in WWW-Authenticate (RFC 6750 section 3). A failure of the database is an error, never
// nobody.
func (r *resolver) caller(ctx context.Context) (*caller, error) {
	c, _, err := r.callerOrRefusal(ctx)
	return c, err
}

// callerOrRefusal is caller, and says why the credential that was presented counts as none.
func (r *resolver) callerOrRefusal(ctx context.Context) (*caller, refusal, error) {
	slot, ok := ctx.Value(callerKey{}).(*callerSlot)
	if !ok {
		slot = &callerSlot{}
	}
	slot.mu.Lock()
	defer slot.mu.Unlock()
	if !slot.done {
		slot.caller, slot.refusal, slot.err = r.lookUp(ctx)
		slot.done = true
		if v := visit.From(ctx); slot.refusal != "" {
			v.SetHeader("WWW-Authenticate", `Bearer error="invalid_token"`)
			if v.SessionCookie && v.Problem == "" {
				v.ClearCookie(r.Cookie.Clear())
			}
		}
	}
	if slot.refusal.forged() {
		limit.Worthless(ctx)
	}
	return slot.caller, slot.refusal, slot.err
}

// forget makes the next field of the operation look the caller up again: the field that just ran may have ended the
// session. What failures did to accounts is read again too.
func forget(ctx context.Context) {
	if slot, ok := ctx.Value(callerKey{}).(*callerSlot); ok {
		slot.mu.Lock()
		slot.done = false
		slot.mu.Unlock()
		slot.security.forget()
	}
}

// lookUp finds the caller, or why there is none; neither where no credential was presented.
func (r *resolver) lookUp(ctx context.Context) (*caller, refusal, error) {
	now, v := r.now(), visit.From(ctx)
	if v.Credential == "" {
		return nil, ambiguities[v.Problem], nil
	}
	c, found, err := &caller{}, (*db.Caller)(nil), error(nil)
	generation := int64(token.NoGeneration)
	switch token.Kind(v.Credential) {
	case token.KindAccess, token.KindSession:
		named, failed := r.sessionOf(v.Credential)
		if failed == nil && named.refusal == isNoToken {
			return r.callerByLegacy(ctx, v.Credential, now)
		}
		if failed != nil || named.session.IsZero() {
			return nil, named.refusal, failed
		}
		if generation = named.generation; v.Renewed() {
			generation-- // the answer with the new token may be lost: only the old one was used (SE-26)
		}
		c.kind, c.generation, c.expires = graph.CredentialKindSessionToken, named.generation, named.expires
		if named.expires != nil {
			c.kind = graph.CredentialKindAccessToken
		}
		found, err = r.DB.CallerBySession(ctx, named.session, now)
	case token.KindAPIKey:
		c.kind = graph.CredentialKindAPIKey
		found, err = r.callerByKey(ctx, v.Credential, now)
	// Refresh and device tokens authenticate nothing (SE-14, SE-15).
	case token.KindRefresh, token.KindDevice, token.KindNone:
	}
	switch {
	case err != nil:
		return nil, "", err
	case found == nil:
		return nil, r.refusalOf(v.Credential), nil
	}
	c.Caller = found
	switch c.kind {
	case graph.CredentialKindAPIKey:
		c.expires = found.Key.ExpiresAt
		v.SetAPIKey(found.Key.Prefix)
	case graph.CredentialKindSessionToken:
		end := found.Session.ExpiresAt()
		c.expires = &end
	case graph.CredentialKindAccessToken, graph.CredentialKindLegacyToken:
	}
	if err := r.DB.Touch(ctx, found, generation, now); err != nil {
		return nil, "", err
	}
	if err := r.countQuery(ctx, c); err != nil {
		return nil, "", err
	}
	return c, "", nil
}

// sessionCredential is what an access or session token says about its session.
type sessionCredential struct {
	session    db.SessionID // zero for an invalid token
	refusal    refusal      // of an invalid token
	generation int64        // of an access token
	expires    *time.Time   // the end of an access token, nil for a session token
}

// sessionOf gives the session that an access or session token names. The session may have ended.
func (r *resolver) sessionOf(text string) (named sessionCredential, err error) {
	named.generation, named.refusal = token.NoGeneration, isNoToken
	switch token.Kind(text) {
	case token.KindSession:
		if u, err := r.Codec.ParseSession(text); err == nil {
			named.session, named.refusal = db.SessionIDFrom(u), ""
		}
	case token.KindAccess:
		access, err := r.Issuer.Verify(text)
		switch {
		case err != nil && !errors.Is(err, token.ErrMalformed):
			return named, err
		case errors.Is(err, token.ErrExpired):
			named.refusal = hasExpired
		case err == nil && named.session.UnmarshalText([]byte(access.Session)) == nil:
			named.generation, named.expires, named.refusal = access.Generation, &access.ExpiresAt, ""
		}
	case token.KindNone, token.KindRefresh, token.KindDevice, token.KindAPIKey:
	}
	return named, nil
}

// requiresAuth is the directive @requiresAuth.
func (r *resolver) requiresAuth(ctx context.Context, _ any, next graphql.Resolver, scope *db.Permission) (any, error) {
	c, err := r.person(ctx)
	if err != nil {
		return nil, err
	}
	if err := r.countMutation(ctx, c); err != nil {
		return nil, err
	}
	bounded := c.kind == graph.CredentialKindAPIKey || c.kind == graph.CredentialKindLegacyToken
	if bounded && (scope == nil || !c.may(*scope)) {
		return nil, r.forbidden(ctx, c, scope)
	}
	if err := enter(ctx); err != nil {
		return nil, err
	}
	return next(ctx)
}

// requiresPermission is the directive @requiresPermission.
func (r *resolver) requiresPermission(ctx context.Context, _ any, next graphql.Resolver, p db.Permission) (any, error) {
	c, err := r.person(ctx)
	if err != nil {
		return nil, err
	}
	if err := r.countMutation(ctx, c); err != nil {
		return nil, err
	}
	if !c.may(p) {
		return nil, r.forbidden(ctx, c, &p)
	}
	if err := enter(ctx); err != nil {
		return nil, err
	}
	return next(ctx)
}
