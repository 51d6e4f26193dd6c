package db_test

import (
	"testing"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
)

// TestAZ12_BeyondUser compares the condition of SQL with the permissions of every role, and with a role of a later
// version.
func TestAZ12_BeyondUser(t *testing.T) {
	t.Parallel()
	roles := map[string]bool{"a role of a later version": true}
	for _, role := range db.BuiltInRoles() {
		for _, p := range role.Permissions {
			roles[role.Name] = roles[role.Name] || p != db.ProfileRead
		}
	}
	if roles[db.RoleUser] || !roles[db.RoleAdmin] {
		t.Fatalf("the roles beyond user: %v", roles)
	}
	dbtest.Each(t, func(t *testing.T, dsn string) {
		conn := dbtest.Beside(t, dsn)
		for name, want := range roles {
			var got bool
			query := `SELECT ` + db.BeyondUserSQL + ` FROM (SELECT CAST($1 AS text) AS role) u`
			if err := conn.QueryRowContext(t.Context(), query, name).Scan(&got); err != nil {
				t.Fatal(err)
			}
			if u := (&db.User{Role: name}); got != want || u.BeyondUser() != want {
				t.Errorf("%s: in SQL %t, in Go %t, want %t", name, got, u.BeyondUser(), want)
			}
		}
	})
}
