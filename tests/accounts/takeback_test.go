package accounts

import (
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// OT-11, OT-19: whoever has the session of somebody else for a minute changes the address to and fro, where it is shown
// at once, and proves some of these. The newest link of the owner takes the account back, and none of the others takes
// it away again.
func TestOT19_ToAndFro(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		for name, robbery := range map[string]func(first, second string) (link string){
			"shown": func(string, string) string { return "" },
			"by-link": func(first, _ string) string {
				link := s.Letter(t, first, db.MailEmailChanged).Token
				harness.Fine(t, s.GraphQL(t, "", cancelDoc, harness.InputOf("token", link)))
				return link
			},
			"by-reset": func(first, second string) string {
				l := s.Mailed(t, harness.AskResetDoc, second, db.MailResetPassword)
				harness.Fine(t, s.GraphQL(t, "", harness.ResetDoc,
					harness.InputOf("token", l.Token, "newPassword", "the password of a thief")))
				return s.Letter(t, first, db.MailEmailChanged).Token
			},
			"afterwards": func(first, _ string) string {
				return s.Letter(t, first, db.MailEmailChanged).Token
			},
		} {
			owner, first, second := name+"@example.com", "first-"+name+"@example.net", "second-"+name+"@example.net"
			who := confirmed(t, s, owner)
			for _, email := range []string{first, owner, second} {
				changeAtOnce(t, s, who.Access, email)
				if s.Clock.Add(time.Minute); name == "shown" || email == owner {
					continue
				}
				harness.Fine(t, s.GraphQL(t, "", harness.VerifyDoc,
					harness.InputOf("token", s.Letter(t, email, db.MailConfirmChange).Token)))
			}
			link := robbery(first, second)
			a := s.GraphQL(t, "", cancelDoc, harness.InputOf("token", s.Letter(t, owner, db.MailEmailChanged).Token))
			if a.Text("cancelEmailChange", "email") != owner {
				t.Errorf("%s: %s", name, a.Raw)
			}
			if a := s.GraphQL(t, "", cancelDoc, harness.InputOf("token", link)); a.Code() != "INVALID_TOKEN" {
				t.Errorf("%s: %s", name, a.Raw)
			}
			l := s.Mailed(t, harness.AskResetDoc, owner, db.MailResetPassword)
			harness.Fine(t, s.GraphQL(t, "", harness.ResetDoc,
				harness.InputOf("token", l.Token, "newPassword", harness.NewPass)))
			in := harness.Fine(t, s.Login(t, owner, harness.NewPass)).Text("login", "tokens", "accessToken")
			if got := addresses(t, s, in); got != owner+" true <nil>" {
				t.Errorf("%s: %s", name, got)
			}
		}
	})
}
