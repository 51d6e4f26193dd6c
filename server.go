// Command dragoman is a self-hosted auth server. This file reads top to bottom: settings, database, schema, transports,
// serve, drain. See README.md.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
	"github.com/dragoman-auth/dragoman/internal/config"
	"github.com/dragoman-auth/dragoman/internal/credential"
	"github.com/dragoman-auth/dragoman/internal/edge"
	"github.com/dragoman-auth/dragoman/internal/gqlhttp"
	"github.com/dragoman-auth/dragoman/internal/limit"
	"github.com/dragoman-auth/dragoman/internal/observe"
	"github.com/dragoman-auth/dragoman/internal/password"
	"github.com/dragoman-auth/dragoman/internal/token"
	buildversion "github.com/dragoman-auth/dragoman/internal/version"
	"github.com/dragoman-auth/dragoman/operator"
	"github.com/dragoman-auth/dragoman/resolvers"
	"github.com/dragoman-auth/dragoman/rest"
	"github.com/dragoman-auth/dragoman/web"
)

//go:generate go tool gqlgen generate

const (
	drainNotice = time.Second      // in which readiness is false and the listener still open
	drainFor    = 22 * time.Second // in which requests under way finish; with the rest at most 25 s
	sweepEvery  = time.Minute
	touchEvery  = 5 * time.Second
	readyWithin = 2 * time.Second
)

var version = buildversion.String()

func main() {
	ctx, stop := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	go func() {
		if <-signals == syscall.SIGTERM {
			stop(errDrain)
		}
		stop(nil)
		signal.Stop(signals) // a second one ends the process at once
	}()
	if os.Getenv("GOMEMLIMIT") == "" {
		// Each password check leaves 19 MiB of garbage, which would pile up to several times what is in use.
		debug.SetMemoryLimit(int64(64+40*runtime.GOMAXPROCS(0)) << 20)
	}
	if err := run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr, os.Environ()...); err != nil {
		fmt.Fprintln(os.Stderr, "dragoman:", err)
		os.Exit(1)
	}
}

var errDrain = errors.New("told to stop by the system")

// commands is the command line.
type commands struct {
	Serve   struct{} `cmd:"" default:"1" help:"Run the server. This is what happens without a command."`
	Migrate struct{} `cmd:"" help:"Bring the schema of the database up to date, then exit."`
	Version struct{} `cmd:"" help:"Print the version."`
	Schema  struct{} `cmd:"" help:"Print the GraphQL schema."`
	Health  struct {
		URL string `arg:"" optional:"" help:"Where the server is. Default: where the settings have it listen."`
	} `cmd:"" help:"Ask a server whether it is ready; the exit code is 1 when it is not."`
	Admin struct {
		Create struct {
			Email    string `arg:"" help:"The email address of the account."`
			Username string `help:"A unique handle."`
		} `cmd:"" help:"Make an account with the role admin and print its password, this once."`
		Promote operator.Named `cmd:"" help:"Give an account the role admin."`
		Demote  operator.Named `cmd:"" help:"Take the role admin from an account."`
	} `cmd:"" help:"Administration from the terminal."`
	Dialect operator.DialectCommands `cmd:"" help:"The REST APIs that the server speaks."`
	operator.Commands
}

