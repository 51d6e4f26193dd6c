package edge

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// TestHT07_HT08_HT09_Answers is every kind of answer: its status, its type with charset, and the headers of all.
func TestHT07_HT08_HT09_Answers(t *testing.T) {
	t.Parallel()
	const js = "application/json"
	cases := []struct {
		method, path, contentType, body string
		status                          int
		header                          []string
	}{
		{"POST", "/graphql", js, harness.MeBody, 200, nil},
		{"POST", "/query", js, harness.MeBody, 200, nil},
		{"POST", "/graphql", js + "; charset=utf-8", harness.MeBody, 200, nil},
		{"POST", "/graphql", js, harness.MeBody, 200, []string{"Accept", "application/graphql-response+json"}},
		{
			"POST", "/graphql", js, `{"query":"{ nothing }"}`, 400,
			[]string{"Accept", "application/graphql-response+json"},
		},
		{"POST", "/graphql", js, `{"query":"{ nothing }"}`, 200, nil},
		{"POST", "/graphql", js, harness.MeBody, 200, []string{"Authorization", "Bearer junk"}},
		{"POST", "/graphql", js, harness.MeBody, 406, []string{"Accept", "text/html"}},
		{"POST", "/graphql", js, `{"query":`, 400, nil},
		{"POST", "/graphql", js, `[` + harness.MeBody + `,` + harness.MeBody + `]`, 400, nil}, // GQ-02
		{"POST", "/graphql", js, "", 400, nil},
		{"POST", "/graphql", "", harness.MeBody, 415, nil},
		{"POST", "/graphql", "text/plain", harness.MeBody, 415, nil}, // GQ-05
		{"POST", "/graphql", "application/x-www-form-urlencoded", "query=%7Bme%7Bid%7D%7D", 415, nil},
		{"POST", "/graphql", "multipart/form-data; boundary=x", "--x--", 415, nil},
		{"POST", "/graphql", "application/graphql", "{ me { id } }", 415, nil},
		{"POST", "/graphql", js + "; charset=utf-16", harness.MeBody, 415, nil},
		{"POST", "/graphql", js, harness.MeBody, 415, []string{"Content-Encoding", "gzip"}},
		{"PUT", "/graphql", js, harness.MeBody, 405, nil},
		{"PATCH", "/graphql", js, harness.MeBody, 405, nil},
		{"DELETE", "/graphql", "", "", 405, nil},
		{"HEAD", "/graphql", "", "", 405, nil},
		{"OPTIONS", "/graphql", "", "", 405, []string{
			"Origin", "https://evil.example", "Access-Control-Request-Method",
			"POST",
		}},
		{"PROPFIND", "/graphql", "", "", 405, nil},
		{"TRACE", "/graphql", "", "", 405, nil},
		{"TRACE", "/healthz", "", "", 405, nil},
		{"TRACE", "/", "", "", 405, nil},
		{"GET", "/graphql?query=%7Bme%7Bid%7D%7D", "", "", 400, nil},
		{"GET", "/graphql?query=%7Bme%7Bid%7D%7D", "", "", 200, []string{"Apollo-Require-Preflight", "1"}},
		{
			"GET", "/graphql?query=mutation%7Blogout%7BuserErrors%7Bcode%7D%7D%7D", "", "", 405,
			[]string{"Apollo-Require-Preflight", "1"},
		},
		{"GET", "/healthz", "", "", 200, nil},
		{"HEAD", "/healthz", "", "", 200, nil},
		{"POST", "/healthz", "", "", 405, nil},
		{"GET", "/readyz", "", "", 200, nil},
		{"DELETE", "/readyz", "", "", 405, nil},
		{"GET", "/.well-known/jwks.json", "", "", 200, nil},
		{"HEAD", "/.well-known/jwks.json", "", "", 200, nil},
		{"POST", "/.well-known/jwks.json", "", "", 405, nil},
		{"GET", "/", "", "", 200, nil},
		{"POST", "/", "", "", 405, nil},
		{"GET", "/playground", "", "", 200, nil},
		{"GET", "/playground/assets/none.js", "", "", 404, nil},
		{"GET", "/nothing", "", "", 404, nil},
		{"POST", "/nothing", js, harness.MeBody, 404, nil},
		{"GET", "/.env", "", "", 404, nil},
		{"GET", "/debug/pprof/", "", "", 404, nil}, // SC-06
		{"GET", "/" + strings.Repeat("a", 9<<10), "", "", 414, nil},
		{"POST", "/graphql?" + strings.Repeat("a", 9<<10), js, harness.MeBody, 414, nil},
		{"POST", "/graphql", js, strings.Repeat(" ", 128<<10+1), 413, nil},
	}
	plain := harness.Start(t, dbtest.SQLite(t))
	secure := harness.Start(t, dbtest.SQLite(t), "DRAGOMAN_PUBLIC_URL=https://auth.example.com",
		"DRAGOMAN_PLAYGROUND=on", "DRAGOMAN_START_PAGE=on")
	seen := map[string]bool{}
	for _, c := range cases {
		name := fmt.Sprintf("%s %.60s %s %v", c.method, c.path, c.contentType, c.header)
		for _, s := range []*harness.Instance{plain, secure} {
			res, body := harness.Fetched(t, c.method, s.URL+c.path, c.contentType, c.body, c.header...)
			h := res.Header
			if res.StatusCode != c.status {
				t.Errorf("%s: status %d, want %d: %.200s", name, res.StatusCode, c.status, body)
			}
			if len(body) > 0 && !strings.HasSuffix(h.Get("Content-Type"), "; charset=utf-8") {
				t.Errorf("%s: Content-Type %q", name, h.Get("Content-Type"))
			}
			if c.status == 405 && c.method != "TRACE" && h.Get("Allow") == "" {
				t.Errorf("%s: no Allow", name)
			}
			if id := h.Get("X-Request-Id"); len(id) < 20 || seen[id] {
				t.Errorf("%s: X-Request-Id %q", name, id)
			} else {
				seen[id] = true
			}
			csp := h.Get("Content-Security-Policy")
			if !strings.HasPrefix(csp, "default-src 'none';") || !strings.Contains(csp, "frame-ancestors 'none'") {
				t.Errorf("%s: CSP %q", name, csp)
			}
			cache := "no-store"
			if strings.HasPrefix(c.path, "/.well-known/jwks.json") && c.status == 200 {
				cache = "public, max-age=300"
			}
			if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Referrer-Policy") != "no-referrer" ||
				h.Get("Cache-Control") != cache {
				t.Errorf("%s: headers %v", name, h)
			}
			hsts := h.Get("Strict-Transport-Security")
			if (s == secure) != strings.HasPrefix(hsts, "max-age=31536000") {
				t.Errorf("%s: HSTS %q", name, hsts)
			}
			public := c.path == "/.well-known/jwks.json" && res.StatusCode == http.StatusOK
			for field := range h { // HT-06: nobody else's page may read anything but the keys
				if strings.HasPrefix(field, "Access-Control-") && !(public && h.Get(field) == "*") {
					t.Errorf("%s: %s", name, field)
				}
			}
			if h.Get("Set-Cookie") != "" || h.Get("Server") != "" || h.Get("X-Powered-By") != "" ||
				h.Get("Location") != "" {
				t.Errorf("%s: headers %v", name, h)
			}
		}
	}
}

