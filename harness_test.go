package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/app"
	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/internal/config"
	"github.com/dragoman-auth/dragoman/internal/password"
)

// TestMain runs the tests in the root of the module, where the files lie that they read.
func TestMain(m *testing.M) {
	flag.Parse()
	if n := 2 * runtime.GOMAXPROCS(0); flag.Lookup("test.parallel").Value.String() == strconv.Itoa(runtime.GOMAXPROCS(0)) {
		_ = flag.Set("test.parallel", strconv.Itoa(n)) // half of the time a test waits for a database or a clock
	}
	debug.SetGCPercent(400) // dozens of servers in one process: at the usual 100 a quarter of the time is the collector's
	debug.SetMemoryLimit(1 << 30)
	code := dbtest.Run(m)
	_ = os.RemoveAll(built.dir)
	os.Exit(code)
}

// built is the program, once for each test program that runs it.
var built struct {
	once sync.Once
	dir  string
	err  error
}

// programPath builds the program at the first need, and gives the path. With GOCOVERDIR in the environment it counts what it covers.
func programPath(t testing.TB) string {
	t.Helper()
	built.once.Do(func() {
		if built.dir, built.err = os.MkdirTemp("", "dragoman-program-"); built.err != nil {
			return
		}
		args := []string{"build", "-o", built.dir + "/dragoman"}
		if os.Getenv("GOCOVERDIR") != "" {
			args = append(args, "-cover", "-coverpkg=./...")
		}
		if out, err := exec.Command("go", append(args, ".")...).CombinedOutput(); err != nil {
			built.err = fmt.Errorf("%w: %s", err, out)
		}
	})
	if built.err != nil {
		t.Fatalf("build the program: %v", built.err)
	}
	return built.dir + "/dragoman"
}

// clock is a time that a test moves by hand; it stands still otherwise.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Now()} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// instance is a server in this process, on a real socket.
type instance struct {
	URL   string
	app   *app.Server
	clock *clock
	log   *logSink
}

// logSink gathers what the server logs, at debug level.
type logSink struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (s *logSink) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.Write(b)
}

func (s *logSink) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.String()
}

// start runs a server on the database of dsn with settings NAME=value. Limits are off unless a setting says otherwise,
// so that tests of other things are not slowed down.
func start(t testing.TB, dsn string, env ...string) *instance {
	t.Helper()
	return startWithClock(t, newClock(), dsn, env...)
}

