// Package profile says what a dialect changes about the tokens and the passwords that are made through it. The zero
// Profile changes nothing: it is that of GraphQL.
package profile

import (
	"context"
	"time"
)

// Profile belongs to one dialect. It never changes after the server has started.
type Profile struct {
	Access   Access
	Refresh  Refresh
	Password Password

	// SessionTTL is how long a session lives in all; zero for the setting of the server.
	SessionTTL time.Duration

	// Sudo is for how long after a proof by password what is sensitive stays open; zero for 10 minutes.
	Sudo time.Duration

	// Mails says what the mails that are asked for through the dialect link to, by the names verifyEmail, resetPassword, signIn
	// and changeEmail. One that is not there links to our own page.
	Mails map[string]Mail

	// EmailAtOnce lets a new address count at once, unconfirmed, with a notice and a link to take it back to the former one. Else
	// it waits until it is confirmed.
	EmailAtOnce bool

	// SignInAfterReset has resetPassword sign the person in, for an API that documents it. A reset is no sign-in otherwise (OT-09).
	SignInAfterReset bool

	// SessionSuffices lets a live session change the email address and the password, however long ago its sign-in was (PW-10).
	// A current password that is given has to be right all the same, and what else is sensitive still wants a fresh proof.
	SessionSuffices bool
}

// Mail is the link of a mail.
type Mail struct {
	// Link is an absolute URL with {token} in it, and {email} where the address shall stand too; "" for our own page.
	Link string

	// TTL is how long its token is good; zero for the setting of the server.
	TTL time.Duration
}

// Access is the form of access tokens.
type Access struct {
	// TTL is how long a token is valid; zero for the setting of the server.
	TTL time.Duration

	// HS256 signs by HMAC-SHA-256 with the header {"alg":"HS256","typ":"JWT"}, as older APIs document it, under a key that
	// is set for it or derived from the server secret. Otherwise the active signing key, with typ at+jwt.
	HS256 bool

	// Claims gives further claims from {user: {…}, session: {…}}, whose fields are named as in the GraphQL types User and
	// Session; all are plain values of JSON, times as text, and are not to be changed. They are asked for at each making of
	// a token, and once more before an account or a session is written, with 0 for the numbers that are not drawn by then.
	// It never gives one that the server sets itself (token.ReservedClaim); metadata, an object of at most 1 KiB or null,
	// stands in for that of the user. An error is internal: the caller learns only that something went wrong. Nil for none.
	Claims func(ctx context.Context, subject map[string]any) (map[string]any, error)
}

// Refresh is the form and the life of refresh tokens.
type Refresh struct {
	// TTL is how long a session lives without being used; zero for the setting of the server.
	TTL time.Duration

	// JWT words the token as a JWT of typ rt+jwt (token.Codec.RefreshJWT), for APIs whose callers look into it. Both forms
	// are good in every dialect: this says only which one is given here.
	JWT bool

	// SingleUse refuses the predecessor of the token in force also within the grace, in which its successor would be
	// given again otherwise. The session lives on. A logout by the predecessor still ends the session, as anywhere.
	SingleUse bool
}

// Password is what a new password must pass.
type Password struct {
	// MinLength in Unicode code points; zero for the setting of the server.
	MinLength int

	// FlagGuessable lets a common password, or one close to the account's own names, pass with a mark in the audit log.
	FlagGuessable bool
}