// TestHT06_Origins asks from pages of other origins.
func TestHT06_Origins(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, dbtest.SQLite(t))
	for _, origin := range []string{"https://evil.example", "null", "http://localhost.evil.example", s.URL, "*"} {
		for _, method := range []string{"POST", "OPTIONS"} {
			res, _ := harness.Fetched(t, method, s.URL+"/graphql", "application/json", harness.MeBody, "Origin", origin,
				"Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "content-type,authorization")
			for field, values := range res.Header {
				if strings.HasPrefix(field, "Access-Control-") {
					t.Errorf("%s from %s: %s: %s", method, origin, field, values)
				}
			}
		}
	}
}

// TestHT10_Sizes is the bounds of a request, a step below and above each.
func TestHT10_Sizes(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, dbtest.SQLite(t))
	sized := func(n int) string { return harness.MeBody + strings.Repeat(" ", n-len(harness.MeBody)) }
	for n, want := range map[int]int{128 << 10: 200, 128<<10 + 1: 413, 1 << 20: 413} {
		if res, body := harness.Fetched(t, "POST", s.URL+"/graphql", "application/json",
			sized(n)); res.StatusCode != want {
			t.Errorf("a body of %d bytes: %d %.100s, want %d", n, res.StatusCode, body, want)
		}
	}
	// Without a Content-Length the body is counted as it comes.
	chunk := sized(128<<10 + 1)
	if got := harness.Talk(t, s.URL, fmt.Sprintf("POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: "+
		"application/json\r\n"+
		"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(chunk), chunk)); got.Status != 413 {
		t.Errorf("a chunked body beyond the cap: %d", got.Status)
	}
	for n, want := range map[int]int{8 << 10: 404, 8<<10 + 1: 414} {
		if got := harness.Talk(t, s.URL, "GET /"+strings.Repeat("a", n-1)+
			" HTTP/1.1\r\nHost: x\r\n\r\n"); got.Status != want {
			t.Errorf("a target of %d bytes: %d, want %d", n, got.Status, want)
		}
	}
	for n, want := range map[int]int{8 << 10: 200, 32 << 10: 431} {
		if got := harness.Talk(t, s.URL, "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Large: "+strings.Repeat("a", n)+
			"\r\n\r\n"); got.Status != want {
			t.Errorf("a header of %d bytes: %d, want %d", n, got.Status, want)
		}
	}
	v := s.App.HTTPServer()
	if v.ReadHeaderTimeout != 5*time.Second || v.ReadTimeout != 10*time.Second || v.IdleTimeout != time.Minute ||
		v.MaxHeaderBytes != 16<<10 || v.WriteTimeout <= v.ReadTimeout {
		t.Errorf("the bounds of the server are %+v", v)
	}
}

