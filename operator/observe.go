package operator

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/internal/config"
	"github.com/dragoman-auth/dragoman/internal/edge"
	"github.com/dragoman-auth/dragoman/internal/observe"
	"github.com/dragoman-auth/dragoman/internal/password"
)

// Observe makes the observer of a server and has the database and the hasher watched by it, before either is used.
func Observe(
	ctx context.Context, settings *config.Settings, version string, database *db.DB, hasher *password.Hasher, log *slog.Logger,
) (*observe.Observer, error) {
	system := "sqlite"
	if database.Postgres() {
		system = "postgresql"
	}
	o, err := observe.Open(ctx, observe.Config{
		Metrics: settings.Measured(), Traces: settings.Traces, Slow: settings.SlowStatement, System: system, Version: version, Log: log,
	})
	if err != nil {
		return nil, err
	}
	database.Observe(func(ctx context.Context, s db.Seen) { o.Statement(ctx, s, s.Start, s.Took, s.Err) })
	hasher.Observe(o.HashWaited)
	o.HashQueue(hasher.Load)
	o.Pools(func() (all []observe.Pool) {
		for _, p := range database.Pools() {
			all = append(all, observe.Pool{Name: p.Name, Max: p.Max, Open: p.Open, InUse: p.InUse, Waits: p.Waits, Waited: p.Waited})
		}
		return all
	})
	return o, nil
}

// Sweep is one round of the sweeper, told to the observer.
func Sweep(ctx context.Context, database *db.DB, o *observe.Observer, now time.Time) error {
	ended, rows := o.Sweep(), map[string]int{}
	_, err := database.Sweep(ctx, db.Clock(now), func(kind string, n int) { rows[kind] += n })
	ended(rows, err)
	return err
}

// MetricsPage is /metrics beside everything else: there for who presents the token, and nowhere unless the settings say so.
func MetricsPage(settings *config.Settings, o *observe.Observer) http.Handler {
	if !settings.MetricsOnMain() {
		return http.HandlerFunc(edge.NotFound)
	}
	return o.Handler(settings.MetricsToken)
}

// ServeMetrics answers on the listener of /metrics, if it has one of its own, until stop. It is up while the server drains.
func ServeMetrics(ctx context.Context, settings *config.Settings, o *observe.Observer, log *slog.Logger) (stop func(), err error) {
	if settings.MetricsListen == "" {
		return func() {}, nil
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", settings.MetricsListen)
	if err != nil {
		return nil, fmt.Errorf("DRAGOMAN_METRICS_LISTEN: %w; stop what listens there, or choose another address", err)
	}
	mux := http.NewServeMux()
	mux.Handle("/metrics", o.Handler(settings.MetricsToken))
	mux.HandleFunc("/", edge.NotFound)
	server := HTTPServer(mux, log)
	go func() { _ = server.Serve(l) }()
	return func() { _ = server.Close() }, nil
}
