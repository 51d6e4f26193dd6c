package db

import (
	"context"
	"slices"
	"strings"
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
		return u.isWaitingFor(t.AddressCanonical)
	case PurposeCancelChange:
		return true // the account has another address already
	case PurposeVerifyEmail, PurposeResetPassword, PurposeMagicLink:
	}
	return u.EmailCanonical == t.AddressCanonical
}

// Confirmed tells whether the token, not yet expired, is good for an address that is confirmed already: by this token
// (OT-15), or by another proof of the same mailbox, such as a reset.
func (m *TokenWithUser) Confirmed(now time.Time) bool {
	t, u := &m.Token, &m.User
	confirms := t.Purpose == PurposeVerifyEmail || t.Purpose == PurposeConfirmChange
	return confirms && t.InvalidatedAt != nil && t.ExpiresAt.After(now) &&
		u.Status == UserActive && u.EmailVerified() && u.EmailCanonical == t.AddressCanonical
}

// TakesOver tells whether a reset or a sign-in by this token is the first proof of whose address it is: what somebody
// else may have made is removed then (OA-07).
func (m *TokenWithUser) TakesOver() bool {
	by := m.Token.Purpose == PurposeResetPassword || m.Token.Purpose == PurposeMagicLink
	return by && !m.User.EmailVerified()
}

// takeOverNote adds a take-over to the notes of an event.
func (m *TokenWithUser) takeOverNote(notes ...string) string {
	if m.TakesOver() {
		notes = append(notes, "took_over")
	}
	return strings.TrimSpace(strings.Join(notes, " "))
}

const tokenColumns = `t.id AS t_id, t.purpose AS t_purpose, t.user_id AS t_user_id, t.address AS t_address,
t.address_canonical AS t_address_canonical, t.mail_id AS t_mail_id, t.return_to AS t_return_to,
t.created_at AS t_created_at,
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
