package outbox_test

import (
	"database/sql"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverdatabasesql"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"

	"github.com/dragoman-auth/dragoman/db/dbtest"
)

// The tables of the queue are those that River makes for itself: a version of River that wants others is noticed here.
func TestMigrate_QueueIsRivers(t *testing.T) {
	t.Parallel()
	for name, one := range map[string]struct {
		ours, empty func(t *testing.T) string
		driver      func(*sql.DB) riverdriver.Driver[*sql.Tx]
		shape       []string
	}{
		"sqlite": {
			func(t *testing.T) string { return dbtest.SQLite(t) },
			func(t *testing.T) string { return "sqlite:" + filepath.Join(t.TempDir(), "empty.db") },
			func(c *sql.DB) riverdriver.Driver[*sql.Tx] { return riversqlite.New(c) },
			[]string{
				`SELECT m.name, c.name, c.type, c."notnull", coalesce(c.dflt_value, ''), c.pk FROM sqlite_master m, ` +
					`pragma_table_info(m.name) c
WHERE m.type = 'table' AND m.name LIKE 'river%'`,
				`SELECT name, tbl_name, '', '', replace(replace(coalesce(sql, ''), ' ', ''), 'IFNOTEXISTS', ''), '' ` +
					`FROM sqlite_master
WHERE type = 'index' AND tbl_name LIKE 'river%'`,
				`SELECT name, (length(sql) - length(replace(sql, 'CONSTRAINT', ''))) / 10, instr(sql, ` +
					`'AUTOINCREMENT') > 0, '', '', '' FROM sqlite_master
WHERE type = 'table' AND name LIKE 'river%'`,
				`SELECT line, version, '', '', '', '' FROM river_migration`,
			},
		},
		"postgres": {
			func(t *testing.T) string { return dbtest.Postgres(t) },
			func(t *testing.T) string { return dbtest.EmptyPostgres(t) },
			func(c *sql.DB) riverdriver.Driver[*sql.Tx] { return riverdatabasesql.New(c) },
			[]string{
				`SELECT table_name, column_name, udt_name, is_nullable, coalesce(column_default, ''), ` +
					`coalesce(character_maximum_length, 0)::text
FROM information_schema.columns WHERE table_name LIKE 'river%'`,
				`SELECT indexname, indexdef, '', '', '', '' FROM pg_indexes WHERE tablename LIKE 'river%'`,
				`SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid), '', '', '' FROM pg_constraint ` +
					`WHERE conrelid::regclass::text LIKE 'river%'`,
				`SELECT relname, relpersistence::text, '', '', '', '' FROM pg_class WHERE relname LIKE 'river%'`,
				`SELECT enumlabel, (row_number() OVER (ORDER BY enumsortorder))::text, '', '', '', '' FROM pg_enum`,
				`SELECT proname, prosrc, '', '', '', '' FROM pg_proc WHERE proname LIKE 'river%'`,
				`SELECT tgname, '', '', '', '', '' FROM pg_trigger WHERE NOT tgisinternal`,
				`SELECT line, version::text, '', '', '', '' FROM river_migration`,
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn := dbtest.Beside(t, one.empty(t))
			m, err := rivermigrate.New(one.driver(conn), &rivermigrate.Config{Logger: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := m.Migrate(t.Context(), rivermigrate.DirectionUp, nil); err != nil {
				t.Fatal(err)
			}
			beside := dbtest.Beside(t, one.ours(t))
			for _, query := range one.shape {
				want, got := rows(t, conn, query), rows(t, beside, query)
				if len(want) == 0 && !strings.Contains(query, "pg_trigger") {
					t.Errorf("nothing to compare: %s", query)
				}
				for _, line := range want {
					if !slices.Contains(got, line) {
						t.Errorf("lacks %s", line)
					}
				}
				for _, line := range got {
					if !slices.Contains(want, line) {
						t.Errorf("has %s", line)
					}
				}
			}
		})
	}
}

func rows(t *testing.T, conn *sql.DB, query string) (all []string) {
	t.Helper()
	found, err := conn.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer found.Close()
	for found.Next() {
		var c [6]string
		if err := found.Scan(&c[0], &c[1], &c[2], &c[3], &c[4], &c[5]); err != nil {
			t.Fatal(err)
		}
		line := strings.Join(strings.Fields(strings.Join(c[:], " ")), " ")
		// River makes that table twice
		all = append(all, strings.ReplaceAll(line, "river_migration_pkey1", "river_migration_pkey"))
	}
	if err := found.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}
