package admin

import (
	"fmt"
	"testing"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// TestAZ06_LastAdminEveryWay: administrators who leave, erase, demote and suspend one another at the same moment, at
// two servers: somebody who can administer is left, whatever comes first, and nothing fails.
func TestAZ06_LastAdminEveryWay(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		instances := harness.Cluster(t, dsn, 2)
		s, side := instances[0], harness.OpenSide(t, dsn)
		for round := range harness.Amount(6, 100) {
			side.MustExec(t, `DELETE FROM users`)
			admins := make([]harness.Account, 6)
			for n := range admins {
				admins[n] = s.Register(t, fmt.Sprintf("a%d-%d@example.com", round, n))
			}
			side.MustExec(t, `UPDATE users SET role = 'admin'`)
			answers := harness.Together(2*len(admins), func(n int) (*harness.Answer, error) {
				who, next := admins[n/2], admins[(n/2+1)%len(admins)].ID
				document, input := harness.DeleteAccountDoc, map[string]any(nil)
				switch (n + round) % 4 {
				case 1:
					document, input = harness.DeleteUserDoc, harness.InputOf("id", next)
				case 2:
					document, input = harness.UpdateUserDoc, harness.InputOf("id", next, "role", "user")
				case 3:
					document, input = harness.SuspendDoc, harness.InputOf("id", next)
				}
				return harness.Send(instances[n%len(instances)].URL, who.Access, document, input)
			})
			for n, a := range answers {
				if a == nil {
					t.Fatalf("round %d, %d: no answer", round, n)
				}
				switch a.Code() {
				case "", "CONFLICT", "FORBIDDEN", "UNAUTHENTICATED", "NOT_FOUND":
				default:
					t.Errorf("round %d, %d: %s", round, n, a.Raw)
				}
			}
			if n := side.Count(t, `SELECT count(*) FROM users WHERE role = 'admin' AND status = 'ACTIVE'`); n < 1 {
				t.Fatalf("round %d: %d administrators left", round, n)
			}
		}
	})
}
