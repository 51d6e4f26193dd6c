package main

import (
	"database/sql"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/dragoman-auth/dragoman/db/dbtest"
)

// fullRun tells whether the experiments run at their full size.
var fullRun = os.Getenv("DRAGOMAN_TEST_FULL") == "1"

// side is a connection of the test's own to the database of a server.
type side struct {
	*sql.DB
	postgres bool
}

func openSide(t testing.TB, dsn string) *side {
	t.Helper()
	return &side{DB: dbtest.Beside(t, dsn), postgres: !strings.HasPrefix(dsn, "sqlite:")}
}

func (s *side) exec(t testing.TB, statement string) {
	t.Helper()
	if _, err := s.Exec(statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// count reads one number.
func (s *side) count(t testing.TB, query string) (n int) {
	t.Helper()
	if err := s.QueryRow(query).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

// texts reads one column.
func (s *side) texts(t testing.TB, query string) []string {
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

// amount is small unless DRAGOMAN_TEST_FULL asks for the full experiment.
func amount(small, full int) int {
	if fullRun {
		return full
	}
	return small
}

func mustExec(t testing.TB, conn *sql.DB, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := conn.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

func mustCount(t testing.TB, conn *sql.DB, query string) int {
	t.Helper()
	var n int
	if err := conn.QueryRowContext(t.Context(), query).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

// dump gives every value of every table, and of SQLite the bytes of the files too.
func dump(t testing.TB, dsn string) string {
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
