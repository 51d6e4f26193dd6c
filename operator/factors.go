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

// ResetMfa is `dragoman users reset-mfa`: it removes the second factors of an account whose owner lost them, as
// Mutation.resetUserMfa does, also those of an administrator. The owner is told.
func ResetMfa(ctx context.Context, settings *config.Settings, stdout io.Writer, who string) (err error) {
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
	now := db.Clock(time.Now())
	change := &db.FactorChange{User: user.ID, Actor: &db.Actor{Terminal: true}}
	if !settings.MailOff && user.Email != nil {
		change.Mails = []*db.Mail{{
			ID: db.NewMailID(), Kind: db.MailSecondFactor, UserID: user.ID, Address: *user.Email,
			AddressCanonical: user.EmailCanonical, Dialect: "terminal", State: db.MailQueued, CreatedAt: now,
			Data: db.MailData{
				Factor: &db.MailFactor{Change: db.FactorsReset}, Unconfirmed: !user.EmailVerified(),
			},
		}}
	}
	reset, no, err := database.ResetFactors(ctx, change, now)
	switch {
	case err != nil:
		return err
	case no != nil:
		return fmt.Errorf("%s: the account was deleted meanwhile; nothing was changed", who)
	case !reset:
		return fmt.Errorf("%s: the account has no second factor; nothing was changed", who)
	}
	_, err = fmt.Fprintf(stdout, "%s has no second factor any more: the next sign-in asks for none, or for a new one "+
		"where one is required. Its wrong codes of the last year still count.\n", user.ID)
	return err
}

// EndSessionsArgs are those of `dragoman users end-sessions`.
type EndSessionsArgs struct {
	WithoutFactor bool `required:"" help:"End those in which no second factor was shown, of accounts that must have one."`
}

// EndSessions is `dragoman users end-sessions --without-factor`: once DRAGOMAN_MFA requires second factors, it ends the
// sessions of before, which would go on until their end. API keys go on.
func EndSessions(ctx context.Context, settings *config.Settings, stdout io.Writer) (err error) {
	if !settings.MfaRequired && len(settings.MfaRoles) == 0 {
		return errors.New("users end-sessions: no account must have a second factor; " +
			"set DRAGOMAN_MFA=required or DRAGOMAN_MFA_ROLES as the server has them")
	}
	database, err := app.OpenExisting(ctx, settings)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, database.Close()) }()
	ctx = visit.With(ctx, &visit.Visit{Dialect: "terminal", RequestID: rand.Text()})
	roles := settings.MfaRoles
	if settings.MfaRequired {
		roles = nil
	}
	accounts, sessions, err := database.EndSessionsWithoutFactor(ctx, roles, db.Clock(time.Now()))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "Ended %d sessions of %d accounts. API keys go on.\n", sessions, accounts)
	return err
}
