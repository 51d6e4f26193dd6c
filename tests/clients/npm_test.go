// Package clients drives the examples for frontends, and the clients of npm that docs/frontend.md names, against a
// server.
package clients

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/tests/harness"
)

// installs holds one install for each folder with a package.json.
var installs sync.Map

// installed gives the node_modules that the lock file of a folder describes. They are kept in the temporary folder of
// the machine under the hash of the lock file, so that a second run installs nothing.
//
// Without npm, or without a registry, the test is skipped, or fails if the environment has CI=true.
func installed(t testing.TB, folder string) string {
	t.Helper()
	once, _ := installs.LoadOrStore(folder, sync.OnceValues(func() (string, error) { return install(folder) }))
	modules, err := once.(func() (string, error))()
	if err == nil {
		return modules
	}
	if os.Getenv("CI") == "true" {
		t.Fatal(err)
	}
	t.Skipf("NO CLIENT TEST: %v", err)
	return ""
}

func install(folder string) (string, error) {
	sum := sha256.New()
	for _, name := range []string{"package.json", "package-lock.json"} {
		text, err := os.ReadFile(harness.Path(folder + "/" + name))
		if err != nil {
			return "", err
		}
		sum.Write(text)
	}
	cache := filepath.Join(os.TempDir(), fmt.Sprintf("dragoman-npm-%d", os.Getuid()))
	modules := filepath.Join(cache, hex.EncodeToString(sum.Sum(nil)[:8]), "node_modules")
	if _, err := os.Stat(modules); err == nil {
		return modules, nil
	}
	if err := os.MkdirAll(cache, 0o700); err != nil {
		return "", err
	}
	work, err := os.MkdirTemp(cache, "install-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(work) //nolint:errcheck // what is left when the rename took the rest
	for _, name := range []string{"package.json", "package-lock.json", ".npmrc"} {
		text, err := os.ReadFile(harness.Path(folder + "/" + name))
		if err == nil {
			err = os.WriteFile(filepath.Join(work, name), text, 0o600)
		}
		if err != nil {
			return "", err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "npm", "ci", "--no-audit", "--no-fund", "--loglevel=error")
	cmd.Dir = work
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("npm ci of %s: %w\n%s", folder, err, out)
	}
	err = os.Rename(work, filepath.Dir(modules))
	if errors.Is(err, os.ErrExist) { // another program was first
		err = nil
	}
	return modules, err
}

// workspace copies docs/examples and tests/clients/scripts into a temporary folder, each in its place, and links the
// node_modules of the folders to what is installed. It gives the root.
func workspace(t testing.TB, folders ...string) string {
	t.Helper()
	root := t.TempDir()
	for _, part := range []string{"docs/examples", "tests/clients/scripts"} {
		if err := copyFolder(harness.Path(part), filepath.Join(root, part)); err != nil {
			t.Fatal(err)
		}
	}
	for _, folder := range folders {
		if err := os.Symlink(installed(t, folder), filepath.Join(root, folder, "node_modules")); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// copyFolder copies sources: no dependencies, and nothing that was built.
func copyFolder(from, to string) error {
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(to, 0o700); err != nil {
		return err
	}
	built := []string{"node_modules", "dist", ".next"}
	for _, entry := range entries {
		source, target := filepath.Join(from, entry.Name()), filepath.Join(to, entry.Name())
		switch {
		case slices.Contains(built, entry.Name()):
		case entry.IsDir():
			err = errors.Join(err, copyFolder(source, target))
		default:
			text, failed := os.ReadFile(source)
			err = errors.Join(err, failed, os.WriteFile(target, text, 0o600))
		}
	}
	return err
}

// run runs a command line in a folder and gives what it says.
func run(t testing.TB, dir string, line string, env ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	words := strings.Fields(line)
	cmd := exec.CommandContext(ctx, words[0], words[1:]...) //nolint:gosec // a command of this test
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", line, err, out)
	}
	return string(out)
}
