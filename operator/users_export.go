package operator

import (
	"bufio"
	"context"
	"encoding/base32"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/dragoman-auth/dragoman/app"
	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/internal/config"
	"github.com/dragoman-auth/dragoman/internal/secret"
	"github.com/dragoman-auth/dragoman/internal/totp"
	"github.com/dragoman-auth/dragoman/internal/userfile"
)

// ExportArgs are the arguments of `dragoman users export`.
type ExportArgs struct {
	File       string `arg:"" default:"-" help:"A file that does not exist yet, or - for standard output."`
	WithHashes bool   `help:"Also write password hashes and the secrets of authenticator apps."`
}

// exportPage is how many accounts are in memory at once.
const exportPage = 500

// ExportUsers is `dragoman users export`: all accounts as NDJSON, in the form that `dragoman users import` reads, in
// the order of their creation. An account that is made or deleted meanwhile is in it or not.
func ExportUsers(ctx context.Context, settings *config.Settings, stdout io.Writer, of ExportArgs) (err error) {
	database, err := app.OpenExisting(ctx, settings)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, database.Close()) }()
	var sealing *secret.Key
	if of.WithHashes {
		master, err := settings.Master()
		if err != nil {
			return err
		}
		key := master.Key(totp.Sealing)
		sealing = &key
	}
	if of.File == "-" {
		_, err := exportTo(ctx, database, stdout, sealing)
		return err
	}
	f, err := os.OpenFile(of.File, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	n, err := exportTo(ctx, database, f, sealing)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil { // half a file is taken for the whole
		return errors.Join(err, os.Remove(of.File))
	}
	_, err = fmt.Fprintf(stdout, "%s%sin %s.\n", counted(n, "account"), verb(n), of.File)
	return err
}

// exportTo gives the number of accounts that it wrote. Without a key it writes no hash and no secret.
func exportTo(ctx context.Context, database *db.DB, to io.Writer, sealing *secret.Key) (n int, err error) {
	out := bufio.NewWriterSize(to, 64<<10)
	w := userfile.NewWriter(out)
	var after db.UserID
	for {
		page, err := database.ExportUsers(ctx, after, exportPage)
		if err != nil {
			return n, err
		}
		if len(page) == 0 {
			return n, out.Flush()
		}
		for _, u := range page {
			record := recordOf(u)
			if sealing != nil {
				if err := addSecrets(record, u, *sealing); err != nil {
					return n, err
				}
			}
			if err := w.Write(record); err != nil {
				return n, err
			}
		}
		n += len(page)
		after = page[len(page)-1].ID
	}
}

// recordOf makes the record of an account, without secrets.
func recordOf(u *db.ImportedUser) *userfile.Record {
	r := &userfile.Record{
		ID: u.ID.String(), ExternalID: value(u.ExternalID), Number: u.Number,
		Email: value(u.Email), EmailVerified: u.EmailVerified(), EmailVerifiedAt: timeText(u.EmailVerifiedAt),
		PendingEmail: value(u.PendingEmail), PendingEmailShown: u.PendingShown,
		Username: value(u.Username), Name: value(u.Name), Phone: value(u.Phone),
		PhoneVerifiedAt: timeText(u.PhoneVerifiedAt), Locale: value(u.Locale),
		Role: u.Role, Status: string(u.Status), Metadata: u.Metadata, AppMetadata: u.AppMetadata, Invited: u.Invited,
		PasswordDisabledAt: timeText(u.PasswordDisabledAt),
		DevicesClearedAt:   timeText(u.DevicesClearedAt),
		TakenOverAt:        timeText(u.TakenOverAt),
		CreatedAt:          timeText(&u.CreatedAt),
		UpdatedAt:          timeText(&u.UpdatedAt),
		LastLoginAt:        timeText(u.LastLoginAt),
	}
	for _, i := range u.Identities {
		r.Identities = append(r.Identities, userfile.Identity(i))
	}
	return r
}

func addSecrets(r *userfile.Record, u *db.ImportedUser, sealing secret.Key) error {
	r.PasswordHash = u.PasswordHash
	if u.TOTP == nil {
		return nil
	}
	raw, err := sealing.Open(u.TOTP, totp.SealedAt(u.ID))
	if err != nil {
		return fmt.Errorf("%s: the secret of the authenticator app cannot be opened: %w; "+
			"set DRAGOMAN_SECRET and DRAGOMAN_SECRET_PREVIOUS as the server has them", u.ID, err)
	}
	r.TOTPSecret = base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(raw)
	return nil
}

func value(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}

func timeText(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}
