package db

import "context"

// AuthenticatorsSealedElsewhere gives those authenticator apps after an id, at most limit, whose secrets are sealed
// under another server secret than the one whose seals begin with header.
func (d *DB) AuthenticatorsSealedElsewhere(
	ctx context.Context, header []byte, after AuthenticatorID, limit int,
) (all []Authenticator, err error) {
	q := d.r.NewSelect().Model(&all).Where("substr(t.sealed, 1, ?) <> ?", len(header), header)
	if !after.IsZero() {
		q = q.Where("t.id > ?", after)
	}
	return all, wrap(q.Order("t.id").Limit(int64(limit)).Scan(ctx), "sealed secrets of authenticator apps")
}

// CountAuthenticatorsSealedElsewhere counts what AuthenticatorsSealedElsewhere lists.
func (d *DB) CountAuthenticatorsSealedElsewhere(ctx context.Context, header []byte) (int, error) {
	n, err := d.r.NewSelect().Model((*Authenticator)(nil)).
		Where("substr(t.sealed, 1, ?) <> ?", len(header), header).Count(ctx)
	return int(n), wrap(err, "count sealed secrets of authenticator apps")
}

const setSeal = `UPDATE authenticators SET sealed = :sealed WHERE id = :authenticator AND sealed = :old_sealed`

var sealAuthenticator = writes("sealAuthenticator",
	`WITH t AS (`+setSeal+` RETURNING 1) SELECT count(*) AS n FROM t`,
	setSeal,
	`SELECT changes() AS n`,
)

// SealAuthenticator stores the same secret under another seal, unless somebody changed it since it was read.
func (d *DB) SealAuthenticator(ctx context.Context, was Authenticator, sealed []byte) error {
	_, err := d.count(ctx, sealAuthenticator,
		params{{"authenticator", was.ID}, {"old_sealed", was.Sealed}, {"sealed", sealed}})
	return err
}
