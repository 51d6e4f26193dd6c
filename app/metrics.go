package app

import (
	"context"
	"fmt"
	"net"
	"net/http"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/internal/edge"
	"github.com/dragoman-auth/dragoman/internal/observe"
)

// observe makes the observer, and connects the database and the hasher to it before their first use.
func (s *Server) observe(ctx context.Context) error {
	settings, hasher, system := s.settings, s.options.Hasher, "sqlite"
	if s.DB.Postgres() {
		system = "postgresql"
	}
	o, err := observe.Open(ctx, observe.Config{
		Metrics: settings.MetricsEnabled(),
		Traces:  settings.Traces,
		Slow:    settings.SlowStatement,
		System:  system,
		Version: s.options.Version,
		Log:     s.options.Log,
	})
	if err != nil {
		return err
	}
	s.DB.Observe(func(ctx context.Context, e db.QueryEvent) { o.Statement(ctx, e, e.Start, e.Took, e.Err) })
	hasher.Observe(o.HashWaited)
	o.HashQueue(hasher.Load)
	o.Pools(func(add observe.AddPool) {
		for name, p := range s.DB.Pools() {
			add(name, p.MaxOpenConnections, p.OpenConnections, p.InUse, p.WaitCount, p.WaitDuration)
		}
	})
	s.Observer = o
	return nil
}

// Sweep runs the sweeper once, with a metric and a trace.
func (s *Server) Sweep(ctx context.Context) error {
	ended, rows := s.Observer.Sweep(), map[string]int{}
	_, err := s.DB.Sweep(ctx, db.Clock(s.options.Now()), func(kind string, n int) { rows[kind] += n })
	ended(rows, err)
	return err
}

// metricsPage answers /metrics on the main listeners, for requests with the token. It is 404 without
// DRAGOMAN_METRICS_TOKEN or with a listener of its own.
func (s *Server) metricsPage() http.Handler {
	if !s.settings.MetricsOnMain() {
		return http.HandlerFunc(edge.NotFound)
	}
	return s.Observer.Handler(s.settings.MetricsToken)
}

// ServeMetrics serves DRAGOMAN_METRICS_LISTEN, if it is set, until stop is called. It keeps answering while the server
// drains.
func (s *Server) ServeMetrics(ctx context.Context) (stop func(), err error) {
	if s.settings.MetricsListen == "" {
		return func() {}, nil
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.settings.MetricsListen)
	if err != nil {
		return nil, fmt.Errorf("DRAGOMAN_METRICS_LISTEN: %w; stop what listens there, or choose another address", err)
	}
	mux := http.NewServeMux()
	mux.Handle("/metrics", s.Observer.Handler(s.settings.MetricsToken))
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		edge.Problem(w, http.StatusNotFound, "There is nothing at this path. The figures are at /metrics.")
	})
	server := httpServer(mux, s.options.Log)
	go func() { _ = server.Serve(l) }()
	return func() { _ = server.Close() }, nil
}
