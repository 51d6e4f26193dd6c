package program

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/internal/limit"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// ran is what a command of the program left behind.
type ran struct {
	code           int
	stdout, stderr string
}

// program prepares the program with these settings alone, in a folder of its own.
func program(t testing.TB, dir string, env []string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(harness.ProgramPath(t), args...)
	cmd.Dir = dir
	cmd.Env = append([]string{"GOCOVERDIR=" + os.Getenv("GOCOVERDIR")}, env...)
	return cmd
}

// command runs the program to its end. One that does not end, because it serves after all, is killed and has the code
// -1. FREEPORT in the settings stands for a free port; where another program takes that first, the next one is tried.
func command(t testing.TB, dir string, env []string, args ...string) (got ran) {
	t.Helper()
	for range 5 {
		port := freePort(t)
		settings := make([]string, len(env))
		for i, e := range env {
			name, value, _ := strings.Cut(e, "=")
			settings[i] = name + "=" + strings.ReplaceAll(value, "FREEPORT", port)
		}
		got = commandOnce(t, dir, settings, args)
		if slices.Equal(env, settings) || !strings.Contains(got.stderr, "address already in use") {
			break
		}
	}
	return got
}

func commandOnce(t testing.TB, dir string, env, args []string) ran {
	t.Helper()
	cmd := program(t, dir, env, args...)
	var stdout, stderr harness.LogSink
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	err := cmd.Wait()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return ran{exit.ExitCode(), stdout.String(), stderr.String()}
	} else if err != nil {
		t.Fatal(err)
	}
	return ran{0, stdout.String(), stderr.String()}
}

func freePort(t testing.TB) string {
	t.Helper()
	_, port, _ := net.SplitHostPort(harness.FreeAddress(t))
	return port
}

// untilReady asks until the server at that address is ready.
func untilReady(t testing.TB, url string, out fmt.Stringer) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		res, err := harness.Client.Get(url + "/readyz")
		if err == nil {
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s did not come up: %s", url, out)
		}
	}
}

// TestStart_NoSettings is a newcomer's first minute: the program without any setting but the port, in an empty folder.
func TestStart_NoSettings(t *testing.T) {
	if !harness.FullRun {
		t.Parallel()
	}
	dir, port := t.TempDir(), freePort(t)
	// The worst umask there is: the program must not rely on it.
	cmd := program(t, dir, []string{"DRAGOMAN_LISTEN=localhost:" + port})
	cmd.Args = append([]string{"sh", "-c", `umask 0; exec "$0"`}, cmd.Path)
	cmd.Path = "/bin/sh"
	var stdout, stderr harness.LogSink
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	began := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	untilReady(t, "http://127.0.0.1:"+port, &stderr)
	took, most := time.Since(began), 5*time.Second // beside all other tests
	if harness.FullRun {
		most = 300 * time.Millisecond
	}
	t.Logf("ready on a new database after %v", took.Round(time.Millisecond))
	if took > most {
		t.Errorf("ready after %v", took)
	}
	if l, err := net.Listen("tcp", "[::1]:0"); err == nil { // this machine has IPv6
		_ = l.Close()
		if res, body := harness.Fetched(t, "GET", "http://[::1]:"+port+"/healthz", "", ""); res.StatusCode != 200 ||
			body != "ok\n" {
			t.Errorf("[::1]: %d %s", res.StatusCode, body)
		}
	}
	if conn, err := net.DialTimeout("tcp", outward(t)+":"+port, 300*time.Millisecond); err == nil {
		_ = conn.Close()
		t.Error("the server listens to others than this machine")
	}
	for name, want := range map[string]fs.FileMode{
		"data": 0o700 | fs.ModeDir, "data/secret": 0o600,
		"data/dragoman.db": 0o600,
	} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode() != want {
			t.Errorf("%s: %v %v, want %v", name, info, err, want)
		}
	}
	entries, _ := os.ReadDir(filepath.Join(dir, "data"))
	for _, e := range entries {
		if info, err := e.Info(); err != nil || info.Mode().Perm()&0o077 != 0 || strings.HasPrefix(e.Name(), ".") {
			t.Errorf("data/%s: %v %v", e.Name(), info.Mode(), err)
		}
	}
	if entries, _ = os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("beside data there is %v", entries)
	}
	base := "http://localhost:" + port
	for deadline := time.Now().Add(5 * time.Second); !strings.Contains(stdout.String(), "dragoman --help\n") &&
		time.Now().Before(deadline); {
		time.Sleep(time.Millisecond) // the banner comes a moment after the listener
	}
	for _, line := range []string{
		"Start here", base + "/\n", "DATABASE_URL=postgres://",
		"dragoman admin create", "dragoman --help", harness.ProgramVersion(t),
	} {
		if !strings.Contains(stdout.String(), line) {
			t.Errorf("the banner lacks %q: %s", line, stdout.String())
		}
	}
	if lines := strings.Count(strings.TrimSpace(stdout.String()), "\n"); lines > 6 {
		t.Errorf("the banner has %d lines: %s", lines, stdout.String())
	}
	key, _ := os.ReadFile(filepath.Join(dir, "data/secret"))
	if secret := strings.TrimSpace(string(key)); len(secret) < 43 ||
		strings.Contains(stdout.String()+stderr.String(), secret) {
		t.Errorf("the secret has %d characters, or was shown", len(secret))
	}
	if a, err := harness.Send(base, "", harness.RegisterDoc,
		harness.InputOf("email", "ada@example.com", "password", harness.GoodPass)); err != nil || a.Code() != "" {
		t.Errorf("register: %v %+v", err, a)
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("SIGINT: %v", err)
	}
	if stderr.String() != "" {
		t.Errorf("a start without trouble logs nothing: %s", stderr.String())
	}
}