// TestHT10_Slowloris holds 500 connections open that send a byte every half a second, of a header or of a body, and new
// ones in place of those that the server ends: everybody else is served as ever.
func TestHT10_Slowloris(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, dbtest.SQLite(t))
	host := strings.TrimPrefix(s.URL, "http://")
	stop := make(chan struct{})
	var wg sync.WaitGroup
	var longest [2]atomic.Int64
	var ended atomic.Int64
	for i := range 500 {
		header := "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: "
		if i%2 == 1 {
			header = "POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: " +
				"10000\r\n\r\n{"
		}
		wg.Go(func() {
			for !isClosed(stop) {
				began := time.Now()
				if !trickle(t, host, header, stop) {
					continue
				}
				ended.Add(1)
				for most := &longest[i%2]; ; {
					known := most.Load()
					if took := int64(time.Since(began)); took <= known || most.CompareAndSwap(known, took) {
						break
					}
				}
			}
		})
	}
	var took []time.Duration
	for until := time.Now().Add(time.Duration(harness.Amount(13, 60)) * time.Second); time.Now().Before(
		until); time.Sleep(20 * time.Millisecond) {
		asked := time.Now()
		if res, body := harness.Fetched(t, "GET", s.URL+"/readyz", "", ""); res.StatusCode != http.StatusOK {
			t.Errorf("readyz: %d %s", res.StatusCode, body)
		}
		took = append(took, time.Since(asked))
	}
	close(stop)
	wg.Wait()
	slices.Sort(took)
	p99 := took[len(took)*99/100]
	headers, bodies := time.Duration(longest[0].Load()), time.Duration(longest[1].Load())
	t.Logf("readyz p99 %v of %d; %d connections were ended, within %v while in their headers, %v in their bodies", p99,
		len(took), ended.Load(), headers, bodies)
	if p99 > time.Second {
		t.Errorf("readyz p99 %v", p99)
	}
	if ended.Load() < 500 || headers > 9*time.Second || bodies > 14*time.Second {
		t.Errorf("%d connections were ended, after up to %v and %v", ended.Load(), headers, bodies)
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// trickle sends a request byte by byte until the server hangs up, which it tells, or until it is stopped.
func trickle(t *testing.T, host, text string, stop <-chan struct{}) bool {
	conn, err := net.Dial("tcp", host)
	if err != nil {
		t.Error(err)
		return false
	}
	defer conn.Close()
	hungUp := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, conn)
		close(hungUp)
	}()
	ticks := time.NewTicker(500 * time.Millisecond)
	defer ticks.Stop()
	for {
		if _, err := io.WriteString(conn, text); err != nil {
			return true
		}
		text = "x"
		select {
		case <-hungUp:
			return true
		case <-stop:
			return false
		case <-ticks.C:
		}
	}
}

// addressOf finds in the log which client address a request with these headers counted as.
func addressOf(t *testing.T, s *harness.Instance, header ...string) string {
	t.Helper()
	res, _ := harness.Fetched(t, "GET", s.URL+"/healthz", "", "", header...)
	return loggedAddress(t, s, res.Header.Get("X-Request-Id"))
}

func loggedAddress(t *testing.T, s *harness.Instance, id string) string {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		for line := range strings.SplitSeq(s.Logged.String(), "\n") {
			var entry struct {
				Msg, IP string
				ID      string `json:"request_id"`
			}
			if json.Unmarshal([]byte(line), &entry) == nil && entry.Msg == "request" && entry.ID == id {
				return entry.IP
			}
		}
	}
	t.Fatalf("request %s is not in the log", id)
	return ""
}