// run is the program without its process: tests call it too. Names in environ, NAME=value, that are no settings are refused.
func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer, environ ...string) error {
	var cli commands
	exited := false
	parser, err := kong.New(&cli, kong.Name("dragoman"), kong.Writers(stdout, stderr),
		kong.Description("A self-hosted auth server that speaks GraphQL. Without settings it runs at http://localhost:8080 on an SQLite file."),
		kong.Exit(func(int) { exited = true }),
		kong.Help(func(options kong.HelpOptions, ctx *kong.Context) error {
			err := kong.DefaultHelpPrinter(options, ctx)
			fmt.Fprintln(stdout)
			config.Print(stdout)
			return err
		}))
	if err != nil {
		return err
	}
	command, err := parser.Parse(args)
	if exited {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%w (see dragoman --help)", err)
	}
	if command.Command() == "version" {
		_, err := fmt.Fprintf(stdout, "dragoman %s %s %s/%s\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
		return err
	}
	if err := config.CheckNames(environ); err != nil {
		return err
	}
	if command.Command() == "schema" {
		_, err := io.WriteString(stdout, graph.SDL())
		return err
	}
	settings, err := config.Load(getenv)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewJSONHandler(stderr, &slog.HandlerOptions{Level: settings.LogLevel}))
	switch command.Command() {
	case "health", "health <url>":
		return operator.Health(ctx, settings, stdout, cli.Health.URL)
	case "migrate":
		return operator.Migrate(ctx, settings, stdout)
	case "admin create <email>":
		return operator.CreateAdmin(ctx, settings, stdout, cli.Admin.Create.Email, cli.Admin.Create.Username)
	case "admin promote <who>":
		return operator.SetRole(ctx, settings, stdout, cli.Admin.Promote.Who, db.RoleAdmin)
	case "admin demote <who>":
		return operator.SetRole(ctx, settings, stdout, cli.Admin.Demote.Who, db.RoleUser)
	}
	if done, err := cli.Dialect.Run(ctx, command.Command(), settings, stdout, serveCheck); done {
		return err
	}
	if done, err := cli.Run(ctx, command.Command(), settings, stdout); done {
		return err
	}
	return serve(ctx, settings, log, stdout)
}

// serve runs the server until ctx ends, then drains it.
func serve(ctx context.Context, settings *config.Settings, log *slog.Logger, stdout io.Writer) (err error) {
	listeners, err := settings.Open(ctx)
	if err != nil {
		return err
	}
	defer func() {
		for _, l := range listeners {
			_ = l.Close() // again, after a failure on the way; Shutdown has closed them otherwise
		}
	}()
	a, err := open(ctx, settings, password.NewHasher(runtime.GOMAXPROCS(0)), time.Now, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.close(context.WithoutCancel(ctx), log)) }()
	stop, err := operator.ServeMetrics(ctx, settings, a.observer, log)
	if err != nil {
		return err
	}
	defer stop()
	server := a.server(log)
	failed := make(chan error, len(listeners))
	for _, l := range listeners {
		go func() { failed <- server.Serve(l) }()
	}
	go every(ctx, touchEvery, log, a.db.Flush)
	go every(ctx, operator.KeysEvery, log, a.keys.Refresh)
	go every(ctx, sweepEvery, log, a.keys.Renew)
	go every(ctx, sweepEvery, log, func(ctx context.Context) error { return operator.Sweep(ctx, a.db, a.observer, a.now()) })
	debug.FreeOSMemory() // what the start left behind is a tenth of the memory of an idle server
	operator.WarnSunsets(log, a.dialects, a.now())
	operator.Banner(stdout, settings, "Dragoman "+version, a.db.Postgres(), a.dialects, a.now())
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	a.draining.Store(true)
	if errors.Is(context.Cause(ctx), errDrain) {
		time.Sleep(drainNotice)
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainFor)
	defer cancel()
	return errors.Join(server.Shutdown(end), a.mail.Stop(end))
}

// every does a piece of housekeeping again and again, until ctx ends.
func every(ctx context.Context, period time.Duration, log *slog.Logger, do func(context.Context) error) {
	ticks := time.NewTicker(period)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
		if err := do(ctx); err != nil && ctx.Err() == nil {
			log.Error("housekeeping", "error", err)
		}
	}
}

// close writes what is still to be written. Last uses that can not be written any more are not worth a failed exit.
func (a *app) close(ctx context.Context, log *slog.Logger) error {
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	if err := errors.Join(a.db.Flush(ctx), a.mail.Stop(ctx)); err != nil {
		log.Warn("last uses and calls of dialects were not written, or mails not finished", "error", err)
	}
	if err := a.observer.Close(ctx); err != nil {
		log.Warn("the last spans were not sent", "error", err)
	}
	return a.db.Close()
}

