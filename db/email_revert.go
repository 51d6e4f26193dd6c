package db

import (
	"context"
	"time"

	"github.com/uptrace/bun"
)

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