// TestHT13_ClientAddress spoofs X-Forwarded-For in every way that there is.
func TestHT13_ClientAddress(t *testing.T) {
	t.Parallel()
	direct := harness.Start(t, dbtest.SQLite(t))
	behind := harness.Start(t, dbtest.SQLite(t), "DRAGOMAN_TRUSTED_PROXIES=127.0.0.0/8,10.0.0.0/8,fd00::/8")
	const self = "127.0.0.1"
	cases := []struct{ name, forwarded, want string }{
		{"none", "", self},
		{"one", "203.0.113.9", "203.0.113.9"},
		{"the right-most counts", "1.1.1.1, 203.0.113.9", "203.0.113.9"},
		{"proxies on the way", "1.1.1.1, 203.0.113.9, 10.1.2.3, 127.0.0.9", "203.0.113.9"},
		{"nothing but proxies", "10.9.9.9, 10.1.2.3", "10.9.9.9"},
		{"a claim behind a proxy's own address", "8.8.8.8, 10.1.2.3", "8.8.8.8"},
		{"IPv6", "2001:db8::1", "2001:db8::1"},
		{"IPv6 in brackets", "[2001:db8::1]", "2001:db8::1"},
		{"IPv6 with port", "[2001:db8::1]:443", "2001:db8::1"},
		{"IPv4 with port", "203.0.113.9:4711", "203.0.113.9"},
		{"IPv4 in IPv6", "::ffff:203.0.113.9", "203.0.113.9"},
		{"a proxy as IPv4 in IPv6", "203.0.113.9, ::ffff:10.1.2.3", "203.0.113.9"},
		{"an IPv6 proxy", "2001:db8::1, fd00::1", "2001:db8::1"},
		{"a zone", "fe80::1%eth0", "fe80::1"},
		{"upper case", "2001:DB8::A", "2001:db8::a"},
		{"a word", "a", self},
		{"unknown", "unknown", self},
		{"garbage at the end", "203.0.113.9, garbage", self},
		{"garbage at the start", "garbage, 203.0.113.9", "203.0.113.9"},
		{"empty hops", "203.0.113.9,,", self},
		{"only a comma", ",", self},
		{"spaces", "   203.0.113.9   ", "203.0.113.9"},
		{"an octet too large", "203.0.113.999", self},
		{"leading zeros", "203.0.113.009", self},
		{"injection", "203.0.113.9' OR 1=1", self},
		{"long", strings.Repeat("1.1.1.1, ", 500) + "203.0.113.9", "203.0.113.9"},
	}
	for _, c := range cases {
		var header []string
		if c.forwarded != "" {
			header = []string{"X-Forwarded-For", c.forwarded}
		}
		if got := addressOf(t, behind, header...); got != c.want {
			t.Errorf("%s: behind a proxy the address is %q, want %q", c.name, got, c.want)
		}
		if got := addressOf(t, direct, header...); got != self {
			t.Errorf("%s: without proxies the address is %q", c.name, got)
		}
	}
	for _, name := range []string{
		"X-Real-IP", "Forwarded", "True-Client-IP", "CF-Connecting-IP", "X-Client-IP",
		"X-Original-Forwarded-For",
	} {
		if got := addressOf(t, behind, name, "for=203.0.113.9"); got != self {
			t.Errorf("%s moved the address to %q", name, got)
		}
	}
	two := harness.Talk(t, behind.URL, "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: "+
		"1.1.1.1\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n")
	if got := loggedAddress(t, behind, two.Header.Get("X-Request-Id")); got != "203.0.113.9" {
		t.Errorf("two fields: %q", got)
	}
	// The address that is kept is the same one.
	a := harness.Asked(t, behind.URL, "", harness.RegisterDoc,
		harness.InputOf("email", "ada@example.com", "password", harness.GoodPass), "X-Forwarded-For",
		"6.6.6.6, 203.0.113.9")
	sessions := harness.Asked(t, behind.URL, a.Text("register", "tokens", "accessToken"), harness.SessionsDoc,
		nil).At("sessions").([]any)
	if got := sessions[0].(map[string]any)["ipAddress"]; got != "203.0.113.9" {
		t.Errorf("the session was made from %v", got)
	}
}

// TestHT14_HostIsNotBelieved sends forged hosts and schemes: nothing that the server says depends on them.
func TestHT14_HostIsNotBelieved(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn, "DRAGOMAN_TRUSTED_PROXIES=127.0.0.0/8")
		forged := []string{
			"Host", "evil.example", "X-Forwarded-Host", "evil.example", "X-Forwarded-Proto", "https",
			"Forwarded", "host=evil.example;proto=https", "X-Forwarded-Port", "1", "X-Forwarded-Prefix", "/evil",
			"Origin", "https://evil.example", "X-Original-URL", "/evil", "X-Rewrite-URL", "/evil",
			"X-HTTP-Method-Override", "DELETE",
		}
		for _, path := range []string{
			"/", "/playground", "/.well-known/jwks.json", "/healthz", "/nothing", "/graphql/",
			"//",
		} {
			plain, want := harness.Fetched(t, "GET", s.URL+path, "", "")
			res, body := harness.Fetched(t, "GET", s.URL+path, "", "", forged...)
			if body != want || res.StatusCode != plain.StatusCode || res.Header.Get("Location") != "" ||
				res.Header.Get("Strict-Transport-Security") != "" {
				t.Errorf("%s: %d %v %.200s", path, res.StatusCode, res.Header, body)
			}
		}
		a := harness.Asked(t, s.URL, "", harness.RegisterDoc,
			harness.InputOf("email", "ada@example.com", "password", harness.GoodPass), forged...)
		claims := harness.ClaimsOf(t, a.Text("register", "tokens", "accessToken"))
		if claims["iss"] != s.URL || claims["aud"] != s.URL {
			t.Errorf("iss %v, aud %v, want %s", claims["iss"], claims["aud"], s.URL)
		}
		if strings.Contains(a.Raw+s.Logged.String(), "evil") || strings.Contains(harness.Dump(t, dsn), "evil") {
			t.Error("the forged host was kept")
		}
	})
}

