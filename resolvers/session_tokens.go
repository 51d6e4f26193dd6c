package resolvers

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
	"github.com/dragoman-auth/dragoman/internal/secret"
	"github.com/dragoman-auth/dragoman/internal/token"
)

// amr maps an AuthMethod to its value in the claim amr (RFC 8176 section 2).
var amr = map[db.AuthMethod]string{
	db.AuthPassword: "pwd", db.AuthMagicLink: "otp", db.AuthEmailCode: "otp", db.AuthSMS: "sms", db.AuthTOTP: "otp", db.AuthRecovery: "otp",
}

// The authentication context class of a session (claim acr, RFC 9470): whether a second factor was shown in it.
const (
	acrOneFactor  = "aal1"
	acrTwoFactors = "aal2"
)

// tokens makes the tokens of a session. The refresh token depends only on the generation of the session: two calls
// within a generation give the same one.
func (r *resolver) tokens(
	ctx context.Context, u *db.User, s *db.Session, delivery graph.TokenDelivery,
) (*graph.AuthTokens, error) {
	t, err := r.accessAlone(ctx, u, s, nil)
	if err != nil {
		return nil, err
	}
	switch delivery {
	case graph.TokenDeliverySessionToken:
		text := r.Codec.Session(s.ID.UUID).Reveal()
		t.SessionToken = &text
	case graph.TokenDeliveryCookie:
		r.setCookie(ctx, s)
	case graph.TokenDeliveryBody:
		text := r.refreshToken(ctx, u, s).Reveal()
		t.RefreshToken = &text
	}
	return t, nil
}

// accessAlone makes an access token that ends no later than until; nil for its usual time.
func (r *resolver) accessAlone(
	ctx context.Context, u *db.User, s *db.Session, until *time.Time,
) (*graph.AuthTokens, error) {
	access, claims, err := r.accessToken(ctx, u, s, until)
	if err != nil {
		return nil, err
	}
	return &graph.AuthTokens{
		AccessToken: access.Reveal(),
		TokenType:   "Bearer",
		ExpiresIn:   int(claims.ExpiresAt.Sub(claims.IssuedAt).Seconds()),
		ExpiresAt:   claims.ExpiresAt,
	}, nil
}

// refreshToken makes the refresh token of the session's generation, in the form of the dialect. The times of a JWT
// depend only on the start of the generation: a retry within the grace, and a change of the account, give the same
// token.
func (r *resolver) refreshToken(ctx context.Context, u *db.User, s *db.Session) secret.Text {
	if !r.profile(ctx).Refresh.JWT {
		return r.Codec.Refresh(s.ID.UUID, s.Generation)
	}
	since := s.CreatedAt
	if s.RotatedAt != nil {
		since = *s.RotatedAt
	}
	end := since.Add(time.Duration(s.IdleSeconds) * time.Second)
	if s.AbsoluteEnd.Before(end) {
		end = s.AbsoluteEnd
	}
	return r.Codec.RefreshJWT(token.Refresh{
		User: u.ID.String(), Session: s.ID.UUID, Generation: s.Generation, IssuedAt: since, ExpiresAt: end,
	})
}

// accessToken makes an access token in the form of the dialect of this request. It ends no later than until; nil for
// its usual time.
func (r *resolver) accessToken(
	ctx context.Context, u *db.User, s *db.Session, until *time.Time,
) (secret.Text, token.Access, error) {
	extra, err := r.dialectClaims(ctx, u, s)
	if err != nil {
		return "", token.Access{}, err
	}
	methods, class := methodsOf(s)
	form := r.profile(ctx).Access
	// A token ends with its session at the latest, but lasts at least a second, the unit of its claims.
	ttl := min(r.accessTTL(ctx), s.AbsoluteEnd.Sub(r.now()))
	if until != nil {
		ttl = min(ttl, until.Sub(r.now().Truncate(time.Second))) // claims count in seconds
	}
	data := u.Metadata
	if form.NoMetadata {
		data = nil
	}
	return r.Issuer.Issue(token.Access{
		User:       u.ID.String(),
		Session:    s.ID.String(),
		Generation: s.Generation,
		Roles:      []string{u.Role},
		Methods:    methods,
		Class:      class,
		Metadata:   data,
		HS256:      form.HS256,
		Extra:      extra,
	}, max(ttl, time.Second))
}

// methodsOf gives the claims amr and acr of a session. Once the account has no second factor any more, neither speaks
// of one (SE-22).
func methodsOf(s *db.Session) (methods []string, class string) {
	for _, m := range s.Methods {
		if name := amr[m]; (m != db.AuthTOTP && m != db.AuthRecovery || s.FactorAt != nil) &&
			!slices.Contains(methods, name) {
			methods = append(methods, name)
		}
	}
	if s.FactorAt == nil {
		return methods, acrOneFactor
	}
	return append(methods, "mfa"), acrTwoFactors
}

// accessTTL is how long an access token of the present dialect lives.
func (r *resolver) accessTTL(ctx context.Context) time.Duration {
	return cmp.Or(r.profile(ctx).Access.TTL, r.AccessTTL)
}

// validateClaims makes an access token before the session is written, and drops it: an error of a dialect's claims must
// not leave a session behind. The numbers of new rows are still 0.
func (r *resolver) validateClaims(ctx context.Context, u *db.User, s *db.Session) error {
	if r.profile(ctx).Access.Claims == nil {
		return nil
	}
	_, _, err := r.accessToken(ctx, u, s, nil)
	return err
}

// dialectClaims gives the claims that the dialect adds to an access token, from the account and the session.
func (r *resolver) dialectClaims(ctx context.Context, u *db.User, s *db.Session) (map[string]any, error) {
	claims := r.profile(ctx).Access.Claims
	if claims == nil {
		return nil, nil
	}
	email, verified := u.CurrentEmail(), u.CurrentEmailVerified()
	if r.RequireVerifiedEmail && !verified {
		email = nil // an account from before addresses had to be confirmed (OT-23)
	}
	made, err := claims(ctx, map[string]any{
		"user": map[string]any{
			"id":            u.ID.String(),
			"number":        u.Number,
			"email":         stringOrNull(email),
			"emailVerified": verified,
			"username":      stringOrNull(u.Username),
			"name":          stringOrNull(u.Name),
			"metadata":      object(u.Metadata),
			"roles":         []any{map[string]any{"name": u.Role}},
			"status":        string(u.Status),
			"mfa":           map[string]any{"enabled": u.MFAEnabledAt != nil},
			"createdAt":     dateTime(u.CreatedAt),
			"updatedAt":     dateTime(u.UpdatedAt),
		},
		"session": map[string]any{
			"id":        s.ID.String(),
			"number":    s.Number,
			"createdAt": dateTime(s.CreatedAt),
			"expiresAt": dateTime(s.ExpiresAt()),
		},
	})
	if _, ok := made["email"]; ok && err == nil {
		made = maps.Clone(made)
		made["email_verified"] = verified // whoever reads an address has to know what it is worth (OT-23)
	}
	return made, err
}

// stringOrNull, object and dateTime give plain values of JSON: the expressions of dialects know no nil pointer and no
// named map.

func stringOrNull(s *string) any {
	if s == nil {
		return nil
	}
	return *s
}

func object(o db.JSONObject) any {
	if o == nil {
		return nil
	}
	return map[string]any(o)
}

// dateTime gives the text of the GraphQL scalar DateTime.
func dateTime(t time.Time) string {
	var b strings.Builder
	graph.MarshalDateTime(t).MarshalGQL(&b)
	return strings.Trim(b.String(), `"`)
}
