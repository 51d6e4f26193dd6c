package app

import (
	"fmt"
	"io"
	"strings"
)

// Banner prints the URLs of the server and where its data is.
func (s *Server) Banner(w io.Writer) {
	settings := s.settings
	fmt.Fprintf(w, "\nDragoman %s is up.\n\n", s.options.Version)
	row := func(name, value string) { fmt.Fprintf(w, "  %-12s %s\n", name, value) }
	public := s.PublicURL
	if settings.Playground.Is(settings.Loopback()) {
		row("Playground", public+"/")
	}
	if settings.Docs {
		row("API docs", public+"/docs")
	}
	row("GraphQL", public+"/graphql")
	for _, d := range s.Dialects {
		row("REST", strings.TrimSuffix(public+d.Mounts[0], "/")+" ("+d.Name+sunsetNote(d, s.options.Now())+")")
	}
	switch {
	case s.mailboxKey != "":
		row("Mailbox", public+"/dev/mailbox?key="+s.mailboxKey+" (mails are kept here, for who has this key)")
	case settings.LocalMailbox():
		row("Mailbox", public+"/dev/mailbox (mails are kept here; to send them set DRAGOMAN_SMTP_URL)")
	}
	row("JWKS", public+"/.well-known/jwks.json")
	switch {
	case !s.DB.Postgres():
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
