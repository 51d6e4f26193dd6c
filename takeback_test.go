package main

import (
	"strings"
	"testing"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
)

// OT-11, OT-19: whoever has the session of somebody else for a minute changes the address to and fro, where it counts at once. The
// newest link of the owner takes the account back, and none of the others takes it away again.
func TestOT19_ToAndFro(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		for name, robbery := range map[string]func(link, second string){
			"by-link": func(link, _ string) { s.graphql(t, "", cancelDoc, inputOf("token", link)) },
			"by-reset": func(_, second string) {
				l := s.mailed(t, askResetDoc, second, db.MailResetPassword)
				fine(t, s.graphql(t, "", resetDoc, inputOf("token", l.Token, "newPassword", "the password of a thief")))
			},
			"afterwards": func(_, _ string) {},
		} {
			owner, first, second := name+"@example.com", "first-"+name+"@example.net", "second-"+name+"@example.net"
			who := s.confirmed(t, owner)
			for _, email := range []string{first, owner, second} {
				s.changeAtOnce(t, who.Access, email)
				s.deliver(t)
			}
			link := s.letter(t, first, db.MailEmailChanged).Token
			robbery(link, second)
			a := s.graphql(t, "", cancelDoc, inputOf("token", s.letter(t, owner, db.MailEmailChanged).Token))
			if !strings.Contains(a.Raw, `"email":"`+owner+`","emailVerified":true`) {
				t.Errorf("%s: %s", name, a.Raw)
			}
			if a := s.graphql(t, "", cancelDoc, inputOf("token", link)); a.code() != "INVALID_TOKEN" {
				t.Errorf("%s: %s", name, a.Raw)
			}
			l := s.mailed(t, askResetDoc, owner, db.MailResetPassword)
			fine(t, s.graphql(t, "", resetDoc, inputOf("token", l.Token, "newPassword", newPass)))
			fine(t, s.login(t, owner, newPass))
		}
	})
}
