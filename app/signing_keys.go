package app

import (
	"context"
	"errors"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/internal/secret"
	"github.com/dragoman-auth/dragoman/internal/token"
)

// SigningKeys reads the signing keys, the active one first. It makes an active key on a new database, and a next key
// where none is, for the algorithm alg. It refuses keys that were sealed under a server secret that master does not
// have.
func SigningKeys(
	ctx context.Context, database *db.DB, master *secret.Master, alg string, now func() time.Time,
) ([]token.SigningKey, error) {
	rows, err := SigningRows(ctx, database, master, alg, now())
	if err != nil {
		return nil, err
	}
	return OpenSigningKeys(master, rows)
}

// SigningRows is SigningKeys with the keys still sealed.
func SigningRows(
	ctx context.Context, database *db.DB, master *secret.Master, alg string, now time.Time,
) ([]db.SigningKey, error) {
	rows, err := database.SigningKeys(ctx)
	made := false
	for _, state := range []db.KeyState{db.KeyActive, db.KeyNext} {
		if err != nil || has(rows, state) || state == db.KeyActive && len(rows) > 0 {
			continue
		}
		var k db.SigningKey
		if k, err = NewSigningKey(master, alg, state, now); err == nil {
			made, err = true, database.AddSigningKey(ctx, k)
		}
	}
	if err == nil && made {
		rows, err = database.SigningKeys(ctx) // another server may have been first
	}
	if err == nil && !has(rows, db.KeyActive) {
		err = errors.New("signing keys: the database has no active key; restore the table from a backup")
	}
	return rows, err
}

func has(rows []db.SigningKey, state db.KeyState) bool {
	for _, row := range rows {
		if row.State == state {
			return true
		}
	}
	return false
}

// OpenSigningKeys opens sealed keys. It refuses keys that were sealed under a server secret that master does not have.
func OpenSigningKeys(master *secret.Master, rows []db.SigningKey) ([]token.SigningKey, error) {
	return openKeys(master, rows, nil)
}

// openKeys opens sealed keys, but takes those in known, by kid, as they are.
func openKeys(
	master *secret.Master, rows []db.SigningKey, known map[string]token.SigningKey,
) ([]token.SigningKey, error) {
	seal := master.Key(sealing)
	var keys []token.SigningKey
	for _, row := range rows {
		key, ok := known[row.KID]
		if !ok {
			der, err := seal.Open(row.Sealed, sealedAt(row.KID))
			if err != nil {
				return nil, errors.New("signing keys: a key in the database was sealed under another secret; " +
					"set DRAGOMAN_SECRET (or DRAGOMAN_DATA_DIR) to what this database was made with, or add that " +
					"secret to DRAGOMAN_SECRET_PREVIOUS")
			}
			if key, err = token.ParseKey(der); err != nil {
				return nil, err
			}
			if key.KID != row.KID || key.Alg != row.Alg {
				return nil, errors.New("signing keys: a key in the database does not match its row; restore the " +
					"table from a backup")
			}
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// sealing is the purpose under which signing keys are sealed.
const sealing = "signing keys"

// SealedAnew tells whether a key is sealed under the present server secret, not under another accepted one.
func SealedAnew(master *secret.Master, row db.SigningKey) bool {
	return master.Key(sealing).Present(row.Sealed)
}

// sealedAt is the context that binds a sealed key to its row: in another row it does not open (KE-01).
func sealedAt(kid string) string { return "signing_keys/" + kid + "/private_key" }

// NewSigningKey makes a key, active or next, that is sealed under the present server secret.
func NewSigningKey(master *secret.Master, alg string, state db.KeyState, now time.Time) (db.SigningKey, error) {
	key, err := token.GenerateKey(alg)
	if err != nil {
		return db.SigningKey{}, err
	}
	der, err := key.MarshalPrivate()
	if err != nil {
		return db.SigningKey{}, err
	}
	sealed, err := master.Key(sealing).Seal(der, sealedAt(key.KID))
	now = db.Clock(now)
	row := db.SigningKey{KID: key.KID, Alg: key.Alg, State: state, Sealed: sealed, CreatedAt: now}
	if state == db.KeyActive {
		row.ActivatedAt = &now
	}
	return row, err
}