// app is the server without its listeners.
type app struct {
	db        *db.DB
	keys      *operator.Keyring
	letters   *operator.Letters
	observer  *observe.Observer
	mail      *operator.Mail
	handler   http.Handler
	publicURL string
	dialects  []*rest.Dialect
	draining  atomic.Bool
	now       func() time.Time
}

// serveCheck is the server of an example of a dialect file.
func serveCheck(
	ctx context.Context, settings *config.Settings, l net.Listener, now func() time.Time, log *slog.Logger, d *rest.Dialect,
) (func(), error) {
	a, err := open(ctx, settings, password.NewThrowawayHasher(runtime.GOMAXPROCS(0)), now, log, d)
	if err != nil {
		return nil, err
	}
	server := a.server(log)
	go func() { _ = server.Serve(l) }()
	return func() { _ = errors.Join(server.Close(), a.close(ctx, log)) }, nil
}

// open puts the parts together. Further dialects come on top of those that the settings name.
func open(
	ctx context.Context, settings *config.Settings, hasher *password.Hasher, now func() time.Time, log *slog.Logger, further ...*rest.Dialect,
) (a *app, err error) {
	dialects, templates, err := operator.LoadFiles(settings, further...)
	if err != nil {
		return nil, err
	}
	master, err := settings.Master()
	if err != nil {
		return nil, err
	}
	database, err := operator.OpenDB(ctx, settings)
	if err != nil {
		return nil, err
	}
	a = &app{db: database, publicURL: settings.URL(), dialects: dialects, now: now}
	defer func() {
		if err != nil {
			err = errors.Join(err, database.Close())
		}
	}()
	if master, err = operator.TakeUpSecret(ctx, database, master, now()); err != nil {
		return nil, err
	}
	if a.keys, err = operator.OpenKeyring(ctx, database, master, settings, now); err != nil {
		return nil, err
	}
	if a.observer, err = operator.Observe(ctx, settings, version, database, hasher, log); err != nil {
		return nil, err
	}
	a.letters = operator.OpenLetters(settings, templates, token.NewCodec(master, now))
	schema, err := resolvers.New(resolvers.Deps{
		DB: database, Codec: token.NewCodec(master, now), Issuer: a.keys, Master: master, Now: now,
		Hasher: hasher, Policy: password.Policy{MinLength: settings.PasswordMinLength}, Breaches: password.NewBreaches(settings.BreachedPasswords, log),
		AccessTTL: settings.AccessTTL, SessionTTL: settings.SessionTTL, SessionIdle: settings.SessionIdle, SessionLimit: settings.SessionLimit,
		RefreshGrace: settings.RefreshGrace, Cookie: credential.NewSessionCookie(a.publicURL), Throttle: settings.RateLimits, RevealAccounts: settings.RevealAccounts,
		RegistrationOpen: settings.Registration, MailOff: settings.MailOff, RequireVerifiedEmail: settings.RequireVerifiedEmail, Version: version,
		Routes: operator.Routes(dialects), Profiles: rest.Profiles(dialects, settings.StrictPasswords, settings.PasswordMinLength, a.publicURL),
	})
	if err != nil {
		return nil, err
	}
	graphql, err := a.graphql(gqlhttp.Config{Schema: schema, Observe: a.observer.Field, Log: log}, settings, hasher)
	if err != nil {
		return nil, err
	}
	engine, err := rest.New(ctx, rest.Config{
		Dialects: dialects, GraphQL: graphql, PublicURL: a.publicURL, Reserved: ownPaths, NotFound: edge.NotFound, Log: log, Now: now,
		RevealAccounts: settings.RevealAccounts, Lapsed: a.keys.Lapsed(token.NewCodec(master, now)), Used: operator.CountUses(database, a.observer, now),
	})
	if err != nil {
		return nil, err
	}
	a.handler = edge.Handler(edge.Config{
		TrustedProxies: settings.TrustedProxies, HTTPS: settings.HTTPS(), Log: log, Now: now, Observe: a.observer.Request,
		Origins: settings.Origins(), Expose: rest.AnswerHeaders(dialects), Cookie: credential.NewSessionCookie(a.publicURL).Name,
	}, a.routes(graphql, engine, settings))
	a.mail, err = operator.StartMail(ctx, settings, database, a.letters, a.observer, now, log)
	return a, err
}