// startWithClock is start for several instances that share a clock.
func startWithClock(t testing.TB, c *clock, dsn string, env ...string) *instance {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]string{
		"DRAGOMAN_LISTEN":      l.Addr().String(),
		"DRAGOMAN_SECRET":      testSecret,
		"DRAGOMAN_RATE_LIMITS": "off",
		"DRAGOMAN_LOG_LEVEL":   "debug",
	}
	if path, ok := strings.CutPrefix(dsn, "sqlite:"); ok {
		values["DRAGOMAN_DATA_DIR"] = strings.TrimSuffix(path, "/dragoman.db")
	} else {
		values["DATABASE_URL"] = dsn
	}
	hasher, sends := password.NewThrowawayHasher(runtime.GOMAXPROCS(0)), true
	for _, e := range env {
		switch e {
		case realHashes:
			hasher = password.NewHasher(runtime.GOMAXPROCS(0))
			continue
		case mailWaits:
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
	sink := &logSink{}
	log := slog.New(slog.NewJSONHandler(sink, &slog.HandlerOptions{Level: slog.LevelDebug}))
	a, err := app.Open(context.Background(), settings, app.Options{Version: version, Hasher: hasher, Now: c.now, Log: log})
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
	i := &instance{URL: "http://" + l.Addr().String(), app: a, clock: c, log: sink}
	t.Cleanup(func() { i.app = nil })
	return i
}

// realHashes is said beside the settings where a test is about what a password costs, in time or in memory.
const realHashes = "real hashes"

// mailWaits is said beside the settings where the worker that sends mails would be in the way: of one that counts statements.
const mailWaits = "mail waits"

const testSecret = "Zb3Xq0mTt8sWk2Rj6VnYc4Lh9Dp1Fg7Ux5Ae"

// answer is a GraphQL answer with its HTTP side.
type answer struct {
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

// graphql sends a document. credential is "" for none, sk_… for X-API-Key, anything else for a Bearer token.
func (i *instance) graphql(t testing.TB, credential, document string, variables map[string]any) *answer {
	t.Helper()
	a, err := send(i.URL, credential, document, variables)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// send is graphql for goroutines, which may not end a test, with more header fields: name, value, name, value …
func send(url, credential, document string, variables map[string]any, header ...string) (*answer, error) {
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
	return receive(r)
}

func receive(r *http.Request) (*answer, error) {
	res, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close() //nolint:errcheck // read to its end
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	a := &answer{Status: res.StatusCode, Header: res.Header, Raw: string(raw)}
	_ = json.Unmarshal(raw, a) // an answer that is not JSON has Raw
	if err := undeclared(r, a); err != nil {
		return nil, fmt.Errorf("%w: %s", err, raw)
	}
	return a, nil
}

var client = &http.Client{
	Timeout:       60 * time.Second,
	Transport:     &http.Transport{MaxIdleConnsPerHost: 128},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// at walks into the data: at("login", "tokens", "accessToken"). Nil where something on the way is missing or null.
func (a *answer) at(path ...string) any {
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

// text is at for strings, "" for anything else.
func (a *answer) text(path ...string) string {
	s, _ := a.at(path...).(string)
	return s
}

// code is the first refusal: of the userErrors of the one root field, or else the top-level one; "" when all went well.
func (a *answer) code() string {
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

// The documents that most tests send.
const (
	registerDoc = `mutation Register($input: RegisterInput!) { register(input: $input) {
  user { id number email username name metadata } session { id number } tokens { accessToken refreshToken sessionToken expiresIn expiresAt tokenType }
  userErrors { code message field retryAfterSeconds } } }`
	loginDoc = `mutation Login($input: LoginInput!) { login(input: $input) {
  user { id email } session { id number } tokens { accessToken refreshToken sessionToken expiresIn }
  userErrors { code message field retryAfterSeconds } } }`
	refreshDoc = `mutation Refresh($token: String!) { refresh(input: {refreshToken: $token}) {
  user { id } session { id } tokens { accessToken refreshToken sessionToken }
  userErrors { code message field } } }`
	logoutDoc   = `mutation Logout($input: LogoutInput) { logout(input: $input) { userErrors { code message field } } }`
	meDoc       = `{ me { id email } }`
	sessionsDoc = `{ sessions { id number isCurrent userAgent ipAddress authMethods createdAt updatedAt expiresAt device { name client os } } }`
	keysDoc     = `{ keys { id name prefix scopes createdAt lastUsedAt expiresAt } }`
	createKey   = `mutation Create($input: CreateApiKeyInput! = {}) { createApiKey(input: $input) { apiKey { id prefix scopes } secret userErrors { code message field } } }`
	goodPass    = "correct horse battery staple"
)

// account is somebody who registered.
type account struct{ ID, Email, Session, Access, Refresh string }

// register makes an account and signs it in.
func (i *instance) register(t testing.TB, email string) account {
	t.Helper()
	a := i.graphql(t, "", registerDoc, map[string]any{"input": map[string]any{"email": email, "password": goodPass}})
	if a.code() != "" || a.text("register", "tokens", "accessToken") == "" {
		t.Fatalf("register %s: %s", email, a.Raw)
	}
	return account{
		ID: a.text("register", "user", "id"), Email: email, Session: a.text("register", "session", "id"),
		Access: a.text("register", "tokens", "accessToken"), Refresh: a.text("register", "tokens", "refreshToken"),
	}
}

// login signs in with a password and gives the whole answer.
func (i *instance) login(t testing.TB, email, password string) *answer {
	t.Helper()
	return i.graphql(t, "", loginDoc, map[string]any{"input": map[string]any{"email": email, "password": password}})
}

// refresh swaps a refresh token and gives the whole answer.
func (i *instance) refresh(t testing.TB, token string) *answer {
	t.Helper()
	return i.graphql(t, "", refreshDoc, map[string]any{"token": token})
}

// is tells whether a credential answers `me` as this account.
func (i *instance) is(t testing.TB, credential string, who account) bool {
	t.Helper()
	return i.graphql(t, credential, meDoc, nil).text("me", "id") == who.ID
}

// process is a server in a process of its own.
type process struct {
	URL string
	cmd *exec.Cmd
	out *logSink
}

// spawn starts the server as a process with only these settings and waits until it is ready.
func spawn(t testing.TB, env ...string) *process {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	p := &process{URL: "http://" + address, cmd: exec.Command(programPath(t)), out: &logSink{}}
	p.cmd.Dir = t.TempDir()
	p.cmd.Env = append([]string{"DRAGOMAN_LISTEN=" + address, "PATH=" + os.Getenv("PATH"), "GOCOVERDIR=" + os.Getenv("GOCOVERDIR")}, env...)
	if all := strings.Join(env, "\n"); strings.Contains(all, "DRAGOMAN_PUBLIC_URL=") && !strings.Contains(all, "DRAGOMAN_SMTP_URL") {
		p.cmd.Env = append(p.cmd.Env, "DRAGOMAN_SMTP_URL=none") // which a server for others has to say
	}
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
	})
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		if res, err := client.Get(p.URL + "/readyz"); err == nil {
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return p
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("the server did not come up: %s", p.out)
		}
	}
}

// needCurl skips a test that types commands where there is no curl; with CI=true it fails instead.
func needCurl(t testing.TB) {
	t.Helper()
	if _, err := exec.LookPath("curl"); err == nil {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("there is no curl, and CI=true wants the whole suite")
	}
	t.Skip("there is no curl")
}
