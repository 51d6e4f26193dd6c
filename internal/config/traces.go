package config

import (
	"crypto/x509"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// Traces holds the receiver of spans, from the standard variables of OpenTelemetry (specification 1.x, "OTLP Exporter
// Configuration"). The library reads the variables of sampler, batches and resource itself.
type Traces struct {
	Endpoint string         // the complete URL of the POST requests
	Header   http.Header    // further headers of each request; they may hold a credential
	Timeout  time.Duration  // of one request
	Gzip     bool           // whether requests are compressed
	Roots    *x509.CertPool // the trusted authorities; nil for those of the system
}

const otlp = "OTEL_EXPORTER_OTLP_"

// loadTraces reads the variables. It gives nil without an error if traces are off. A variable of the signal, such as
// OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, wins over the general one.
func loadTraces(getenv func(string) string) (*Traces, error) {
	signal := func(what string) (name, value string) {
		if name = otlp + "TRACES_" + what; getenv(name) != "" {
			return name, getenv(name)
		}
		return otlp + what, getenv(otlp + what)
	}
	exporter := getenv("OTEL_TRACES_EXPORTER")
	_, endpoint := signal("ENDPOINT")
	switch {
	case strings.EqualFold(getenv("OTEL_SDK_DISABLED"), "true") || exporter == "none" ||
		exporter == "" && endpoint == "":
		return nil, nil //nolint:nilnil // no traces
	case exporter != "" && exporter != "otlp":
		return nil, &Error{Name: "OTEL_TRACES_EXPORTER", Value: exporter, Want: "otlp or none"}
	}
	t := &Traces{Header: http.Header{}, Timeout: 10 * time.Second}
	if name, v := signal("PROTOCOL"); v != "" && v != "http/protobuf" {
		return nil, &Error{Name: name, Value: v, Want: "http/protobuf"}
	}
	name, v := signal("COMPRESSION")
	if t.Gzip = v == "gzip"; v != "" && v != "gzip" && v != "none" {
		return nil, &Error{Name: name, Value: v, Want: "gzip or none"}
	}
	if name, v = signal("TIMEOUT"); v != "" {
		ms, err := strconv.Atoi(v)
		if err != nil || ms < 1 || ms > 60_000 {
			return nil, &Error{Name: name, Value: v, Want: "milliseconds, from 1 to 60000"}
		}
		t.Timeout = time.Duration(ms) * time.Millisecond
	}
	if name, v = signal("HEADERS"); !t.readHeaders(v) {
		// The value may hold a credential, so the error leaves it out.
		return nil, &Error{Name: name, Want: "name=value pairs with commas between, values percent-encoded"}
	}
	if name, v = signal("CERTIFICATE"); v != "" {
		pem, err := os.ReadFile(v)
		t.Roots = x509.NewCertPool()
		if err != nil || !t.Roots.AppendCertsFromPEM(pem) {
			return nil, &Error{Name: name, Value: v, Want: "a file with certificates in PEM"}
		}
	}
	return t, t.readEndpoint(getenv)
}

func (t *Traces) readEndpoint(getenv func(string) string) error {
	name, path := otlp+"TRACES_ENDPOINT", ""
	value := getenv(name)
	if value == "" {
		name, path = otlp+"ENDPOINT", "/v1/traces"
		value = strings.TrimSuffix(getenv(name), "/")
	}
	if value == "" {
		value = "http://localhost:4318"
	}
	u, err := url.Parse(value)
	if err != nil || u.Hostname() == "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https" {
		return &Error{
			Name: name,
			Want: "an http or https URL, for example http://localhost:4318; a credential goes into " + otlp + "HEADERS",
		}
	}
	t.Endpoint = value + path
	return nil
}

func (t *Traces) readHeaders(text string) bool {
	for pair := range strings.SplitSeq(text, ",") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		name, value, found := strings.Cut(pair, "=")
		plain, err := url.PathUnescape(strings.TrimSpace(value))
		name = strings.TrimSpace(name)
		if !found || err != nil || name == "" || strings.ContainsAny(name, "\r\n \t:") ||
			strings.ContainsAny(plain, "\r\n") {
			return false
		}
		t.Header.Add(name, plain)
	}
	return true
}
