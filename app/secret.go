package app

import (
	"context"
	"slices"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/internal/secret"
)

// RecordSecretUse notes that this server makes things under the present secret from now on, and finds out which of its
// secrets this database was used with first.
func RecordSecretUse(
	ctx context.Context, database *db.DB, master *secret.Master, now time.Time,
) (*secret.Master, error) {
	ids := master.IDs()
	if err := database.RecordSecretUse(ctx, ids[0], db.Clock(now)); err != nil {
		return nil, err
	}
	used, err := database.ServerSecrets(ctx)
	if err != nil {
		return nil, err
	}
	for _, u := range used {
		if slices.Contains(ids, u.ID) {
			return master.WithOldest(u.ID), nil
		}
	}
	return master, nil
}
