package harness

import (
	"database/sql"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/dragoman-auth/dragoman/db/dbtest"
)

// Together runs n calls at the same moment and gives their answers; nil where the connection failed. A 503 that says
// when to come back is the hash queue's, and is sent again.
func Together(n int, call func(n int) (*Answer, error)) []*Answer {
	answers := make([]*Answer, n)
	begin := make(chan struct{})
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() {
			<-begin
			for {
				a, err := call(i)
				if err == nil && a.Status == http.StatusServiceUnavailable && a.Header.Get("Retry-After") != "" {
					continue
				}
				if err == nil {
					answers[i] = a
				}
				return
			}
		})
	}
	close(begin)
	wg.Wait()
	return answers
}

// Statements counts what a database was asked during f, from the log of the server.
func Statements(t *testing.T, dsn string, f func()) (n int, lines []string) {
	t.Helper()
	path := dbtest.PostgresLog(t)
	name := regexp.MustCompile(`/(\w+)(\?|$)`).FindStringSubmatch(dsn)[1]
	size := func() int64 {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	from := size()
	f()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	written := make([]byte, size()-from)
	if _, err := file.ReadAt(written, from); err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`^` + name + ` LOG:  (execute [^:]*|statement): (.*)`)
	for text := range strings.SplitSeq(string(written), "\n") {
		if m := line.FindStringSubmatch(text); m != nil {
			lines = append(lines, m[2])
		}
	}
	return len(lines), lines
}

// BudgetServer starts a server on a Postgres whose log can be read. One connection, so that everything is prepared
// after one warm-up.
func BudgetServer(t *testing.T, env ...string) (s *Instance, dsn string) {
	t.Helper()
	if dsn = dbtest.Postgres(t); dbtest.PostgresLog(t) == "" {
		t.Skip("TEST_DATABASE_URL: the log of that server can not be read")
	}
	return Start(t, dsn+"&pool_max_conns=1", append(env, MailWaits)...), dsn
}

// FullRun tells whether the experiments run at their full size.
var FullRun = os.Getenv("DRAGOMAN_TEST_FULL") == "1"

// Side is a connection of the test's own to the database of a server.
type Side struct {
	*sql.DB
	Postgres bool
}

// OpenSide opens a connection beside the server.
func OpenSide(t testing.TB, dsn string) *Side {
	t.Helper()
	return &Side{DB: dbtest.Beside(t, dsn), Postgres: !strings.HasPrefix(dsn, "sqlite:")}
}

// MustExec runs a statement.
func (s *Side) MustExec(t testing.TB, statement string) {
	t.Helper()
	if _, err := s.Exec(statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// Count reads one number.
func (s *Side) Count(t testing.TB, query string) (n int) {
	t.Helper()
	if err := s.QueryRow(query).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

// Texts reads one column.
func (s *Side) Texts(t testing.TB, query string) []string {
	t.Helper()
	rows, err := s.Query(query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var text sql.NullString
		if err := rows.Scan(&text); err != nil {
			t.Fatal(err)
		}
		all = append(all, text.String)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// Amount is small unless DRAGOMAN_TEST_FULL asks for the full experiment.
func Amount(small, full int) int {
	if FullRun {
		return full
	}
	return small
}

// MustExec runs statements one after the other.
func MustExec(t testing.TB, conn *sql.DB, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := conn.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// MustCount reads one number.
func MustCount(t testing.TB, conn *sql.DB, query string) int {
	t.Helper()
	var n int
	if err := conn.QueryRowContext(t.Context(), query).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

// Dump gives every value of every table, and of SQLite the bytes of the files too.
func Dump(t testing.TB, dsn string) string {
	t.Helper()
	conn := dbtest.Beside(t, dsn)
	list := `SELECT quote_ident(table_schema) || '.' || quote_ident(table_name) FROM information_schema.tables
WHERE table_schema NOT IN ('pg_catalog', 'information_schema')`
	var out strings.Builder
	if path, ok := strings.CutPrefix(dsn, "sqlite:"); ok {
		list = `SELECT name FROM sqlite_master WHERE type = 'table'`
		for _, name := range []string{path, path + "-wal"} {
			raw, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			out.Write(raw)
		}
	}
	for _, row := range values(t, conn, list) {
		for _, r := range values(t, conn, "SELECT * FROM "+row[0]) {
			out.WriteString(strings.Join(r, "\n") + "\n")
		}
	}
	return out.String()
}

// values reads a query as raw text, bytes as they are.
func values(t testing.TB, conn *sql.DB, query string) (all [][]string) {
	t.Helper()
	rows, err := conn.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		cells, into := make([]any, len(columns)), make([]any, len(columns))
		for i := range cells {
			into[i] = &cells[i]
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		var row []string
		for _, cell := range cells {
			if b, ok := cell.([]byte); ok {
				row = append(row, string(b))
			} else {
				row = append(row, fmt.Sprint(cell))
			}
		}
		all = append(all, row)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}