// outward is an address of this machine that is not loopback, or one where nobody is.
func outward(t testing.TB) string {
	t.Helper()
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addresses {
		if n, ok := a.(*net.IPNet); ok && !n.IP.IsLoopback() && n.IP.To4() != nil {
			return n.IP.String()
		}
	}
	return "192.0.2.1"
}

// TestStart_SecondStart finds the same keys, accounts and sessions again.
func TestStart_SecondStart(t *testing.T) {
	t.Parallel()
	for name, env := range map[string]func(t *testing.T) []string{
		"sqlite":   func(t *testing.T) []string { return []string{"DRAGOMAN_DATA_DIR=" + t.TempDir()} },
		"postgres": func(t *testing.T) []string { return harness.ProcessEnv(dbtest.EmptyPostgres(t)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// the port differs, the issuer must not
			env := append(env(t), "DRAGOMAN_PUBLIC_URL=http://auth.example.com")
			first := harness.Spawn(t, env...)
			a, err := harness.Send(first.URL, "", harness.RegisterDoc,
				harness.InputOf("email", "ada@example.com", "password", harness.GoodPass))
			if err != nil || a.Code() != "" {
				t.Fatalf("%v %+v", err, a)
			}
			_, jwks := harness.Fetched(t, "GET", first.URL+"/.well-known/jwks.json", "", "")
			// Beside the first one: several instances are one server.
			beside := []*harness.Process{harness.Spawn(t, env...)}
			if name == "postgres" {
				_ = first.Cmd.Process.Signal(syscall.SIGINT)
				_ = first.Cmd.Wait()
				beside = append(beside, harness.Spawn(t, env...))
			}
			for _, p := range beside {
				if _, again := harness.Fetched(t, "GET", p.URL+"/.well-known/jwks.json", "", ""); again != jwks ||
					!strings.Contains(jwks, `"kid"`) {
					t.Errorf("the keys were %s and are %s", jwks, again)
				}
				me, err := harness.Send(p.URL, a.Text("register", "tokens", "accessToken"), harness.MeDoc, nil)
				if err != nil || me.Text("me", "email") != "ada@example.com" {
					t.Errorf("me: %v %+v", err, me)
				}
			}
		})
	}
}

