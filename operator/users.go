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
	"github.com/dragoman-auth/dragoman/internal/fault"
	"github.com/dragoman-auth/dragoman/internal/identity"
	"github.com/dragoman-auth/dragoman/internal/visit"
)

// UserCommands are those for the accounts of people.
type UserCommands struct {
	Import   ImportArgs `cmd:"" help:"Take accounts over from another system, with their password hashes."`
	Export   ExportArgs `cmd:"" help:"Write all accounts as NDJSON, as import reads them."`
	SetEmail struct {
		AccountArg
		Email string `arg:"" help:"The new email address."`
	} `cmd:"" help:"Give an account another email address, confirmed; its sessions end."`
	Unlock      AccountArg      `cmd:"" help:"Lift what failed sign-ins and too many mails did to an account."`
	ResetMfa    AccountArg      `cmd:"" help:"Remove the second factors of an account whose owner lost them; they are told."`
	EndSessions EndSessionsArgs `cmd:"" help:"End sessions in which no second factor was shown."`
}

// Run runs the command of that name and tells whether it is one of these.
func (c *UserCommands) Run(ctx context.Context, name string, settings *config.Settings, stdout io.Writer) (bool,
	error,
) {
	switch name {
	case "users import <file>":
		return true, ImportUsers(ctx, settings, stdout, c.Import)
	case "users export", "users export <file>":
		return true, ExportUsers(ctx, settings, stdout, c.Export)
	case "users set-email <who> <email>":
		return true, SetEmail(ctx, settings, stdout, c.SetEmail.Who, c.SetEmail.Email)
	case "users unlock <who>":
		return true, Unlock(ctx, settings, stdout, c.Unlock.Who)
	case "users reset-mfa <who>":
		return true, ResetMfa(ctx, settings, stdout, c.ResetMfa.Who)
	case "users end-sessions":
		return true, EndSessions(ctx, settings, stdout)
	}
	return false, nil
}

// SetEmail is `dragoman users set-email`: it gives an account another address, which counts as confirmed, and prints
// what it did. Whatever opened the account before ends, and so does what was mailed; the former address gets a notice,
// and the new one a mail to choose a password. Beside the owner in a session of their own, this alone changes the
// address of an account beyond `user` (AZ-13, AZ-21).
func SetEmail(ctx context.Context, settings *config.Settings, stdout io.Writer, who, address string) (err error) {
	email, canonical, err := identity.Email(address)
	if err != nil {
		return fmt.Errorf("%q: %s", address, fault.From(err).Message)
	}
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
	change := &db.UserChange{
		Email: &email, EmailCanonical: &canonical, EmailConfirmed: true, KeepPassword: settings.MailOff,
	}
	if !settings.MailOff {
		change.Mails = func(was, is *db.User, _ bool) []*db.Mail { return addressMails(was, is, now) }
	}
	_, no, err := database.ChangeUser(ctx, &db.Actor{Terminal: true}, user.ID, change,
		db.Event{Action: db.ActionUserUpdated, Note: change.Note()}, now)
	switch {
	case err != nil:
		return err
	case no != nil && no.Why == db.NameTaken:
		return fmt.Errorf("%s: another account has this email address; choose another one", email)
	case no != nil:
		return fmt.Errorf("%s: the account was deleted meanwhile; nothing was changed", who)
	}
	former := "none"
	if user.Email != nil {
		former = *user.Email
	}
	ended := ""
	switch {
	case user.EmailCanonical == canonical: // another spelling
	case settings.MailOff:
		ended = " Sessions and API keys ended. The password stays, since this server sends no mail to choose another."
	default:
		ended = " Password, sessions and API keys ended. A mail to the new address lets its reader choose a password."
	}
	_, err = fmt.Fprintf(
		stdout, "%s had the email address %s and has %s now, confirmed.%s\n", user.ID, former, email, ended,
	)
	return err
}

// setupLives is how long the link to choose a password is good, as in mails that administrators cause.
const setupLives = 24 * time.Hour

// addressMails tell the former address that another one took its place, without a revert link, and let the reader of
// the new one choose a password.
func addressMails(was, is *db.User, now time.Time) (mails []*db.Mail) {
	if was.EmailCanonical == is.EmailCanonical {
		return nil
	}
	mail := func(kind db.MailKind, address, canonical string, lives time.Duration) *db.Mail {
		return &db.Mail{
			ID: db.NewMailID(), Kind: kind, UserID: is.ID, Address: address, AddressCanonical: canonical,
			Dialect: "terminal", Data: db.MailData{NewAddress: *is.Email}, TTLSeconds: int(lives / time.Second),
			State: db.MailQueued, CreatedAt: now,
		}
	}
	if was.Email != nil {
		mails = append(mails, mail(db.MailEmailChanged, *was.Email, was.EmailCanonical, 0))
	}
	return append(mails, mail(db.MailSetPassword, *is.Email, is.EmailCanonical, setupLives))
}
