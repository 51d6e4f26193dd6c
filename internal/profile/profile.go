// Package profile says what a dialect changes about tokens, passwords and mails. The zero Profile changes nothing;
// GraphQL has it.
package profile

import (
	"context"
	"time"
)

// Profile belongs to one dialect. It does not change after the server has started.
type Profile struct {
	Access   Access
	Refresh  Refresh
	Password Password

	// SessionTTL is the absolute lifetime of a session; zero for the setting of the server.
	SessionTTL time.Duration

	// Sudo is how long sensitive operations stay allowed after a proof by password; zero for 10 minutes.
	Sudo time.Duration

	// ChallengeTTL is how long a sign-in waits for its second factor; zero for 5 minutes.
	ChallengeTTL time.Duration

	// ShortRecoveryCodes is how many recovery codes of eight digits an account gets, for an API that documents them;
	// zero for ten codes that nobody guesses.
	ShortRecoveryCodes int

	// Mails are the mails that callers of the dialect request, by a name of MailKinds. A mail without an entry links to
	// the page of the operator, or to our own.
	Mails map[string]Mail

	// EmailAtOnce makes a new address take effect at once, unconfirmed. The old address gets a notice with a revert
	// link. Otherwise a new address takes effect when it is confirmed.
	EmailAtOnce bool

	// SignInAfterReset makes resetPassword sign the person in, for an API that documents it. Otherwise it does not
	// (OT-09).
	SignInAfterReset bool

	// SessionSuffices lets any live session change the email address and the password, however old its sign-in is
	// (PW-10). A current password, if sent, must still be right. Other sensitive operations still need a fresh proof.
	SessionSuffices bool
}

// Mail is what a dialect says of a mail.
type Mail struct {
	// Page is where the mail links to, in the form of ParsePage; "" for the page of the operator, or our own.
	Page string

	// TTL is the lifetime of the token; zero for the setting of the server.
	TTL time.Duration

	// Button is what the button of the mail says, by language; "" for every other language. Nil for the words of the
	// templates.
	Button map[string]string
}

// Access is the form of access tokens.
type Access struct {
	// TTL is the lifetime of a token; zero for the setting of the server.
	TTL time.Duration

	// HS256 signs with HMAC-SHA-256 and the header {"alg":"HS256","typ":"JWT"}, as older APIs document it. The key is a
	// setting, or is derived from the server secret. Otherwise the active signing key signs, with typ at+jwt.
	HS256 bool

	// NoMetadata leaves the metadata of the user out of tokens, unless Claims returns a claim of that name. A dialect
	// that keeps the access token in a cookie has it: browsers drop a cookie of more than 4096 bytes.
	NoMetadata bool

	// Claims computes further claims from {user: {…}, session: {…}}. The fields have the names of the GraphQL types
	// User and Session, and plain JSON values, with times as text; Claims must not change them. It runs for each new
	// token, and before an account or a session is written, then with 0 for numbers that are not yet drawn. It must not
	// return a claim that the server sets (token.ReservedClaim). The claim metadata, an object of at most 4 KiB or
	// null, replaces the user's. An error is internal: the caller learns only that something went wrong. Nil for none.
	Claims func(ctx context.Context, subject map[string]any) (map[string]any, error)
}

// Refresh is the form and the lifetime of refresh tokens.
type Refresh struct {
	// TTL is the idle lifetime of a session; zero for the setting of the server.
	TTL time.Duration

	// JWT makes the refresh token a JWT of typ rt+jwt (token.Codec.RefreshJWT), for APIs whose callers read it. Every
	// dialect accepts both forms; JWT only chooses the form of new tokens.
	JWT bool

	// SingleUse rejects the previous refresh token even within the grace period. Otherwise the grace period returns the
	// current token again. The session lives on. A logout with the previous token still ends the session.
	SingleUse bool
}

// Password is what a new password must pass.
type Password struct {
	// MinLength is in Unicode code points; zero for the setting of the server.
	MinLength int

	// FlagGuessable accepts a common password, or one close to the account's own names, and flags it in the audit log.
	FlagGuessable bool
}
