package program

import (
	"compress/gzip"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// receiver is a collector: it takes spans by OTLP over HTTP, and is busy at first.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	spans  []*tracepb.Span
	text   string // all that was sent, for a search
	header http.Header
	posts  int
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.header = req.Header
		if r.posts++; r.posts == 1 {
			http.Error(w, "busy", http.StatusServiceUnavailable)
			return
		}
		var body io.Reader = req.Body
		if req.Header.Get("Content-Encoding") == "gzip" {
			var err error
			if body, err = gzip.NewReader(req.Body); err != nil {
				t.Error(err)
				return
			}
		}
		raw, err := io.ReadAll(body)
		var got tracepb.TracesData // the same bytes as an ExportTraceServiceRequest, whose package brings gRPC along
		if err == nil {
			err = proto.Unmarshal(raw, &got)
		}
		if err != nil || req.URL.Path != "/v1/traces" || req.Method != http.MethodPost {
			t.Errorf("%s %s: %v", req.Method, req.URL.Path, err)
		}
		for _, resource := range got.GetResourceSpans() {
			r.text += resource.GetResource().String()
			for _, scope := range resource.GetScopeSpans() {
				for _, span := range scope.GetSpans() {
					r.spans = append(r.spans, span)
					r.text += span.String()
				}
			}
		}
	}))
	t.Cleanup(r.Close)
	return r
}

// attributes are those of a span, as text.
func attributes(span *tracepb.Span) map[string]string {
	all := map[string]string{}
	for _, a := range span.GetAttributes() {
		v := a.GetValue()
		all[a.GetKey()] = v.GetStringValue()
		if n := v.GetIntValue(); n != 0 {
			all[a.GetKey()] = fmt.Sprint(n)
		}
	}
	return all
}

// TestTraces signs in below a caller's span and finds the three kinds of spans under it, in a real receiver, without
// anything that is secret or tells of a person (AU-02).
func TestTraces(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		to := newReceiver(t)
		env := append(harness.ProcessEnv(dsn), "OTEL_EXPORTER_OTLP_ENDPOINT="+to.URL,
			"OTEL_EXPORTER_OTLP_HEADERS=api-key=for%20the%20receiver",
			"OTEL_EXPORTER_OTLP_COMPRESSION=gzip", "OTEL_SERVICE_NAME=our-auth",
			"OTEL_RESOURCE_ATTRIBUTES=deployment.environment=test")
		p := harness.Spawn(t, env...)
		const traceID, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
		below := []string{
			"Traceparent", "00-" + traceID + "-" + parent + "-01", "User-Agent", "canary-agent", "Cookie",
			"canary=cookie",
		}
		a, err := harness.Send(p.URL, "", harness.RegisterDoc,
			harness.InputOf("email", "canary@example.com", "password", harness.GoodPass), below...)
		if err != nil || a.Code() != "" {
			t.Fatalf("%v %+v", err, a)
		}
		access, refresh, id := a.Text("register", "tokens", "accessToken"),
			a.Text("register", "tokens", "refreshToken"), a.Text("register", "user", "id")
		for _, call := range []func() (*harness.Answer, error){
			func() (*harness.Answer, error) { return harness.Send(p.URL, access, harness.MeDoc, nil, below...) },
			func() (*harness.Answer, error) {
				return harness.Send(p.URL, "", harness.LoginDoc,
					harness.InputOf("email", "canary@example.com", "password", "a canary of a password"), below...)
			},
			func() (*harness.Answer, error) {
				return harness.Send(p.URL, "", harness.RefreshDoc, map[string]any{"token": refresh}, below...)
			},
		} {
			if _, err := call(); err != nil {
				t.Fatal(err)
			}
		}
		harness.Fetched(t, "GET", p.URL+"/canary-path?canary=query", "", "", below...)
		harness.Fetched(t, "GET", p.URL+"/api/v1/auth/keys", "", "",
			append(below, "Authorization", "Bearer "+access)...)
		// not sampled
		harness.Send(p.URL, access, harness.MeDoc, nil, "Traceparent",
			"00-11111111111111111111111111111111-b7ad6b7169203331-00")
		_ = p.Cmd.Process.Signal(syscall.SIGINT)
		if err := p.Cmd.Wait(); err != nil {
			t.Fatalf("%v: %s", err, p.Out)
		}
		to.mu.Lock()
		defer to.mu.Unlock()
		byID, names := map[string]*tracepb.Span{}, map[string]*tracepb.Span{}
		for _, span := range to.spans {
			byID[string(span.GetSpanId())] = span
			names[span.GetName()+" "+attributes(span)["dragoman.code"]+
				attributes(span)["http.response.status_code"]] = span
			if got := hex.EncodeToString(span.GetTraceId()); got != traceID {
				t.Errorf("%s is in the trace %s", span.GetName(), got)
			}
		}
		for _, name := range []string{
			"POST /graphql 200", "mutation register OK", "mutation login INVALID_CREDENTIALS", "query me OK",
			"mutation refresh OK",
			"GET / 404", "query keys OK", "db Register ", "db Rotate ",
		} {
			if names[name] == nil {
				t.Errorf("there is no span %q", name)
			}
		}
		if t.Failed() {
			t.Fatalf("spans %v", names)
		}
		// From the statement up to the caller.
		statement := names["db Rotate "]
		field := byID[string(statement.GetParentSpanId())]
		request := byID[string(field.GetParentSpanId())]
		if field.GetName() != "mutation refresh" || request.GetName() != "POST /graphql" ||
			hex.EncodeToString(request.GetParentSpanId()) != parent ||
			request.GetKind() != tracepb.Span_SPAN_KIND_SERVER ||
			statement.GetKind() != tracepb.Span_SPAN_KIND_CLIENT ||
			statement.GetStartTimeUnixNano() < field.GetStartTimeUnixNano() ||
			statement.GetEndTimeUnixNano() > field.GetEndTimeUnixNano() {
			t.Errorf("the spans do not lie in one another: %v in %v in %v", statement, field, request)
		}
		system := "postgresql"
		if strings.HasPrefix(dsn, "sqlite:") {
			system = "sqlite"
		}
		if got := attributes(statement); got["db.system.name"] != system || got["db.operation.name"] != "Rotate" {
			t.Errorf("the statement: %v", got)
		}
		if got := attributes(request); got["http.route"] != "/graphql" || got["http.request.method"] != "POST" ||
			got["dragoman.transport"] != "graphql" ||
			len(got["dragoman.request_id"]) != 26 {
			t.Errorf("the request: %v", got)
		}
		if to.header.Get("Api-Key") != "for the receiver" ||
			to.header.Get("Content-Type") != "application/x-protobuf" || to.posts < 2 {
			t.Errorf("%d posts, %v", to.posts, to.header)
		}
		if !strings.Contains(to.text, "our-auth") || !strings.Contains(to.text, "deployment.environment") ||
			!strings.Contains(to.text, harness.ProgramVersion(t)) {
			t.Error("the resource is not that of the variables")
		}
		for _, private := range []string{
			"canary", "127.0.0.1", harness.GoodPass, access, refresh, id, "SELECT",
			"for the receiver", harness.Secret,
		} {
			if strings.Contains(to.text, private) {
				t.Errorf("the spans tell %q", private)
			}
		}
		if strings.Contains(p.Out.String(), "for the receiver") {
			t.Error("the log tells the header")
		}
	})
}

