package db

import (
	"context"
	"slices"
	"strings"
	"time"
)

// TokenWithUser is a one-time token with its account, or with the registrations that it can make an account of.
type TokenWithUser struct {
	Token OneTimeToken `bun:"embed:t_"`
	User  User         `bun:"embed:u_"`

	// Registrations are those of the address that waited since the token was made, the newest first. Held tells whether
	// an account proved the address meanwhile. Both are for a token without an account.
	Registrations []*Registration `bun:"-"`
	Held          bool            `bun:"held"`
}

// OfRegistration tells whether the token makes an account of a registration.
func (m *TokenWithUser) OfRegistration() bool { return m.Token.UserID.IsZero() }

// Waiting lists the registrations that can become an account still.
func (m *TokenWithUser) Waiting(now time.Time) (waiting []*Registration) {
	for _, g := range m.Registrations {
		if g.Waits(now) {
			waiting = append(waiting, g)
		}
	}
	return waiting
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
	case m.OfRegistration():
		return m.rejectRegistration(now)
	case u.Status != UserActive:
		return "suspended"
	case !t.matchesAddress(u):
		return "address_changed"
	}
	return ""
}

// rejectRegistration is RejectReason for a token without an account.
func (m *TokenWithUser) rejectRegistration(now time.Time) string {
	switch {
	case m.Held:
		return "address_taken"
	case len(m.Waiting(now)) == 0:
		return "registration_ended"
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

const tokenColumns = `t.id AS t_id, t.purpose AS t_purpose, t.user_id AS t_user_id,
t.registration_id AS t_registration_id, t.address AS t_address,
t.address_canonical AS t_address_canonical, t.mail_id AS t_mail_id, t.return_to AS t_return_to,
t.created_at AS t_created_at,
t.expires_at AS t_expires_at, t.invalidated_at AS t_invalidated_at, t.redeemed AS t_redeemed`

var tokenWithUser = reads("tokenWithUser", `SELECT `+tokenColumns+`, `+userColumns+`, t.user_id IS NULL AND EXISTS (
  SELECT 1 FROM users h WHERE h.email_canonical = t.address_canonical AND h.email_verified_at IS NOT NULL) AS held
FROM one_time_tokens t LEFT JOIN users u ON u.id = t.user_id WHERE t.id = :token`)

// TokenWithUser reads a one-time token with its account or its registrations; nil for none.
func (d *DB) TokenWithUser(ctx context.Context, id TokenID) (*TokenWithUser, error) {
	var m TokenWithUser
	found, err := d.queryRow(ctx, tokenWithUser, params{{"token", id}}, &m)
	if err != nil || !found {
		return nil, err
	}
	if m.OfRegistration() {
		err = d.readRegistrations(ctx, &m)
	}
	return &m, err
}
