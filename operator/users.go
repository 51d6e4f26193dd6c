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
	SetEmail struct {
		Who   string `arg:"" help:"The id, the email address or the username of the account."`
		Email string `arg:"" help:"The new email address."`
	} `cmd:"" help:"Give an account another email address, confirmed; its sessions end."`
	Unlock struct {
		Who string `arg:"" help:"The id, the email address or the username of the account."`
	} `cmd:"" help:"Lift what failed sign-ins and too many mails did to an account."`
}

// Run runs the command of that name and tells whether it is one of these.
func (c *UserCommands) Run(ctx context.Context, name string, settings *config.Settings, stdout io.Writer) (bool,
	error,
) {
	switch name {
	case "users set-email <who> <email>":
		return true, SetEmail(ctx, settings, stdout, c.SetEmail.Who, c.SetEmail.Email)
	case "users unlock <who>":
		return true, Unlock(ctx, settings, stdout, c.Unlock.Who)
	}
	return false, nil
}

// SetEmail is `dragoman users set-email`: it gives an account another address, which counts as confirmed, and prints
// what it did. Sessions and all that was mailed before end, and the former address gets a notice. Beside the owner in a
// session of their own, this alone changes the address of an account beyond `user` (AZ-13).
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
	change := &db.UserChange{Email: &email, EmailCanonical: &canonical, EmailConfirmed: true}
	if !settings.MailOff {
		change.Mails = func(was, is *db.User, _ bool) []*db.Mail { return addressNotice(was, is, now) }
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
	_, err = fmt.Fprintf(stdout, "%s had the email address %s and has %s now, confirmed.\n", user.ID, former, email)
	return err
}

// findUser finds an account by its id, its email address or its username.
func findUser(ctx context.Context, database *db.DB, who string) (user *db.User, err error) {
	var id db.UserID
	if id.UnmarshalText([]byte(who)) == nil {
		user, err = database.User(ctx, id)
	} else {
		var canonical string
		if canonical, err = canonicalName(who); err == nil {
			user, err = database.UserNamed(ctx, canonical)
		}
	}
	if err == nil && user == nil {
		err = fmt.Errorf("%s: no account has this name; check the id, the email address or the username", who)
	}
	return user, err
}

// addressNotice tells the former address that another one took its place; it has no revert link.
func addressNotice(was, is *db.User, now time.Time) []*db.Mail {
	if was.Email == nil || was.EmailCanonical == is.EmailCanonical {
		return nil
	}
	return []*db.Mail{{
		ID: db.NewMailID(), Kind: db.MailEmailChanged, UserID: is.ID, Address: *was.Email,
		AddressCanonical: was.EmailCanonical, Dialect: "terminal", Data: db.MailData{NewAddress: *is.Email},
		State: db.MailQueued, CreatedAt: now,
	}}
}