// TestAV04_Drain sends SIGTERM while a request is under way: it is answered, new ones are too while readiness is false,
// and the program ends well. SIGINT, from a person, does not wait for a load balancer.
func TestAV04_Drain(t *testing.T) {
	t.Parallel()
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()
			p := harness.Spawn(t, "DRAGOMAN_DATA_DIR="+t.TempDir())
			conn, err := net.Dial("tcp", strings.TrimPrefix(p.URL, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			text := harness.RawPost("/graphql", harness.MeBody)
			if _, err := io.WriteString(conn, text[:len(text)-5]); err != nil {
				t.Fatal(err)
			}
			// That the server has taken the connection is known once it answers on one that was made later.
			later := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
			res, err := later.Get(p.URL + "/healthz")
			if err != nil {
				t.Fatal(err)
			}
			_ = res.Body.Close()
			began := time.Now()
			if err := p.Cmd.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			if sig == syscall.SIGTERM {
				for {
					res, body := harness.Fetched(t, "GET", p.URL+"/readyz", "", "")
					if res.StatusCode == http.StatusServiceUnavailable {
						if body != "draining\n" {
							t.Errorf("readyz: %q", body)
						}
						break
					}
				}
				for path, want := range map[string]int{"/healthz": 200, "/readyz": 503} {
					if res, _ := harness.Fetched(t, "GET", p.URL+path, "", ""); res.StatusCode != want {
						t.Errorf("%s while draining: %d", path, res.StatusCode)
					}
				}
				if a, err := harness.Send(p.URL, "", harness.MeDoc, nil); err != nil || a.Status != 200 {
					t.Errorf("a late request: %v %+v", err, a)
				}
			}
			for { // until the listener is closed
				c, err := net.Dial("tcp", strings.TrimPrefix(p.URL, "http://"))
				if err != nil {
					break
				}
				_ = c.Close()
				if time.Since(began) > 10*time.Second {
					t.Fatal("still listening after ten seconds")
				}
			}
			if _, err := io.WriteString(conn, text[len(text)-5:]); err != nil {
				t.Fatal(err)
			}
			_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
			got, err := io.ReadAll(conn)
			if err != nil || !bytes.HasPrefix(got, []byte("HTTP/1.1 200 OK")) ||
				!bytes.Contains(got, []byte(`{"data":{"me":null}}`)) {
				t.Errorf("the request under way got %q, %v", got, err)
			}
			if err := p.Cmd.Wait(); err != nil {
				t.Errorf("the program ended with %v", err)
			}
			t.Logf("%s to end: %v", sig, time.Since(began).Round(time.Millisecond))
		})
	}
}

