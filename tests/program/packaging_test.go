package program

import (
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/dragoman-auth/dragoman/tests/harness"
)

// TestHealth asks a server that is ready, one that drains, and none.
func TestHealth(t *testing.T) {
	t.Parallel()
	p := harness.Spawn(t, "DRAGOMAN_DATA_DIR="+t.TempDir())
	here := []string{
		"DRAGOMAN_LISTEN=" + strings.TrimPrefix(p.URL, "http://"),
		"DRAGOMAN_PUBLIC_URL=https://auth.example.com",
	}
	dir := t.TempDir()
	for _, args := range [][]string{{"health"}, {"health", p.URL}, {"health", p.URL + "/"}} {
		if got := command(t, dir, here, args...); got.code != 0 || got.stdout != "ready\n" || got.stderr != "" {
			t.Errorf("%s: %+v", args, got)
		}
	}
	if err := p.Cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if got := command(t, dir, here, "health"); got.code != 1 || !strings.Contains(got.stderr, "draining") &&
		!strings.Contains(got.stderr, "refused") {
		t.Errorf("while it drains: %+v", got)
	}
	_ = p.Cmd.Wait()
	if got := command(t, dir, here, "health"); got.code != 1 || !strings.Contains(got.stderr, "refused") {
		t.Errorf("when it is gone: %+v", got)
	}
	if got := command(t, dir, nil, "health", "http://127.0.0.1:1\x7f"); got.code != 1 || got.stderr == "" {
		t.Errorf("a wrong address: %+v", got)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 0 {
		t.Errorf("left %v behind", entries)
	}
}
