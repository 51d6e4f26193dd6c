package admin

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// TestAZ13_AddressSetByAdmin wants that an address which an administrator gives to somebody proves nothing: it ends the
// sessions and all earlier mails, and its owner chooses a password by the one mail that goes there.
func TestAZ13_AddressSetByAdmin(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		root, ada := s.Admin(t, dsn, "root@example.com"), s.Register(t, "ada@example.com")
		verify := s.Mailed(t, harness.SendVerifyDoc, ada.Email, db.MailVerifyEmail).Token
		harness.Fine(t, s.GraphQL(t, "", harness.VerifyDoc, harness.InputOf("token", verify)))
		harness.Fine(t, s.GraphQL(t, ada.Access, harness.ChangeEmailDoc, harness.InputOf("email", "waits@example.com")))
		cancel := s.Letter(t, ada.Email, db.MailChangeAsked).Token
		confirm := s.Letter(t, "waits@example.com", db.MailConfirmChange).Token
		reset := s.Mailed(t, harness.AskResetDoc, ada.Email, db.MailResetPassword).Token

		a := s.Expect(t, "", root.Access, harness.UpdateUserDoc,
			harness.InputOf("id", ada.ID, "email", "new@example.com"))
		if a.Text("updateUser", "user", "email") != "new@example.com" ||
			a.At("updateUser", "user", "emailVerified") != false {
			t.Error(a.Raw)
		}
		if s.Is(t, ada.Access, ada) || s.Refresh(t, ada.Refresh).Code() != "INVALID_TOKEN" {
			t.Error("a session of the former address goes on")
		}
		s.Expect(t, "INVALID_TOKEN", "", cancelChangeDoc, harness.InputOf("token", cancel))
		s.Expect(t, "INVALID_TOKEN", "", harness.VerifyDoc, harness.InputOf("token", confirm))
		s.Expect(t, "INVALID_TOKEN", "", harness.ResetDoc,
			harness.InputOf("token", reset, "newPassword", harness.NewPass))
		if told := s.Letter(t, ada.Email, db.MailEmailChanged); told.Token != "" {
			t.Error("the notice to the former address has a link")
		}
		all := s.Letters(t, "new@example.com", "")
		if len(all) != 1 || all[0].Mail.Kind != db.MailSetPassword || all[0].Token == "" {
			t.Fatalf("%d mails to the new address", len(all))
		}
		harness.Fine(t, s.GraphQL(t, "", harness.ResetDoc,
			harness.InputOf("token", all[0].Token, "newPassword", harness.NewPass)))
		in := harness.Fine(t, s.Login(t, "new@example.com", harness.NewPass)).Text("login", "tokens", "accessToken")
		if me := s.GraphQL(t, in, `{ me { emailVerified pendingEmail } }`, nil); me.At("me", "emailVerified") != true ||
			me.At("me", "pendingEmail") != nil {
			t.Error(me.Raw)
		}
	})
}

// TestAZ13_SameAddress wants that a form which sends the address back as it is changes nothing by it, whoever sends it.
func TestAZ13_SameAddress(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn, "DRAGOMAN_ACCESS_TTL=1h")
		root, ada := s.Admin(t, dsn, "root@example.com"), s.Register(t, "ada@example.com")
		harness.Fine(t, s.GraphQL(t, ada.Access, harness.ChangeEmailDoc, harness.InputOf("email", "waits@example.com")))
		confirm := s.Letter(t, "waits@example.com", db.MailConfirmChange).Token
		s.Clock.Add(11 * time.Minute)
		s.Expect(t, "", root.Access, harness.UpdateUserDoc,
			harness.InputOf("id", ada.ID, "email", ada.Email, "name", "Ada"))
		s.Expect(t, "SUDO_REQUIRED", root.Access, harness.UpdateUserDoc,
			harness.InputOf("id", ada.ID, "email", "ADA@example.com"))
		if !s.Is(t, ada.Access, ada) {
			t.Error("the session ended")
		}
		s.Expect(t, "", "", harness.VerifyDoc, harness.InputOf("token", confirm))
	})
}

