package program

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// commanded runs a command of the program in the root of the module. The error is what it complains of.
func commanded(t *testing.T, env []string, args ...string) (string, error) {
	t.Helper()
	got := command(t, ".", append([]string{"DRAGOMAN_DATA_DIR=" + t.TempDir()}, env...), args...)
	if got.code != 0 {
		return got.stdout, errors.New(strings.TrimPrefix(got.stderr, "dragoman: "))
	}
	return got.stdout, nil
}

// A file that is broken keeps the server from starting, with the message that `dialect check` gives too.
func TestEngine_BrokenFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "own.yaml")
	text := strings.Replace(harness.ReadFile(t, "rest/testdata/library-card.yaml"), "mounts: [/desk, /v2/desk]",
		"mount: [/desk]", 1)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	want := file + ":5: a dialect has no key \"mount\"\n    Did you mean mounts? The keys here are "
	for _, args := range [][]string{{"dialect", "check", file}, {"dialect", "list"}, {"serve"}, {}} {
		_, err := commanded(t, []string{
			"DRAGOMAN_DIALECTS_DIR=" + dir, "DRAGOMAN_DIALECTS=all",
			"DRAGOMAN_LISTEN=127.0.0.1:0",
		}, args...)
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v: %v", args, err)
		}
	}
}

// The commands and settings that choose dialects.
func TestEngine_Selection(t *testing.T) {
	t.Parallel()
	out, err := commanded(t, nil, "dialect", "check", "rest/testdata/library-card.yaml")
	if err != nil || !strings.Contains(out, "library-card: 16 routes, 3 examples, 0 failed") {
		t.Errorf("%v %s", err, out)
	}
	_, err = commanded(t, []string{
		"DRAGOMAN_DIALECTS=generic-v1,library", "DRAGOMAN_DIALECTS_DIR=rest/testdata",
		"DRAGOMAN_LISTEN=127.0.0.1:0",
	})
	for _, name := range []string{`"library"`, "generic-v1", "authentication-zero", "library-card"} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s is not in: %v", name, err)
		}
	}
	dir := t.TempDir()
	text := strings.Replace(harness.ReadFile(t, "rest/testdata/library-card.yaml"), "dialect: library-card",
		"dialect: generic-v1", 1)
	if err := os.WriteFile(filepath.Join(dir, "mine.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s := harness.Start(t, dbtest.SQLite(t), "DRAGOMAN_DIALECTS_DIR="+dir)
	s.Ask(t, "GET /motto", "").WantExactly(t, 200, "Quiet please.\n")
	if r := s.Ask(t, "POST "+harness.Generic+"/login", `{}`); r.Status != 404 {
		t.Errorf("the shipped one of the same name is served: %d %s", r.Status, r.Body)
	}
	if r := s.Ask(t, "POST /sign_in", `{}`); r.Status != 401 {
		t.Errorf("the other shipped ones are not: %d %s", r.Status, r.Body)
	}
	shown, err := commanded(t, []string{"DRAGOMAN_DIALECTS_DIR=" + dir}, "dialect", "show", "generic-v1")
	if err != nil || shown != text {
		t.Errorf("%v %.80s", err, shown)
	}
	none := harness.Start(t, dbtest.SQLite(t), "DRAGOMAN_DIALECTS=none")
	if r := none.Ask(t, "POST /sign_in", `{}`); r.Status != 404 {
		t.Errorf("none: %d %s", r.Status, r.Body)
	}
}
