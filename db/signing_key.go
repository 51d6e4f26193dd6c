package db

import (
	"context"
	"errors"
	"time"

	"github.com/uptrace/bun"
)

// KeyState is the state of a signing key.
type KeyState string

// The states of a signing key, in their order. At most one key is next, and at most one active.
const (
	KeyNext    KeyState = "next"    // published and accepted: everybody knows it before it signs
	KeyActive  KeyState = "active"  // signs
	KeyRetired KeyState = "retired" // accepted until the last token that it signed expires
)

// SigningKey is a row of signing_keys: a private key for access tokens, sealed under the server secret (KE-01).
type SigningKey struct {
	bun.BaseModel `bun:"table:signing_keys"`

	KID         string     `bun:"kid,pk"` // RFC 7638 thumbprint
	Alg         string     `bun:"alg"`
	State       KeyState   `bun:"state"`
	Sealed      []byte     `bun:"private_key"`
	CreatedAt   time.Time  `bun:"created_at"`
	ActivatedAt *time.Time `bun:"activated_at"`
	RetiredAt   *time.Time `bun:"retired_at"`
}

// Since gives the time at which the key entered its state.
func (k *SigningKey) Since() time.Time {
	switch {
	case k.State == KeyRetired && k.RetiredAt != nil:
		return *k.RetiredAt
	case k.State == KeyActive && k.ActivatedAt != nil:
		return *k.ActivatedAt
	}
	return k.CreatedAt
}

// SigningKeys lists the keys that sign or verify: the active one first, then the next, then the retired ones.
func (d *DB) SigningKeys(ctx context.Context) ([]SigningKey, error) {
	var keys []SigningKey
	err := d.r.NewSelect().Model(&keys).
		OrderExpr("CASE state WHEN 'active' THEN 0 WHEN 'next' THEN 1 ELSE 2 END, created_at DESC, kid").Scan(ctx)
	return keys, wrap(err, "signing keys")
}

// AddSigningKey adds an active or a next key, unless a key has that state already. Of several servers that start at
// once on an empty database one adds its key, and all read the same key back.
func (d *DB) AddSigningKey(ctx context.Context, k SigningKey) error {
	_, err := d.w.NewInsert().Model(&k).On("CONFLICT DO NOTHING").Exec(ctx)
	return wrap(err, "signing key")
}

// errRotated undoes the transaction of RotateSigningKeys; it never leaves this package.
var errRotated = errors.New("db: the signing keys were rotated concurrently")

// RotateSigningKeys retires the active key, makes the next key active and fresh the next key: all of it, or nothing. It
// tells whether it did. It does nothing where active and next left these states, because the keys were rotated
// concurrently.
func (d *DB) RotateSigningKeys(
	ctx context.Context, active, next string, fresh SigningKey, now time.Time,
) (bool, error) {
	fresh.State = KeyNext
	err := d.w.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
		err := changed(tx.ExecContext(ctx, `UPDATE signing_keys SET state = 'retired', retired_at = ?
WHERE kid = ? AND state = 'active'`, now, active))
		if err != nil {
			return err
		}
		err = changed(tx.ExecContext(ctx, `UPDATE signing_keys SET state = 'active', activated_at = ?
WHERE kid = ? AND state = 'next'`, now, next))
		if err != nil {
			return err
		}
		if _, err := tx.NewInsert().Model(&fresh).Exec(ctx); err != nil {
			return err
		}
		return d.recordIn(ctx, tx.Tx, Event{Action: ActionSigningKeyRotated}, now)
	})
	if errors.Is(err, errRotated) {
		return false, nil
	}
	return err == nil, wrap(err, "rotate signing keys")
}

// changed gives errRotated unless a statement changed one row.
func changed(done interface{ RowsAffected() (int64, error) }, err error) error {
	if err != nil {
		return err
	}
	if n, err := done.RowsAffected(); err != nil || n != 1 {
		return errors.Join(err, errRotated)
	}
	return nil
}

// ResealSigningKey stores the private key of a signing key sealed under another secret, unless somebody else did.
func (d *DB) ResealSigningKey(ctx context.Context, kid string, old, sealed []byte) error {
	_, err := d.w.ExecContext(ctx, `UPDATE signing_keys SET private_key = ? WHERE kid = ? AND private_key = ?`,
		sealed, kid, old)
	return wrap(err, "reseal a signing key")
}
