package harness

import (
	"context"
	"fmt"
	"regexp"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db/dbtest"

	"github.com/dragoman-auth/dragoman/internal/secret"
	"github.com/dragoman-auth/dragoman/internal/token"
	"github.com/dragoman-auth/dragoman/operator"
	"github.com/dragoman-auth/dragoman/rest"
)

// What the tests share that run every example of every dialect: of those that come with the server, and of the
// tutorial.

// TutorialFiles is where the dialect file of the tutorial lies.
var TutorialFiles = Path("docs/examples")

// AllDialects reads the shipped dialects and that of the tutorial.
func AllDialects(t *testing.T) []*rest.Dialect {
	t.Helper()
	all, err := rest.Load(TutorialFiles, nil)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// ExampleServers are the servers of a dialect on one kind of database, one for all examples that want the same
// settings: to make one takes longer than most examples. Examples use them one after another.
type ExampleServers struct {
	dialect string
	fresh   func(testing.TB) string // a database
	start   func(t testing.TB, dsn string, env ...string) *Instance
	made    map[string]*ExampleServer
}

// ExampleServer is a server with a clock that the example moves. It serves no other dialect, and asks one thing at a
// time, over two connections to Postgres. That dialects go together is seen by every other test.
type ExampleServer struct {
	*Instance
	Side *Side
}

// EachExampleServers runs test for each kind of database, in parallel.
func EachExampleServers(t *testing.T, dialect string, test func(t *testing.T, servers *ExampleServers)) {
	t.Helper()
	dbtest.EachKind(t, func(t *testing.T, fresh func(testing.TB) string) {
		test(t, &ExampleServers{dialect, fresh, Start, map[string]*ExampleServer{}})
	})
}

// SQLiteExampleServers are for what does not depend on the database.
func SQLiteExampleServers(dialect string) *ExampleServers {
	return &ExampleServers{dialect, dbtest.SQLite, Start, map[string]*ExampleServer{}}
}

// ExampleServersBelow are below a path prefix, as Below says. made is called with the proxy of each.
func ExampleServersBelow(dialect string, strips bool, made func(*Front)) *ExampleServers {
	start := func(t testing.TB, dsn string, env ...string) *Instance {
		i, f := Below(t, dsn, strips, false, env...)
		made(f)
		return i
	}
	return &ExampleServers{dialect, dbtest.SQLite, start, map[string]*ExampleServer{}}
}

// For is the server for the next example. Nothing is in its database but keys, and since the example before a day has
// passed, so that no limit remembers it. The server lasts as long as t, which is the test around the examples.
func (e *ExampleServers) For(t testing.TB, settings map[string]string) *ExampleServer {
	t.Helper()
	which := fmt.Sprint(settings)
	if s := e.made[which]; s != nil {
		s.Side.empty(t)
		s.Clock.Add(24 * time.Hour)
		return s
	}
	dsn, env := e.fresh(t), []string{"DRAGOMAN_DIALECTS_DIR=" + TutorialFiles, "DRAGOMAN_DIALECTS=" + e.dialect}
	for name, value := range settings {
		env = append(env, name+"="+value)
	}
	side, few := OpenSide(t, dsn), ""
	if side.Postgres {
		few = "&pool_max_conns=2"
	}
	s := &ExampleServer{e.start(t, dsn+few, env...), side}
	e.made[which] = s
	return s
}

// kept are tables whose rows are no example's.
var kept = regexp.MustCompile(`^(signing_keys|server_secrets|.*migration.*|river_(queue|client.*|leader))$`)

// empty takes everything out of the tables of a server but its keys and what migrations put there.
func (s *Side) empty(t testing.TB) {
	t.Helper()
	tables, statement := `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`, ""
	if s.Postgres {
		tables = `SELECT tablename FROM pg_tables WHERE schemaname = current_schema()`
		statement = "SET LOCAL session_replication_role = replica; " // in any order
	}
	for _, table := range s.Texts(t, tables) {
		if !kept.MatchString(table) {
			statement += "DELETE FROM " + table + "; "
		}
	}
	s.MustExec(t, statement)
}

// Promoter makes administrators beside the server, as the operator does.
func Promoter(t *testing.T, conn *Side) func(context.Context, string) error {
	return func(_ context.Context, who string) error {
		conn.MustExec(t, `UPDATE users SET role = 'admin'
WHERE '`+who+`' IN (email_canonical, username_canonical)`)
		return nil
	}
}

// MailReader looks into mailboxes for examples.
func (i *Instance) MailReader(t *testing.T) func(ctx context.Context, kind, to string) (rest.MailSecrets, error) {
	return func(ctx context.Context, kind, to string) (rest.MailSecrets, error) {
		master, err := secret.New([]byte(Secret))
		if err != nil {
			t.Fatal(err)
		}
		return operator.ReadMail(ctx, i.App.DB, token.NewCodec(master, i.Clock.Now), i.Clock.Now(), kind, to)
	}
}
