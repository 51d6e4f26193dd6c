package observe

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/dragoman-auth/dragoman/internal/config"
)

const (
	maxAttempts  = 4
	firstBackoff = time.Second     // before the first retry; doubles with each further retry
	warnEvery    = 5 * time.Minute // an unreachable collector would fill the log otherwise
)

// poster is an otlptrace.Client that sends spans as protobuf over HTTP (OTLP 1.x, "OTLP/HTTP"). OpenTelemetry's own
// client, otlptracehttp, depends on gRPC: 2.3 MB of program and 3 MiB of memory.
type poster struct {
	to     *config.Traces
	client *http.Client
	agent  string
	log    *slog.Logger
	warned atomic.Int64 // the time of the last warning in Unix nanoseconds, 0 for none
}

func newPoster(to *config.Traces, version string, log *slog.Logger) *poster {
	transport := &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		MaxIdleConns:        1,
		IdleConnTimeout:     time.Minute,
		ForceAttemptHTTP2:   true,
		TLSHandshakeTimeout: 10 * time.Second,
		TLSClientConfig:     &tls.Config{RootCAs: to.Roots, MinVersion: tls.VersionTLS12},
	}
	client := &http.Client{
		Transport: transport,
		Timeout:   to.Timeout,
		// A redirect could send a credential in to.Header elsewhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return &poster{to: to, client: client, agent: "dragoman/" + version, log: log}
}

// Start has nothing to do: the first post opens the connection.
func (p *poster) Start(context.Context) error { return nil }

// Stop closes the idle connection.
func (p *poster) Stop(context.Context) error {
	p.client.CloseIdleConnections()
	return nil
}

// UploadTraces sends a batch. A batch that cannot be sent is dropped with a warning in the log. The error is not
// returned, because the library would print it to standard error in another format.
func (p *poster) UploadTraces(ctx context.Context, spans []*tracepb.ResourceSpans) error {
	// TracesData encodes to the same bytes as ExportTraceServiceRequest, whose package imports gRPC.
	body, err := proto.Marshal(&tracepb.TracesData{ResourceSpans: spans})
	if err == nil && p.to.Gzip {
		body, err = compress(body)
	}
	if err == nil {
		err = p.send(ctx, body)
	}
	now, last := time.Now().UnixNano(), p.warned.Load()
	if err != nil && now-last > int64(warnEvery) && p.warned.CompareAndSwap(last, now) {
		p.log.Warn("traces: spans were not sent; check OTEL_EXPORTER_OTLP_ENDPOINT", "error", err)
	}
	return nil
}

// send posts until the collector accepts the body or refuses it for good, at most maxAttempts times.
func (p *poster) send(ctx context.Context, body []byte) error {
	for attempt := 1; ; attempt++ {
		retry, wait, err := p.post(ctx, body)
		if err == nil || !retry || attempt == maxAttempts {
			return err
		}
		select {
		case <-time.After(max(wait, firstBackoff<<(attempt-1))):
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		}
	}
}

// post sends one request. After an error it tells whether a retry may succeed (OTLP, "Retryable Response Codes"), and
// the least time to wait before it.
func (p *poster) post(ctx context.Context, body []byte) (retry bool, wait time.Duration, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, p.to.Endpoint, bytes.NewReader(body))
	if err != nil {
		return false, 0, err
	}
	for name, values := range p.to.Header {
		r.Header[name] = values
	}
	r.Header.Set("Content-Type", "application/x-protobuf")
	r.Header.Set("User-Agent", p.agent)
	if p.to.Gzip {
		r.Header.Set("Content-Encoding", "gzip")
	}
	res, err := p.client.Do(r)
	if err != nil {
		return true, 0, err
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10)) // lets the connection be reused
	_ = res.Body.Close()
	if res.StatusCode/100 == 2 {
		return false, 0, nil
	}
	switch res.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		retry = true
		if seconds, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil {
			wait = time.Duration(seconds) * time.Second
		}
	}
	return retry, wait, fmt.Errorf("the trace collector answered %s", res.Status)
}

func compress(body []byte) ([]byte, error) {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, err := w.Write(body)
	err = errors.Join(err, w.Close()) // Close writes the rest
	return out.Bytes(), err
}