// TestTraces_ReceiverAway has a receiver that is not there: the server works, says so once, and ends in time.
func TestTraces_ReceiverAway(t *testing.T) {
	t.Parallel()
	p := harness.Spawn(t, "DRAGOMAN_DATA_DIR="+t.TempDir(), "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:"+freePort(t),
		"OTEL_BSP_SCHEDULE_DELAY=50",
		"OTEL_BSP_EXPORT_TIMEOUT=200")
	for i := range 20 {
		if a, err := harness.Send(p.URL, "", harness.MeDoc, nil); err != nil || a.Status != 200 {
			t.Fatalf("%d: %v %+v", i, err, a)
		}
	}
	_ = p.Cmd.Process.Signal(syscall.SIGINT)
	if err := p.Cmd.Wait(); err != nil {
		t.Errorf("%v: %s", err, p.Out)
	}
	if n := strings.Count(p.Out.String(), "spans were not sent"); n != 1 {
		t.Errorf("said %d times: %s", n, p.Out)
	}
}

// TestTraces_Off is a server that was told nothing: it makes no spans and no connection.
func TestTraces_Off(t *testing.T) {
	t.Parallel()
	to := newReceiver(t)
	p := harness.Spawn(t, "DRAGOMAN_DATA_DIR="+t.TempDir(), "OTEL_TRACES_EXPORTER=none", "OTEL_EXPORTER_OTLP_ENDPOINT="+
		to.URL)
	if _, err := harness.Send(p.URL, "", harness.MeDoc, nil); err != nil {
		t.Fatal(err)
	}
	_ = p.Cmd.Process.Signal(syscall.SIGINT)
	_ = p.Cmd.Wait()
	if to.posts != 0 {
		t.Errorf("%d posts", to.posts)
	}
	got := command(t, t.TempDir(), []string{"DRAGOMAN_LISTEN=localhost:FREEPORT", "OTEL_TRACES_EXPORTER=jaeger"})
	if got.code != 1 || !strings.Contains(got.stderr, "OTEL_TRACES_EXPORTER") ||
		!strings.Contains(got.stderr, "otlp or none") {
		t.Errorf("%+v", got)
	}
}
