// Package observe is what an operator sees of a running server: figures for Prometheus, spans for an OpenTelemetry
// collector, and a log of slow statements.
//
// The rules of this package (AU-02): nothing here knows an address, an account, a path as it was called, a document,
// an argument or a token; a label has few values, and all of them come from the schema, from the dialect files and
// from code. Everything is handed to the packages that are watched as plain functions; none of them knows this one.
package observe

import (
	"context"
	"crypto/subtle"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/dragoman-auth/dragoman/internal/config"
	"github.com/dragoman-auth/dragoman/internal/edge"
	"github.com/dragoman-auth/dragoman/internal/secret"
	"github.com/dragoman-auth/dragoman/internal/visit"
)

// Config is what an Observer needs.
type Config struct {
	Metrics bool           // whether figures are kept
	Traces  *config.Traces // nil for no spans
	Slow    time.Duration  // statements that take this long are logged; 0 for none
	System  string         // the database as OpenTelemetry names it: postgresql or sqlite
	Version string
	Log     *slog.Logger
}

// Observer takes note of what happens. It is safe for concurrent use, and does nothing where nothing was asked for.
type Observer struct {
	metrics *metrics // nil for none
	traces  *traces  // nil for none
	slow    time.Duration
	log     *slog.Logger
}

// Open makes an observer. Close it, so that the last spans are sent.
func Open(ctx context.Context, cfg Config) (*Observer, error) {
	o := &Observer{slow: cfg.Slow, log: cfg.Log}
	if cfg.Metrics {
		o.metrics = newMetrics(cfg.Version)
	}
	if cfg.Traces != nil {
		var err error
		if o.traces, err = newTraces(ctx, cfg); err != nil {
			return nil, err
		}
	}
	return o, nil
}

// Close sends the spans that are left, within the time that ctx gives.
func (o *Observer) Close(ctx context.Context) error {
	if o.traces == nil {
		return nil
	}
	return o.traces.provider.Shutdown(ctx)
}

// Request is for edge.Config: the start of a request, and what to call at its end.
func (o *Observer) Request(
	r *http.Request, requestID string,
) (context.Context, func(dialect, pattern string, status int)) {
	start := time.Now() // a stopwatch, not a clock
	ctx, endSpan := r.Context(), func(string, string, int) {}
	if o.traces != nil {
		ctx, endSpan = o.traces.request(r, requestID)
	}
	if o.metrics != nil {
		o.metrics.inFlight.Inc()
	}
	return ctx, func(dialect, pattern string, status int) {
		transport := transport(dialect, pattern)
		endSpan(transport, pattern, status)
		if o.metrics != nil {
			o.metrics.inFlight.Dec()
			o.metrics.requests.WithLabelValues(transport, class(status)).Observe(time.Since(start).Seconds())
		}
	}
}

// transport is the name of the dialect; graphql; or other, for probes, pages, keys, and what is nowhere.
func transport(dialect, pattern string) string {
	if dialect == "graphql" && pattern != "/graphql" && pattern != "/query" {
		return "other"
	}
	return dialect
}

func class(status int) string {
	if status < 100 || status > 599 {
		return "none" // the caller hung up before there was an answer
	}
	return string(rune('0'+status/100)) + "xx"
}

// Field is for gqlhttp.Config: the start of a root field, and what to call at its end with the code that it ended
// with, OK where it was not refused.
func (o *Observer) Field(ctx context.Context, operation, field string) (context.Context, func(code string)) {
	endSpan := func(string) {}
	if o.traces != nil {
		ctx, endSpan = o.traces.field(ctx, operation, field)
	}
	return ctx, func(code string) {
		endSpan(code)
		if o.metrics == nil {
			return
		}
		o.metrics.fields.WithLabelValues(operation, field, code).Inc()
		switch field {
		case "login":
			o.metrics.logins.WithLabelValues(code).Inc()
		case "refresh":
			o.metrics.refreshes.WithLabelValues(code).Inc()
		}
	}
}

// Statement is one statement of the database: see db.QueryEvent, which this is made of.
type Statement interface {
	Name() string
	SQL() string
}

// Statement takes note of a statement that ended. It asks for name and text only where they are told to somebody.
func (o *Observer) Statement(ctx context.Context, s Statement, start time.Time, took time.Duration, err error) {
	if o.traces != nil {
		o.traces.statement(ctx, s, start, took, err)
	}
	slow := o.slow > 0 && took >= o.slow
	if slow {
		o.log.Warn(
			"slow statement", "statement", s.Name(), "duration", took, "sql", s.SQL(), "request_id",
			visit.From(ctx).RequestID,
		)
	}
	if o.metrics == nil {
		return
	}
	if slow {
		o.metrics.slow.Inc()
	}
	result := "ok"
	if err != nil && !errors.Is(err, context.Canceled) { // a caller who hung up is no trouble of the database
		result = "failed"
	}
	o.metrics.statements.WithLabelValues(result).Inc()
}

// Limited counts a request that the limit by address sent away.
func (o *Observer) Limited(rule string) {
	if o.metrics != nil {
		o.metrics.limited.WithLabelValues(rule).Inc()
	}
}

// DialectUsed counts a request to a route of a dialect, both as their file names them.
func (o *Observer) DialectUsed(dialect, route string, refused bool) {
	if o.metrics == nil {
		return
	}
	outcome := "ok"
	if refused {
		outcome = "refused"
	}
	o.metrics.dialects.WithLabelValues(dialect, route, outcome).Inc()
}

// Mail counts an attempt to send a mail by what became of the mail: sent, failed for good, or queued for the next
// attempt.
func (o *Observer) Mail(outcome string) {
	if o.metrics != nil {
		o.metrics.mails.WithLabelValues(outcome).Inc()
	}
}

// HashWaited takes note of how long somebody stood in line for a password hash.
func (o *Observer) HashWaited(wait time.Duration) {
	if o.metrics != nil {
		o.metrics.hashWait.Observe(wait.Seconds())
	}
}

// Sweep is the start of a sweep, and what to call at its end with the rows that it deleted by kind.
func (o *Observer) Sweep() func(rows map[string]int, err error) {
	start := time.Now()
	return func(rows map[string]int, err error) {
		took := time.Since(start)
		o.log.Debug("sweep", "rows", rows, "duration", took)
		if o.metrics == nil {
			return
		}
		for kind, n := range rows {
			o.metrics.swept.WithLabelValues(kind).Add(float64(n))
		}
		o.metrics.sweepTook.Set(took.Seconds())
		if err != nil {
			o.metrics.sweepFailed.Inc()
			return
		}
		o.metrics.sweepAt.SetToCurrentTime()
	}
}

// Handler serves the figures; where a token is set, to who presents it as a Bearer token.
func (o *Observer) Handler(token secret.Text) http.Handler {
	if o.metrics == nil {
		return http.HandlerFunc(edge.NotFound)
	}
	page := o.metrics.page(o.log)
	return edge.Get(func(w http.ResponseWriter, r *http.Request) {
		want := "Bearer " + token.Reveal()
		if token != "" && subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), []byte(want)) != 1 {
			w.Header().Set("WWW-Authenticate", "Bearer")
			edge.Problem(w, http.StatusUnauthorized, "Present the token of DRAGOMAN_METRICS_TOKEN.")
			return
		}
		page.ServeHTTP(w, r)
	})
}