// TestKE03_WrongValues gives every setting a value that it can not have: the program refuses to start, names the
// setting, shows the value unless it is a secret, and says what would be right.
func TestKE03_WrongValues(t *testing.T) {
	t.Parallel()
	wrong := map[string][]string{
		"DRAGOMAN_LISTEN": {
			"nonsense", "localhost", ":99999", "localhost:http", "1.2.3.4.5:80:90",
			":8080,oops",
		},
		"DRAGOMAN_PUBLIC_URL": {
			"auth.example.com", "ftp://auth.example.com",
			"https://auth.example.com/path/../x", "https://auth.example.com/a%2Fb", "https://u:p@x.example", "https://",
			"https://x.example?y",
		},
		"DATABASE_URL": {
			"mysql://u:" + harness.CanarySecret + "@h/d", "sqlite:x",
			harness.CanarySecret,
		},
		"DRAGOMAN_SECRET": {
			harness.CanarySecret, "secret", "changeme", strings.Repeat("a", 64),
			"canary-Secret-canary-Secret-canary-Secret", "0123456789abcdefghijklmnopqrstuvwxyz",
		},
		"DRAGOMAN_SECRET_PREVIOUS": {
			harness.CanarySecret, harness.Secret + "\n" + harness.CanarySecret,
			harness.Secret + "\n" + harness.Secret,
		},
		"DRAGOMAN_JWT_ALG":             {"HS256", "es256", "none", "ES384", "PS256"},
		"DRAGOMAN_JWT_HS256_SECRET":    {harness.CanarySecret, "hunter2", strings.Repeat("a", 64)},
		"DRAGOMAN_MIGRATE":             {"maybe", "ON", "1"},
		"DRAGOMAN_ISSUER":              {"two words"},
		"DRAGOMAN_AUDIENCE":            {"two\tthings"},
		"DRAGOMAN_ACCESS_TTL":          {"10", "ten minutes", "1s", "25h", "-10m", "721h"},
		"DRAGOMAN_SESSION_TTL":         {"30s", "8761h", "30d"},
		"DRAGOMAN_SESSION_IDLE":        {"x", "0s", "721h"},
		"DRAGOMAN_SESSION_LIMIT":       {"0", "-1", "10001", "many", "1.5"},
		"DRAGOMAN_REFRESH_GRACE":       {"61s", "-1s", "long"},
		"DRAGOMAN_PASSWORD_MIN_LENGTH": {"7", "65", "eight", "8.5", ""},
		"DRAGOMAN_BREACHED_PASSWORDS_URL": {
			"api.pwnedpasswords.com", "ftp://x.example/range/", "https://",
			"https://x.example/range?p=", "https://u:p@x.example/", "/range/",
		},
		"DRAGOMAN_RATE_LIMITS":     {"no", "0"},
		"DRAGOMAN_TRUSTED_PROXIES": {"10.0.0.1", "10.0.0.0/33", "proxy.example.com", "10.0.0.0/8;fd00::/8"},
		"DRAGOMAN_CORS_ORIGINS": {
			"*", "null", "https://*.example.com", "app.example.com",
			"https://app.example.com/page", "https://a.example,", "none,auto",
		},
		"DRAGOMAN_REVEAL_ACCOUNTS":        {"yes"},
		"DRAGOMAN_REGISTRATION":           {"closed"},
		"DRAGOMAN_REQUIRE_VERIFIED_EMAIL": {"auto", "1"},
		"DRAGOMAN_MFA":                    {"on", "REQUIRED", "yes"},
		"DRAGOMAN_MFA_ROLES":              {"nobody", "admin,", "user admin"},
		"DRAGOMAN_SMS_URL": {
			"sms.example.com", "http://sms.example.com/", "ftp://localhost/", "https://sms.example.com/?a=b", "/send",
		},
		"DRAGOMAN_SMS_SECRET":         {harness.CanarySecret, "whsec_" + harness.CanarySecret},
		"DRAGOMAN_TWILIO_ACCOUNT_SID": {"AC", "me", "AC" + strings.Repeat("x", 32)},
		"DRAGOMAN_TWILIO_AUTH_TOKEN":  {harness.CanarySecret + "\t"},
		"DRAGOMAN_TWILIO_FROM":        {"nobody at all", "+1"},
		"DRAGOMAN_TWILIO_URL":         {"api.twilio.com", "ftp://api.twilio.com"},
		"DRAGOMAN_SMS_COUNTRIES":      {"Germany", "XX", "DE;AT"},
		"DRAGOMAN_SMS_DAILY":          {"0", "-1", "many", "10000001"},
		"DRAGOMAN_SMS_HOURLY":         {"0", "many"},
		"DRAGOMAN_SMS_LOGIN":          {"yes"},
		"DRAGOMAN_DIALECTS":           {"generic", "generic-v1,,x", "generic-v1,generic-v1"},
		"DRAGOMAN_DIALECTS_DIR":       {"no/such/directory"},
		"DRAGOMAN_DIALECT_PASSWORDS":  {"lax"},
		"DRAGOMAN_SMTP_URL": {
			"mail.example.com", "off", "http://mail.example.com", "smtps:///", "smtp://u:" + harness.CanarySecret +
				"@mail.example.com/path", "smtp://u@mail.example.com",
			"smtp://:" + harness.CanarySecret + "@mail.example.com", "smtps://mail.example.com:smtp",
			"smtp://mail.example.com:0", "smtp://u:" + harness.CanarySecret + "%0d%0a@mail.example.com",
			"smtp://u:" + harness.CanarySecret + "@mail.example.com?x=y", "smtp://u:" + harness.CanarySecret +
				"%zz@mail.example.com",
		},
		"DRAGOMAN_MAILBOX": {"yes", "key"},
		"DRAGOMAN_MAIL_FROM": {
			"nobody", "a@b", "a@example.com, b@example.com", "Example <a@example.com",
			"=?utf-8?q?a=0D=0Ab?= <a@example.com>", "Ex\tample <a@example.com>",
		},
		"DRAGOMAN_MAIL_PAGES": {
			"nothing", "verifyEmail=https://app.example.com/verify/{token}",
			"verifyEmail=ftp://x",
		},
		"DRAGOMAN_RETURN_URLS":    {"https://", "app.example.com", "javascript:alert(1)"},
		"DRAGOMAN_MAIL_TEMPLATES": {"no/such/directory"},
		"DRAGOMAN_LEGACY_TOKENS":  {"no/such/file"},
		"DRAGOMAN_MIGRATE_URL": {
			"elsewhere.example", "http://elsewhere.example/", "ftp://localhost/", "https://:443/x", "/elsewhere",
			"https://u:" + harness.CanarySecret + "@elsewhere.example/", "https://elsewhere.example/#x",
			"https://elsewhere.example/alone?token=" + harness.CanarySecret,
		},
		"DRAGOMAN_MIGRATE_SECRET": {
			harness.CanarySecret, "whsec_" + harness.CanarySecret, harness.MigrateSecret[6:],
			"whsec_YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE=", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
			harness.MigrateSecret,
		},
		"DRAGOMAN_PLAYGROUND":     {"true"},
		"DRAGOMAN_START_PAGE":     {"true"},
		"DRAGOMAN_INTROSPECTION":  {"true"},
		"DRAGOMAN_DOCS":           {"auto", "yes"},
		"DRAGOMAN_LOG_LEVEL":      {"trace", "INFO"},
		"DRAGOMAN_SLOW_STATEMENT": {"500", "-1s", "2h", "slow"},
		"DRAGOMAN_METRICS_LISTEN": {"9090", "localhost", "localhost:99999", "localhost:http"},
		"DRAGOMAN_METRICS_TOKEN":  {harness.CanarySecret, strings.Repeat("a", 64)},
		"PORT":                    {"http", "0", "65536", "-1"},
	}
	for _, e := range limit.Table() {
		wrong[e.Setting] = []string{"60 in 15m"} // what else is none: TestLG27_Parse
	}
	for _, name := range harness.SettingNames(t) {
		if wrong[name] == nil && name != "DRAGOMAN_DATA_DIR" {
			t.Errorf("%s: no wrong value is tried", name)
		}
	}
	for name, values := range wrong {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, value := range values {
				if value == "" {
					continue
				}
				dir := t.TempDir()
				env := []string{name + "=" + value}
				if name == "DRAGOMAN_DIALECTS_DIR" {
					env = append(env, "DRAGOMAN_DIALECTS=all")
				}
				if name != "PORT" && name != "DRAGOMAN_LISTEN" {
					env = append(env, "DRAGOMAN_LISTEN=localhost:FREEPORT")
				}
				got := command(t, dir, env)
				shown := got.stdout + got.stderr
				secret := name == "DATABASE_URL" || strings.Contains(name, "SECRET") ||
					name == "DRAGOMAN_METRICS_TOKEN" || name == "DRAGOMAN_TWILIO_AUTH_TOKEN" ||
					name == "DRAGOMAN_SMTP_URL" || name == "DRAGOMAN_MIGRATE_URL"
				// A bound between two settings may be told at either of them.
				if got.code != 1 || !strings.HasPrefix(got.stderr, "dragoman: ") ||
					!strings.Contains(shown, "expected ") ||
					!strings.Contains(shown, name) || strings.Count(shown, "\n") != 1 || len(shown) > 400 {
					t.Errorf("%s=%s: %+v", name, value, got)
				}
				if secret && (strings.Contains(shown, value) || strings.Contains(shown, harness.CanarySecret)) {
					t.Errorf("%s: the value is shown: %s", name, shown)
				}
				if !secret && !strings.Contains(shown, value) && !strings.Contains(shown, fmt.Sprintf("%q", value)) &&
					!tied(name) {
					t.Errorf("%s: the value %q is not shown: %s", name, value, shown)
				}
				if name == "DRAGOMAN_SECRET" && !strings.Contains(shown, "openssl rand -base64 32") {
					t.Errorf("how to make a secret is not said: %s", shown)
				}
				if entries, _ := os.ReadDir(dir); len(entries) != 0 {
					t.Errorf("%s=%s left %v behind", name, value, entries)
				}
			}
		})
	}
}

