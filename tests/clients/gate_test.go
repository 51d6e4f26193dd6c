package clients

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/tests/harness"
)

// gate stands before a server. It counts the refreshes that come, and can be a bad network. A script in Node or in a
// page works it by requests to /gate/….
type gate struct {
	URL string

	server    *harness.Instance
	refreshes atomic.Int64
	answered  atomic.Int64 // answers to anything else that no credential stood in the way of
	lost      atomic.Int64 // so many answers of refreshes to come are lost: the server did it, and nobody hears of it
	busy      atomic.Int64 // so many refreshes to come get a 503
	cut       atomic.Bool  // every connection breaks
	slow      atomic.Bool  // a refresh takes a while
}

func newGate(t testing.TB, server *harness.Instance) *gate {
	t.Helper()
	target, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{server: server}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host
			r.Out.Header["X-Forwarded-For"] = r.In.Header["X-Forwarded-For"]
		},
		ModifyResponse: g.count,
		ErrorHandler:   func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/gate/") {
			g.control(w, r)
			return
		}
		if g.cut.Load() {
			panic(http.ErrAbortHandler)
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		if !bytes.Contains(body, []byte("refresh(")) {
			proxy.ServeHTTP(w, r)
			return
		}
		g.refreshes.Add(1)
		if g.slow.Load() {
			time.Sleep(300 * time.Millisecond)
		}
		switch {
		case g.busy.Add(-1) >= 0:
			w.Header().Set("Access-Control-Allow-Origin", r.Header.Get("Origin"))
			http.Error(w, "busy", http.StatusServiceUnavailable)
		case g.lost.Add(-1) >= 0:
			proxy.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		default:
			proxy.ServeHTTP(w, r)
		}
	}))
	s.Config.ErrorLog = nil
	t.Cleanup(s.Close)
	g.URL = s.URL
	return g
}

// count looks whether an answer is one that a page can show.
func (g *gate) count(r *http.Response) error {
	body, err := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	if bytes.HasPrefix(body, []byte(`{"data":{`)) && !bytes.Contains(body, []byte("UNAUTHENTICATED")) &&
		!bytes.Contains(body, []byte(`"refresh":`)) {
		g.answered.Add(1)
	}
	return err
}

// control is what scripts ask of the gate.
func (g *gate) control(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Access-Control-Allow-Origin", "*")
	w.Header().Set("Access-Control-Allow-Headers", "Authorization")
	switch r.URL.Path {
	case "/gate/forward":
		g.server.Clock.Add(over)
	case "/gate/refreshes":
		fmt.Fprint(w, g.refreshes.Swap(0))
	case "/gate/lose":
		g.lost.Store(1)
	case "/gate/busy":
		g.busy.Store(1)
	case "/gate/cut":
		g.cut.Store(r.URL.RawQuery == "on")
	case "/gate/slow":
		g.slow.Store(r.URL.RawQuery == "on")
	case "/gate/echo":
		fmt.Fprint(w, r.Header.Get("Authorization"))
	case "/gate/backend": // a backend of somebody's own, which answers 401 as REST does
		_, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		answer, err := harness.Send(g.server.URL, token, harness.MeDoc, nil)
		if err != nil || answer.Text("me", "id") == "" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = io.Copy(w, r.Body)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}
