package db

import (
	"context"

	"github.com/uptrace/bun"
)

// SealedTOTP is the sealed secret of an authenticator app.
type SealedTOTP struct {
	bun.BaseModel `bun:"table:imported_totp,alias:t"`

	UserID UserID `bun:"user_id"`
	Sealed []byte `bun:"sealed"`
}

// TOTPSealedElsewhere gives those secrets after an account, at most limit, that are sealed under another server secret
// than the one whose seals begin with header.
func (d *DB) TOTPSealedElsewhere(
	ctx context.Context, header []byte, after UserID, limit int,
) (all []SealedTOTP, err error) {
	q := d.r.NewSelect().Model(&all).Where("substr(t.sealed, 1, ?) <> ?", len(header), header)
	if !after.IsZero() {
		q = q.Where("t.user_id > ?", after)
	}
	return all, wrap(q.Order("t.user_id").Limit(int64(limit)).Scan(ctx), "sealed secrets of authenticator apps")
}

// CountTOTPSealedElsewhere counts what TOTPSealedElsewhere lists.
func (d *DB) CountTOTPSealedElsewhere(ctx context.Context, header []byte) (int, error) {
	n, err := d.r.NewSelect().Model((*SealedTOTP)(nil)).
		Where("substr(t.sealed, 1, ?) <> ?", len(header), header).Count(ctx)
	return int(n), wrap(err, "count sealed secrets of authenticator apps")
}

const setTOTPSeal = `UPDATE imported_totp SET sealed = :sealed WHERE user_id = :user AND sealed = :old_sealed`

var sealTOTP = writes("sealTOTP",
	`WITH t AS (`+setTOTPSeal+` RETURNING 1) SELECT count(*) AS n FROM t`,
	setTOTPSeal,
	`SELECT changes() AS n`,
)

// SealTOTP stores the same secret under another seal, unless somebody changed it since it was read.
func (d *DB) SealTOTP(ctx context.Context, was SealedTOTP, sealed []byte) error {
	_, err := d.count(ctx, sealTOTP, params{{"user", was.UserID}, {"old_sealed", was.Sealed}, {"sealed", sealed}})
	return err
}