// tied tells whether a setting is bounded by another one, whose value may be shown instead.
func tied(name string) bool {
	return name == "DRAGOMAN_SESSION_TTL" || name == "DRAGOMAN_SESSION_IDLE" || name == "DRAGOMAN_ACCESS_TTL"
}

// TestKE03_JW07_Secrets is the start with secrets that are weak, wrong, missing or open to others.
func TestKE03_JW07_Secrets(t *testing.T) {
	t.Parallel()
	const otherSecret = "Qm7Zt2Lw9Xc4Vb6Nk1Jh8Gf3Ds5Ap0Ou-Yi"
	refused := func(t *testing.T, got ran, says ...string) {
		t.Helper()
		shown := got.stdout + got.stderr
		for _, text := range append(says, "dragoman: ") {
			if !strings.Contains(shown, text) {
				t.Errorf("the refusal does not say %q: %+v", text, got)
			}
		}
		for _, secret := range []string{harness.CanarySecret, otherSecret, harness.Secret} {
			if strings.Contains(shown, secret) {
				t.Errorf("the refusal shows a secret: %s", shown)
			}
		}
		if got.code != 1 || strings.Contains(shown, "goroutine") {
			t.Errorf("%+v", got)
		}
	}
	const local = "DRAGOMAN_LISTEN=localhost:FREEPORT"
	write := func(t *testing.T, dir, name, content string, mode fs.FileMode) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(content), mode),
			os.Chmod(path, mode)); err != nil {
			t.Fatal(err)
		}
		return path
	}
	t.Run("a secret file that others may read", func(t *testing.T) {
		t.Parallel()
		for _, mode := range []fs.FileMode{0o644, 0o640, 0o604} {
			dir := t.TempDir()
			write(t, dir, "data/secret", harness.Secret+"\n", mode)
			refused(t, command(t, dir, []string{local}), "data/secret", "chmod 600")
		}
	})
	t.Run("a weak secret in the file", func(t *testing.T) {
		t.Parallel()
		for _, content := range []string{"", "\n", harness.CanarySecret, strings.Repeat("ab", 40)} {
			dir := t.TempDir()
			write(t, dir, "data/secret", content, 0o600)
			refused(t, command(t, dir, []string{local}), "secret")
		}
	})
	t.Run("DRAGOMAN_SECRET_FILE", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		weak, empty := write(t, dir, "weak", harness.CanarySecret, 0o600), write(t, dir, "empty", "\n", 0o600)
		refused(t, command(t, dir, []string{local, "DRAGOMAN_SECRET_FILE=" + weak}), "DRAGOMAN_SECRET",
			"openssl rand -base64 32")
		refused(t, command(t, dir, []string{local, "DRAGOMAN_SECRET_FILE=" + empty}), "DRAGOMAN_SECRET_FILE",
			"not empty")
		refused(t, command(t, dir, []string{local, "DRAGOMAN_SECRET_FILE=" + dir + "/none"}), "DRAGOMAN_SECRET_FILE",
			"/none")
		refused(t, command(t, dir, []string{local, "DRAGOMAN_SECRET_FILE=" + weak, "DRAGOMAN_SECRET=" +
			harness.Secret}), "DRAGOMAN_SECRET_FILE", "not both")
		good := write(t, dir, "good", harness.Secret+"\n", 0o600)
		harness.Spawn(t, "DRAGOMAN_SECRET_FILE="+good)
	})
	t.Run("another secret than the database's", func(t *testing.T) {
		t.Parallel()
		dbtest.Each(t, func(t *testing.T, dsn string) {
			harness.Spawn(t, harness.ProcessEnv(dsn)...)
			env := append(harness.ProcessEnv(dsn), local, "DRAGOMAN_SECRET="+otherSecret)
			refused(t, command(t, t.TempDir(), env), "another secret", "DRAGOMAN_SECRET")
		})
	})
	t.Run("none, on a Postgres that others may share", func(t *testing.T) {
		t.Parallel()
		const noMail, noDialects = "DRAGOMAN_SMTP_URL=none", "DRAGOMAN_DIALECTS=none"
		dsn := dbtest.EmptyPostgres(t)
		dir := t.TempDir()
		for _, listen := range []string{
			"DRAGOMAN_LISTEN=:FREEPORT", "DRAGOMAN_LISTEN=0.0.0.0:FREEPORT",
			"DRAGOMAN_LISTEN=[::]:FREEPORT", "PORT=FREEPORT",
		} {
			refused(t, command(t, dir, []string{listen, "DATABASE_URL=" + dsn, noMail, noDialects}), "DRAGOMAN_SECRET",
				"openssl rand -base64 32")
		}
		refused(t, command(t, dir, []string{
			"PORT=FREEPORT", "DATABASE_URL=" + dsn, "DRAGOMAN_SECRET=", noMail,
			noDialects,
		}),
			"DRAGOMAN_SECRET", "openssl rand -base64 32")
		if entries, _ := os.ReadDir(dir); len(entries) != 0 {
			t.Errorf("left %v behind", entries)
		}
	})
	t.Run("a password in a DSN that does not work", func(t *testing.T) {
		t.Parallel()
		for _, dsn := range []string{
			"postgres://ada:" + harness.CanarySecret + "@127.0.0.1:1/none", "postgres://ada:" + harness.CanarySecret +
				"@127.0.0.1:1/none?sslmode=oops",
			"postgres://ada:" + harness.CanarySecret + "@[::1/none", "postgres://ada:" + harness.CanarySecret +
				"%zz@127.0.0.1:1/none",
			"postgres://ada:" + harness.CanarySecret + "@127.0.0.1:1/none?pool_max_conns=x",
		} {
			refused(t, command(t, t.TempDir(), []string{
				local, "DRAGOMAN_SECRET=" + harness.Secret,
				"DRAGOMAN_LOG_LEVEL=debug", "DATABASE_URL=" + dsn,
			}))
		}
	})
	t.Run("an address in use", func(t *testing.T) {
		t.Parallel()
		p := harness.Spawn(t, "DRAGOMAN_DATA_DIR="+t.TempDir())
		refused(t, command(t, t.TempDir(), []string{"DRAGOMAN_LISTEN=" + strings.TrimPrefix(p.URL, "http://")}),
			"DRAGOMAN_LISTEN", "in use")
	})
}

