package harness

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/app"
	"github.com/dragoman-auth/dragoman/internal/config"
	"github.com/dragoman-auth/dragoman/internal/password"
)

// Instance is a server in this process, on a real socket.
type Instance struct {
	URL    string
	App    *app.Server
	Clock  *Clock // an access token of GraphQL lasts 10 minutes: sign in again after a longer step
	Logged *LogSink
}

// LogSink gathers what the server logs, at debug level.
type LogSink struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write takes a part of the log.
func (s *LogSink) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.Write(b)
}

// String is the log up to now.
func (s *LogSink) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.String()
}

// Start runs a server on the database of dsn with settings NAME=value. Limits are off unless a setting says otherwise,
// so that tests of other things are not slowed down.
func Start(t testing.TB, dsn string, env ...string) *Instance {
	t.Helper()
	return StartWithClock(t, NewClock(), dsn, env...)
}

// StartWithClock is start for several instances that share a clock.
func StartWithClock(t testing.TB, c *Clock, dsn string, env ...string) *Instance {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]string{
		"DRAGOMAN_LISTEN":      l.Addr().String(),
		"DRAGOMAN_SECRET":      Secret,
		"DRAGOMAN_RATE_LIMITS": "off",
		"DRAGOMAN_LOG_LEVEL":   "debug",
		"DRAGOMAN_MIGRATE":     "off", // dbtest has done it, once for all
	}
	if path, ok := strings.CutPrefix(dsn, "sqlite:"); ok {
		values["DRAGOMAN_DATA_DIR"] = strings.TrimSuffix(path, "/dragoman.db")
	} else {
		values["DATABASE_URL"] = dsn
	}
	hasher, sends := password.NewThrowawayHasher(runtime.GOMAXPROCS(0)), true
	for _, e := range env {
		switch e {
		case RealHashes:
			hasher = password.NewHasher(runtime.GOMAXPROCS(0))
			continue
		case MailWaits:
			sends = false
			continue
		}
		name, value, _ := strings.Cut(e, "=")
		values[name] = value
	}
	settings, err := config.Load(func(name string) string { return values[name] })
	if err != nil {
		t.Fatal(err)
	}
	sink := &LogSink{}
	log := slog.New(slog.NewJSONHandler(sink, &slog.HandlerOptions{Level: slog.LevelDebug}))
	a, err := app.Open(context.Background(), settings,
		app.Options{Version: Version, Hasher: hasher, Now: c.Now, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	if !sends {
		_ = a.Mail.Stop(context.Background())
	}
	server := a.HTTPServer()
	go server.Serve(l) //nolint:errcheck // it ends by Close
	t.Cleanup(func() {
		_ = server.Close()
		if err := a.Close(context.Background()); err != nil {
			t.Errorf("close: %v", err)
		}
		a, server = nil, nil // a test that is over keeps this function until all of its siblings are
	})
	i := &Instance{URL: "http://" + l.Addr().String(), App: a, Clock: c, Logged: sink}
	t.Cleanup(func() { i.App = nil })
	return i
}

// RealHashes is said beside the settings where a test is about what a password costs, in time or in memory.
const RealHashes = "real hashes"

// MailWaits is said beside the settings where the worker that sends mails would be in the way: of one that counts
// statements.
const MailWaits = "mail waits"

// Secret is the server secret of all instances.
const Secret = "Zb3Xq0mTt8sWk2Rj6VnYc4Lh9Dp1Fg7Ux5Ae"

// Answer is a GraphQL answer with its HTTP side.
type Answer struct {
	Status int
	Header http.Header
	Raw    string
	Data   map[string]any
	Errors []struct {
		Message    string         `json:"message"`
		Path       []any          `json:"path"`
		Extensions map[string]any `json:"extensions"`
	}
}

// GraphQL sends a document. credential is "" for none, sk_… for X-API-Key, anything else for a Bearer token.
func (i *Instance) GraphQL(t testing.TB, credential, document string, variables map[string]any) *Answer {
	t.Helper()
	a, err := Send(i.URL, credential, document, variables)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// Send is graphql for goroutines, which may not end a test, with more header fields: name, value, name, value …
func Send(url, credential, document string, variables map[string]any, header ...string) (*Answer, error) {
	body, err := json.Marshal(map[string]any{"query": document, "variables": variables})
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequest(http.MethodPost, url+"/graphql", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	switch {
	case strings.HasPrefix(credential, "sk_"):
		r.Header.Set("X-API-Key", credential)
	case credential != "":
		r.Header.Set("Authorization", "Bearer "+credential)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return Receive(r)
}

// Receive sends a request of GraphQL and reads the answer. A refusal that the schema does not declare is an error.
func Receive(r *http.Request) (*Answer, error) {
	res, err := Client.Do(r)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close() //nolint:errcheck // read to its end
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	a := &Answer{Status: res.StatusCode, Header: res.Header, Raw: string(raw)}
	_ = json.Unmarshal(raw, a) // an answer that is not JSON has Raw
	if err := Undeclared(r, a); err != nil {
		return nil, fmt.Errorf("%w: %s", err, raw)
	}
	return a, nil
}

// Client follows no redirects.
var Client = &http.Client{
	Timeout:       60 * time.Second,
	Transport:     &http.Transport{MaxIdleConnsPerHost: 128},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// At walks into the data: at("login", "tokens", "accessToken"). Nil where something on the way is missing or null.
func (a *Answer) At(path ...string) any {
	var v any = a.Data
	for _, name := range path {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[name]
	}
	return v
}

// Text is at for strings, "" for anything else.
func (a *Answer) Text(path ...string) string {
	s, _ := a.At(path...).(string)
	return s
}

// Code is the first refusal: of the userErrors of the one root field, or else the top-level one; "" when all went well.
func (a *Answer) Code() string {
	for _, v := range a.Data {
		if payload, ok := v.(map[string]any); ok {
			if list, ok := payload["userErrors"].([]any); ok && len(list) > 0 {
				return list[0].(map[string]any)["code"].(string)
			}
		}
	}
	if len(a.Errors) > 0 {
		code, _ := a.Errors[0].Extensions["code"].(string)
		return code
	}
	return ""
}

// Account is somebody who registered.
type Account struct{ ID, Email, Session, Access, Refresh string }

// Register makes an account and signs it in.
func (i *Instance) Register(t testing.TB, email string) Account {
	t.Helper()
	a := i.GraphQL(t, "", RegisterDoc, map[string]any{"input": map[string]any{"email": email, "password": GoodPass}})
	if a.Code() != "" || a.Text("register", "tokens", "accessToken") == "" {
		t.Fatalf("register %s: %s", email, a.Raw)
	}
	return Account{
		ID: a.Text("register", "user", "id"), Email: email, Session: a.Text("register", "session", "id"),
		Access: a.Text("register", "tokens", "accessToken"), Refresh: a.Text("register", "tokens", "refreshToken"),
	}
}

// Login signs in with a password and gives the whole answer.
func (i *Instance) Login(t testing.TB, email, password string) *Answer {
	t.Helper()
	return i.GraphQL(t, "", LoginDoc, map[string]any{"input": map[string]any{"email": email, "password": password}})
}

// Refresh swaps a refresh token and gives the whole answer.
func (i *Instance) Refresh(t testing.TB, token string) *Answer {
	t.Helper()
	return i.GraphQL(t, "", RefreshDoc, map[string]any{"token": token})
}

// Is tells whether a credential answers `me` as this account.
func (i *Instance) Is(t testing.TB, credential string, who Account) bool {
	t.Helper()
	return i.GraphQL(t, credential, MeDoc, nil).Text("me", "id") == who.ID
}

// NeedCurl skips a test that types commands where there is no curl; with CI=true it fails instead.
func NeedCurl(t testing.TB) {
	t.Helper()
	if _, err := exec.LookPath("curl"); err == nil {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("there is no curl, and CI=true wants the whole suite")
	}
	t.Skip("there is no curl")
}

// Version is what servers in the test program call themselves.
const Version = "1.2.3-test"
