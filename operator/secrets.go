package operator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/dragoman-auth/dragoman/app"
	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/internal/config"
	"github.com/dragoman-auth/dragoman/internal/token"
	"github.com/dragoman-auth/dragoman/internal/totp"
)

const (
	longestAccess = 24 * time.Hour  // of any access token; an HS256 one may be of a secret that is not used any more
	noteSlack     = 2 * time.Minute // a server notes once a minute that it uses a secret
)

// SecretStatus is `dragoman secret status`: which secrets were in use, and what still depends on another than the
// present one, so that an operator sees when that can be taken away.
func SecretStatus(ctx context.Context, settings *config.Settings, stdout io.Writer) (err error) {
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
	used, err := database.ServerSecrets(ctx)
	if err != nil {
		return err
	}
	until := printSecrets(stdout, master.IDs(), used)
	sealed := 0
	keys, err := database.SigningKeys(ctx)
	if err != nil {
		return err
	}
	for _, k := range keys {
		if !app.SealedAnew(master, k) {
			sealed++
		}
	}
	var before time.Time
	if !until.IsZero() {
		before = until.Add(noteSlack)
	}
	n, err := database.SecretUsage(ctx, before, token.NewCodec(master, time.Now).APIKeyLabel(), now)
	if err != nil {
		return err
	}
	totp, err := database.CountAuthenticatorsSealedElsewhere(ctx, master.Key(totp.Sealing).Header())
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "\nMade under another secret than the present one, and still good with it:\n")
	fmt.Fprintf(
		stdout, "  sessions      %d%s\n", n.Sessions, orUntil("each goes over with its next refresh; ", n.SessionsEnd),
	)
	fmt.Fprintf(stdout, "  API keys      %d (each goes over with its next use)\n", n.Keys)
	fmt.Fprintf(stdout, "  signing keys  %d (servers take them over within a minute)\n", sealed)
	fmt.Fprintf(stdout, "  links         %d%s\n", n.Links, orUntil("of mails; ", n.LinksEnd))
	if totp > 0 {
		fmt.Fprintf(stdout, "  authenticators  %d (a server takes them over at its start)\n", totp)
	}
	switch tokens := until.Add(longestAccess); {
	case n.Sessions+n.Keys+n.Links+sealed+totp > 0:
		_, err = fmt.Fprintln(stdout, "\nDo not take away the previous secret yet: these would end.")
	case !until.IsZero() && now.Before(tokens):
		_, err = fmt.Fprintf(
			stdout, "\nDo not take away the previous secret before %s: access tokens may be of it.\n", moment(tokens),
		)
	default:
		_, err = fmt.Fprintln(stdout, "\nNothing depends on another secret than the present one.")
	}
	return err
}

func orUntil(how string, t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return " (" + how + "the last ends at the latest at " + moment(t) + ")"
}

// printSecrets lists the secrets by their public ids, and gives the time at which another than the present one was
// last in use; zero when none was.
func printSecrets(stdout io.Writer, ids []string, used []db.ServerSecret) (until time.Time) {
	w := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "SECRET\tSTATE\tIN USE")
	var seen []string
	for _, u := range used {
		seen = append(seen, u.ID)
		state := "not set here"
		switch slices.Index(ids, u.ID) {
		case -1:
		case 0:
			state = "present"
		default:
			state = "previous"
		}
		if state != "present" && u.LastUsedAt.After(until) {
			until = u.LastUsedAt
		}
		fmt.Fprintf(w, "%s\t%s\t%s to %s\n", u.ID, state, moment(u.FirstUsedAt), moment(u.LastUsedAt))
	}
	for n, id := range ids {
		if !slices.Contains(seen, id) {
			fmt.Fprintf(w, "%s\t%s\tnot yet\n", id, []string{"present", "accepted"}[min(n, 1)])
		}
	}
	_ = w.Flush() // a terminal that is gone takes the rest with it
	return until
}
