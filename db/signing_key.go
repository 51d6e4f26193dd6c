package db

import (
	"context"
	"errors"
	"time"

	"github.com/uptrace/bun"
)

// KeyState is where a signing key is in its life.
type KeyState string

// The states of a signing key, in their order. There is at most one next and one active key.
const (
	KeyNext    KeyState = "next"    // published and accepted, so that everybody knows it before it signs
	KeyActive  KeyState = "active"  // signs
	KeyRetired KeyState = "retired" // accepted until the last token that it signed has ended
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

// Since is when the key came into its state.
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

// AddSigningKey adds a key that is active or next unless there is one in that state. Of several servers that start at once
// on an empty database one succeeds; all of them read back the same key.
func (d *DB) AddSigningKey(ctx context.Context, k SigningKey) error {
	_, err := d.w.NewInsert().Model(&k).On("CONFLICT DO NOTHING").Exec(ctx)
	return wrap(err, "signing key")
}

// errRotated is why a transaction of ours is undone; nobody outside sees it.
var errRotated = errors.New("db: the keys are others by now")

// RotateSigningKeys retires the active key, makes the next one active and fresh the next, all of it or nothing, and tells
// whether it did: not when active and next are in these states no more, because somebody else rotated.
func (d *DB) RotateSigningKeys(ctx context.Context, active, next string, fresh SigningKey, now time.Time) (bool, error) {
	fresh.State = KeyNext
	err := d.w.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
		if err := changed(tx.ExecContext(ctx,
			`UPDATE signing_keys SET state = 'retired', retired_at = ? WHERE kid = ? AND state = 'active'`, now, active)); err != nil {
			return err
		}
		if err := changed(tx.ExecContext(ctx,
			`UPDATE signing_keys SET state = 'active', activated_at = ? WHERE kid = ? AND state = 'next'`, now, next)); err != nil {
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

// changed demands that a statement met its one row.
func changed(done interface{ RowsAffected() (int64, error) }, err error) error {
	if err != nil {
		return err
	}
	if n, err := done.RowsAffected(); err != nil || n != 1 {
		return errors.Join(err, errRotated)
	}
	return nil
}

// ResealSigningKey swaps what is sealed of a key for the same under another secret, unless somebody else did.
func (d *DB) ResealSigningKey(ctx context.Context, kid string, old, sealed []byte) error {
	_, err := d.w.ExecContext(ctx, `UPDATE signing_keys SET private_key = ? WHERE kid = ? AND private_key = ?`, sealed, kid, old)
	return wrap(err, "reseal a signing key")
}
