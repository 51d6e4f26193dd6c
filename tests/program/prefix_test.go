package program

import (
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/tests/harness"
)

// TestPG09_Start refuses a path prefix that cannot be told from a path of the server, by a line that names both, and
// takes one that can; its banner and `dragoman health` know where the server is.
func TestPG09_Start(t *testing.T) {
	t.Parallel()
	for prefix, other := range map[string]string{
		"/account": "/account", "/docs/x": "/docs", "/graphql": "/graphql", "/_": "/_", "/v1": "/v1/auth",
		"/v1/auth/x": "/v1/auth", "/login": "/login", "/users/x": "/users",
	} {
		got := command(t, t.TempDir(), []string{
			"DRAGOMAN_LISTEN=localhost:FREEPORT", "DRAGOMAN_PUBLIC_URL=http://localhost:8080" + prefix,
		})
		if got.code != 1 || strings.Count(got.stderr, "\n") != 1 ||
			!strings.HasPrefix(got.stderr, "dragoman: DRAGOMAN_PUBLIC_URL: its path "+prefix+" and the path "+other) ||
			!strings.Contains(got.stderr, "; choose another path") {
			t.Errorf("%s: %+v", prefix, got)
		}
	}
	const public = "DRAGOMAN_PUBLIC_URL=http://localhost:8080/accounts"
	p := harness.Spawn(t, "DRAGOMAN_DATA_DIR="+t.TempDir(), public, "DRAGOMAN_MAILBOX=on")
	for deadline := time.Now().Add(5 * time.Second); !strings.Contains(p.Out.String(), "Settings") &&
		time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) { // it is printed once the server is ready
	}
	for _, says := range []string{
		"http://localhost:8080/accounts/\n", "http://localhost:8080/accounts/dev/mailbox?key=",
	} {
		if !strings.Contains(p.Out.String(), says) {
			t.Errorf("the banner does not say %s: %s", says, p.Out)
		}
	}
	env := []string{"DRAGOMAN_LISTEN=" + strings.TrimPrefix(p.URL, "http://"), public}
	for _, args := range [][]string{{"health"}, {"health", p.URL}, {"health", p.URL + "/accounts"}} {
		if got := command(t, t.TempDir(), env, args...); got.code != 0 || got.stdout != "ready\n" {
			t.Errorf("%q: %+v", args, got)
		}
	}
}
