package db_test

import (
	"testing"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
)

// TestStatements_Prepare has both databases prepare every statement of the package.
func TestStatements_Prepare(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		conn := dbtest.Beside(t, dsn)
		all := db.Statements(dbtest.Open(t, dsn).Postgres())
		if len(all) < 40 {
			t.Errorf("only %d statements are registered", len(all))
		}
		for name, texts := range all {
			for _, text := range texts {
				stmt, err := conn.PrepareContext(t.Context(), text)
				if err != nil {
					t.Errorf("%s: %v\n%s", name, err, text)
					continue
				}
				if err := stmt.Close(); err != nil {
					t.Error(err)
				}
			}
		}
	})
}
