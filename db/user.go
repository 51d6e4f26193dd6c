package db

import (
	"context"
	"time"

	"github.com/uptrace/bun"
)

// User is a person with an account: a row of users, and the GraphQL type User. A field that the schema does not name,
// such as the password hash, never reaches generated code.
type User struct {
	bun.BaseModel `bun:"table:users,alias:u"`

	ID                UserID     `bun:"id,pk"`
	Number            int        `bun:"number"` // random, below 2^31, for callers that expect an integer id
	Email             *string    `bun:"email"`  // as it was given; nil once somebody else proved to own it
	EmailCanonical    string     `bun:"email_canonical,nullzero"`
	EmailVerifiedAt   *time.Time `bun:"email_verified_at"`
	Username          *string    `bun:"username"` // as it was given
	UsernameCanonical *string    `bun:"username_canonical"`
	Name              *string    `bun:"name"`
	Metadata          JSONObject `bun:"metadata"`
	Role              string     `bun:"role"` // user or admin; the roles claim of access tokens
	Status            UserStatus `bun:"status"`
	PasswordHash      string     `bun:"password_hash,nullzero"` // PHC string, argon2id
	CreatedAt         time.Time  `bun:"created_at"`
	UpdatedAt         time.Time  `bun:"updated_at"`
	LastLoginAt       *time.Time `bun:"last_login_at"`

	Locale                *string    `bun:"locale"`                  // nil for the language of the request
	PendingEmail          *string    `bun:"pending_email"`           // waits to be confirmed
	PendingEmailCanonical *string    `bun:"pending_email_canonical"` //
	PendingShown          bool       `bun:"pending_shown"`           // shown in place of Email: see CurrentEmail
	PasswordDisabledAt    *time.Time `bun:"password_disabled_at"`    // until a reset by mail (LG-09)
	DevicesClearedAt      *time.Time `bun:"devices_cleared_at"`      // no device token of before counts
	Invited               bool       `bun:"invited"`                 // an administrator made the account for its owner
	MFAEnabledAt          *time.Time `bun:"mfa_enabled_at"`          // since when it has a second factor; nil for none
	AuthVersion           int        `bun:"auth_version"`            // counts what ends a sign-in that has begun
	ExternalID            *string    `bun:"external_id"`             // the id that the person had in another system
	Phone                 *string    `bun:"phone"`                   // E.164
	PhoneVerifiedAt       *time.Time `bun:"phone_verified_at"`       // nil for a number that nobody proved
}

// IsNode marks a GraphQL Node.
func (User) IsNode() {}

// EmailVerified tells whether Email is confirmed. Mails that let somebody do something go to Email alone.
func (u User) EmailVerified() bool { return u.EmailVerifiedAt != nil }

// PhoneVerified tells whether Phone is confirmed.
func (u User) PhoneVerified() bool { return u.PhoneVerifiedAt != nil }

// CurrentEmail is the address that the account shows: Email, or the pending address where a dialect makes a new address
// count at once. That one is not confirmed, and gives nobody power over the account.
func (u User) CurrentEmail() *string {
	if u.PendingShown {
		return u.PendingEmail
	}
	return u.Email
}

// CurrentEmailVerified tells whether CurrentEmail is confirmed.
func (u User) CurrentEmailVerified() bool { return !u.PendingShown && u.EmailVerified() }

// WaitingEmail is an address that waits to be confirmed before the account shows it; nil for none.
func (u User) WaitingEmail() *string {
	if u.PendingShown {
		return nil
	}
	return u.PendingEmail
}

// isWaitingFor tells whether an address waits to be confirmed, shown or not.
func (u *User) isWaitingFor(canonical string) bool {
	return u.PendingEmailCanonical != nil && *u.PendingEmailCanonical == canonical
}

var userNamed = reads("userNamed", `SELECT `+userColumns+` FROM users u
WHERE u.email_canonical = :canonical OR u.username_canonical = :canonical`)

// UserNamed finds an account by its canonical email address or username, whatever its state; nil for none.
func (d *DB) UserNamed(ctx context.Context, canonical string) (*User, error) {
	return d.userBy(ctx, userNamed, params{{"canonical", canonical}})
}

func (d *DB) userBy(ctx context.Context, st *statement, p params) (*User, error) {
	var row struct {
		User User `bun:"embed:u_"`
	}
	found, err := d.queryRow(ctx, st, p, &row)
	if err != nil || !found {
		return nil, err
	}
	return &row.User, nil
}

var userOfFormerSystem = reads("userOfFormerSystem", `SELECT `+userColumns+` FROM users u
WHERE u.external_id = :external`)

// UserOfFormerSystem finds an account by the id that it had in the system it was imported from, whatever its state; nil
// for none.
func (d *DB) UserOfFormerSystem(ctx context.Context, external string) (*User, error) {
	return d.userBy(ctx, userOfFormerSystem, params{{"external", external}})
}

// NewUser makes the row of a new account: an id, dates and defaults.
func NewUser(now time.Time) *User {
	return &User{ID: NewUserID(), Role: "user", Status: UserActive, CreatedAt: now, UpdatedAt: now}
}

// params are the values of a new account.
func (u *User) params() params {
	return params{
		{"user", u.ID},
		{"number", u.Number},
		{"email", u.Email},
		{"email_canonical", u.EmailCanonical},
		{"email_verified_at", u.EmailVerifiedAt},
		{"username", u.Username},
		{"username_canonical", u.UsernameCanonical},
		{"name", u.Name},
		{"metadata", u.Metadata},
		{"role", u.Role},
		{"invited", u.Invited},
		{"password_hash", text(u.PasswordHash)},
		{"now", u.CreatedAt},
	}
}

var userByID = reads("userByID", `SELECT `+userColumns+` FROM users u WHERE u.id = :user`)

// User finds an account, whatever its state; nil for none.
func (d *DB) User(ctx context.Context, id UserID) (*User, error) {
	return d.userBy(ctx, userByID, params{{"user", id}})
}
