package edge

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/dragoman-auth/dragoman/internal/site"
	"github.com/dragoman-auth/dragoman/internal/visit"
)

// serve sends one request through the edge to next, and gives the answer and the log.
func serve(cfg Config, r *http.Request, next http.HandlerFunc) (*httptest.ResponseRecorder, string) {
	var log bytes.Buffer
	cfg.Log = slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	cfg.Now = time.Now
	w := httptest.NewRecorder()
	Handler(cfg, next).ServeHTTP(w, r)
	return w, log.String()
}

// HT-15: a panic is answered with 500 and a sentence, logged once with the request id, and the process lives.
func TestPanic(t *testing.T) {
	t.Parallel()
	for name, panicky := range map[string]http.HandlerFunc{
		"text":        func(http.ResponseWriter, *http.Request) { panic("a secret of the inside") },
		"error":       func(http.ResponseWriter, *http.Request) { panic(io.ErrUnexpectedEOF) },
		"nil pointer": func(http.ResponseWriter, *http.Request) { var p *Config; _ = p.Site },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, log := serve(Config{}, httptest.NewRequest("GET", "/x", nil), panicky)
			var body map[string]string
			if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || len(body) != 1 ||
				body["error"] != "Something went wrong on our side." {
				t.Errorf("the answer is %s", w.Body)
			}
			if w.Code != http.StatusInternalServerError ||
				w.Header().Get("Content-Type") != "application/json; charset=utf-8" {
				t.Errorf("the answer is %d %v", w.Code, w.Header())
			}
			if strings.Count(log, `"level":"ERROR"`) != 1 || !strings.Contains(log, w.Header().Get("X-Request-Id")) ||
				!strings.Contains(log, `"status":500`) {
				t.Errorf("the log says %s", log)
			}
		})
	}
}

// A panic behind the first byte leaves the answer as it is, and net/http's own panic passes.
func TestPanicLate(t *testing.T) {
	t.Parallel()
	w, log := serve(Config{}, httptest.NewRequest("GET", "/", nil), func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, "half")
		panic("late")
	})
	if w.Code != http.StatusTeapot || w.Body.String() != "half" || !strings.Contains(log, `"level":"ERROR"`) {
		t.Errorf("%d %s, log %s", w.Code, w.Body, log)
	}
	defer func() {
		if p := recover(); p != http.ErrAbortHandler {
			t.Errorf("recovered %v", p)
		}
	}()
	serve(Config{}, httptest.NewRequest("GET", "/", nil),
		func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
}

// What counts as the credential of a request: one, as Bearer or as API key, or none.
func TestCredential(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name      string
		header    http.Header
		text      string
		ambiguous bool
	}{
		{"none", http.Header{}, "", false},
		{"bearer", http.Header{"Authorization": {"Bearer abc"}}, "abc", false},
		{"key", http.Header{"X-Api-Key": {"sk_live_x"}}, "sk_live_x", false},
		{"empty", http.Header{"Authorization": {""}}, "", false},
		{"basic", http.Header{"Authorization": {"Basic YTpi"}}, "", true},
		{"token", http.Header{"Authorization": {"Token abc"}}, "", true},
		{"no scheme", http.Header{"Authorization": {"abc"}}, "", true},
		{"bearer of nothing", http.Header{"Authorization": {"Bearer "}}, "", true},
		{"empty key", http.Header{"X-Api-Key": {""}}, "", true},
		{"both", http.Header{"Authorization": {"Bearer abc"}, "X-Api-Key": {"sk_live_x"}}, "", true},
		{"two bearers", http.Header{"Authorization": {"Bearer abc", "Bearer abc"}}, "", true},
		{"two keys", http.Header{"X-Api-Key": {"sk_live_x", "sk_live_x"}}, "", true},
		{"cookie", http.Header{"Cookie": {"refreshToken=abc"}}, "", false},
	}
	for _, c := range cases {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header = c.header
		serve(Config{}, r, func(_ http.ResponseWriter, r *http.Request) {
			if v := visit.From(r.Context()); v.Credential != c.text || (v.Problem != "") != c.ambiguous {
				t.Errorf("%s: %q %q", c.name, v.Credential, v.Problem)
			}
		})
	}
}

// AU-03: nothing that is kept of a user agent breaks a line or paints a terminal.
func TestUserAgent(t *testing.T) {
	t.Parallel()
	cases := map[string]string{
		"":                             "",
		"curl/8":                       "curl/8",
		"a\r\nb":                       "ab",
		"\x1b[31mred\x1b[0m":           "[31mred[0m",
		"\u009b31mred":                 "31mred",
		"a\x00b\x7fc":                  "abc",
		"a\xffb":                       "ab",
		"\xff\xfe":                     "",
		"Grün/1":                       "Grün/1",
		strings.Repeat("x", 512):       strings.Repeat("x", 512),
		strings.Repeat("x", 513):       strings.Repeat("x", 512),
		"x" + strings.Repeat("é", 500): "x" + strings.Repeat("é", 255),
	}
	for text, want := range cases {
		if got := clean(text, 512); got != want || !utf8.ValidString(got) {
			t.Errorf("%.40q became %.40q", text, got)
		}
	}
}

