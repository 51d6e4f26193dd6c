package db

import (
	"io"
	"strconv"

	"github.com/dragoman-auth/dragoman/internal/fault"
)

// UserStatus says whether an account can sign in.
type UserStatus string

// The states of an account.
const (
	UserActive    UserStatus = "ACTIVE"
	UserSuspended UserStatus = "SUSPENDED"
)

// AuthMethod is a way to prove who one is.
type AuthMethod string

// The ways that exist.
const (
	AuthPassword  AuthMethod = "PASSWORD"
	AuthMagicLink AuthMethod = "MAGIC_LINK" // a link or a code of a mail
	AuthEmailCode AuthMethod = "EMAIL_CODE" // a code of a mail to sign in
	AuthSMS       AuthMethod = "SMS"        // a code of a message to a phone
	AuthAPIKey    AuthMethod = "API_KEY"
	AuthTOTP      AuthMethod = "TOTP"          // a code of an authenticator app
	AuthRecovery  AuthMethod = "RECOVERY_CODE" // a code that is good once
)

// MfaMethod is a kind of second factor.
type MfaMethod string

// The kinds that exist.
const (
	MfaTOTP     MfaMethod = "TOTP"
	MfaRecovery MfaMethod = "RECOVERY_CODE"
)

// Permission is something that a caller may do.
type Permission string

// The permissions that there are.
const (
	ProfileRead   Permission = "PROFILE_READ"   // read the own account, its sessions and its API keys
	UsersRead     Permission = "USERS_READ"     // read any account
	UsersWrite    Permission = "USERS_WRITE"    // make, change, suspend and erase any account
	SessionsWrite Permission = "SESSIONS_WRITE" // end the sessions of any account
)

// MarshalGQL writes the enum value.
func (s UserStatus) MarshalGQL(w io.Writer) { writeEnum(w, s) }

// UnmarshalGQL reads the enum value.
func (s *UserStatus) UnmarshalGQL(v any) error { return readEnum(v, s, UserActive, UserSuspended) }

// MarshalGQL writes the enum value.
func (m AuthMethod) MarshalGQL(w io.Writer) { writeEnum(w, m) }

// UnmarshalGQL reads the enum value.
func (m *AuthMethod) UnmarshalGQL(v any) error {
	return readEnum(v, m, AuthPassword, AuthMagicLink, AuthEmailCode, AuthSMS, AuthAPIKey, AuthTOTP, AuthRecovery)
}

// MarshalGQL writes the enum value.
func (m MfaMethod) MarshalGQL(w io.Writer) { writeEnum(w, m) }

// UnmarshalGQL reads the enum value.
func (m *MfaMethod) UnmarshalGQL(v any) error { return readEnum(v, m, MfaTOTP, MfaRecovery) }

// MarshalGQL writes the enum value.
func (p Permission) MarshalGQL(w io.Writer) { writeEnum(w, p) }

// UnmarshalGQL reads the enum value.
func (p *Permission) UnmarshalGQL(v any) error {
	return readEnum(v, p, ProfileRead, UsersRead, UsersWrite, SessionsWrite)
}

// MarshalGQL writes the enum value.
func (s MailState) MarshalGQL(w io.Writer) { writeEnum(w, s) }

// UnmarshalGQL reads the enum value.
func (s *MailState) UnmarshalGQL(v any) error {
	return readEnum(v, s, MailQueued, MailSent, MailFailed)
}

// MarshalGQL writes the enum value.
func (k DialectCallerKind) MarshalGQL(w io.Writer) { writeEnum(w, k) }

// UnmarshalGQL reads the enum value.
func (k *DialectCallerKind) UnmarshalGQL(v any) error {
	return readEnum(v, k, CallerAPIKey, CallerUserAgent, CallerLegacy, CallerOther)
}

func writeEnum[T ~string](w io.Writer, v T) { _, _ = io.WriteString(w, strconv.Quote(string(v))) }

func readEnum[T ~string](v any, dest *T, members ...T) error {
	text, _ := v.(string)
	for _, m := range members {
		if string(m) == text {
			*dest = m
			return nil
		}
	}
	return fault.New(fault.BadUserInput, "This is not a member of the enum.")
}
