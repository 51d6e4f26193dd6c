// Package harness is what black-box tests stand on: servers in this process on real sockets, the program in a process
// of its own, a clock to move by hand, databases, a mail server, and the documents that most tests send.
package harness

import (
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/dragoman-auth/dragoman/db/dbtest"
)

// Main runs the tests of a package in the root of the module, where the files lie that they read: use it in TestMain.
func Main(m *testing.M) {
	MainAtOnce(m, 2*runtime.GOMAXPROCS(0)) // half of the time a test waits for a database or a clock
}

// MainAtOnce is Main with n tests at a time, unless the command line says how many, and with what is to be ended behind
// them.
func MainAtOnce(m *testing.M, n int, ends ...func()) {
	flag.Parse()
	if flag.Lookup("test.parallel").Value.String() == strconv.Itoa(runtime.GOMAXPROCS(0)) {
		_ = flag.Set("test.parallel", strconv.Itoa(n))
	}
	// dozens of servers in one process: at the usual 100 a quarter of the time is the collector's
	debug.SetGCPercent(400)
	debug.SetMemoryLimit(1 << 30)
	if root != "" {
		if err := os.Chdir(root); err != nil {
			panic(err)
		}
	}
	code := dbtest.Run(m)
	for _, end := range ends {
		end()
	}
	_ = os.RemoveAll(built.dir)
	os.Exit(code)
}

// root is the folder of go.mod; "" for a copy of the test program that was started elsewhere, as dbtest does.
var root = findRoot()

func findRoot() string {
	dir, err := os.Getwd()
	for ; err == nil && dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
	}
	return ""
}

// Path is the full path of a file of the repository. A test reads by full paths: go test looks for a relative one in
// the folder of the package, and would give a remembered result although the file has changed.
func Path(name string) string { return filepath.Join(root, name) }

// ReadFile reads a file of the repository, by its path from the root.
func ReadFile(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(Path(name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Folders walks over the folders of the repository in which something is written by hand, given by their path from the
// root; "." is the root. Those of tests are left out.
func Folders(do func(folder string) error) error {
	return filepath.WalkDir(root, func(full string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		name, err := filepath.Rel(root, full)
		if err != nil {
			return err
		}
		if strings.HasPrefix(d.Name(), ".") && name != "." ||
			slices.Contains([]string{"node_modules", "testdata", "tests", "data"}, d.Name()) {
			return fs.SkipDir
		}
		return do(filepath.ToSlash(name))
	})
}