// TestHT18_Smuggling sends requests whose length can be read in two ways: they are refused, or read by their chunks,
// and the connection is closed in each case, so that nothing behind them is ever taken for a request.
func TestHT18_Smuggling(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, dbtest.SQLite(t))
	const head = "POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
	chunked := fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(harness.MeBody), harness.MeBody)
	hidden := "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
	cases := []struct {
		name, text string
		status     int
	}{
		{"two lengths", head + "Content-Length: 25\r\nContent-Length: 3\r\n\r\n" + harness.MeBody, 400},
		{"a list of lengths", head + "Content-Length: 25, 3\r\n\r\n" + harness.MeBody, 400},
		{"a signed length", head + "Content-Length: +25\r\n\r\n" + harness.MeBody, 400},
		{"a negative length", head + "Content-Length: -1\r\n\r\n" + harness.MeBody, 400},
		{"another coding", head + "Transfer-Encoding: gzip, chunked\r\n\r\n" + chunked, 501},
		{"a coding that is none", head + "Transfer-Encoding: xchunked\r\n\r\n" + chunked, 501},
		{"two codings", head + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n" + chunked, 501},
		{"a space before the colon", head + "Transfer-Encoding : chunked\r\n\r\n" + chunked, 400},
		{"a space before the first name", "GET /healthz HTTP/1.1\r\n X: y\r\nHost: x\r\n\r\n", 400},
		{"a bad chunk size", head + "Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n", 400},
		{"no Host", "GET /healthz HTTP/1.1\r\n\r\n", 400},
		{"two Hosts", "GET /healthz HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400},
		{"NUL in a header", "GET /healthz HTTP/1.1\r\nHost: x\r\nA: b\x00c\r\n\r\n", 400},
		{
			"chunked with a shorter length", head + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked,
			200,
		},
		{"chunked with a list of lengths", head + "Content-Length: 3, 25\r\nTransfer-Encoding: chunked\r\n\r\n" +
			chunked, 400},
		{"chunked with a length that is none", head + "Content-Length: x\r\nTransfer-Encoding: chunked\r\n\r\n" +
			chunked, 400},
		{"chunked, in HTTP/1.0", strings.Replace(head, "1.1", "1.0", 1) + "Transfer-Encoding: chunked\r\n\r\n" +
			chunked, 400},
		{
			"a line broken by LF alone", head + "X: y\nTransfer-Encoding: chunked\nContent-Length: 3\r\n\r\n" + chunked,
			200,
		},
		{"a folded coding", head + "Transfer-Encoding:\r\n chunked\r\nContent-Length: 3\r\n\r\n" + chunked, 200},
		{"chunked with an extension", head + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n" +
			strings.Replace(chunked, "\r\n", ";a=b\r\n", 1), 200},
		{"chunked with a trailer", head + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\nTrailer: Host\r\n\r\n" +
			strings.TrimSuffix(chunked, "\r\n") + "Host: y\r\n\r\n", 200},
		{"chunked with a longer length", head + fmt.Sprintf("Content-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n",
			len(chunked)+len(hidden)) + chunked, 200},
	}
	for _, c := range cases {
		got := harness.Talk(t, s.URL, c.text)
		if got.Status != c.status {
			t.Errorf("%s: %d %.100s, want %d", c.name, got.Status, got.Body, c.status)
		}
		if !got.Closed {
			t.Errorf("%s: the connection stays open after %d", c.name, got.Status)
		}
		if got.Rest != "" {
			t.Errorf("%s: a second answer: %q", c.name, got.Rest)
		}
	}
	for _, path := range []string{
		"/graphql", "/query", harness.Generic + "/login", "/sign_in", "/healthz",
		"/nothing",
	} {
		for name, length := range map[string]string{
			"shorter": "Content-Length: 3\r\n",
			"longer":  "Content-Length: 4000\r\n", "no": "", "empty": "Content-Length: 0\r\n",
		} {
			got := harness.Talk(t, s.URL, strings.Replace(head, "/graphql", path, 1)+length+
				"Transfer-Encoding: chunked\r\n\r\n"+chunked+hidden)
			if got.Status == 0 || !got.Closed || got.Rest != "" {
				t.Errorf("%s with %s length and a request behind it: %d, closed %t, then %q", path, name, got.Status,
					got.Closed, got.Rest)
			}
		}
	}
	if strings.Contains(s.Logged.String(), "/smuggled") {
		t.Error("a hidden request was served")
	}
	// Requests with one length share a connection, as ever.
	if got := harness.Talk(t, s.URL, harness.RawPost("/graphql", harness.MeBody)+
		harness.RawPost("/graphql", harness.MeBody, "Connection", "close")); !strings.HasPrefix(got.Rest,
		"HTTP/1.1 200 OK") {
		t.Errorf("two honest requests: %d, then %q", got.Status, got.Rest)
	}
}

// TestLG17_PathShapes uses the limit for sign-ins up and looks for a spelling of the path that gets around it.
func TestLG17_PathShapes(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, dbtest.SQLite(t), "DRAGOMAN_RATE_LIMITS=on")
	document, variables := harness.Counted(t, "login")
	body, _ := json.Marshal(map[string]any{"query": document, "variables": variables})
	for range 60 {
		if got := harness.Asked(t, s.URL, "", document, variables); got.Status != 200 {
			t.Fatalf("%d %s", got.Status, got.Raw)
		}
	}
	paths := map[string]int{
		"/graphql": 429, "/query": 429, "/graphql?": 429, "/graphql?x=/y": 429, "http://x/graphql": 429,
		"/graphql#x": 0,
		"//graphql":  404, "///graphql": 404, "/graphql/": 404, "/graphql//": 404, "/GraphQL": 404, "/GRAPHQL": 404,
		"/%67raphql": 404, "/graphql%2f": 404, "/graphql%2F": 404, "/%2fgraphql": 404, "/./graphql": 404,
		"/graphql/.":    404,
		"/x/../graphql": 404, "/graphql/../graphql": 404, "/x/%2e%2e/graphql": 404, "/graphql%00": 404,
		"/graphql%20":  404,
		"/graphql;x=1": 404, "/graphql\\": 404, "/\\graphql": 404, "/graphql.": 404, "/%2567raphql": 404, "/Query": 404,
		"/query/":           404,
		"http://x//graphql": 404, "graphql": 400, "*": 0,
	}
	for path, want := range paths {
		got := harness.Talk(t, s.URL, harness.RawPost(path, string(body), "Connection", "close"))
		if want != 0 && got.Status != want {
			t.Errorf("%s: %d %.100s, want %d", path, got.Status, got.Body, want)
		}
		if got.Status < 400 {
			t.Errorf("%s got around the limit: %d %.100s", path, got.Status, got.Body)
		}
	}
	for _, header := range []string{"X-Original-URL", "X-Rewrite-URL", "X-HTTP-Method-Override", "X-Forwarded-For"} {
		if got := harness.Talk(t, s.URL, harness.RawPost("/graphql", string(body), header, "1.2.3.4", "Connection",
			"close")); got.Status != 429 {
			t.Errorf("%s got around the limit: %d", header, got.Status)
		}
	}
}

