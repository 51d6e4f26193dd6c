package accounts

import (
	"fmt"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// OT-55: where somebody proves an address at the moment at which another account begins to show it, that account shows
// it no longer, or never did.
func TestOT55_ShownAndProvedAtOnce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		instances := harness.Cluster(t, dsn, 2)
		s, side := instances[0], harness.OpenSide(t, dsn)
		for round := range harness.Amount(8, 40) {
			e := fmt.Sprintf("wanted%d@example.com", round)
			prover := confirmed(t, s, "prover-"+e)
			harness.Fine(t, s.GraphQL(t, prover.Access, askDoc, harness.InputOf("email", e)))
			link := s.Letter(t, e, db.MailConfirmChange).Token
			var others []harness.Account
			for n := range 3 {
				others = append(others, confirmed(t, s, fmt.Sprintf("shows%d-%s", n, e)))
			}
			harness.Race(1+len(others), func(n int) {
				i := instances[n%len(instances)]
				if n == 0 {
					time.Sleep(time.Duration(round%4) * time.Millisecond)
					_, _ = harness.Send(i.URL, prover.Access, harness.VerifyDoc, harness.InputOf("token", link))
					return
				}
				_, _ = i.Call("POST /v1/auth/users/me", `{"data":{"type":"users","attributes":{"email":"`+e+`"}}}`,
					harness.Bearer(others[n-1].Access)...)
			})
			if got := addresses(t, s, prover.Access); got != e+" true <nil>" {
				t.Errorf("round %d: who proved it has %s", round, got)
			}
			if n := side.Count(t, `SELECT count(*) FROM users WHERE pending_shown AND pending_email_canonical = '`+e+
				`'`); n != 0 {
				t.Errorf("round %d: another account shows it", round)
			}
		}
	})
}
