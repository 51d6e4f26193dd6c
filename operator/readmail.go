package operator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dragoman-auth/dragoman/app"
	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/internal/config"
	"github.com/dragoman-auth/dragoman/internal/token"
	"github.com/dragoman-auth/dragoman/rest"
)

// mailKinds are the mails that a step of a dialect's example means by the name of a link.
var mailKinds = map[string][]db.MailKind{
	"verifyEmail":   {db.MailVerifyEmail},
	"resetPassword": {db.MailResetPassword, db.MailSetPassword},
	"signIn":        {db.MailMagicLink},
	"changeEmail":   {db.MailConfirmChange},
}

// newestMails is how many mails are looked through; an example makes a handful.
const newestMails = 100

// ReadMail finds what the newest mail of a kind (verifyEmail, resetPassword, signIn or changeEmail) to an address
// says. Mails that nobody has sent yet are made out first. It is for examples of dialects, on databases that are
// thrown away.
func ReadMail(
	ctx context.Context, database *db.DB, codec *token.Codec, now time.Time, kind, to string,
) (rest.MailSecrets, error) {
	queued, err := database.QueuedMails(ctx, db.Clock(now))
	if err != nil {
		return rest.MailSecrets{}, err
	}
	for _, id := range queued {
		if _, err := database.Resolve(ctx, id, db.Clock(now)); err != nil {
			return rest.MailSecrets{}, err
		}
	}
	letters, err := database.Mailbox(ctx, "", db.MailID{}, newestMails)
	if err != nil {
		return rest.MailSecrets{}, err
	}
	for _, l := range letters {
		if l.Token != nil && slices.Contains(mailKinds[kind], l.Mail.Kind) && strings.EqualFold(l.Mail.Address, to) {
			return rest.MailSecrets{
				Token: codec.OneTime(l.Token.ID.UUID).Reveal(), Code: codec.Code(l.Token.ID.UUID).Reveal(),
			}, nil
		}
	}
	return rest.MailSecrets{}, fmt.Errorf("mail %s to %s: it was not sent; let an earlier step ask for it", kind, to)
}

// mailReader is ReadMail for the server with these settings.
func mailReader(
	settings *config.Settings, now func() time.Time,
) func(context.Context, string, string) (rest.MailSecrets, error) {
	return func(ctx context.Context, kind, to string) (_ rest.MailSecrets, err error) {
		database, err := app.OpenExisting(ctx, settings)
		if err != nil {
			return rest.MailSecrets{}, err
		}
		defer func() { err = errors.Join(err, database.Close()) }()
		master, err := settings.Master()
		if err != nil {
			return rest.MailSecrets{}, err
		}
		if master, err = app.RecordSecretUse(ctx, database, master, now()); err != nil {
			return rest.MailSecrets{}, err
		}
		return ReadMail(ctx, database, token.NewCodec(master, now), now(), kind, to)
	}
}