// TestStart_Migrate switches migrations off: the server refuses an empty database and names the command, which makes it
// start.
func TestStart_Migrate(t *testing.T) {
	t.Parallel()
	for name, env := range map[string]func(t *testing.T) []string{
		"sqlite":   func(t *testing.T) []string { return []string{"DRAGOMAN_DATA_DIR=" + t.TempDir()} },
		"postgres": func(t *testing.T) []string { return harness.ProcessEnv(dbtest.EmptyPostgres(t)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := append(env(t), "DRAGOMAN_MIGRATE=off")
			got := command(t, t.TempDir(), append(env, "DRAGOMAN_LISTEN=localhost:FREEPORT"))
			if got.code != 1 || !strings.Contains(got.stderr, "dragoman migrate") ||
				!strings.Contains(got.stderr, "DRAGOMAN_MIGRATE") {
				t.Errorf("on an empty database: %+v", got)
			}
			for range 2 { // the second time there is nothing to do
				if got = command(t, t.TempDir(), env, "migrate"); got.code != 0 ||
					!strings.Contains(got.stdout, "up to date") {
					t.Errorf("migrate: %+v", got)
				}
			}
			p := harness.Spawn(t, env...)
			if a, err := harness.Send(p.URL, "", harness.RegisterDoc,
				harness.InputOf("email", "ada@example.com", "password", harness.GoodPass)); err != nil ||
				a.Code() != "" {
				t.Errorf("register: %v %+v", err, a)
			}
		})
	}
}

