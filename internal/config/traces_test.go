package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Traces are off unless a standard variable asks for them.
func TestTraces(t *testing.T) {
	t.Parallel()
	const general, own = "OTEL_EXPORTER_OTLP_ENDPOINT=", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT="
	for _, off := range [][]string{
		nil,
		{"OTEL_TRACES_EXPORTER=none"},
		{general + "http://x:1", "OTEL_TRACES_EXPORTER=none"},
		{general + "http://x:1", "OTEL_SDK_DISABLED=true"},
		{"OTEL_SERVICE_NAME=x", "OTEL_EXPORTER_OTLP_PROTOCOL=grpc"},
	} {
		if s := mustLoad(t, off...); s.Traces != nil {
			t.Errorf("%s: %+v", off, s.Traces)
		}
	}
	for _, c := range []struct {
		env  []string
		want string
	}{
		{[]string{"OTEL_TRACES_EXPORTER=otlp"}, "http://localhost:4318/v1/traces"},
		{[]string{general + "http://x:1"}, "http://x:1/v1/traces"},
		{[]string{general + "https://x/base/"}, "https://x/base/v1/traces"},
		{[]string{own + "https://x/as/it/is"}, "https://x/as/it/is"},
		{[]string{general + "http://x:1", own + "http://y:2"}, "http://y:2"},
	} {
		if s := mustLoad(t, c.env...); s.Traces == nil || s.Traces.Endpoint != c.want ||
			s.Traces.Timeout != 10*time.Second || s.Traces.Gzip {
			t.Errorf("%s: %+v, want %s", c.env, s.Traces, c.want)
		}
	}
	all := mustLoad(t,
		general+"http://x:1",
		"OTEL_EXPORTER_OTLP_HEADERS=api-key=a%20b%3Dc, X-Tenant = one",
		"OTEL_EXPORTER_OTLP_TIMEOUT=2500",
		"OTEL_EXPORTER_OTLP_TRACES_TIMEOUT=500",
		"OTEL_EXPORTER_OTLP_COMPRESSION=gzip",
		"OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf").Traces
	if all.Header.Get("Api-Key") != "a b=c" || all.Header.Get("X-Tenant") != "one" ||
		all.Timeout != 500*time.Millisecond || !all.Gzip {
		t.Errorf("%+v", all)
	}
}

// The error of an invalid variable names it, and does not quote a value that may hold a credential.
func TestTraces_Errors(t *testing.T) {
	t.Parallel()
	const on = "OTEL_TRACES_EXPORTER=otlp"
	junk := filepath.Join(t.TempDir(), "junk.pem")
	if err := os.WriteFile(junk, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, wrong := range []string{
		"OTEL_TRACES_EXPORTER=zipkin",
		"OTEL_EXPORTER_OTLP_PROTOCOL=grpc",
		"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=http/json",
		"OTEL_EXPORTER_OTLP_COMPRESSION=zstd",
		"OTEL_EXPORTER_OTLP_TIMEOUT=10s",
		"OTEL_EXPORTER_OTLP_TIMEOUT=0",
		"OTEL_EXPORTER_OTLP_HEADERS=canary",
		"OTEL_EXPORTER_OTLP_HEADERS=a=canary%zz",
		"OTEL_EXPORTER_OTLP_HEADERS=a=canary%0D%0Ab",
		"OTEL_EXPORTER_OTLP_ENDPOINT=canary:4317",
		"OTEL_EXPORTER_OTLP_ENDPOINT=http://u:canary@x",
		"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=grpc://canary",
		"OTEL_EXPORTER_OTLP_CERTIFICATE=" + junk,
		"OTEL_EXPORTER_OTLP_CERTIFICATE=/none",
	} {
		name, _, _ := strings.Cut(wrong, "=")
		_, err := load(wrong, on)
		if e, ok := errors.AsType[*Error](err); !ok || e.Name != name || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v", wrong, err)
		}
	}
}

func TestMetricsSettings(t *testing.T) {
	t.Parallel()
	const listen, token = "DRAGOMAN_METRICS_LISTEN=localhost:9090", "DRAGOMAN_METRICS_TOKEN=" + goodSecret
	for _, c := range []struct {
		env            []string
		measured, main bool
	}{
		{nil, false, false},
		{[]string{listen}, true, false},
		{[]string{token}, true, true},
		{[]string{listen, token}, true, false},
	} {
		if s := mustLoad(t, c.env...); s.MetricsEnabled() != c.measured || s.MetricsOnMain() != c.main {
			t.Errorf("%s: measured %t, on the main listener %t", c.env, s.MetricsEnabled(), s.MetricsOnMain())
		}
	}
	if s := mustLoad(t); s.SlowStatement != 500*time.Millisecond {
		t.Errorf("slow is %v", s.SlowStatement)
	}
	if s := mustLoad(t, "DRAGOMAN_SLOW_STATEMENT=0"); s.SlowStatement != 0 {
		t.Errorf("slow is %v", s.SlowStatement)
	}
}