// TestAZ13_OwnAddress wants that updateUser changes the own address as changeEmail does: it waits to be confirmed.
func TestAZ13_OwnAddress(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		root, ada := s.Admin(t, dsn, "root@example.com"), s.Register(t, "ada@example.com")
		verify := s.Mailed(t, harness.SendVerifyDoc, root.Email, db.MailVerifyEmail).Token
		harness.Fine(t, s.GraphQL(t, "", harness.VerifyDoc, harness.InputOf("token", verify)))
		a := s.Expect(t, "", root.Access, harness.UpdateUserDoc,
			harness.InputOf("id", root.ID, "email", "next@example.com", "name", "Root"))
		if a.Text("updateUser", "user", "email") != root.Email || a.Text("updateUser", "user", "name") != "Root" ||
			!s.Is(t, root.Access, root) {
			t.Error(a.Raw)
		}
		if me := s.GraphQL(t, root.Access, `{ me { pendingEmail } }`, nil); me.Text("me", "pendingEmail") !=
			"next@example.com" {
			t.Error(me.Raw)
		}
		if l := s.Letter(t, root.Email, db.MailChangeAsked); l.Token == "" {
			t.Error("the address in use gets no link to cancel")
		}
		if l := s.Letter(t, "next@example.com", db.MailConfirmChange); l.Token == "" {
			t.Error("the new address gets no link to confirm")
		}
		// An address that somebody proved is answered alike; its owner is told.
		verify = s.Mailed(t, harness.SendVerifyDoc, ada.Email, db.MailVerifyEmail).Token
		harness.Fine(t, s.GraphQL(t, "", harness.VerifyDoc, harness.InputOf("token", verify)))
		s.Clock.Add(time.Minute)
		s.Expect(t, "", root.Access, harness.UpdateUserDoc, harness.InputOf("id", root.ID, "email", ada.Email))
		if len(s.Letters(t, ada.Email, db.MailAddressTaken)) != 1 ||
			len(s.Letters(t, ada.Email, db.MailConfirmChange)) != 0 {
			t.Error("the owner of a taken address was not told, or could confirm it")
		}
	})
}

// TestAZ13_NobodyElses wants that the address of an administrator is out of everybody else's reach, with words that say
// who can change it.
func TestAZ13_NobodyElses(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		root, other := s.Admin(t, dsn, "root@example.com"), s.Admin(t, dsn, "other@example.com")
		a := s.Expect(t, "FORBIDDEN", root.Access, harness.UpdateUserDoc,
			harness.InputOf("id", other.ID, "email", "thief@example.com", "name", "x"))
		if !strings.Contains(a.Raw, "by its owner") || !strings.Contains(a.Raw, "terminal") {
			t.Error(a.Raw)
		}
		if n := harness.OpenSide(t, dsn).Count(t, `SELECT count(*) FROM users WHERE email = 'thief@example.com' OR `+
			`name = 'x'`); n != 0 {
			t.Error("the change was refused and made")
		}
	})
}

// TestAZ11_Raced wants that of two administrators who demote each other at the same moment one stays, and that a
// demoted one changes nothing any more, whatever was under way.
func TestAZ11_Raced(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		instances := harness.Cluster(t, dsn, 2)
		s, side := instances[0], harness.OpenSide(t, dsn)
		s.Admin(t, dsn, "root@example.com")
		for round := range harness.Amount(4, 40) {
			pair := []harness.Account{
				s.Admin(t, dsn, fmt.Sprintf("a%d@example.com", round)),
				s.Admin(t, dsn, fmt.Sprintf("b%d@example.com", round)),
			}
			done := 0
			for _, a := range harness.Together(2, func(n int) (*harness.Answer, error) {
				return harness.Send(instances[n%len(instances)].URL, pair[n].Access, harness.UpdateUserDoc,
					harness.InputOf("id", pair[1-n].ID, "role", "user"))
			}) {
				switch {
				case a != nil && a.Code() == "":
					done++
				case a == nil || a.Code() != "FORBIDDEN":
					t.Errorf("round %d: %+v", round, a)
				}
			}
			left := side.Count(t, fmt.Sprintf(`SELECT count(*) FROM users WHERE role = 'admin' AND email IN ('%s', `+
				`'%s')`,
				pair[0].Email, pair[1].Email))
			if done != 1 || left != 1 {
				t.Errorf("round %d: %d demotions, %d administrators", round, done, left)
			}
		}
	})
}

