package db

import (
	"context"
	"time"

	"github.com/uptrace/bun"
)

// SigningKey is a row of signing_keys: a private key for access tokens, sealed under the server secret (KE-01).
type SigningKey struct {
	bun.BaseModel `bun:"table:signing_keys"`

	KID       string    `bun:"kid,pk"` // RFC 7638 thumbprint
	Alg       string    `bun:"alg"`
	State     string    `bun:"state"`
	Sealed    []byte    `bun:"private_key"`
	CreatedAt time.Time `bun:"created_at"`
}

// SigningKeys lists the keys that sign or verify, the active one first.
func (d *DB) SigningKeys(ctx context.Context) ([]SigningKey, error) {
	var keys []SigningKey
	err := d.r.NewSelect().Model(&keys).OrderExpr("state = 'active' DESC, created_at").Scan(ctx)
	return keys, wrap(err, "signing keys")
}

// AddSigningKey makes k the active key unless there is one. Of several servers that start at once on an empty database
// one succeeds; all of them read back the same key.
func (d *DB) AddSigningKey(ctx context.Context, k SigningKey) error {
	k.State = "active"
	_, err := d.w.NewInsert().Model(&k).On("CONFLICT DO NOTHING").Exec(ctx)
	return wrap(err, "signing key")
}
