package harness

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/internal/limit"
)

// built is the program, once for each test program that runs it.
var built struct {
	once sync.Once
	dir  string
	err  error
}

// ProgramPath builds the program at the first need, and gives the path. With GOCOVERDIR in the environment it counts
// what it covers.
func ProgramPath(t testing.TB) string {
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
			return
		}
		// go test remembers a result until what was looked at changes: the program too
		built.err = Folders(func(string) error { return nil })
	})
	if built.err != nil {
		t.Fatalf("build the program: %v", built.err)
	}
	return built.dir + "/dragoman"
}

// ProgramVersion is what the program calls itself.
func ProgramVersion(t testing.TB) string {
	t.Helper()
	out, err := exec.Command(ProgramPath(t), "version").Output()
	form := regexp.MustCompile(`^dragoman (devel(?: \([0-9a-f]{7}(?:-dirty)?\))?|\d+\.\d+\.\d+\S*) go\S+ \S+/\S+\n$`)
	m := form.FindSubmatch(out)
	if err != nil || m == nil {
		t.Fatalf("the version is %q, %v", out, err)
	}
	return string(m[1])
}

var lastPort atomic.Int64

// FreeAddress is a loopback address on which nobody listens. Its port is none of those that the system gives to
// connections: one of them could have it before the server does.
func FreeAddress(t testing.TB) string {
	t.Helper()
	for range 100 {
		n := os.Getpid()*37 + int(lastPort.Add(1)) // programs of a whole go test look for addresses at once
		address := fmt.Sprintf("127.0.0.1:%d", 20_000+n%12_000)
		if l, err := net.Listen("tcp", address); err == nil {
			_ = l.Close()
			return address
		}
	}
	t.Fatal("no address was free")
	return ""
}

// Process is a server in a process of its own.
type Process struct {
	URL string
	Cmd *exec.Cmd
	Out *LogSink
}

// Spawn starts the server as a process with only these settings and waits until it is ready.
func Spawn(t testing.TB, env ...string) *Process {
	t.Helper()
	address := FreeAddress(t)
	p := &Process{URL: "http://" + address, Cmd: exec.Command(ProgramPath(t)), Out: &LogSink{}}
	p.Cmd.Dir = t.TempDir()
	p.Cmd.Env = append([]string{"DRAGOMAN_LISTEN=" + address, "PATH=" + os.Getenv("PATH"), "GOCOVERDIR=" +
		os.Getenv("GOCOVERDIR")}, env...)
	// What a server for others, and one with files of its own, has to say.
	all := strings.Join(env, "\n")
	public := strings.Contains(all, "DRAGOMAN_PUBLIC_URL=") || strings.Contains(all, "DRAGOMAN_TRUSTED_PROXIES=")
	if public && !strings.Contains(all, "DRAGOMAN_SMTP_URL") && !strings.Contains(all, "DRAGOMAN_MAILBOX=on") {
		p.Cmd.Env = append(p.Cmd.Env, "DRAGOMAN_SMTP_URL=none")
	}
	if (public || strings.Contains(all, "DRAGOMAN_DIALECTS_DIR=")) && !strings.Contains(all, "DRAGOMAN_DIALECTS=") {
		p.Cmd.Env = append(p.Cmd.Env, "DRAGOMAN_DIALECTS=all")
	}
	p.Cmd.Stdout, p.Cmd.Stderr = p.Out, p.Out
	if err := p.Cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.Cmd.Process.Kill()
		_ = p.Cmd.Wait()
	})
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if res, err := Client.Get(p.URL + "/readyz"); err == nil {
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return p
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("the server did not come up: %s", p.Out)
		}
	}
}

// ProcessEnv is what a process needs to work on the database of dsn.
func ProcessEnv(dsn string) []string {
	if path, ok := strings.CutPrefix(dsn, "sqlite:"); ok {
		return []string{"DRAGOMAN_SECRET=" + Secret, "DRAGOMAN_DATA_DIR=" + strings.TrimSuffix(path, "/dragoman.db")}
	}
	return []string{"DRAGOMAN_SECRET=" + Secret, "DATABASE_URL=" + dsn}
}

// Balancer hands requests round to the servers that say that they are ready, as docs/operations.md asks of one: it
// looks at /readyz four times a second, and it tries nothing twice.
type Balancer struct {
	URL string

	Mu    sync.Mutex
	ready []*httputil.ReverseProxy
	All   map[string]*httputil.ReverseProxy // by address
	next  atomic.Int64
}

// Look asks every server whether it is ready.
func (b *Balancer) Look() {
	b.Mu.Lock()
	asked := map[string]*httputil.ReverseProxy{}
	for address, proxy := range b.All {
		asked[address] = proxy
	}
	b.Mu.Unlock()
	var ready []*httputil.ReverseProxy
	for address, proxy := range asked {
		res, err := Client.Get(address + "/readyz")
		if err != nil {
			continue
		}
		_ = res.Body.Close()
		if res.StatusCode == http.StatusOK {
			ready = append(ready, proxy)
		}
	}
	b.Mu.Lock()
	b.ready = ready
	b.Mu.Unlock()
}

// ServeHTTP passes a request on to the next server that is ready.
func (b *Balancer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.Mu.Lock()
	ready := b.ready
	b.Mu.Unlock()
	if len(ready) == 0 {
		http.Error(w, "no server is ready", http.StatusBadGateway)
		return
	}
	ready[int(b.next.Add(1))%len(ready)].ServeHTTP(w, r)
}

// CanarySecret is a server secret or a password that must never be shown. It is too weak a secret on purpose.
const CanarySecret = "canary-Secret"

// MigrateSecret is that of the questions to old systems of tests.
const MigrateSecret = "whsec_c2lnbnMgcXVlc3Rpb25zIGZvciB0aGUgb2xkIHN5c3RlbSE3"

// SettingNames returns the names in the tables of settings: the first value in every row of the type key.
func SettingNames(t testing.TB) (names []string) {
	t.Helper()
	files, err := filepath.Glob(Path("internal/config/*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			table, ok := n.(*ast.CompositeLit)
			if !ok {
				return true
			}
			if list, ok := table.Type.(*ast.ArrayType); !ok || fmt.Sprint(list.Elt) != "key" {
				return true
			}
			for _, row := range table.Elts {
				name, err := strconv.Unquote(row.(*ast.CompositeLit).Elts[0].(*ast.BasicLit).Value)
				if err != nil {
					t.Fatal(err)
				}
				names = append(names, name)
			}
			return false
		})
	}
	if len(names) == 0 {
		t.Fatal("internal/config: no table of settings; find where it is now")
	}
	for _, e := range limit.Table() {
		names = append(names, e.Setting)
	}
	return names
}
