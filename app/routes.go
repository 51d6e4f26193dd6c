package app

import (
	"net/http"

	"github.com/dragoman-auth/dragoman/internal/edge"
	"github.com/dragoman-auth/dragoman/internal/gqlhttp"
	"github.com/dragoman-auth/dragoman/rest"
	"github.com/dragoman-auth/dragoman/web/docs"
	"github.com/dragoman-auth/dragoman/web/pages"
	"github.com/dragoman-auth/dragoman/web/playground"
)

// ownPaths are the paths that no dialect may have.
var ownPaths = []string{
	"/graphql", "/query", "/.well-known/", "/healthz", "/readyz", "/metrics", "/playground/", "/docs/", "/dev/",
	"/account/",
}

// routes makes the handler of all paths.
func (s *Server) routes(graphql *gqlhttp.Handler, engine *rest.Engine) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/graphql", graphql)
	mux.Handle("/query", graphql) // the path of gqlgen's examples
	mux.Handle("/.well-known/jwks.json", edge.Get(s.Keys.ServeJWKS))
	mux.Handle("/healthz", edge.Get(func(w http.ResponseWriter, _ *http.Request) { edge.Text(w, http.StatusOK, "ok") }))
	mux.Handle("/readyz", edge.Get(s.ready))
	mux.Handle("/metrics", s.metricsPage())
	apis := http.Handler(http.HandlerFunc(edge.NotFound))
	if s.settings.Docs {
		apis = docs.Handler(docs.Config{
			Describe:    engine.Describe,
			GraphQL:     graphql,
			PublicURL:   s.PublicURL,
			Version:     s.options.Version,
			Playground:  s.settings.Playground.Is(s.settings.Loopback()),
			Access:      s.settings.AccessTTL,
			Session:     s.settings.SessionTTL,
			Idle:        s.settings.SessionIdle,
			MinPassword: s.settings.PasswordMinLength,
		})
	}
	mux.Handle("/docs", apis)
	mux.Handle("/docs/", apis)
	if s.settings.Playground.Is(s.settings.Loopback()) {
		page := playground.Handler("/graphql", s.settings.Docs)
		mux.Handle("/{$}", page)
		mux.Handle("/playground", page)
		mux.Handle("/playground/", page)
	} else {
		mux.HandleFunc("/playground", edge.NotFound)
		mux.HandleFunc("/playground/", edge.NotFound)
	}
	pages.Register(mux, pages.Config{
		GraphQL:     graphql,
		PublicURL:   s.PublicURL,
		MinPassword: s.settings.PasswordMinLength,
		Mailbox:     LocalMailbox(s.settings, s.DB, s.mails),
		MailboxKey:  s.mailboxKey,
	})
	mux.HandleFunc("/.well-known/", edge.NotFound) // never a dialect's, whatever its patterns
	mux.Handle("/", engine)
	return edge.ExactPaths(mux, http.HandlerFunc(engine.Lost))
}