// TestStart_CommandLine is what the program says of itself.
func TestStart_CommandLine(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	help := command(t, dir, nil, "--help")
	if help.code != 0 || help.stderr != "" {
		t.Errorf("--help: %+v", help)
	}
	for _, text := range append(harness.SettingNames(t), "DATABASE_URL_FILE", "DRAGOMAN_SECRET_FILE", "PORT", "migrate",
		"admin create", "version", "localhost:8080") {
		if !strings.Contains(help.stdout, text) {
			t.Errorf("--help does not tell of %s", text)
		}
	}
	if got := command(t, dir, nil, "version"); got.code != 0 ||
		!strings.HasPrefix(got.stdout, "dragoman "+harness.ProgramVersion(t)+" go") {
		t.Errorf("version: %+v", got)
	}
	for _, args := range [][]string{
		{"nonsense"},
		{"--secret=" + harness.CanarySecret},
		{"admin"},
		{"admin", "create"},
		{"serve", "extra"},
	} {
		if got := command(t, dir, nil, args...); got.code != 1 || got.stderr == "" {
			t.Errorf("%s: %+v", args, got)
		}
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 0 {
		t.Errorf("left %v behind", entries)
	}
}

// TestAZ04_AdminCreate makes an administrator from the terminal: the one way to the role.
func TestAZ04_AdminCreate(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		env, dir := harness.ProcessEnv(dsn), t.TempDir()
		got := command(t, dir, env, "admin", "create", "Root@Example.com", "--username", "The.Root")
		m := regexp.MustCompile(`(?m)^Password, shown this once: (\S+)$`).FindStringSubmatch(got.stdout)
		if got.code != 0 || m == nil || len(m[1]) < 20 || got.stderr != "" {
			t.Fatalf("%+v", got)
		}
		p := harness.Spawn(t, env...) // and beside a server that runs
		second := command(t, dir, env, "admin", "create", "second@example.com")
		m2 := regexp.MustCompile(`(?m)^Password, shown this once: (\S+)$`).FindStringSubmatch(second.stdout)
		if m2 == nil || m2[1] == m[1] {
			t.Fatalf("%+v", second)
		}
		for _, variables := range []map[string]any{
			harness.InputOf("email", "root@example.com", "password", m[1]),
			harness.InputOf("username", "the.root", "password", m[1]),
			harness.InputOf("email", "second@example.com", "password", m2[1]),
		} {
			a, err := harness.Send(p.URL, "", harness.LoginDoc, variables)
			if err != nil || fmt.Sprint(harness.ClaimsOf(t, a.Text("login", "tokens", "accessToken"))["roles"]) !=
				"[admin]" {
				t.Errorf("%v %+v", err, a)
			}
		}
		for name, c := range map[string]struct {
			args []string
			says string
		}{
			"a taken email":    {[]string{"ROOT@example.com"}, "already"},
			"a taken username": {[]string{"third@example.com", "--username=the.ROOT"}, "taken"},
			"no email":         {[]string{"nonsense"}, "email"},
			"a bad username":   {[]string{"third@example.com", "--username=x"}, "username"},
		} {
			got := command(t, dir, env, append([]string{"admin", "create"}, c.args...)...)
			if got.code != 1 || got.stdout != "" || !strings.Contains(got.stderr, c.says) ||
				strings.Contains(got.stderr, "INVALID_INPUT") {
				t.Errorf("%s: %+v", name, got)
			}
		}
		sideways := harness.OpenSide(t, dsn)
		if n := sideways.Count(t, "SELECT count(*) FROM users WHERE role = 'admin'"); n != 2 {
			t.Errorf("%d administrators", n)
		}
		var made []harness.AuditRow
		for _, row := range sideways.Audit(t) {
			if row.Action == "user.created" {
				made = append(made, row)
			}
		}
		if len(made) < 2 || made[0].Outcome != "ok" || made[0].Dialect != "terminal" || made[0].User == "" ||
			made[0].ReqID == "" {
			t.Errorf("audit rows %+v", made)
		}
	})
}