// graphql is the one door to the schema, for callers from outside and for stored documents.
func (a *app) graphql(cfg gqlhttp.Config, settings *config.Settings, hasher *password.Hasher) (*gqlhttp.Handler, error) {
	admit, err := operator.Admission(settings, a.db, hasher, a.observer.Limited, a.now)
	if err != nil {
		return nil, err
	}
	cfg.Admit, cfg.Introspection = limit.Logged(admit, a.now, cfg.Log), settings.Introspection.Is(settings.Loopback())
	return gqlhttp.New(cfg)
}

// ownPaths are no dialect's.
var ownPaths = []string{"/graphql", "/query", "/.well-known/", "/healthz", "/readyz", "/metrics", "/playground/", "/docs/", "/dev/", "/account/"}

// routes is the whole surface of the server.
func (a *app) routes(graphql *gqlhttp.Handler, engine *rest.Engine, settings *config.Settings) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/graphql", graphql)
	mux.Handle("/query", graphql) // where gqlgen servers are by habit
	mux.Handle("/.well-known/jwks.json", edge.Get(a.keys.ServeJWKS))
	mux.Handle("/healthz", edge.Get(func(w http.ResponseWriter, _ *http.Request) { edge.Text(w, http.StatusOK, "ok") }))
	mux.Handle("/readyz", edge.Get(a.ready))
	mux.Handle("/metrics", operator.MetricsPage(settings, a.observer))
	docs := http.Handler(http.HandlerFunc(edge.NotFound))
	if settings.Docs {
		docs = web.Docs(web.DocsConfig{
			Describe: engine.Describe, GraphQL: graphql, PublicURL: a.publicURL, Version: version, Playground: settings.Playground.Is(settings.Loopback()),
			Access: settings.AccessTTL, Session: settings.SessionTTL, Idle: settings.SessionIdle, MinPassword: settings.PasswordMinLength,
		})
	}
	mux.Handle("/docs", docs)
	mux.Handle("/docs/", docs)
	if settings.Playground.Is(settings.Loopback()) {
		page := web.Playground("/graphql", settings.Docs)
		mux.Handle("/{$}", page)
		mux.Handle("/playground", page)
		mux.Handle("/playground/", page)
	} else {
		mux.HandleFunc("/playground", edge.NotFound)
		mux.HandleFunc("/playground/", edge.NotFound)
	}
	web.Pages(mux, web.PagesConfig{GraphQL: graphql, PublicURL: a.publicURL, MinPassword: settings.PasswordMinLength, Mailbox: operator.LocalMailbox(settings, a.db, a.letters)})
	mux.HandleFunc("/.well-known/", edge.NotFound) // no dialect's, whatever its patterns
	mux.Handle("/", engine)
	return edge.ExactPaths(mux, http.HandlerFunc(engine.Lost))
}

// ready is false while the server drains and while the database does not answer (AV-04).
func (a *app) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readyWithin)
	defer cancel()
	switch {
	case a.draining.Load():
		edge.Text(w, http.StatusServiceUnavailable, "draining")
	case a.db.Ready(ctx) != nil:
		edge.Text(w, http.StatusServiceUnavailable, "the database does not answer")
	default:
		edge.Text(w, http.StatusOK, "ready")
	}
}

func (a *app) server(log *slog.Logger) *http.Server { return operator.HTTPServer(a.handler, log) }
