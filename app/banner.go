package app

import (
	"fmt"
	"io"
)

// Banner prints where to go on, and where the data is. command is what the person typed to start the server, for
// example dragoman.
func (s *Server) Banner(w io.Writer, command string) {
	settings := s.settings
	fmt.Fprintf(w, "\nDragoman %s is up.\n\n", s.options.Version)
	row := func(name, value string) { fmt.Fprintf(w, "  %-12s %s\n", name, value) }
	at := settings.Site()
	switch {
	case s.bar().Home:
		row("Start here", at.URL("/"))
	case settings.Docs:
		row("API docs", at.URL("/docs"))
	default:
		row("GraphQL", at.URL("/graphql"))
	}
	if s.mailboxKey != "" {
		row("Mailbox", at.URL("/dev/mailbox?key=")+s.mailboxKey+" (mails are kept here, for who has this key)")
	}
	for _, d := range s.Dialects {
		if note := sunsetNote(d, s.options.Now()); note != "" {
			row("REST", d.Name+note)
		}
	}
	switch {
	case !s.DB.Postgres():
		row("Data", settings.DataDir+" (SQLite; for Postgres set DATABASE_URL=postgres://user:password@host:5432/name)")
	case settings.Secret == "":
		row("Data", "Postgres, and the server secret in "+settings.DataDir)
	default:
		row("Data", "Postgres")
	}
	row("First admin", command+" admin create you@example.com")
	row("Settings", command+" --help")
	fmt.Fprintln(w)
}
