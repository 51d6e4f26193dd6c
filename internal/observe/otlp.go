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
	postTries     = 4
	postPause     = time.Second     // before the second try; twice that before the third, and so on
	complainEvery = 5 * time.Minute // a receiver that is away would fill the log otherwise
)

// poster sends spans by OTLP over HTTP as protobuf (OTLP 1.x, "OTLP/HTTP"); it is an otlptrace.Client. The client that
// OpenTelemetry ships for it, otlptracehttp, brings all of gRPC along: 2.3 MB of program and 3 MiB of memory.
type poster struct {
	to         *config.Traces
	client     *http.Client
	agent      string
	log        *slog.Logger
	complained atomic.Int64 // when it did last, in nanoseconds
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
		// the header may hold a credential
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return &poster{to: to, client: client, agent: "dragoman/" + version, log: log}
}

// Start has nothing to do: the first post opens the connection.
func (p *poster) Start(context.Context) error { return nil }

// Stop lets go of the connection.
func (p *poster) Stop(context.Context) error {
	p.client.CloseIdleConnections()
	return nil
}

// UploadTraces posts a batch. What can not be sent is dropped, and said in the log: a server does not fail over its
// traces, and the library would write the error elsewhere.
func (p *poster) UploadTraces(ctx context.Context, spans []*tracepb.ResourceSpans) error {
	// ExportTraceServiceRequest has the one field that TracesData has, under the same number; its package imports gRPC.
	body, err := proto.Marshal(&tracepb.TracesData{ResourceSpans: spans})
	if err == nil && p.to.Gzip {
		body, err = compressed(body)
	}
	if err == nil {
		err = p.send(ctx, body)
	}
	if now, last := time.Now().UnixNano(), p.complained.Load(); err != nil &&
		now-last > int64(complainEvery) && p.complained.CompareAndSwap(last, now) {
		p.log.Warn("traces: spans were not sent; check OTEL_EXPORTER_OTLP_ENDPOINT", "error", err)
	}
	return nil
}

// send posts until the receiver takes it, says that it never will, or the tries are used up.
func (p *poster) send(ctx context.Context, body []byte) error {
	for try := 1; ; try++ {
		again, wait, err := p.post(ctx, body)
		if err == nil || !again || try == postTries {
			return err
		}
		select {
		case <-time.After(max(wait, postPause<<(try-1))):
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		}
	}
}

// post tries once. It tells whether trying again may help (OTLP, "Retryable Response Codes") and how long to wait at
// least.
func (p *poster) post(ctx context.Context, body []byte) (again bool, wait time.Duration, err error) {
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
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10)) // so that the connection can be used again
	_ = res.Body.Close()
	if res.StatusCode/100 == 2 {
		return false, 0, nil
	}
	switch res.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		again = true
		if seconds, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil {
			wait = time.Duration(seconds) * time.Second
		}
	}
	return again, wait, fmt.Errorf("the trace collector answered %s", res.Status)
}

func compressed(body []byte) ([]byte, error) {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, err := w.Write(body)
	err = errors.Join(err, w.Close()) // which writes the rest
	return out.Bytes(), err
}
