package app

import (
	"context"
	"slices"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/internal/secret"
)

// RecordSecretUse records that this server uses the present secret. It gives master with its oldest secret marked: the
// first one that this database was used with.
func RecordSecretUse(
	ctx context.Context, database *db.DB, master *secret.Master, now time.Time,
) (*secret.Master, error) {
	if err := database.RecordSecretUse(ctx, master.IDs()[0], db.Clock(now)); err != nil {
		return nil, err
	}
	return KnownMaster(ctx, database, master)
}

// KnownMaster gives master with its oldest secret marked, as RecordSecretUse does, and writes nothing.
func KnownMaster(ctx context.Context, database *db.DB, master *secret.Master) (*secret.Master, error) {
	ids := master.IDs()
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
