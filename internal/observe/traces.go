package observe

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// traces makes spans. It does without otelhttp, whose spans hold the address and the user agent of the caller and the
// path of the request (AU-02).
type traces struct {
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
	system   attribute.KeyValue
}

func newTraces(ctx context.Context, cfg Config) (*traces, error) {
	// The environment (OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES) comes last, so it wins.
	about, err := resource.New(
		ctx,
		resource.WithTelemetrySDK(),
		resource.WithAttributes(
			attribute.String("service.name", "dragoman"),
			attribute.String("service.version", cfg.Version),
		),
		resource.WithFromEnv(),
	)
	if err != nil {
		return nil, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w; write name=value pairs with commas between", err)
	}
	exporter, err := otlptrace.New(ctx, newPoster(cfg.Traces, cfg.Version, cfg.Log))
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(about))
	return &traces{
		provider: provider,
		tracer:   provider.Tracer("github.com/dragoman-auth/dragoman"),
		system:   attribute.String("db.system.name", cfg.System),
	}, nil
}

// probes get no spans: a request every few seconds would hide all others.
var probes = []string{"/healthz", "/readyz", "/metrics"}

var methods = []string{
	http.MethodGet,
	http.MethodHead,
	http.MethodPost,
	http.MethodPut,
	http.MethodPatch,
	http.MethodDelete,
	http.MethodOptions,
}

// request starts the span of a request. Its parent is the span of the caller, if the request has one (W3C Trace
// Context, header traceparent).
func (t *traces) request(
	r *http.Request, requestID string,
) (context.Context, func(transport, pattern string, status int)) {
	if slices.Contains(probes, r.URL.Path) {
		return r.Context(), func(string, string, int) {}
	}
	method := "_OTHER"
	if slices.Contains(methods, r.Method) {
		method = r.Method
	}
	ctx := propagation.TraceContext{}.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
	ctx, span := t.tracer.Start(ctx, method, trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(
		attribute.String("http.request.method", method), attribute.String("dragoman.request_id", requestID)))
	return ctx, func(transport, pattern string, status int) {
		span.SetName(method + " " + pattern)
		span.SetAttributes(attribute.String("http.route", pattern), attribute.String("dragoman.transport", transport))
		if status > 0 {
			span.SetAttributes(attribute.Int("http.response.status_code", status))
		}
		if status >= http.StatusInternalServerError {
			span.SetStatus(codes.Error, "")
		}
		span.End()
	}
}

// field starts the span of a root field.
func (t *traces) field(ctx context.Context, operation, field string) (context.Context, func(code string)) {
	ctx, span := t.tracer.Start(ctx, operation+" "+field, trace.WithAttributes(
		attribute.String("graphql.operation.type", operation), attribute.String("dragoman.field", field)))
	return ctx, func(code string) {
		span.SetAttributes(attribute.String("dragoman.code", code))
		if code == "INTERNAL_SERVER_ERROR" {
			span.SetStatus(codes.Error, "")
		}
		span.End()
	}
}

// statement makes the span of a statement that ended, below the span in ctx. Housekeeping has no span in ctx, so its
// statements get none. The text of the error may quote a row, so the span leaves it out.
func (t *traces) statement(ctx context.Context, s Statement, start time.Time, took time.Duration, err error) {
	if !trace.SpanFromContext(ctx).IsRecording() {
		return
	}
	name := s.Name()
	_, span := t.tracer.Start(ctx, "db "+name, trace.WithSpanKind(trace.SpanKindClient), trace.WithTimestamp(start),
		trace.WithAttributes(t.system, attribute.String("db.operation.name", name)))
	if err != nil {
		span.SetStatus(codes.Error, "")
	}
	span.End(trace.WithTimestamp(start.Add(took)))
}
