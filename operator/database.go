// Package operator holds what the commands of an operator do, over named functions of db. A command has the machine's own
// rights and no caller, so it does not go through the schema.
package operator

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/internal/config"
)

// OpenDB opens the database of the settings and sees to its schema: brings it up to date, or, where that is switched off,
// refuses one that is not.
func OpenDB(ctx context.Context, settings *config.Settings) (*db.DB, error) {
	dsn, err := settings.DSN()
	if err != nil {
		return nil, err
	}
	database, err := db.Open(ctx, dsn)
	if err != nil {
		return nil, err
	}
	if settings.Migrate {
		err = database.Migrate(ctx)
	} else if pending, failed := database.Pending(ctx); failed != nil {
		err = failed
	} else if pending > 0 {
		err = errors.New("the schema of the database is older than this server, and DRAGOMAN_MIGRATE is off. " +
			"Run: dragoman migrate")
	}
	if err != nil {
		return nil, errors.Join(err, database.Close())
	}
	return database, nil
}

// Migrate is `dragoman migrate`: it brings the schema up to date, whatever DRAGOMAN_MIGRATE says.
func Migrate(ctx context.Context, settings *config.Settings, stdout io.Writer) error {
	on := *settings
	on.Migrate = true
	database, err := OpenDB(ctx, &on)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(stdout, "The schema is up to date.")
	return errors.Join(err, database.Close())
}
