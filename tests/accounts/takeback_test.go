package accounts

import (
	"strings"
	"testing"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// OT-11, OT-19: whoever has the session of somebody else for a minute changes the address to and fro, where it counts
// at once. The newest link of the owner takes the account back, and none of the others takes it away again.
func TestOT19_ToAndFro(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		for name, robbery := range map[string]func(link, second string){
			"by-link": func(link, _ string) { s.GraphQL(t, "", cancelDoc, harness.InputOf("token", link)) },
			"by-reset": func(_, second string) {
				l := s.Mailed(t, harness.AskResetDoc, second, db.MailResetPassword)
				harness.Fine(t, s.GraphQL(t, "", harness.ResetDoc,
					harness.InputOf("token", l.Token, "newPassword", "the password of a thief")))
			},
			"afterwards": func(_, _ string) {},
		} {
			owner, first, second := name+"@example.com", "first-"+name+"@example.net", "second-"+name+"@example.net"
			who := confirmed(t, s, owner)
			for _, email := range []string{first, owner, second} {
				changeAtOnce(t, s, who.Access, email)
				s.Deliver(t)
			}
			link := s.Letter(t, first, db.MailEmailChanged).Token
			robbery(link, second)
			a := s.GraphQL(t, "", cancelDoc, harness.InputOf("token", s.Letter(t, owner, db.MailEmailChanged).Token))
			if !strings.Contains(a.Raw, `"email":"`+owner+`","emailVerified":true`) {
				t.Errorf("%s: %s", name, a.Raw)
			}
			if a := s.GraphQL(t, "", cancelDoc, harness.InputOf("token", link)); a.Code() != "INVALID_TOKEN" {
				t.Errorf("%s: %s", name, a.Raw)
			}
			l := s.Mailed(t, harness.AskResetDoc, owner, db.MailResetPassword)
			harness.Fine(t, s.GraphQL(t, "", harness.ResetDoc,
				harness.InputOf("token", l.Token, "newPassword", harness.NewPass)))
			harness.Fine(t, s.Login(t, owner, harness.NewPass))
		}
	})
}
