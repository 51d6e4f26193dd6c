package db

import (
	"context"
	"slices"
	"time"
)

// TokenWithUser is a one-time token with its account.
type TokenWithUser struct {
	Token OneTimeToken `bun:"embed:t_"`
	User  User         `bun:"embed:u_"`
}

// RejectReason gives the reason, for the audit log, why a token is good for none of these purposes at now; "" for a
// good token. The statement that redeems the token decides again.
func (m *TokenWithUser) RejectReason(now time.Time, purposes ...Purpose) string {
	t, u := &m.Token, &m.User
	switch {
	case !slices.Contains(purposes, t.Purpose):
		return "other_purpose"
	case t.Redeemed:
		return "spent"
	case t.InvalidatedAt != nil:
		return "replaced"
	case !t.ExpiresAt.After(now):
		return "expired"
	case u.Status != UserActive:
		return "suspended"
	case !t.matchesAddress(u):
		return "address_changed"
	}
	return ""
}

// matchesAddress tells whether the account still has the address that the token was mailed for (OT-01).
func (t *OneTimeToken) matchesAddress(u *User) bool {
	switch t.Purpose {
	case PurposeConfirmChange:
		return u.PendingEmailCanonical != nil && *u.PendingEmailCanonical == t.AddressCanonical
	case PurposeCancelChange:
		return true // the account has another address already
	case PurposeVerifyEmail, PurposeResetPassword, PurposeMagicLink:
	}
	return u.EmailCanonical == t.AddressCanonical
}

// Confirmed tells whether the token, not yet expired, already confirmed the address of the account (OT-15).
func (m *TokenWithUser) Confirmed(now time.Time) bool {
	t, u := &m.Token, &m.User
	confirms := t.Purpose == PurposeVerifyEmail || t.Purpose == PurposeConfirmChange
	return confirms && t.Redeemed && t.ExpiresAt.After(now) &&
		u.Status == UserActive && u.EmailVerified() && u.EmailCanonical == t.AddressCanonical
}

// tokenColumns leaves out confirmed, so Token.Confirmed is always false here; it is not TokenWithUser.Confirmed.
const tokenColumns = `t.id AS t_id, t.purpose AS t_purpose, t.user_id AS t_user_id, t.address AS t_address,
t.address_canonical AS t_address_canonical, t.attempts AS t_attempts, t.created_at AS t_created_at,
t.expires_at AS t_expires_at, t.invalidated_at AS t_invalidated_at, t.redeemed AS t_redeemed`

var tokenWithUser = reads("tokenWithUser", `SELECT `+tokenColumns+`, `+userColumns+`
FROM one_time_tokens t JOIN users u ON u.id = t.user_id WHERE t.id = :token`)

// TokenWithUser reads a one-time token and its account; nil for none.
func (d *DB) TokenWithUser(ctx context.Context, id TokenID) (*TokenWithUser, error) {
	var m TokenWithUser
	found, err := d.queryRow(ctx, tokenWithUser, params{{"token", id}}, &m)
	if err != nil || !found {
		return nil, err
	}
	return &m, nil
}
