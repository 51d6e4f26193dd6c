package operator

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/dragoman-auth/dragoman/internal/config"
	"github.com/dragoman-auth/dragoman/rest"
)

// Banner tells a newcomer where everything is.
func Banner(w io.Writer, settings *config.Settings, program string, postgres bool, dialects []*rest.Dialect, now time.Time) {
	fmt.Fprintf(w, "\n%s is up.\n\n", program)
	row := func(name, value string) { fmt.Fprintf(w, "  %-12s %s\n", name, value) }
	public := settings.URL()
	if settings.Playground.Is(settings.Loopback()) {
		row("Playground", public+"/")
	}
	if settings.Docs {
		row("API docs", public+"/docs")
	}
	row("GraphQL", public+"/graphql")
	for _, d := range dialects {
		row("REST", strings.TrimSuffix(public+d.Mounts[0], "/")+" ("+d.Name+sunsetNote(d, now)+")")
	}
	if settings.LocalMailbox() {
		row("Mailbox", public+"/dev/mailbox (mails are kept here; to send them set DRAGOMAN_SMTP_URL)")
	}
	row("JWKS", public+"/.well-known/jwks.json")
	switch {
	case !postgres:
		row("Data", settings.DataDir+" (SQLite; for Postgres set DATABASE_URL=postgres://user:password@host:5432/name)")
	case settings.Secret == "":
		row("Data", "Postgres, and the server secret in "+settings.DataDir)
	default:
		row("Data", "Postgres")
	}
	row("First admin", "dragoman admin create you@example.com")
	row("Settings", "dragoman --help")
	fmt.Fprintln(w)
}
