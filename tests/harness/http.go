package harness

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// MustDecode reads base64url without padding.
func MustDecode(t *testing.T, part string) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Heard is what came back over a raw socket; status 0 where nothing did.
type Heard struct {
	Status int
	Header http.Header
	Body   string
	Closed bool // whether the server closed the connection after it
	Rest   string
}

// Talk writes text to a connection of its own, byte for byte, and reads one answer and what follows it.
func Talk(t testing.TB, address, text string) Heard {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	go func() { _, _ = io.WriteString(conn, text) }()
	reader := bufio.NewReader(conn)
	res, err := http.ReadResponse(reader, nil)
	if err != nil {
		return Heard{Closed: true}
	}
	body, _ := io.ReadAll(res.Body)
	h := Heard{Status: res.StatusCode, Header: res.Header, Body: string(body)}
	_ = conn.SetReadDeadline(time.Now().Add(time.Second))
	rest, err := io.ReadAll(reader)
	h.Rest, h.Closed = string(rest), err == nil
	return h
}

// RawPost is the text of a POST with a JSON body.
func RawPost(target, body string, header ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n", target,
		len(body))
	for i := 0; i+1 < len(header); i += 2 {
		fmt.Fprintf(&b, "%s: %s\r\n", header[i], header[i+1])
	}
	return b.String() + "\r\n" + body
}

// Fetched sends one request.
func Fetched(t testing.TB, method, address, contentType, body string, header ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequest(method, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	if host := r.Header.Get("Host"); host != "" {
		r.Host = host
	}
	res, err := Client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(b)
}

// MeBody is the body of the smallest request.
const MeBody = `{"query":"{ me { id } }"}`

// Leaks is what no answer may hold.
var Leaks = regexp.MustCompile(`(?i)sqlite|sqlstate|postgres|pgx|\bsql\b|relation |no such (table|column)|select ` +
	`|insert |update |no_longer|constraint|` +
	`syntax error at|fatal|dial |connect|refused|/tmp/|/var/|/home/|\.go\b|goroutine|panic|runtime|argon2|nil pointer`)

// MetricsToken is a token for /metrics.
const MetricsToken = "Kt7Vq2Zx9Rw4Nb6Mj1Hg8Fd3Sa5Lp0Cy-Te"

// Scrape reads the figures. Their keys are name{label="value",…} as Prometheus writes them.
func Scrape(t testing.TB, url, token string) (figures map[string]float64, page string) {
	t.Helper()
	res, page := Fetched(t, http.MethodGet, url+"/metrics", "", "", "Authorization", "Bearer "+token)
	if res.StatusCode != http.StatusOK || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/plain") {
		t.Fatalf("/metrics: %d %v %s", res.StatusCode, res.Header, page)
	}
	figures = map[string]float64{}
	for lines := bufio.NewScanner(strings.NewReader(page)); lines.Scan(); {
		if key, value, ok := strings.Cut(lines.Text(), "} "); ok {
			figures[key+"}"], _ = strconv.ParseFloat(value, 64)
		} else if key, value, ok := strings.Cut(lines.Text(), " "); ok && key != "#" {
			figures[key], _ = strconv.ParseFloat(value, 64)
		}
	}
	return figures, page
}
