package app

import (
	"net/http"

	"github.com/dragoman-auth/dragoman/graph"
	"github.com/dragoman-auth/dragoman/internal/edge"
	"github.com/dragoman-auth/dragoman/internal/gqlhttp"
	"github.com/dragoman-auth/dragoman/internal/limit"
	"github.com/dragoman-auth/dragoman/rest"
	"github.com/dragoman-auth/dragoman/web/assets"
	"github.com/dragoman-auth/dragoman/web/docs"
	"github.com/dragoman-auth/dragoman/web/pages"
	"github.com/dragoman-auth/dragoman/web/playground"
	"github.com/dragoman-auth/dragoman/web/start"
)

// ownPaths are the paths that no dialect may have.
var ownPaths = []string{
	"/graphql", "/query", "/.well-known/", "/healthz", "/readyz", "/metrics", "/playground/", "/docs/", "/dev/",
	"/account/", assets.SharedPrefix, "/favicon.ico",
}

// routes makes the handler of all paths.
func (s *Server) routes(graphql *gqlhttp.Handler, engine *rest.Engine, refusals *assets.Refusals) http.Handler {
	mux := http.NewServeMux()
	endpoint := s.endpoint(graphql)
	mux.Handle("/graphql", endpoint)
	mux.Handle("/query", endpoint) // the path of gqlgen's examples
	mux.Handle("/.well-known/jwks.json", edge.Get(s.Keys.ServeJWKS))
	mux.Handle("/healthz", edge.Get(func(w http.ResponseWriter, _ *http.Request) { edge.Text(w, http.StatusOK, "ok") }))
	mux.Handle("/readyz", edge.Get(s.ready))
	mux.Handle("/metrics", s.metricsPage())
	mux.Handle(assets.SharedPrefix, assets.Shared().Handler(refusals.NotFound))
	mux.Handle("/favicon.ico", assets.Favicon())
	s.pages(mux, graphql, engine, refusals)
	mux.HandleFunc("/.well-known/", refusals.NotFound) // never a dialect's, whatever its patterns
	mux.Handle("/", engine)
	return edge.ExactPaths(mux, http.HandlerFunc(engine.Lost))
}

// pages adds the pages for people.
func (s *Server) pages(
	mux *http.ServeMux, graphql *gqlhttp.Handler, engine *rest.Engine, refusals *assets.Refusals,
) {
	at, bar := s.settings.Site(), s.bar()
	if bar.Home {
		// No dialect can have /: each of its paths has a segment below a mount.
		mux.Handle("/{$}", start.Handler(start.Config{
			Site: at, Bar: bar, Describe: engine.Describe, Register: s.settings.Registration,
			Version: s.options.Version,
		}))
	}
	apis := http.Handler(http.HandlerFunc(refusals.NotFound))
	if s.settings.Docs {
		apis = docs.Handler(docs.Config{
			Describe:    engine.Describe,
			GraphQL:     graphql,
			Site:        at,
			Bar:         bar,
			Version:     s.options.Version,
			Access:      s.settings.AccessTTL,
			Session:     s.settings.SessionTTL,
			Idle:        s.settings.SessionIdle,
			MinPassword: s.settings.PasswordMinLength,
			Schema:      graph.SDL(),
			Limits:      s.limits(),
		})
	}
	editor := http.Handler(http.HandlerFunc(refusals.NotFound))
	if bar.Has(assets.Playground) {
		editor = playground.Handler(playground.Config{Site: at, Bar: bar})
	}
	for _, path := range []string{"", "/"} {
		mux.Handle("/docs"+path, apis)
		mux.Handle("/playground"+path, editor)
	}
	pages.Register(mux, pages.Config{
		GraphQL:     graphql,
		Site:        at,
		Bar:         bar,
		MinPassword: s.settings.PasswordMinLength,
		Register:    s.settings.Registration,
		Returns:     s.settings.Returns(),
		Mailbox:     LocalMailbox(s.settings, s.DB, s.mails, OpenSMSWriter(s.settings, s.codec())),
		MailboxKey:  s.mailboxKey,
	})
}

// bar gives the bar of all pages, with the pages that this server has.
func (s *Server) bar() assets.Bar {
	local := s.settings.Loopback()
	bar := assets.Bar{Home: s.settings.StartPage.Is(local)}
	add := func(exists bool, door assets.Door) {
		if exists {
			bar.Doors = append(bar.Doors, door)
		}
	}
	add(s.settings.Playground.Is(local), assets.Door{
		Name: assets.Playground, Title: "Playground", Path: "/playground",
		About: "Write GraphQL and run it here, with ready examples of every operation.",
	})
	add(s.settings.Docs, assets.Door{
		Name: assets.Docs, Title: "API docs", Path: "/docs",
		About: "Every operation and every route, with examples to copy.",
	})
	add(s.settings.LocalMailbox(), assets.Door{
		Name: assets.Mailbox, Title: "Mailbox", Path: "/dev/mailbox",
		About: "The mails of this server, and the messages to phones: they are kept here and go nowhere.",
	})
	add(true, assets.Door{
		Name: assets.Account, Title: "Account", Path: "/account",
		About: "Sign in and sign up, see to the security of an account, and the pages that mails link to.",
	})
	return bar
}

// limits gives the rules in force, nil where limits are switched off.
func (s *Server) limits() map[string]limit.Rule {
	if !s.settings.RateLimits {
		return nil
	}
	return s.settings.Limits
}
