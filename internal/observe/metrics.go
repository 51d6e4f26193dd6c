package observe

import (
	"log/slog"
	"net/http"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics holds the metrics of one server, in a registry of its own. docs/operations.md explains each of them, and a
// test compares its list with this one.
type metrics struct {
	registry *prometheus.Registry

	requests     *prometheus.HistogramVec
	inFlight     prometheus.Gauge
	fields       *prometheus.CounterVec
	logins       *prometheus.CounterVec
	refreshes    *prometheus.CounterVec
	limited      *prometheus.CounterVec
	dialects     *prometheus.CounterVec
	mails        *prometheus.CounterVec
	mailsLimited *prometheus.CounterVec
	migrations   *prometheus.CounterVec
	sms          *prometheus.CounterVec
	smsLimited   *prometheus.CounterVec
	hashWait     prometheus.Histogram
	statements   *prometheus.CounterVec
	slow         prometheus.Counter
	swept        *prometheus.CounterVec
	sweepFailed  prometheus.Counter
	sweepAt      prometheus.Gauge
	sweepTook    prometheus.Gauge
}

const namespace = "dragoman"

func newMetrics(version string) *metrics {
	counters := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
	}
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help})
	}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help})
	}
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: namespace, Name: "http_request_duration_seconds",
			Help:    "Requests by transport and class of status.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 15},
		}, []string{"transport", "class"}),
		inFlight: gauge("http_requests_in_flight", "Requests that are being answered."),
		fields: counters("graphql_fields_total",
			"Root fields that ran or were refused, by the code they ended with.", "operation", "field", "code"),
		logins:    counters("logins_total", "Sign-ins by outcome.", "outcome"),
		refreshes: counters("refreshes_total", "Refreshes by outcome.", "outcome"),
		limited:   counters("limit_refusals_total", "Requests sent away by the limits by address.", "rule"),
		dialects: counters("dialect_requests_total",
			"Requests to dialects, by route and outcome.", "dialect", "route", "outcome"),
		mails: counters("mails_total", "Attempts to send a mail, by what became of the mail.", "outcome"),
		mailsLimited: counters("mails_limited_total",
			"Mails over the budget of their mailbox, by what became of them.", "outcome"),
		migrations: counters("migrations_total",
			"Sign-ins by a name that no account has, by what the old system said.", "outcome"),
		sms: counters("sms_total", "Attempts to send a message to a phone, by what became of it.", "outcome"),
		smsLimited: counters("sms_limited_total",
			"Messages to phones that were dropped, by the limit that they were over.", "limit"),
		hashWait: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: namespace, Name: "hash_wait_seconds", Help: "Waits in line for a password hash.",
			Buckets: []float64{.001, .01, .05, .1, .25, .5, 1, 2},
		}),
		statements:  counters("db_statements_total", "Statements of the database.", "result"),
		slow:        counter("db_slow_statements_total", "Statements as slow as DRAGOMAN_SLOW_STATEMENT."),
		swept:       counters("sweep_rows_total", "Rows deleted by the sweeper.", "kind"),
		sweepFailed: counter("sweep_failures_total", "Sweeps that failed."),
		sweepAt:     gauge("sweep_last_success_timestamp_seconds", "When the last sweep without trouble ended."),
		sweepTook:   gauge("sweep_duration_seconds", "How long the last sweep took."),
	}
	m.startAtZero()
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: namespace, Name: "build_info", Help: "Always 1.",
		ConstLabels: prometheus.Labels{"version": version, "go": runtime.Version()},
	})
	build.Set(1)
	m.registry.MustRegister(
		m.requests, m.inFlight, m.fields, m.logins, m.refreshes, m.limited, m.dialects, m.mails, m.mailsLimited,
		m.migrations, m.sms, m.smsLimited, m.hashWait, m.statements, m.slow, m.swept, m.sweepFailed,
		m.sweepAt, m.sweepTook, build,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// startAtZero makes the counters that alerts look for an increase of.
func (m *metrics) startAtZero() {
	for _, outcome := range []string{"sent", "queued", "failed"} {
		m.sms.WithLabelValues(outcome)
		m.mails.WithLabelValues(outcome)
	}
	for _, outcome := range []string{"dropped", "held"} {
		m.mailsLimited.WithLabelValues(outcome)
	}
	for _, outcome := range []string{"migrated", "there", "no", "refused", "failed", "not_asked"} {
		m.migrations.WithLabelValues(outcome)
	}
	for _, limit := range []string{"pause", "number", "network", "country", "daily"} {
		m.smsLimited.WithLabelValues(limit)
	}
}

func (m *metrics) page(log *slog.Logger) http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		ErrorLog:      slog.NewLogLogger(log.Handler(), slog.LevelError),
		ErrorHandling: promhttp.ContinueOnError,
	})
}

// HashQueue registers the queue of password hashes. Each scrape calls load, which gives the numbers of running and of
// waiting hashes.
func (o *Observer) HashQueue(load func() (working, waiting int)) {
	if o.metrics == nil {
		return
	}
	read := func(name, help string, value func() int) {
		o.metrics.registry.MustRegister(prometheus.NewGaugeFunc(
			prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help},
			func() float64 { return float64(value()) }))
	}
	read("hash_working", "Password hashes that are being made.", func() int { n, _ := load(); return n })
	read("hash_waiting", "Requests in line for a password hash.", func() int { _, n := load(); return n })
}

// AddPool adds the state of one pool of database connections. waited is the total of all waits.
type AddPool func(name string, most, open, inUse int, waits int64, waited time.Duration)

// Pools registers the pools of connections to the database. Each scrape calls read, which adds the state of every pool.
func (o *Observer) Pools(read func(AddPool)) {
	if o.metrics == nil {
		return
	}
	describe := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc(namespace+"_"+name, help, []string{"pool"}, nil)
	}
	o.metrics.registry.MustRegister(&pools{
		read:   read,
		most:   describe("db_connections_max", "Connections that a pool may open."),
		open:   describe("db_connections_open", "Connections that are open."),
		inUse:  describe("db_connections_in_use", "Connections that somebody is using."),
		waits:  describe("db_connection_waits_total", "How often somebody waited for a connection."),
		waited: describe("db_connection_wait_seconds_total", "How long all of them waited together."),
	})
}

// pools collects the state of the pools at each scrape (prometheus.Collector).
type pools struct {
	read                             func(AddPool)
	most, open, inUse, waits, waited *prometheus.Desc
}

func (p *pools) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{p.most, p.open, p.inUse, p.waits, p.waited} {
		out <- d
	}
}

func (p *pools) Collect(out chan<- prometheus.Metric) {
	p.read(func(name string, most, open, inUse int, waits int64, waited time.Duration) {
		gauge := func(d *prometheus.Desc, n int) {
			out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(n), name)
		}
		gauge(p.most, most)
		gauge(p.open, open)
		gauge(p.inUse, inUse)
		out <- prometheus.MustNewConstMetric(p.waits, prometheus.CounterValue, float64(waits), name)
		out <- prometheus.MustNewConstMetric(p.waited, prometheus.CounterValue, waited.Seconds(), name)
	})
}
