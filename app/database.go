package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/internal/config"
)

// OpenDB opens the database of the settings and migrates its schema. With DRAGOMAN_MIGRATE off it refuses an outdated
// schema.
func OpenDB(ctx context.Context, settings *config.Settings) (*db.DB, error) {
	dsn, err := settings.DSN()
	if err != nil {
		return nil, err
	}
	database, err := db.Open(ctx, dsn)
	if err != nil {
		return nil, err
	}
	return ensureSchema(ctx, settings, database)
}

// OpenExisting is OpenDB for commands about the data of a server. It creates no database: a missing one means that the
// command has other settings than the server.
func OpenExisting(ctx context.Context, settings *config.Settings) (*db.DB, error) {
	const advice = "set DRAGOMAN_DATA_DIR, or DATABASE_URL, as the server has it, or make one with: dragoman migrate"
	dsn, err := settings.ExistingDSN()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no database in %s; %s", settings.DataDir, advice)
	}
	if err != nil {
		return nil, err
	}
	database, err := db.Open(ctx, dsn)
	if err != nil {
		return nil, err
	}
	empty, err := database.Empty(ctx)
	if err == nil && empty {
		err = errors.New("the database is empty; " + advice)
	}
	if err != nil {
		return nil, errors.Join(err, database.Close())
	}
	return ensureSchema(ctx, settings, database)
}

// ensureSchema migrates the schema, or refuses an outdated one. It closes the database on failure.
func ensureSchema(ctx context.Context, settings *config.Settings, database *db.DB) (_ *db.DB, err error) {
	if settings.Migrate {
		err = database.Migrate(ctx)
	} else if pending, failed := database.Pending(ctx); failed != nil {
		err = failed
	} else if pending > 0 {
		err = errors.New("database: the schema is older than this server and DRAGOMAN_MIGRATE is off; " +
			"run: dragoman migrate")
	}
	if err != nil {
		return nil, errors.Join(err, database.Close())
	}
	return database, nil
}
