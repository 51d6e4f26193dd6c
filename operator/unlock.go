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
	"github.com/dragoman-auth/dragoman/internal/limit"
	"github.com/dragoman-auth/dragoman/internal/visit"
)

// Unlock is `dragoman users unlock`: it lifts what failed sign-ins did to an account, as Mutation.unlockUser does, and
// prints what there was.
func Unlock(ctx context.Context, settings *config.Settings, stdout io.Writer, who string) (err error) {
	master, err := settings.Master()
	if err != nil {
		return err
	}
	database, err := app.OpenExisting(ctx, settings)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, database.Close()) }()
	if master, err = app.KnownMaster(ctx, database, master); err != nil {
		return err
	}
	ctx = visit.With(ctx, &visit.Visit{Dialect: "terminal", RequestID: rand.Text()})
	user, err := findUser(ctx, database, who)
	if err != nil {
		return err
	}
	now := db.Clock(time.Now())
	was, err := database.Security(ctx, []*db.User{user}, limit.Delay, now)
	if err != nil {
		return err
	}
	_, no, err := database.UnlockUser(ctx, &db.Actor{Terminal: true}, user.ID,
		db.Event{Action: db.ActionUserUnlocked}, app.AddressHashes(master), now)
	switch {
	case err != nil:
		return err
	case no != nil:
		return fmt.Errorf("%s: the account was deleted meanwhile; nothing was changed", who)
	}
	_, err = fmt.Fprintf(stdout, "%s is unlocked: %s.\n", user.ID, lifted(was[user.ID]))
	return err
}

// lifted says what failures had done to an account.
func lifted(was *db.UserSecurity) string {
	text := fmt.Sprintf("%d failed sign-ins are forgotten", was.Failures)
	if was.Failures == 1 {
		text = "1 failed sign-in is forgotten"
	}
	if was.LockedUntil != nil {
		text += ", it was locked until " + moment(*was.LockedUntil)
	}
	if was.PasswordDisabledAt != nil {
		text += ", its password, disabled at " + moment(*was.PasswordDisabledAt) + ", is in force again"
	}
	return text
}
