package accounts

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// OT-56: an address that another account has or shows without a proof is not refused where addresses count at once: it
// waits, and whoever proves it has it. The other one keeps it until then.
func TestOT56_UnprovedBlocksNobody(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		n := 0
		for _, holds := range []string{"has", "shows"} {
			for _, mine := range []bool{true, false} { // whether the own address was confirmed
				n++
				name := fmt.Sprintf("%s, own address confirmed: %v", holds, mine)
				e, own := fmt.Sprintf("wanted%d@example.com", n), fmt.Sprintf("own%d@example.com", n)
				stranger, kept := harness.Account{}, e+" false <nil>"
				if holds == "has" {
					stranger = s.Register(t, e)
				} else {
					stranger = confirmed(t, s, fmt.Sprintf("stranger%d@example.com", n))
					changeAtOnce(t, s, stranger.Access, e)
				}
				ada := s.Register(t, own)
				if mine {
					ada = confirmed(t, s, "confirmed-"+own)
					own = "confirmed-" + own
				}
				changeAtOnce(t, s, ada.Access, e)
				if got, want := addresses(t, s, ada.Access), fmt.Sprint(own, " ", mine, " ", e); got != want {
					t.Errorf("%s: %s, not %s", name, got, want)
				}
				if got := addresses(t, s, stranger.Access); got != kept {
					t.Errorf("%s: the other one has %s", name, got)
				}
				harness.Fine(t, s.Login(t, own, harness.GoodPass))
				harness.Fine(t, s.GraphQL(t, "", harness.VerifyDoc,
					harness.InputOf("token", s.Letter(t, e, db.MailConfirmChange).Token)))
				if got := addresses(t, s, ada.Access); got != e+" true <nil>" {
					t.Errorf("%s: who proved it has %s", name, got)
				}
				if got := addresses(t, s, stranger.Access); got == kept || !s.Is(t, stranger.Access, stranger) {
					t.Errorf("%s: the other one has %s", name, got)
				}
			}
		}
		// Without mail nobody could prove it: it is refused as one that is proved.
		off := harness.Start(t, dsn, "DRAGOMAN_SMTP_URL=none")
		off.Register(t, "held@example.com")
		bob := off.Register(t, "bob@example.com")
		r := off.REST(t, "POST /v1/auth/users/me", `{"data":{"type":"users","attributes":{"email":"held@example.com"}}}`,
			harness.Bearer(bob.Access)...)
		if r.Status != http.StatusBadRequest {
			t.Errorf("without mail: %d %s", r.Status, r.Body)
		}
	})
}
