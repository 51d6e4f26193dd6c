package operator

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/dragoman-auth/dragoman/app"
	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/internal/config"
)

// Backup is `dragoman backup FILE`: the SQLite database as it is at one moment, while servers work on it. A secret
// that was generated, and so is nowhere but in the data directory, goes into FILE.secret. The schema is left as it is:
// a backup is what one makes before an upgrade.
func Backup(ctx context.Context, settings *config.Settings, stdout io.Writer, path string) (err error) {
	if settings.DatabaseURL != "" {
		return errors.New("Postgres has its own program for backups. Run, with DATABASE_URL in the environment: " + //nolint:staticcheck // a name
			`pg_dump --format=custom --no-owner --file=FILE "$DATABASE_URL", and keep DRAGOMAN_SECRET apart from it. ` +
			`See docs/operations-backup.md`)
	}
	dsn, err := settings.ExistingDSN()
	if err != nil {
		return err
	}
	beside := ""
	if source := settings.SecretFile(); source != "" {
		beside = path + ".secret"
		if err := copySecret(source, beside); err != nil {
			return err
		}
		defer func() {
			if err != nil {
				err = errors.Join(err, os.Remove(beside))
			}
		}()
	}
	database, err := db.Open(ctx, dsn)
	if err != nil {
		return err
	}
	err = database.Backup(ctx, path)
	if err = errors.Join(err, database.Close()); err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%s  the database\n", path)
	if beside != "" {
		fmt.Fprintf(stdout, "%s  the server secret: keep it apart from the database, whoever has both can sign in as "+
			"anybody\n", beside)
	} else {
		fmt.Fprintln(stdout, "The server secret is not in it. Without DRAGOMAN_SECRET as it is now the backup is of "+
			"no use: keep it, apart from the database.")
	}
	_, err = fmt.Fprintln(stdout, "After a restore run: dragoman restore-finish")
	return err
}

func copySecret(from, to string) (err error) {
	b, err := os.ReadFile(from)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no server secret in %s: set DRAGOMAN_DATA_DIR, or DRAGOMAN_SECRET, as the server "+
			"has it", from)
	}
	if err != nil {
		return err
	}
	f, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, bytes.NewReader(b))
	return errors.Join(err, f.Sync(), f.Close())
}

// FinishRestore is `dragoman restore-finish`, to be run once on a database that was restored from a backup.
func FinishRestore(ctx context.Context, settings *config.Settings, stdout io.Writer) (err error) {
	database, err := app.OpenExisting(ctx, settings)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, database.Close()) }()
	master, err := settings.Master()
	if err != nil {
		return err
	}
	rows, err := database.SigningKeys(ctx)
	if err == nil {
		// a terminal without the secret of the servers would leave keys that they can not open
		_, err = app.OpenSigningKeys(master, rows)
	}
	if err != nil {
		return err
	}
	now := db.Clock(time.Now())
	active, err := app.NewSigningKey(master, settings.JWTAlg, db.KeyActive, now)
	if err != nil {
		return err
	}
	next, err := app.NewSigningKey(master, settings.JWTAlg, db.KeyNext, now)
	if err != nil {
		return err
	}
	r, err := database.FinishRestore(terminal(ctx), active, next, now)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, `Ended, because nobody knows which of them were ended after the backup was taken:
  sessions      %d
  API keys      %d
  signing keys  %d, replaced by fresh ones
  links         %d, of mails, and %d mails that would have brought one
Everybody signs in anew, makes new API keys, and asks again for mails. Accounts, passwords, roles and suspensions `+
		`are those of the backup:
suspend, demote and delete again whom you did since.
`, r.Sessions, r.Keys, r.SigningKeys, r.Links, r.Mails)
	return err
}
