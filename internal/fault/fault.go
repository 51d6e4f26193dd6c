// Package fault is the one error type that may reach a caller.
//
// An expected error is a *fault.Error: a code for programs, a message for people, and optionally the invalid input
// field and how long to wait. Every other error is internal: it is logged once with the request id, and the caller
// learns only that something went wrong.
package fault

import (
	"errors"
	"time"
)

// Code is the machine-readable reason of an expected error. The codes of userErrors are the members of the GraphQL enum
// ErrorCode. The codes of top-level errors are in `extensions.code`.
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
	InvalidCode        Code = "INVALID_CODE"
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
	// Unavailable means that the server is too busy to check a secret. HTTP answers 503, for RATE_LIMITED 429.
	Unavailable Code = "SERVICE_UNAVAILABLE"
)

// Codes returns all codes.
func Codes() []Code {
	return []Code{
		InvalidInput, PasswordTooWeak, PasswordBreached, InvalidCredentials, WrongPassword, NotVerified, InvalidToken,
		InvalidCode, TokenReused, AlreadyExists,
		NotFound, AccountLocked, NotGrantable, Conflict, FeatureDisabled,
		Unauthenticated, Forbidden, SudoRequired, RateLimited, BadUserInput, Internal, Unavailable,
	}
}

// Error is an expected error.
type Error struct {
	Code       Code
	Message    string        // an English sentence for a person; never holds a secret
	Field      []string      // the path of the invalid input field, for example input, email; nil for none
	RetryAfter time.Duration // when a retry makes sense; zero if a retry does not help
	TokenState string        // a member of the GraphQL enum MailTokenState, for the token of a mail; "" for none
}

// New makes an expected error. The field path is optional.
func New(code Code, message string, field ...string) *Error {
	return &Error{Code: code, Message: message, Field: field}
}

// Wait makes an expected error that a retry after d may resolve.
func Wait(code Code, message string, d time.Duration) *Error {
	return &Error{Code: code, Message: message, RetryAfter: d}
}

func (e *Error) Error() string { return string(e.Code) + ": " + e.Message }

// RetrySeconds is RetryAfter in whole seconds, rounded up; zero if a retry does not help.
func (e *Error) RetrySeconds() int {
	return int((e.RetryAfter + time.Second - 1) / time.Second)
}

// From finds the expected error in err's chain, nil for none.
func From(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return nil
}

// Is tells whether err is an expected error with this code.
func Is(err error, code Code) bool {
	e := From(err)
	return e != nil && e.Code == code
}
