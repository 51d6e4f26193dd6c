package harness

import (
	"bytes"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// Prefix is the path below which the servers of Below are.
const Prefix = "/accounts"

// Proxies are the two kinds of proxy that serve a site below a path prefix: one forwards paths as they come, and one
// strips the prefix.
var Proxies = map[string]bool{"forwards": false, "strips": true}

// Front is a proxy before a server. It serves the server below Prefix, and another program everywhere else. It reads
// every answer of the server for addresses that leave the prefix out.
type Front struct {
	URL       string // of the other program, and so the origin of both
	server    string // the address of the server behind the proxy
	own       *regexp.Regexp
	transport http.RoundTripper
	mu        sync.Mutex
	lost      []string // addresses without the prefix, and requests for the other program
}

// Below runs a server on the database of dsn below a path prefix, behind a proxy that strips it or not, of https or
// http. The URL of the instance is that of the proxy, with the prefix.
func Below(t testing.TB, dsn string, strips, secure bool, env ...string) (*Instance, *Front) {
	t.Helper()
	f := &Front{}
	front := httptest.NewUnstartedServer(nil)
	scheme := map[bool]string{true: "https://", false: "http://"}[secure]
	f.URL = scheme + front.Listener.Addr().String()
	i := Start(t, dsn, append([]string{
		"DRAGOMAN_PUBLIC_URL=" + f.URL + Prefix, "DRAGOMAN_TRUSTED_PROXIES=127.0.0.0/8", "DRAGOMAN_MAILBOX=on",
	}, env...)...)
	f.server = strings.TrimPrefix(i.URL, "http://")
	f.own = regexp.MustCompile(regexp.QuoteMeta(f.URL) + `(/[^"'\s<>` + "`" + `]*)`)
	front.Config.Handler = f.handler(strips)
	if secure {
		front.StartTLS()
	} else {
		front.Start()
	}
	t.Cleanup(front.Close)
	f.transport = front.Client().Transport
	i.URL = f.URL + Prefix
	return i, f
}

// handler is the proxy.
func (f *Front) handler(strips bool) http.Handler {
	toServer := http.Handler(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: f.server})
			r.Out.Host = r.In.Host
			r.Out.Header.Del("Accept-Encoding") // the transport asks for gzip itself, and unpacks it
			r.SetXForwarded()
		},
		ModifyResponse: f.read,
	})
	if strips {
		toServer = http.StripPrefix(Prefix, toServer)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == Prefix || strings.HasPrefix(r.URL.Path, Prefix+"/") {
			toServer.ServeHTTP(w, r)
			return
		}
		f.note("%s %s was asked of the other program", r.Method, r.URL)
		http.NotFound(w, r)
	})
}

// Client returns a client of the proxy that follows no redirects.
func (f *Front) Client(jar http.CookieJar) *http.Client {
	return &http.Client{
		Jar: jar, Transport: f.transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Whole demands that nothing was given out or asked for without the prefix.
func (f *Front) Whole(t testing.TB) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, lost := range f.lost {
		t.Error(lost)
	}
}

func (f *Front) note(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lost = append(f.lost, fmt.Sprintf(format, args...))
}

// bare matches a path of the server itself where an address can stand: behind a quote, a bracket, a space or a mark.
var bare = regexp.MustCompile(`["'(=>\s;]/(_|graphql|query|docs|playground|account|dev|healthz|readyz|metrics|` +
	`favicon\.ico|\.well-known)\b[^"'<)\s]*`)

// reference matches an attribute of HTML that leads somewhere, and an address in a style sheet.
var reference = regexp.MustCompile(`(?:(?:href|src|action|formaction|data-[a-z]+)=|url\()["']?(/[^"')]*)`)

// unread matches paths of files of others, and media types without paths of the server.
var unread = regexp.MustCompile(`\.(min|production)-|^font/|^text/css`)

// read looks for addresses of the site without the prefix in an answer.
func (f *Front) read(res *http.Response) error {
	if res.Header.Get("Content-Encoding") != "" {
		f.note("%s: the answer is compressed and was not read", res.Request.URL.Path)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	res.Body = io.NopCloser(bytes.NewReader(body))
	at := res.Request.Method + " " + res.Request.URL.Path
	for _, c := range res.Cookies() {
		if c.Path != Prefix && !strings.HasPrefix(c.Path, Prefix+"/") || c.Domain != "" {
			f.note("%s: the cookie %s is for %q", at, c.Name, c.Path)
		}
	}
	text := html.UnescapeString(string(body))
	if strings.Contains(text, f.server) {
		f.note("%s: the answer names the server behind the proxy", at)
	}
	var paths []string
	for _, found := range append(f.own.FindAllStringSubmatch(text, -1),
		reference.FindAllStringSubmatch(string(body), -1)...) { // not of code that a page shows
		paths = append(paths, found[1])
	}
	if to := res.Header.Get("Location"); strings.HasPrefix(to, "/") || strings.HasPrefix(to, f.URL) {
		paths = append(paths, strings.TrimPrefix(to, f.URL))
	}
	for _, link := range res.Header.Values("Link") {
		if to, ok := strings.CutPrefix(link, "</"); ok {
			paths = append(paths, "/"+to)
		}
	}
	for _, path := range paths {
		if path != Prefix && !strings.HasPrefix(path, Prefix+"/") {
			f.note("%s: the answer leads to %s", at, path)
		}
	}
	if !unread.MatchString(res.Request.URL.Path) && !unread.MatchString(res.Header.Get("Content-Type")) {
		for _, found := range bare.FindAllString(text, -1) {
			f.note("%s: the answer says %s", at, found)
		}
	}
	return nil
}
