package operator

import (
	"context"
	"errors"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/internal/secret"
	"github.com/dragoman-auth/dragoman/internal/token"
)

// SigningKeys reads the keys of access tokens, the active one first, and makes one on a new database. It refuses a
// database whose keys were sealed under another server secret.
func SigningKeys(ctx context.Context, database *db.DB, master *secret.Master, now func() time.Time) ([]token.SigningKey, error) {
	seal := master.Key("signing keys")
	rows, err := database.SigningKeys(ctx)
	if err == nil && len(rows) == 0 {
		if err = addKey(ctx, database, seal, now()); err == nil {
			rows, err = database.SigningKeys(ctx) // another server may have been first
		}
	}
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 || rows[0].State != "active" {
		return nil, errors.New("the database has no active signing key")
	}
	var keys []token.SigningKey
	for _, row := range rows {
		der, err := seal.Open(row.Sealed, sealedAt(row.KID))
		if err != nil {
			return nil, errors.New("the signing key in the database was sealed under another secret: " +
				"set DRAGOMAN_SECRET (or DRAGOMAN_DATA_DIR) to what this database was made with")
		}
		key, err := token.ParseKey(der)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// sealedAt binds a sealed key to its row: moved to another one it does not open (KE-01).
func sealedAt(kid string) string { return "signing_keys/" + kid + "/private_key" }

func addKey(ctx context.Context, database *db.DB, seal secret.Key, now time.Time) error {
	key, err := token.GenerateKey()
	if err != nil {
		return err
	}
	der, err := key.MarshalPrivate()
	if err != nil {
		return err
	}
	sealed, err := seal.Seal(der, sealedAt(key.KID))
	if err != nil {
		return err
	}
	return database.AddSigningKey(ctx, db.SigningKey{KID: key.KID, Alg: key.Alg, Sealed: sealed, CreatedAt: db.Clock(now)})
}
