package resolvers

import (
	"context"

	"github.com/dragoman-auth/dragoman/internal/credential"
	"github.com/dragoman-auth/dragoman/internal/fault"
	"github.com/dragoman-auth/dragoman/internal/token"
)

// refusal says why a presented credential names no caller, in a sentence for the person who wrote the client. It never
// holds the credential. "" means that none was presented.
type refusal string

// keyForm is what an API key looks like. Everybody may know it, as a scanner for secrets has to.
const keyForm = "`sk_live_` and 44 letters and digits, as the answer had it that made the key"

// The refusals of credentials whose form is that of this server.
const (
	hasExpired refusal = "The access token has expired: refresh it, then repeat the request."
	hasEnded   refusal = "The session of this credential has ended: sign in again."
	isNoKey    refusal = "The API key is unknown, revoked or expired: make another one."
	isHalfKey  refusal = "This is no API key, or not a whole one: it is " + keyForm + "."
	isRefresh  refusal = "A refresh token identifies nobody: send the access token. `refresh` takes the refresh token."
	isDevice   refusal = "A device token identifies nobody: send the access token."
	isNoToken  refusal = "The credential is not a token of this server, or not a whole one: send the access token as " +
		"the " +
		"sign-in answered it."
)

// ambiguities are the refusals of requests that present no credential or several.
var ambiguities = map[credential.Problem]refusal{
	credential.Several: "The request presents more than one credential, in the headers Authorization and X-API-Key or " +
		"the session cookie: send one.",
	credential.NoScheme: "The Authorization header holds a text without a scheme: send `Authorization: Bearer <token>`.",
	credential.OtherScheme: "The Authorization header has another scheme than Bearer: " +
		"send `Authorization: Bearer <token>`, or an API key as `X-API-Key: <key>`.",
	credential.NoToken: "The Authorization header holds a scheme and no token: send `Authorization: Bearer <token>`.",
	credential.NoAPIKey: "The X-API-Key header holds no API key, which is " + keyForm + ". Send a token as " +
		"`Authorization: Bearer <token>`.",
	credential.NoCookie: "The session cookie holds no session token: sign in again.",
}

// refusalOf says what is wrong with a credential that names no caller.
func (r *resolver) refusalOf(text string) refusal {
	switch token.Kind(text) {
	case token.KindAccess, token.KindSession:
		return hasEnded
	case token.KindAPIKey:
		if _, _, err := r.Codec.ParseAPIKey(text); err != nil { // as anybody can tell who knows the checksum
			return isHalfKey
		}
		return isNoKey
	case token.KindRefresh:
		return isRefresh
	case token.KindDevice:
		return isDevice
	case token.KindNone:
	}
	return isNoToken
}

// forged tells whether the credential was never one. A session or access token that is over was. An API key cannot be
// told from one that was deleted.
func (why refusal) forged() bool {
	return why == isNoToken || why == isNoKey || why == isHalfKey || why == isRefresh || why == isDevice
}

// presented gives the caller of the request, nil where no credential was presented. A credential that was presented and
// refused is an error, so that clients refresh and repeat the request. Fields that work beside a stale credential call
// caller.
func (r *resolver) presented(ctx context.Context) (*caller, error) {
	c, why, err := r.callerOrRefusal(ctx)
	if err == nil && c == nil && why != "" {
		err = fault.New(fault.Unauthenticated, string(why))
	}
	return c, err
}

// errEnded is the error where a session ended while it was used.
func errEnded() error { return fault.New(fault.Unauthenticated, string(hasEnded)) }

// person is presented with an error for nobody.
func (r *resolver) person(ctx context.Context) (*caller, error) {
	c, err := r.presented(ctx)
	if err == nil && c == nil {
		err = fault.New(fault.Unauthenticated,
			"Sign in first: this takes a credential, and the request presents none. Send `Authorization: Bearer "+
				"<token>`.")
	}
	return c, err
}
