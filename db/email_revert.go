package db

import (
	"context"
	"time"

	"github.com/uptrace/bun"
)

// inheritChangeTime gives the token of a link that takes an address back the moment of the change, whenever its mail is made out: which
// address came first is not a matter of the order of mails. And an address that had been confirmed when it was first replaced stays
// so, whatever was made of it since: the new token makes the one that knew of it worthless.
func inheritChangeTime(ctx context.Context, tx bun.Tx, t *OneTimeToken, m *Mail, now time.Time) error {
	if t.Purpose != PurposeCancelChange {
		return nil
	}
	t.CreatedAt = m.CreatedAt
	if t.Confirmed {
		return nil
	}
	n, err := tx.NewSelect().Model((*OneTimeToken)(nil)).
		Where("t.user_id = ? AND t.purpose = ? AND t.address_canonical = ?", t.UserID, PurposeCancelChange, t.AddressCanonical).
		Where("t.confirmed AND t.expires_at > ?", now).Count(ctx)
	t.Confirmed = n > 0
	return err
}

// isSuperseded tells whether a mail with a link to take an address back was overtaken: its link would have ended by now, or an
// address from before its change was put back meanwhile, which this link must not undo.
func isSuperseded(ctx context.Context, tx bun.Tx, m *Mail, now time.Time) (bool, error) {
	if m.Purpose() != PurposeCancelChange {
		return false, nil
	}
	if !m.CreatedAt.Add(time.Duration(m.TTLSeconds) * time.Second).After(now) {
		return true, nil
	}
	n, err := tx.NewSelect().Model((*OneTimeToken)(nil)).
		Where("t.user_id = ? AND t.purpose = ? AND t.address_canonical <> ?", m.UserID, PurposeCancelChange, m.AddressCanonical).
		Where("t.redeemed AND t.created_at <= ? AND t.invalidated_at >= ?", m.CreatedAt, m.CreatedAt).Count(ctx)
	return n > 0, err
}
