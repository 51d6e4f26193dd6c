package db_test

import (
	"testing"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
)

// TestAZ12_BeyondUser compares the conditions of SQL with the permissions of every role, and with a role of a later
// version.
func TestAZ12_BeyondUser(t *testing.T) {
	t.Parallel()
	every := map[db.Permission]bool{}
	for _, role := range db.BuiltInRoles() {
		for _, p := range role.Permissions {
			every[p] = true
		}
	}
	beyond, all := map[string]bool{"a role of a later version": true}, map[string]bool{}
	for _, role := range db.BuiltInRoles() {
		beyond[role.Name], all[role.Name] = false, len(role.Permissions) == len(every)
		for _, p := range role.Permissions {
			beyond[role.Name] = beyond[role.Name] || p != db.ProfileRead
		}
	}
	if beyond[db.RoleUser] || !beyond[db.RoleAdmin] || all[db.RoleUser] || !all[db.RoleAdmin] {
		t.Fatalf("the roles beyond user: %v, with every permission: %v", beyond, all)
	}
	dbtest.Each(t, func(t *testing.T, dsn string) {
		conn := dbtest.Beside(t, dsn)
		for name, want := range beyond {
			var got, holds bool
			query := `SELECT ` + db.BeyondUserSQL + `, ` + db.HoldsAllSQL + ` FROM (SELECT CAST($1 AS text) AS role) u`
			if err := conn.QueryRowContext(t.Context(), query, name).Scan(&got, &holds); err != nil {
				t.Fatal(err)
			}
			if u := (&db.User{Role: name}); got != want || u.BeyondUser() != want || holds != all[name] {
				t.Errorf("%s: beyond user is %t in SQL and %t in Go, want %t; every permission %t, want %t",
					name, got, u.BeyondUser(), want, holds, all[name])
			}
		}
	})
}
