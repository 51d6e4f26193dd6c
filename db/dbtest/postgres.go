package dbtest

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
)

// server is the one Postgres of this test program.
var server struct {
	once    sync.Once
	cluster *cluster
	url     string
	err     error
	// strategy makes the clone a copy of files: a third of the time of the way through the log that 15 and later prefer.
	strategy string
	last     atomic.Int64
	said     sync.Once
	clone    sync.Mutex // CREATE DATABASE … TEMPLATE wants the template to itself
}

// pgTemplate is a name of this process: several test programs may share the server of TEST_DATABASE_URL.
var pgTemplate = fmt.Sprintf("dragoman_template_%d", os.Getpid())

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

// Run runs the tests of a program and stops the throw-away cluster after them: use it in TestMain.
func Run(m *testing.M) int {
	defer func() {
		switch {
		case server.cluster != nil:
			server.cluster.stop()
		case server.url != "":
			if admin("SELECT 1 / (current_setting('server_version_num')::int / 150000)") == nil { // an older one has this way only
				server.strategy = " STRATEGY FILE_COPY"
			}
			_ = admin("DROP DATABASE IF EXISTS " + pgTemplate + " WITH (FORCE)")
		}
	}()
	return m.Run()
}

// Postgres gives the DSN of a fresh migrated database.
func Postgres(t testing.TB) string { return clone(t, pgTemplate) }

// EmptyPostgres gives the DSN of a fresh database without any table.
func EmptyPostgres(t *testing.T) string { return clone(t, "template0") }

// PostgresLog gives the path of the server's log, in which every statement stands; "" with TEST_DATABASE_URL.
func PostgresLog(t *testing.T) string {
	t.Helper()
	start(t)
	if server.cluster == nil {
		return ""
	}
	return server.cluster.log
}

func clone(t testing.TB, from string) string {
	t.Helper()
	start(t)
	name := fmt.Sprintf("dragoman_test_%d_%d", os.Getpid(), server.last.Add(1))
	server.clone.Lock()
	err := admin("CREATE DATABASE " + name + " TEMPLATE " + from + server.strategy)
	server.clone.Unlock()
	if err != nil {
		t.Fatalf("clone a test database: %v", err)
	}
	t.Cleanup(func() {
		if err := admin("DROP DATABASE " + name + " WITH (FORCE)"); err != nil {
			t.Errorf("drop the test database: %v", err)
		}
	})
	return dsn(name)
}

func start(t testing.TB) {
	t.Helper()
	server.once.Do(func() {
		if server.url = os.Getenv("TEST_DATABASE_URL"); server.url == "" {
			server.cluster, server.err = newCluster()
			if server.err != nil || server.cluster == nil {
				return
			}
			server.url = server.cluster.url
		}
		_ = admin("DROP DATABASE IF EXISTS " + pgTemplate + " WITH (FORCE)")
		if server.err = admin("CREATE DATABASE " + pgTemplate); server.err == nil {
			migrate(t, dsn(pgTemplate))
		}
	})
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

func dsn(name string) string {
	u, err := url.Parse(server.url)
	if err != nil {
		return server.url
	}
	u.Path = "/" + name
	return u.String()
}

// admin runs one statement outside of any test database. The names in it are made here and nowhere else.
func admin(sql string) error {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, server.url)
	if err != nil {
		return err
	}
	defer conn.Close(ctx) //nolint:errcheck // the statement's own error counts
	_, err = conn.Exec(ctx, strings.TrimSpace(sql))
	return err
}
