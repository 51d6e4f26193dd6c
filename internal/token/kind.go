package token

import "strings"

// Credential is a kind of credential.
type Credential int

// The kinds of credential that a request can present. A device token authenticates nothing.
const (
	KindNone    Credential = iota // any other text
	KindAccess                    // an access token, for Issuer.Verify
	KindSession                   // a session token, for Codec.ParseSession
	KindRefresh                   // a refresh token, for Codec.ParseRefresh
	KindAPIKey                    // an API key, for Codec.ParseAPIKey
	KindDevice                    // a device token, for Codec.ParseDevice
)

// Kind returns the kind of a presented credential by its prefix or form alone. The check of that kind decides whether
// the credential is valid.
func Kind(text string) Credential {
	switch {
	case strings.HasPrefix(text, apiKeyPrefix):
		return KindAPIKey
	case strings.HasPrefix(text, sessionPrefix):
		return KindSession
	case strings.HasPrefix(text, refreshPrefix), strings.HasPrefix(text, headerRefresh+"."):
		return KindRefresh
	case strings.HasPrefix(text, devicePrefix):
		return KindDevice
	case isCompact(text):
		return KindAccess
	}
	return KindNone
}

// String returns the name of the kind for logs.
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
	case KindDevice:
		return "device token"
	}
	return "none"
}
