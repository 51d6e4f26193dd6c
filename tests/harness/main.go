// Package harness is what black-box tests stand on: servers in this process on real sockets, the program in a process of its
// own, a clock to move by hand, databases, a mail server, and the documents that most tests send.
package harness

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"testing"

	"github.com/dragoman-auth/dragoman/db/dbtest"
)

// Main runs the tests of a package in the root of the module, where the files lie that they read: use it in TestMain.
func Main(m *testing.M) {
	flag.Parse()
	if n := 2 * runtime.GOMAXPROCS(0); flag.Lookup("test.parallel").Value.String() == strconv.Itoa(runtime.GOMAXPROCS(0)) {
		_ = flag.Set("test.parallel", strconv.Itoa(n)) // half of the time a test waits for a database or a clock
	}
	debug.SetGCPercent(400) // dozens of servers in one process: at the usual 100 a quarter of the time is the collector's
	debug.SetMemoryLimit(1 << 30)
	if err := toRoot(); err != nil {
		fmt.Fprintln(os.Stderr, "find the root of the module:", err)
		os.Exit(1)
	}
	code := dbtest.Run(m)
	_ = os.RemoveAll(built.dir)
	os.Exit(code)
}

// toRoot goes up to the folder of go.mod.
func toRoot() error {
	dir, err := os.Getwd()
	for ; err == nil; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return os.Chdir(dir)
		}
		if dir == filepath.Dir(dir) {
			return os.ErrNotExist
		}
	}
	return err
}

// ReadFile reads a file of the repository, by its path from the root. It opens the file by its full path: go test looks for a
// relative one in the folder of the package, and would give a remembered result although the file has changed.
func ReadFile(t testing.TB, name string) string {
	t.Helper()
	full, err := filepath.Abs(name)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(full)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