// HT-13: the socket's peer counts, or behind a trusted proxy the right-most hop that is not one.
func TestClientIP(t *testing.T) {
	t.Parallel()
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	cases := []struct {
		name, peer string
		forwarded  []string
		want       string
	}{
		{"direct", "192.0.2.1:1", nil, "192.0.2.1"},
		{"a spoof without a proxy", "192.0.2.1:1", []string{"6.6.6.6"}, "192.0.2.1"},
		{"IPv6", "[2001:db8::1]:1", nil, "2001:db8::1"},
		{"a zone", "[fe80::1%eth0]:1", nil, "fe80::1"},
		{"mapped", "[::ffff:192.0.2.1]:1", nil, "192.0.2.1"},
		{"a mapped proxy", "[::ffff:10.0.0.1]:1", []string{"6.6.6.6"}, "6.6.6.6"},
		{"behind a proxy", "10.0.0.1:1", []string{"6.6.6.6"}, "6.6.6.6"},
		{"the right-most", "10.0.0.1:1", []string{"1.1.1.1, 6.6.6.6"}, "6.6.6.6"},
		{"several fields", "10.0.0.1:1", []string{"1.1.1.1", "6.6.6.6, 10.0.0.2"}, "6.6.6.6"},
		{"only proxies", "10.0.0.1:1", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		{"garbage next to us", "10.0.0.1:1", []string{"6.6.6.6, x"}, "10.0.0.1"},
		{"garbage behind a proxy", "10.0.0.1:1", []string{"x, 10.0.0.2"}, "10.0.0.1"},
		{"nothing", "10.0.0.1:1", []string{""}, "10.0.0.1"},
		{"a port", "10.0.0.1:1", []string{"6.6.6.6:80"}, "6.6.6.6"},
		{"IPv6 with port", "[fd00::1]:1", []string{"[2001:db8::1]:80"}, "2001:db8::1"},
		{"a Unix socket", "@", []string{"6.6.6.6"}, "invalid IP"},
		{"no peer", "", nil, "invalid IP"},
	}
	for _, c := range cases {
		r := &http.Request{RemoteAddr: c.peer, Header: http.Header{"X-Forwarded-For": c.forwarded}}
		if got := clientIP(r, trusted); got.String() != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// FuzzClientIP looks for a header that moves the address of a caller who is no proxy, or that gives no address.
func FuzzClientIP(f *testing.F) {
	f.Add("6.6.6.6, 10.0.0.1")
	f.Add("[::1]:80,,x")
	f.Fuzz(func(t *testing.T, header string) {
		r := &http.Request{RemoteAddr: "192.0.2.1:1", Header: http.Header{"X-Forwarded-For": {header}}}
		if got := clientIP(r, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}); got.String() != "192.0.2.1" {
			t.Errorf("%q moved the address to %s", header, got)
		}
		if got := clientIP(r, []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}); !got.IsValid() || got.Zone() != "" ||
			got.Is4In6() {
			t.Errorf("%q gave %s", header, got)
		}
	})
}

// LG-17: a path has one spelling, and nothing is ever redirected.
func TestExactPaths(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	for _, pattern := range []string{"/{$}", "/graphql", "/playground/"} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) })
	}
	mux.HandleFunc("/", NotFound)
	for target, want := range map[string]int{
		"/": 202, "/graphql": 202, "/playground/": 202, "/playground/x": 202, "/graphql?a=//": 202,
		"//": 404, "///": 404, "/.": 404, "/..": 404, "//graphql": 404, "/graphql/": 404, "/graphql//": 404,
		"/./graphql":    404,
		"/x/../graphql": 404, "/%67raphql": 404, "/graphql%2f": 404, "/playground/%2e%2e/graphql": 404,
		"/playground//x": 404,
		"/playground/..": 404, "/playground/../": 404, "/%2e": 404, "/%2F": 404,
	} {
		r := httptest.NewRequest("GET", "/", nil)
		u, err := url.ParseRequestURI(target)
		if err != nil {
			t.Fatal(err)
		}
		r.URL = u
		w := httptest.NewRecorder()
		ExactPaths(mux, http.HandlerFunc(NotFound)).ServeHTTP(w, r)
		if w.Code != want || w.Header().Get("Location") != "" {
			t.Errorf("%s: %d %v, want %d", target, w.Code, w.Header(), want)
		}
	}
}

// What the edge refuses itself, and what everything behind it can rely on.
func TestHandler(t *testing.T) {
	t.Parallel()
	ids := map[string]bool{}
	for _, c := range []struct {
		method, target string
		status         int
	}{
		{"GET", "/", 202},
		{"POST", "/", 202},
		{"TRACE", "/", 405},
		{"CONNECT", "/", 405},
		{"GET", "/" + strings.Repeat("a", MaxURL-1), 202},
		{"GET", "/" + strings.Repeat("a", MaxURL), 414},
	} {
		r := httptest.NewRequest("GET", c.target, nil)
		r.Method, r.RequestURI = c.method, c.target
		r.Header.Set("X-Request-Id", "chosen by the caller")
		w, _ := serve(Config{Site: site.Parse("https://auth.example.com")}, r,
			func(w http.ResponseWriter, r *http.Request) {
				v := visit.From(r.Context())
				if v.RequestID != w.Header().Get("X-Request-Id") || v.Dialect != "graphql" ||
					v.IP.String() != "192.0.2.1" {
					t.Errorf("the visit is %+v", v)
				}
				w.WriteHeader(http.StatusAccepted)
			})
		id := w.Header().Get("X-Request-Id")
		if w.Code != c.status || len(id) < 26 || ids[id] || w.Header().Get("Strict-Transport-Security") == "" {
			t.Errorf("%s %.20s: %d %v", c.method, c.target, w.Code, w.Header())
		}
		ids[id] = true
	}
}

func TestGet(t *testing.T) {
	t.Parallel()
	h := Get(func(w http.ResponseWriter, _ *http.Request) { Text(w, http.StatusOK, "x") })
	for method, want := range map[string]int{"GET": 200, "HEAD": 200, "POST": 405, "DELETE": 405, "OPTIONS": 405} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(method, "/", nil))
		if w.Code != want || (want == 405) != (w.Header().Get("Allow") == "GET, HEAD") {
			t.Errorf("%s: %d %v", method, w.Code, w.Header())
		}
	}
}