// TestHT16_AV01_BrokenDatabase takes a table away and asks for everything: no answer tells why it fails, and none says
// that somebody is signed in, or that nobody is.
func TestHT16_AV01_BrokenDatabase(t *testing.T) {
	t.Parallel()
	// What still works without the table is left out: an API key needs no session, and a logout no account.
	for table, works := range map[string][]string{
		"sessions": {
			"me by key", "keys by key", "credential by key", "wrong by token", "wrong by key", "nobody by token",
			"nobody by key",
		},
		"users": {"out by token", "out by key", "logout by token", "logout by key"},
		"audit_events": {
			"me by token", "me by key", "sessions by token", "sessions by key", "keys by token", "keys by key",
			"credential by token", "credential by key",
		},
	} {
		t.Run("without "+table, func(t *testing.T) {
			t.Parallel()
			dbtest.Each(t, func(t *testing.T, dsn string) {
				s := harness.Start(t, dsn)
				ada := s.Register(t, "ada@example.com")
				key := s.GraphQL(t, ada.Access, harness.CreateKey, nil).Text("createApiKey", "secret")
				harness.OpenSide(t, dsn).MustExec(t, "ALTER TABLE "+table+" RENAME TO no_longer_"+table)
				everythingFails(t, s, ada, key, works...)
			})
		})
	}
}

