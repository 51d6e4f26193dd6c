// Package fault is the one error type that may reach a caller.
//
// An expected refusal is a *fault.Error: a code for programs, a sentence for people, and where it applies the input
// field at fault and how long to wait. Every other error is internal: it is logged once at the edge with the request
// id, and the caller learns only that something went wrong.
package fault

import (
	"errors"
	"time"
)

// Code is the machine-readable reason of a refusal. The codes of userErrors are the members of the GraphQL enum
// ErrorCode; the codes of top-level errors stand in `extensions.code`.
type Code string

// The codes of userErrors, as the GraphQL enum ErrorCode describes them.
const (
	InvalidInput       Code = "INVALID_INPUT"
	PasswordTooWeak    Code = "PASSWORD_TOO_WEAK"
	PasswordBreached   Code = "PASSWORD_BREACHED"
	InvalidCredentials Code = "INVALID_CREDENTIALS"
	WrongPassword      Code = "INVALID_CURRENT_PASSWORD"
	NotVerified        Code = "EMAIL_NOT_VERIFIED"
	InvalidToken       Code = "INVALID_TOKEN"
	TokenReused        Code = "TOKEN_REUSED"
	AlreadyExists      Code = "ALREADY_EXISTS"
	NotFound           Code = "NOT_FOUND"
	AccountLocked      Code = "ACCOUNT_LOCKED"
	NotGrantable       Code = "SCOPE_NOT_GRANTABLE"
	Conflict           Code = "CONFLICT"
	FeatureDisabled    Code = "FEATURE_DISABLED"
)

// The codes of top-level errors.
const (
	Unauthenticated Code = "UNAUTHENTICATED"
	Forbidden       Code = "FORBIDDEN"
	SudoRequired    Code = "SUDO_REQUIRED"
	RateLimited     Code = "RATE_LIMITED"
	BadUserInput    Code = "BAD_USER_INPUT"
	Internal        Code = "INTERNAL_SERVER_ERROR"
	// Unavailable says that the server is too busy to check a secret now. It is RATE_LIMITED's sibling for a queue
	// that is full, and HTTP 503 where RATE_LIMITED is 429.
	Unavailable Code = "SERVICE_UNAVAILABLE"
)

// Codes are all of them.
func Codes() []Code {
	return []Code{
		InvalidInput, PasswordTooWeak, PasswordBreached, InvalidCredentials, WrongPassword, NotVerified, InvalidToken, TokenReused, AlreadyExists,
		NotFound, AccountLocked, NotGrantable, Conflict, FeatureDisabled,
		Unauthenticated, Forbidden, SudoRequired, RateLimited, BadUserInput, Internal, Unavailable,
	}
}

// Error is an expected refusal.
type Error struct {
	Code       Code
	Message    string        // a sentence in English that may be shown to a person; never holds a secret
	Field      []string      // the path of the input field at fault, for example input, email; nil when none is
	RetryAfter time.Duration // after how long a retry makes sense; zero when time does not help
}

// New makes a refusal. The field path is optional.
func New(code Code, message string, field ...string) *Error {
	return &Error{Code: code, Message: message, Field: field}
}

// Wait makes a refusal that a retry after d may overcome.
func Wait(code Code, message string, d time.Duration) *Error {
	return &Error{Code: code, Message: message, RetryAfter: d}
}

func (e *Error) Error() string { return string(e.Code) + ": " + e.Message }

// RetrySeconds is RetryAfter in whole seconds, rounded up; zero when time does not help.
func (e *Error) RetrySeconds() int {
	return int((e.RetryAfter + time.Second - 1) / time.Second)
}

// From finds the refusal in err's chain; nil when err is not an expected one.
func From(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return nil
}

// Is tells whether err is a refusal with this code.
func Is(err error, code Code) bool {
	e := From(err)
	return e != nil && e.Code == code
}
