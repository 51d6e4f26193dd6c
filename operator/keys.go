package operator

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/dragoman-auth/dragoman/app"
	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/internal/config"
	"github.com/dragoman-auth/dragoman/internal/visit"
)

// ListKeys is `dragoman keys list`.
func ListKeys(ctx context.Context, settings *config.Settings, stdout io.Writer) (err error) {
	database, err := app.OpenExisting(ctx, settings)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, database.Close()) }()
	rows, err := database.SigningKeys(ctx)
	if err != nil {
		return err
	}
	if len(rows) == 0 {
		_, err = fmt.Fprintln(stdout, "There are no signing keys yet: the first start of the server makes them.")
		return err
	}
	w := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "KEY\tALG\tSTATE\tSINCE")
	for _, row := range rows {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", row.KID, row.Alg, row.State, moment(row.Since()))
	}
	return w.Flush()
}

// RotateKeys is `dragoman keys rotate`: the next key becomes the active one, the active one retires, and there is a
// new next one. Unless forced it refuses while the next key is not published for long enough.
func RotateKeys(ctx context.Context, settings *config.Settings, stdout io.Writer, force bool) (err error) {
	database, err := app.OpenExisting(ctx, settings)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, database.Close()) }()
	master, err := settings.Master()
	if err != nil {
		return err
	}
	now := db.Clock(time.Now())
	rows, err := app.SigningRows(ctx, database, master, settings.JWTAlg, now)
	if err != nil {
		return err
	}
	if _, err := app.OpenSigningKeys(
		master, rows,
	); err != nil { // a new one under a secret that servers do not have would stop them
		return err
	}
	if len(rows) < 2 || rows[0].State != db.KeyActive || rows[1].State != db.KeyNext {
		return errAlready
	}
	active, next := rows[0], rows[1]
	if ready := next.CreatedAt.Add(app.KeyPublishedFor); !force && now.Before(ready) {
		return fmt.Errorf(
			"the next key has been published only since %s, and may sign from %s on: until then others may not have "+
				"seen it. "+
				"Wait, or rotate with --force, and tokens may be refused for up to 5 minutes by those who check them "+
				"by the key set",
			moment(next.CreatedAt),
			moment(ready),
		)
	}
	fresh, err := app.NewSigningKey(master, settings.JWTAlg, db.KeyNext, now)
	if err != nil {
		return err
	}
	rotated, err := database.RotateSigningKeys(terminal(ctx), active.KID, next.KID, fresh, now)
	if err == nil && !rotated {
		err = errAlready
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(
		stdout,
		"active   %s %s\nretired  %s %s, accepted until its last token has ended\nnext     %s %s\nServers take this "+
			"up within 5 seconds.\n",
		next.KID, next.Alg, active.KID, active.Alg, fresh.KID, fresh.Alg,
	)
	return err
}

var errAlready = errors.New(
	"signing keys: they were rotated concurrently and nothing was changed here; see: dragoman keys list",
)

// terminal says in the audit log that somebody at the machine did it.
func terminal(ctx context.Context) context.Context {
	return visit.With(ctx, &visit.Visit{Dialect: "terminal", RequestID: rand.Text()})
}

func moment(t time.Time) string { return t.UTC().Format(time.RFC3339) }
