package token

import "strings"

// Credential says what kind of credential a text looks like.
type Credential int

// The kinds of credential that a request can present.
const (
	KindNone    Credential = iota // not a form that any of ours has
	KindAccess                    // an access token, for Issuer.Verify
	KindSession                   // a session token, for Codec.ParseSession
	KindRefresh                   // a refresh token, for Codec.ParseRefresh
	KindAPIKey                    // an API key, for Codec.ParseAPIKey
)

// Kind tells by its shape alone which check a presented credential is for. It proves nothing: exactly one check fits
// each kind, and that one decides.
func Kind(text string) Credential {
	switch {
	case strings.HasPrefix(text, apiKeyPrefix):
		return KindAPIKey
	case strings.HasPrefix(text, sessionPrefix):
		return KindSession
	case strings.HasPrefix(text, refreshPrefix), strings.HasPrefix(text, headerRefresh+"."):
		return KindRefresh
	case isCompact(text):
		return KindAccess
	}
	return KindNone
}

// String names the kind for logs.
func (c Credential) String() string {
	switch c {
	case KindAccess:
		return "access token"
	case KindSession:
		return "session token"
	case KindRefresh:
		return "refresh token"
	case KindAPIKey:
		return "API key"
	}
	return "none"
}