// TestAV01_AV04_PostgresGone takes the whole database away, and gives it back.
func TestAV01_AV04_PostgresGone(t *testing.T) {
	t.Parallel()
	dsn := dbtest.Postgres(t)
	s := harness.Start(t, dsn, "DRAGOMAN_RATE_LIMITS=on")
	ada := s.Register(t, "ada@example.com")
	key := s.GraphQL(t, ada.Access, harness.CreateKey, nil).Text("createApiKey", "secret")
	if res, _ := harness.Fetched(t, "GET", s.URL+"/readyz", "", ""); res.StatusCode != 200 {
		t.Fatalf("readyz at the start: %d", res.StatusCode)
	}
	u, _ := url.Parse(dsn)
	name := strings.TrimPrefix(u.Path, "/")
	u.Path = "/postgres"
	admin := harness.OpenSide(t, u.String())
	admin.MustExec(t, `ALTER DATABASE `+name+` ALLOW_CONNECTIONS false`)
	admin.MustExec(t, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '`+name+`'`)

	everythingFails(t, s, ada, key)
	for range 3 {
		ready, body := harness.Fetched(t, "GET", s.URL+"/readyz", "", "")
		if ready.StatusCode != http.StatusServiceUnavailable || harness.Leaks.MatchString(body) {
			t.Errorf("readyz: %d %s", ready.StatusCode, body)
		}
		if alive, _ := harness.Fetched(t, "GET", s.URL+"/healthz", "", ""); alive.StatusCode != 200 {
			t.Errorf("healthz: %d", alive.StatusCode)
		}
		if jwks, _ := harness.Fetched(t, "GET", s.URL+"/.well-known/jwks.json", "", ""); jwks.StatusCode != 200 {
			t.Errorf("JWKS: %d", jwks.StatusCode)
		}
	}
	if a := s.GraphQL(t, ada.Access, `{ serverInfo { version } }`, nil); a.Text("serverInfo", "version") == "" {
		t.Errorf("serverInfo needs no database: %s", a.Raw)
	}
	admin.MustExec(t, `ALTER DATABASE `+name+` ALLOW_CONNECTIONS true`)
	for deadline := time.Now().Add(2 * time.Second); !s.Is(t, ada.Access, ada); {
		if time.Now().After(deadline) {
			t.Fatal("not healed within two seconds")
		}
	}
	if res, _ := harness.Fetched(t, "GET", s.URL+"/readyz", "", ""); res.StatusCode != 200 {
		t.Errorf("readyz after healing: %d", res.StatusCode)
	}
	if !s.Is(t, key, ada) || s.Refresh(t, ada.Refresh).Code() != "" {
		t.Error("the key or the refresh token did not come through")
	}
}

// everythingFails sends every document with every credential to a server whose database is broken.
func everythingFails(t *testing.T, s *harness.Instance, ada harness.Account, key string, but ...string) {
	t.Helper()
	documents := map[string]struct {
		document  string
		variables map[string]any
	}{
		"login":    {harness.LoginDoc, harness.InputOf("email", ada.Email, "password", harness.GoodPass)},
		"wrong":    {harness.LoginDoc, harness.InputOf("email", ada.Email, "password", "wrong wrong wrong")},
		"nobody":   {harness.LoginDoc, harness.InputOf("email", "nobody@example.com", "password", "wrong wrong wrong")},
		"register": {harness.RegisterDoc, harness.InputOf("email", "eve@example.com", "password", harness.GoodPass)},
		"refresh":  {harness.RefreshDoc, map[string]any{"token": ada.Refresh}},
		"create":   {harness.CreateKey, nil},
		"logout":   {harness.LogoutDoc, harness.InputOf("refreshToken", ada.Refresh)},
		"me":       {harness.MeDoc, nil}, "sessions": {harness.SessionsDoc, nil}, "keys": {harness.KeysDoc, nil},
		"others":     {harness.EndOthersDoc, nil},
		"credential": {`{ currentCredential { kind } }`, nil}, "out": {harness.LogoutDoc, nil},
	}
	for name, d := range documents {
		for by, credential := range map[string]string{"token": ada.Access, "key": key} {
			name := name + " by " + by
			if slices.Contains(but, name) {
				continue
			}
			a := s.GraphQL(t, credential, d.document, d.variables)
			if strings.Contains(a.Raw, ada.ID) || strings.Contains(a.Raw, `"accessToken":"`) ||
				strings.Contains(a.Raw, `"userErrors"`) {
				t.Errorf("%s: the answer has data: %s", name, a.Raw)
			}
			if len(a.Errors) == 0 || a.Code() == "UNAUTHENTICATED" {
				t.Errorf("%s: %d %s", name, a.Status, a.Raw)
			}
			shown := strings.NewReplacer(a.Header.Get("X-Request-Id"), "").Replace(a.Raw)
			if found := harness.Leaks.FindString(shown); found != "" {
				t.Errorf("%s: the answer tells %q: %s", name, found, a.Raw)
			}
			for field, values := range a.Header {
				if field != "X-Request-Id" && harness.Leaks.MatchString(strings.Join(values, " ")) {
					t.Errorf("%s: the header tells %s: %s", name, field, values)
				}
			}
		}
	}
}

// TestHT16_InvalidInputTellsNothing greps the answers to malformed requests.
func TestHT16_InvalidInputTellsNothing(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		ada := s.Register(t, "ada@example.com")
		hostile := []string{
			"'", `\`, "'; DROP TABLE users; --", "%00", "../../etc/passwd", "{{7*7}}", "${jndi:x}", "?",
			"$1", "?1", ":a", "😀", "",
		}
		for _, text := range hostile {
			for _, a := range []*harness.Answer{
				s.GraphQL(t, ada.Access, `query($id: ID) { session(id: $id) { id } }`, map[string]any{"id": text}),
				s.GraphQL(t, ada.Access, harness.EndSessionDoc, harness.InputOf("id", text)),
				s.GraphQL(t, ada.Access, harness.DropKeyDoc, harness.InputOf("id", text)),
				s.GraphQL(t, ada.Access, harness.CreateKey, harness.InputOf("name", text)),
				s.GraphQL(t, text, harness.MeDoc, nil),
				s.GraphQL(t, "sk_live_"+text, harness.MeDoc, nil),
				s.Refresh(t, text),
				s.GraphQL(t, "", harness.LogoutDoc, harness.InputOf("refreshToken", text)),
				s.GraphQL(t, "", text, nil),
			} {
				if a.Status >= 500 || strings.Contains(a.Raw, "INTERNAL") ||
					harness.Leaks.MatchString(strings.ReplaceAll(a.Raw, a.Header.Get("X-Request-Id"), "")) {
					t.Errorf("%q: %d %s", text, a.Status, a.Raw)
				}
			}
		}
	})
}

// TestKE06_HostileTextIsKeptAsItIs writes SQL into every free field and reads it back.
func TestKE06_HostileTextIsKeptAsItIs(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		const text = `Robert'); DROP TABLE users;-- ? ?0 ?1 $1 \' \\ " {} %s`
		a := s.GraphQL(t, "", harness.RegisterDoc, harness.InputOf("email", "o'neil+$1?@example.com", "password",
			harness.GoodPass, "name", text,
			"metadata", map[string]any{text: text}))
		if a.Text("register", "user", "name") != text || a.Text("register", "user", "metadata", text) != text {
			t.Fatalf("registered %s", a.Raw)
		}
		access := a.Text("register", "tokens", "accessToken")
		s.GraphQL(t, access, harness.CreateKey, harness.InputOf("name", text))
		keys, _ := s.GraphQL(t, access, harness.KeysDoc, nil).At("keys").([]any)
		if len(keys) != 1 || keys[0].(map[string]any)["name"] != text {
			t.Errorf("keys %v", keys)
		}
		harness.Asked(t, s.URL, "", harness.LoginDoc, harness.InputOf("email", "o'neil+$1?@example.com", "password",
			harness.GoodPass), "User-Agent", text)
		sessions := s.GraphQL(t, access, harness.SessionsDoc, nil)
		if list, _ := sessions.At("sessions").([]any); len(list) != 2 || list[0].(map[string]any)["userAgent"] != text {
			t.Errorf("sessions %s", sessions.Raw)
		}
	})
}

