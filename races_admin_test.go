package main

import (
	"fmt"
	"testing"

	"github.com/dragoman-auth/dragoman/db/dbtest"
)

// TestAZ06_LastAdminEveryWay: administrators who leave, erase, demote and suspend one another at the same moment, at two
// servers: somebody who can administer is left, whatever comes first, and nothing fails.
func TestAZ06_LastAdminEveryWay(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		instances := cluster(t, dsn, 2)
		s, side := instances[0], openSide(t, dsn)
		for round := range amount(6, 100) {
			side.exec(t, `DELETE FROM users`)
			admins := make([]account, 6)
			for n := range admins {
				admins[n] = s.register(t, fmt.Sprintf("a%d-%d@example.com", round, n))
			}
			side.exec(t, `UPDATE users SET role = 'admin'`)
			answers := together(2*len(admins), func(n int) (*answer, error) {
				who, next := admins[n/2], admins[(n/2+1)%len(admins)].ID
				document, input := deleteAccountDoc, map[string]any(nil)
				switch (n + round) % 4 {
				case 1:
					document, input = deleteUserDoc, inputOf("id", next)
				case 2:
					document, input = updateUserDoc, inputOf("id", next, "role", "user")
				case 3:
					document, input = suspendDoc, inputOf("id", next)
				}
				return send(instances[n%len(instances)].URL, who.Access, document, input)
			})
			for n, a := range answers {
				if a == nil {
					t.Fatalf("round %d, %d: no answer", round, n)
				}
				switch a.code() {
				case "", "CONFLICT", "FORBIDDEN", "UNAUTHENTICATED", "NOT_FOUND":
				default:
					t.Errorf("round %d, %d: %s", round, n, a.Raw)
				}
			}
			if n := side.count(t, `SELECT count(*) FROM users WHERE role = 'admin' AND status = 'ACTIVE'`); n < 1 {
				t.Fatalf("round %d: %d administrators left", round, n)
			}
		}
	})
}
