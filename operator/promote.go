package operator

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/dragoman-auth/dragoman/app"
	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/internal/config"
	"github.com/dragoman-auth/dragoman/internal/visit"
)

// SetRole is `dragoman admin promote` and `dragoman admin demote`: it gives an account another role, and prints what it
// did. It counts with the account's next request, at every server.
func SetRole(ctx context.Context, settings *config.Settings, stdout io.Writer, who, role string) (err error) {
	database, err := app.OpenExisting(ctx, settings)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, database.Close()) }()
	ctx = visit.With(ctx, &visit.Visit{Dialect: "terminal", RequestID: rand.Text()})
	user, err := findUser(ctx, database, who)
	if err != nil {
		return err
	}
	if user.Role == role {
		_, err = fmt.Fprintf(stdout, "%s (%s) has the role %s already. Nothing was changed.\n", who, user.ID, role)
		return err
	}
	change := &db.UserChange{Role: &role}
	changed, no, err := database.ChangeUser(ctx, &db.Actor{Terminal: true}, user.ID, change,
		db.Event{Action: db.ActionUserUpdated, Note: change.Note()}, db.Clock(time.Now()))
	switch {
	case err != nil:
		return err
	case no != nil && no.Why == db.LastAdmin:
		return fmt.Errorf("%s is the last administrator who can sign in; make another one first", who)
	case no != nil:
		return fmt.Errorf("%s: the account was deleted meanwhile; nothing was changed", who)
	}
	note := ""
	if changed.Status != db.UserActive {
		note = " The account is suspended, and stays so."
	}
	_, err = fmt.Fprintf(
		stdout, "%s (%s) had the role %s and has the role %s now.%s\n", who, changed.ID, user.Role, role, note,
	)
	return err
}
