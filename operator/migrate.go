package operator

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/dragoman-auth/dragoman/app"
	"github.com/dragoman-auth/dragoman/internal/config"
)

// Migrate is `dragoman migrate`: it brings the schema up to date, whatever DRAGOMAN_MIGRATE says.
func Migrate(ctx context.Context, settings *config.Settings, stdout io.Writer) error {
	on := *settings
	on.Migrate = true
	database, err := app.OpenDB(ctx, &on)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(stdout, "The schema is up to date.")
	return errors.Join(err, database.Close())
}