// TestAZ14_ShownToWhoMayRead wants that a change shows an account to those alone who may read it: a key that may write
// accounts, and not read them, learns nothing by an empty change.
func TestAZ14_ShownToWhoMayRead(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		root, ada := s.Admin(t, dsn, "root@example.com"), s.Register(t, "ada@example.com")
		_, write := s.NewKey(t, root.Access, map[string]any{"scopes": []string{"USERS_WRITE"}})
		_, both := s.NewKey(t, root.Access, map[string]any{"scopes": []string{"USERS_WRITE", "USERS_READ"}})
		n := 0
		for name, document := range map[string]string{
			"updateUser": harness.UpdateUserDoc, "suspendUser": harness.SuspendDoc,
			"reactivateUser": harness.ReactivateDoc, "createUser": harness.CreateUserDoc,
		} {
			for credential, shown := range map[string]bool{write: false, both: true, root.Access: true} {
				n++
				input := harness.InputOf("id", ada.ID)
				if name == "createUser" {
					input = harness.InputOf("email", fmt.Sprintf("made%d@example.com", n))
				}
				a := s.Expect(t, "", credential, document, input)
				if (a.At(name, "user") != nil) != shown || strings.Contains(a.Raw, "@example.com") && !shown {
					t.Errorf("%s: %s", name, a.Raw)
				}
			}
		}
		// The dialect that makes and changes users answers without one.
		for route, body := range map[string]string{
			"PUT /user/" + ada.ID: `{"active":true}`, "POST /user": `{"email":"more@example.com"}`,
		} {
			r := s.REST(t, route, body, harness.Bearer(write)...)
			if r.Status != 200 || strings.Contains(r.Body, "@example.com") || strings.Contains(r.Body, ada.ID) ||
				!strings.Contains(r.Body, `"id":null`) {
				t.Errorf("%s: %d %s", route, r.Status, r.Body)
			}
		}
	})
}

// TestAZ15_BareSession wants that no dialect lets the aged session of an administrator change the address or the
// password; and that what a bare session changed for anybody opens no sudo window.
func TestAZ15_BareSession(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn, "DRAGOMAN_ACCESS_TTL=2h")
		root, ada := s.Admin(t, dsn, "root@example.com"), s.Register(t, "ada@example.com")
		s.Clock.Add(time.Hour)
		const me, body = "POST /v1/auth/users/me", `{"data":{"type":"users","attributes":{%s}}}`
		for _, change := range []string{
			`"password":"` + harness.NewPass + `"`, `"email":"thief@example.com"`, `"name":"x"`,
		} {
			if r := s.Ask(t, me, fmt.Sprintf(body, change), harness.Bearer(root.Access)...); r.Status != 403 {
				t.Errorf("an administrator's %s: %d %s", change, r.Status, r.Body)
			}
		}
		proved := fmt.Sprintf(body, `"password":"`+harness.NewPass+`","currentPassword":"`+harness.GoodPass+`"`)
		if r := s.Ask(t, me, proved, harness.Bearer(root.Access)...); r.Status != 200 {
			t.Errorf("with the current password: %d %s", r.Status, r.Body)
		}
		// A user's session is taken by that dialect, as it documents. It is no proof for anything else.
		changed := fmt.Sprintf(body, `"password":"`+harness.NewPass+`"`)
		if r := s.Ask(t, me, changed, harness.Bearer(ada.Access)...); r.Status != 200 {
			t.Errorf("a user: %d %s", r.Status, r.Body)
		}
		s.Expect(t, "SUDO_REQUIRED", ada.Access, harness.DeleteAccountDoc, nil)
		s.Expect(t, "SUDO_REQUIRED", ada.Access, harness.ChangeEmailDoc, harness.InputOf("email", "x@example.com"))
		s.Expect(t, "SUDO_REQUIRED", root.Access, harness.DeleteAccountDoc, nil)
	})
}
