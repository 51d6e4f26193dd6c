package db

import (
	"context"
	"time"

	"github.com/uptrace/bun"
)

// OneTimeToken is what a mail lets somebody do once: a row of one_time_tokens. The token and the code are made from its
// id (token.Codec.OneTime) and stored nowhere (SE-03).
type OneTimeToken struct {
	bun.BaseModel `bun:"table:one_time_tokens,alias:t"`

	ID               TokenID    `bun:"id,pk"`
	Purpose          Purpose    `bun:"purpose"`
	UserID           UserID     `bun:"user_id"`
	Address          string     `bun:"address"` // the token confirms it, or reverts to it, and no other (OT-11)
	AddressCanonical string     `bun:"address_canonical"`
	Confirmed        bool       `bun:"confirmed"` // whether Address was confirmed before it was changed
	Attempts         int        `bun:"attempts"`  // wrong codes, also for earlier tokens of the last hour (OT-16)
	CreatedAt        time.Time  `bun:"created_at"`
	ExpiresAt        time.Time  `bun:"expires_at"`
	InvalidatedAt    *time.Time `bun:"invalidated_at"`
	Redeemed         bool       `bun:"redeemed"` // whether its use invalidated it
}

// attemptsCarried is how long wrong codes count against later codes (OT-16).
const attemptsCarried = time.Hour

// issueToken makes the token of a mail and invalidates its predecessors. Revert links to other addresses stay good.
func issueToken(ctx context.Context, tx bun.Tx, m *Mail, now time.Time) (*OneTimeToken, error) {
	t := &OneTimeToken{
		ID: newTokenID(), Purpose: m.Kind.Purpose(), UserID: m.UserID, Address: m.Address,
		AddressCanonical: m.AddressCanonical, Confirmed: m.Data.Confirmed, CreatedAt: now,
		ExpiresAt: now.Add(time.Duration(m.TTLSeconds) * time.Second),
	}
	err := tx.NewSelect().Model((*OneTimeToken)(nil)).ColumnExpr("coalesce(max(t.attempts), 0)").
		Where("t.user_id = ? AND t.purpose = ? AND t.created_at > ?", m.UserID, t.Purpose, now.Add(-attemptsCarried)).
		Scan(ctx, &t.Attempts)
	if err != nil {
		return nil, err
	}
	if err := inheritChangeTime(ctx, tx, t, m, now); err != nil {
		return nil, err
	}
	_, err = tx.NewUpdate().Model((*OneTimeToken)(nil)).Set("invalidated_at = ?", now).
		Where("user_id = ? AND purpose = ? AND invalidated_at IS NULL", m.UserID, t.Purpose).
		Where("purpose <> ? OR address_canonical = ?", PurposeCancelChange, m.AddressCanonical).Exec(ctx)
	if err != nil {
		return nil, err
	}
	_, err = tx.NewInsert().Model(t).Exec(ctx)
	return t, err
}

// Purpose is what a one-time token is good for.
type Purpose string

// The purposes that there are.
const (
	PurposeVerifyEmail   Purpose = "VERIFY_EMAIL"
	PurposeResetPassword Purpose = "RESET_PASSWORD"
	PurposeMagicLink     Purpose = "MAGIC_LINK"
	PurposeConfirmChange Purpose = "CONFIRM_CHANGE"
	PurposeCancelChange  Purpose = "CANCEL_CHANGE" // of a pending change, or of one that took place
)
