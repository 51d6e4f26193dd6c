// Command dragoman is a self-hosted auth server; see README.md. This file has the command line, the listeners and the
// shutdown. Package app assembles the server.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"github.com/dragoman-auth/dragoman/app"
	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
	"github.com/dragoman-auth/dragoman/internal/config"
	"github.com/dragoman-auth/dragoman/internal/password"
	"github.com/dragoman-auth/dragoman/internal/version"
	"github.com/dragoman-auth/dragoman/operator"
)

//go:generate go tool gqlgen generate

const (
	drainNotice = time.Second      // how long /readyz answers 503 before the listeners close
	drainFor    = 22 * time.Second // how long running requests may take; the shutdown takes at most 25 s in all
	sweepEvery  = time.Minute
	touchEvery  = 5 * time.Second
)

func main() {
	ctx, stop := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	go func() {
		if <-signals == syscall.SIGTERM {
			stop(errDrain)
		}
		stop(nil)
		signal.Stop(signals) // a second signal ends the process at once
	}()
	if os.Getenv("GOMEMLIMIT") == "" {
		// Each password check leaves 19 MiB of garbage. Without a limit the heap grows to several times what is in use.
		debug.SetMemoryLimit(int64(64+40*runtime.GOMAXPROCS(0)) << 20)
	}
	if err := run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr, os.Environ()...); err != nil {
		fmt.Fprintln(os.Stderr, "dragoman:", err)
		os.Exit(1)
	}
}

// errDrain is the cause of a stop by SIGTERM: drain before the listeners close.
var errDrain = errors.New("stopped by SIGTERM")

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
		Promote operator.AccountArg `cmd:"" help:"Give an account the role admin."`
		Demote  operator.AccountArg `cmd:"" help:"Take the role admin from an account."`
	} `cmd:"" help:"Administration from the terminal."`
	Users   operator.UserCommands    `cmd:"" help:"The accounts of people."`
	Dialect operator.DialectCommands `cmd:"" help:"The REST APIs that the server speaks."`
	operator.Commands
}

// run is main without the process, for tests. It refuses a DRAGOMAN_ name in environ, NAME=value, that is no setting.
func run(
	ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer, environ ...string,
) error {
	var cli commands
	exited := false
	parser, err := kong.New(&cli, kong.Name("dragoman"), kong.Writers(stdout, stderr), kong.Vars(operator.ImportVars()),
		kong.Description("A self-hosted auth server that speaks GraphQL. Without settings it runs at "+
			"http://localhost:8080 on an SQLite file."),
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
		return fmt.Errorf("%w (see %s --help)", err, commandName())
	}
	if command.Command() == "version" {
		_, err := fmt.Fprintf(stdout, "dragoman %s %s %s/%s\n", version.String(), runtime.Version(), runtime.GOOS,
			runtime.GOARCH)
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
	}
	for _, run := range []func(context.Context, string, *config.Settings, io.Writer) (bool, error){
		cli.runAdmin, cli.Users.Run, cli.Dialect.Run, cli.Commands.Run,
	} {
		if done, err := run(ctx, command.Command(), settings, stdout); done {
			return err
		}
	}
	return serve(ctx, settings, log, stdout)
}

// commandName is what a person types to run this program: go run builds it into a folder go-build….
func commandName() string {
	if path, err := os.Executable(); err == nil && strings.Contains(path, "go-build") {
		return "go run ."
	}
	return "dragoman"
}

// runAdmin runs the command of that name and tells whether it is one of `dragoman admin`.
func (c *commands) runAdmin(ctx context.Context, name string, settings *config.Settings, stdout io.Writer) (bool,
	error,
) {
	switch name {
	case "admin create <email>":
		return true, operator.CreateAdmin(ctx, settings, stdout, c.Admin.Create.Email, c.Admin.Create.Username)
	case "admin promote <who>":
		return true, operator.SetRole(ctx, settings, stdout, c.Admin.Promote.Who, db.RoleAdmin)
	case "admin demote <who>":
		return true, operator.SetRole(ctx, settings, stdout, c.Admin.Demote.Who, db.RoleUser)
	}
	return false, nil
}

// serve runs the server until ctx ends, then drains it.
func serve(ctx context.Context, settings *config.Settings, log *slog.Logger, stdout io.Writer) (err error) {
	listeners, err := settings.Open(ctx)
	if err != nil {
		return err
	}
	defer func() {
		for _, l := range listeners {
			_ = l.Close() // after an error below; Shutdown closes them too
		}
	}()
	a, err := app.Open(ctx, settings, app.Options{
		Version: version.String(), Hasher: password.NewHasher(runtime.GOMAXPROCS(0)), Now: time.Now, Log: log,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close(context.WithoutCancel(ctx))) }()
	stop, err := a.ServeMetrics(ctx)
	if err != nil {
		return err
	}
	defer stop()
	server := a.HTTPServer()
	failed := make(chan error, len(listeners))
	for _, l := range listeners {
		go func() { failed <- server.Serve(l) }()
	}
	go every(ctx, touchEvery, log, a.DB.Flush)
	go every(ctx, app.KeysEvery, log, a.Keys.Refresh)
	go every(ctx, sweepEvery, log, a.Keys.Renew)
	go every(ctx, app.HashMixEvery, log, a.RefreshHashMix)
	go every(ctx, sweepEvery, log, a.Sweep)
	go func() {
		if err := a.SealAnew(ctx); err != nil && ctx.Err() == nil {
			log.Error("secrets of authenticator apps were not sealed anew; the next start tries again", "error", err)
		}
	}()
	debug.FreeOSMemory() // the garbage of the start is a tenth of the memory of an idle server
	a.WarnSunsets()
	a.Banner(stdout, commandName())
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	a.Drain()
	if errors.Is(context.Cause(ctx), errDrain) {
		time.Sleep(drainNotice)
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainFor)
	defer cancel()
	return errors.Join(server.Shutdown(end), a.Mail.Stop(end))
}

// every runs do in each period until ctx ends, and logs its errors.
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
			log.Error("housekeeping: a task failed; it runs again", "error", err)
		}
	}
}
