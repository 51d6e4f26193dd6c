package dbtest

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/dragoman-auth/dragoman/db"
)

// server is the Postgres of this test program.
var server struct {
	once    sync.Once
	runs    bool     // within Run
	cluster *cluster // nil with TEST_DATABASE_URL
	url     string
	admin   *sql.DB
	own     string // what the names of this program's databases begin with
	from    string // the migrated database that the others are clones of
	err     error
	last    atomic.Int64
	said    sync.Once
}

const skipped = "SKIPPED THE POSTGRES HALF OF THE TESTS: no Postgres programs found. Install the package postgresql " +
	"(15 or later), or set TEST_DATABASE_URL=postgres://… to a server that may create databases."

// aloud reaches the person at the terminal: go test hides what a package that passes prints.
func aloud(message string) {
	tty, err := os.OpenFile("/dev/tty", os.O_WRONLY, 0)
	if err != nil {
		return
	}
	_, _ = fmt.Fprintln(tty, message)
	_ = tty.Close()
}

// Run runs the tests of a program, which may then ask for Postgres: func TestMain(m *testing.M) {
// os.Exit(dbtest.Run(m)) }. A program that another one started as the keeper of the server is that instead.
func Run(m *testing.M) int {
	if dir := os.Getenv(keeperOf); dir != "" {
		if err := keep(dir); err != nil {
			fmt.Fprintln(os.Stderr, "dbtest: keeper:", err)
			return 1
		}
		return 0
	}
	server.runs = true
	defer func() {
		if server.cluster == nil && server.from != "" { // the server of TEST_DATABASE_URL goes on
			_ = execute("DROP DATABASE IF EXISTS " + server.from + " WITH (FORCE)")
		}
	}()
	return m.Run()
}

// Postgres gives the DSN of a fresh migrated database.
func Postgres(t testing.TB) string {
	t.Helper()
	start(t)
	return clone(t, server.from)
}

// EmptyPostgres gives the DSN of a fresh database without any table.
func EmptyPostgres(t *testing.T) string {
	t.Helper()
	start(t)
	return clone(t, "template0")
}

// PostgresLog gives the path of the server's log, in which every statement stands; "" with TEST_DATABASE_URL. Other
// programs write there too: a line begins with the name of the database.
func PostgresLog(t *testing.T) string {
	t.Helper()
	start(t)
	if server.cluster == nil {
		return ""
	}
	return server.cluster.log()
}

func clone(t testing.TB, from string) string {
	t.Helper()
	name := fmt.Sprintf("%s_%d", server.own, server.last.Add(1))
	// The files are copied: the other way writes each page to the log, and takes four times as long.
	if err := execute("CREATE DATABASE " + name + " TEMPLATE " + from + " STRATEGY FILE_COPY"); err != nil {
		t.Fatalf("clone a test database: %v", err)
	}
	t.Cleanup(func() {
		if err := execute("DROP DATABASE " + name + " WITH (FORCE)"); err != nil {
			t.Errorf("drop the test database: %v", err)
		}
	})
	return within(server.url, name)
}

func start(t testing.TB) {
	t.Helper()
	if !server.runs {
		t.Fatal("this test program asks for Postgres and lacks a TestMain that calls dbtest.Run")
	}
	server.once.Do(func() { server.err = open() })
	switch {
	case server.err != nil:
		t.Fatalf("Postgres for tests: %v", server.err)
	case server.url == "" && os.Getenv("CI") == "true":
		t.Fatal("no Postgres programs found, and CI=true wants the whole suite: install the package postgresql")
	case server.url == "":
		server.said.Do(func() { aloud(skipped) })
		t.Skip(skipped)
	}
}

// open finds a server and makes the template on it; it leaves no URL where there are no programs of Postgres.
func open() (err error) {
	server.own = "dragoman_test_" + strings.ToLower(rand.Text()[:12])
	from := server.own
	if server.url = os.Getenv("TEST_DATABASE_URL"); server.url == "" {
		bin := programs()
		if bin == "" {
			return nil
		}
		if server.cluster, err = enter(bin); err != nil {
			return err
		}
		if from, err = migrated(); err != nil {
			return err
		}
		server.url = server.cluster.url()
	}
	if server.admin, err = sql.Open("pgx", server.url); err != nil {
		return err
	}
	server.admin.SetMaxIdleConns(runtime.GOMAXPROCS(0))
	server.from = from
	return template(context.Background(), from)
}

// migrated is a name for the schema that this program makes: checkouts with different ones share the server.
func migrated() (string, error) {
	files, sum := db.Migrations(), sha256.New()
	err := fs.WalkDir(files, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(files, path)
		_, _ = fmt.Fprintf(sum, "%s %d\n%s", path, len(text), text)
		return err
	})
	return "dragoman_template_" + hex.EncodeToString(sum.Sum(nil)[:8]), err
}

// templateLock is an arbitrary number that all test programs agree on.
const templateLock = 0x64626d6f

// template makes a migrated database unless there is one of this name. It gets the name when it is complete, so what a
// killed program left is made again.
func template(ctx context.Context, name string) (err error) {
	conn, err := server.admin.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if _, err = conn.ExecContext(ctx, "SELECT pg_advisory_lock($1)", templateLock); err != nil {
		return err
	}
	defer func() {
		_, failed := conn.ExecContext(ctx, "SELECT pg_advisory_unlock($1)", templateLock)
		err = errors.Join(err, failed)
	}()
	var there bool
	if err = conn.QueryRowContext(ctx, "SELECT count(*) > 0 FROM pg_database WHERE datname = $1",
		name).Scan(&there); err != nil || there {
		return err
	}
	draft := name + "_draft"
	for _, statement := range []string{"DROP DATABASE IF EXISTS " + draft + " WITH (FORCE)", "CREATE DATABASE " +
		draft} {
		if _, err = conn.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	if err = migrate(ctx, within(server.url, draft)); err != nil {
		return err
	}
	_, err = conn.ExecContext(ctx, "ALTER DATABASE "+draft+" RENAME TO "+name)
	return err
}

// within is the DSN of a database of the server.
func within(server, name string) string {
	u, err := url.Parse(server)
	if err != nil {
		return server
	}
	u.Path = "/" + name
	return u.String()
}

// execute runs one statement outside of any test database. The names in it are made here and nowhere else.
func execute(statement string) error {
	_, err := server.admin.ExecContext(context.Background(), statement)
	return err
}