// TestGQ01_GQ02_OneSecretARequest tries to guess many passwords in one request.
func TestGQ01_GQ02_OneSecretARequest(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		var aliases, literals strings.Builder
		for i := range 20 {
			fmt.Fprintf(&aliases, `a%d: login(input: {email: "a@b.example", password: "guess %d"}) { userErrors { `+
				`code } } `, i, i)
		}
		fmt.Fprintf(&literals, `fragment f on Mutation { login(input: {email: "a@b.example", password: "x"}) { `+
			`userErrors { code } } } mutation { ...f b: refresh(input: {refreshToken: "x"}) { userErrors { code } } }`)
		for _, document := range []string{"mutation {" + aliases.String() + "}", literals.String()} {
			if a := s.GraphQL(t, "", document, nil); a.Data != nil || len(a.Errors) == 0 {
				t.Errorf("%.60s: %s", document, a.Raw)
			}
		}
		one, _ := json.Marshal(map[string]any{
			"query":     harness.LoginDoc,
			"variables": harness.InputOf("email", "a@b.example", "password", "guess guess"),
		})
		batch := bytes.Join([][]byte{one, one, one}, []byte(","))
		if res, body := harness.Fetched(t, "POST", s.URL+"/graphql", "application/json", "["+string(batch)+
			"]"); res.StatusCode != 400 {
			t.Errorf("a batch: %d %s", res.StatusCode, body)
		}
		if rows := harness.OpenSide(t, dsn).Audit(t); len(rows) != 0 {
			t.Errorf("%d attempts were judged", len(rows))
		}
	})
}

// TestGQ04_PublicListener is what auto means where others can reach the server: no schema, no playground, no start
// page.
func TestGQ04_PublicListener(t *testing.T) {
	t.Parallel()
	local := harness.Start(t, dbtest.SQLite(t))
	public := harness.Start(t, dbtest.SQLite(t), "DRAGOMAN_LISTEN=0.0.0.0:8080",
		"DRAGOMAN_PUBLIC_URL=http://auth.example.com")
	// loopback, and a proxy before it
	proxied := harness.Start(t, dbtest.SQLite(t), "DRAGOMAN_PUBLIC_URL=https://auth.example.com")
	opened := harness.Start(t, dbtest.SQLite(t), "DRAGOMAN_LISTEN=:8080", "DRAGOMAN_PLAYGROUND=on",
		"DRAGOMAN_START_PAGE=on", "DRAGOMAN_INTROSPECTION=on")
	closed := harness.Start(t, dbtest.SQLite(t), "DRAGOMAN_PLAYGROUND=off", "DRAGOMAN_START_PAGE=off",
		"DRAGOMAN_INTROSPECTION=off")
	for s, want := range map[*harness.Instance]bool{
		local: true, public: false, proxied: false, opened: true,
		closed: false,
	} {
		a := s.GraphQL(t, "", `{ __schema { queryType { name } } }`, nil)
		if (a.Text("__schema", "queryType", "name") == "Query") != want {
			t.Errorf("introspection, want %t: %s", want, a.Raw)
		}
		for _, path := range []string{"/", "/playground"} {
			if res, _ := harness.Fetched(t, "GET", s.URL+path, "", ""); (res.StatusCode == 200) != want {
				t.Errorf("%s: %d, want open %t", path, res.StatusCode, want)
			}
		}
		if a := s.GraphQL(t, "", `{ meh { id } }`, nil); strings.Contains(a.Raw, "Did you mean") != want {
			t.Errorf("a name is suggested where the schema is hidden, or none where it is shown: %s", a.Raw)
		}
	}
	// GQ-08: nothing in the schema is named like what must not leave the database.
	names := local.GraphQL(t, "", `{ __schema { types { name fields { name } inputFields { name } } } }`, nil).Raw
	for _, name := range []string{
		"hash", "sealed", "private", "generation", "idleSeconds", "revoked_reason",
		"canonical",
	} {
		if strings.Contains(strings.ToLower(names), `"`+name) {
			t.Errorf("the schema has a field named like %s", name)
		}
	}
}
