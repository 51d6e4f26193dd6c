// Package observe shows a running server to its operator: metrics for Prometheus, spans for an OpenTelemetry collector,
// and a log of slow statements.
//
// No metric, span or log line here holds an address, an account, the path of a request, a document, an argument or a
// token (AU-02). A label has few values, all from the schema, from dialect files and from code. The observed packages
// do not import this one: they get its methods as plain functions.
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
	Metrics bool           // whether metrics are collected
	Traces  *config.Traces // nil for no spans
	Slow    time.Duration  // statements that take at least this long are logged; 0 for none
	System  string         // the database as OpenTelemetry names it: postgresql or sqlite
	Version string
	Log     *slog.Logger
}

// Observer records metrics, spans and slow statements, as far as Config enables them. It is safe for concurrent use.
type Observer struct {
	metrics *metrics // nil for none
	traces  *traces  // nil for none
	slow    time.Duration
	log     *slog.Logger
}

// Open makes an observer. The caller must Close it, or the last spans are lost.
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

// Close sends the remaining spans, until ctx ends.
func (o *Observer) Close(ctx context.Context) error {
	if o.traces == nil {
		return nil
	}
	return o.traces.provider.Shutdown(ctx)
}

// Request records a request: see Observe of edge.Config. Its second result is called at the end of the request.
func (o *Observer) Request(
	r *http.Request, requestID string,
) (context.Context, func(dialect, pattern string, status int)) {
	start := time.Now() // measures a duration alone
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

// transport gives the name of the dialect, "graphql", or "other" for probes, pages, key sets and unknown paths.
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

// Field records a root field: see Observe of gqlhttp.Config. Its second result is called at the end, with the code of
// the error or OK.
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

// Statement is a statement of the database. db.QueryEvent implements it.
type Statement interface {
	Name() string
	SQL() string
}

// Statement records a statement that ended. It calls Name and SQL only for a span or a log line.
func (o *Observer) Statement(ctx context.Context, s Statement, start time.Time, took time.Duration, err error) {
	if o.traces != nil {
		o.traces.statement(ctx, s, start, took, err)
	}
	slow := o.slow > 0 && took >= o.slow
	if slow {
		o.log.Warn("slow statement", "statement", s.Name(), "duration", took, "sql", s.SQL(),
			"request_id", visit.From(ctx).RequestID)
	}
	if o.metrics == nil {
		return
	}
	if slow {
		o.metrics.slow.Inc()
	}
	result := "ok"
	if err != nil && !errors.Is(err, context.Canceled) { // the caller hung up; the database did not fail
		result = "failed"
	}
	o.metrics.statements.WithLabelValues(result).Inc()
}

// Limited counts a request that a limit by address refused.
func (o *Observer) Limited(rule string) {
	if o.metrics != nil {
		o.metrics.limited.WithLabelValues(rule).Inc()
	}
}

// DialectUsed counts a request to a route of a dialect. The dialect file defines both names.
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

// Mail counts an attempt to send a mail. The outcome is sent, failed (no retry follows) or queued (for a retry).
func (o *Observer) Mail(outcome string) {
	if o.metrics != nil {
		o.metrics.mails.WithLabelValues(outcome).Inc()
	}
}

// MailLimited counts a mail over the budget of its mailbox. The outcome is dropped or held.
func (o *Observer) MailLimited(outcome string) {
	if o.metrics != nil {
		o.metrics.mailsLimited.WithLabelValues(outcome).Inc()
	}
}

// Migrated counts a sign-in by a name that no account has, by what came of it: migrated, there (somebody else made an
// account of the name meanwhile), no, refused (a yes with a record that makes no account), failed (neither yes nor no)
// or not_asked.
func (o *Observer) Migrated(outcome string) {
	if o.metrics != nil {
		o.metrics.migrations.WithLabelValues(outcome).Inc()
	}
}

// SMS counts an attempt to send a message to a phone, by what became of it: sent, queued or failed.
func (o *Observer) SMS(outcome string) {
	if o.metrics != nil {
		o.metrics.sms.WithLabelValues(outcome).Inc()
	}
}

// SMSLimited counts a message to a phone that was dropped, by the limit that it was over.
func (o *Observer) SMSLimited(limit string) {
	if o.metrics != nil {
		o.metrics.smsLimited.WithLabelValues(limit).Inc()
	}
}

// HashWaited records how long a request waited in the queue of password hashes.
func (o *Observer) HashWaited(wait time.Duration) {
	if o.metrics != nil {
		o.metrics.hashWait.Observe(wait.Seconds())
	}
}

// Sweep records a sweep, from now until its result is called. rows holds the deleted rows by kind.
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

// Handler serves the metrics. If token is set, the request must have it as its Bearer token.
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
