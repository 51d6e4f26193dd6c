package db

import (
	"context"
	"time"

	"github.com/uptrace/bun"
)

// inheritChangeTime dates the token of a revert link back to the change of the address: the order of changes decides
// which address came first, not the order of mails. An address that was confirmed when it was first replaced stays
// confirmed: the new token invalidates the old one, which held that fact.
func inheritChangeTime(ctx context.Context, tx bun.Tx, t *OneTimeToken, m *Mail, now time.Time) error {
	if t.Purpose != PurposeCancelChange {
		return nil
	}
	t.CreatedAt = m.CreatedAt
	if t.Confirmed {
		return nil
	}
	n, err := tx.NewSelect().Model((*OneTimeToken)(nil)).
		Where("t.user_id = ? AND t.purpose = ? AND t.address_canonical = ?",
			t.UserID, PurposeCancelChange, t.AddressCanonical).
		Where("t.confirmed AND t.expires_at > ?", now).Count(ctx)
	t.Confirmed = n > 0
	return err
}

// isSuperseded tells whether the revert link of a mail no longer counts: it would be expired by now, or somebody
// restored an address that is older than its change, which this link must not undo.
func isSuperseded(ctx context.Context, tx bun.Tx, m *Mail, now time.Time) (bool, error) {
	if m.Purpose() != PurposeCancelChange {
		return false, nil
	}
	if !m.CreatedAt.Add(time.Duration(m.TTLSeconds) * time.Second).After(now) {
		return true, nil
	}
	n, err := tx.NewSelect().Model((*OneTimeToken)(nil)).
		Where("t.user_id = ? AND t.purpose = ? AND t.address_canonical <> ?",
			m.UserID, PurposeCancelChange, m.AddressCanonical).
		Where("t.redeemed AND t.created_at <= ? AND t.invalidated_at >= ?", m.CreatedAt, m.CreatedAt).Count(ctx)
	return n > 0, err
}
