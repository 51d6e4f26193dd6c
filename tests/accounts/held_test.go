package accounts

import (
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// told counts what the mails to an address tell of, alone or in a digest.
func told(t *testing.T, i *harness.Instance, email string) map[db.MailKind]int {
	t.Helper()
	all := map[db.MailKind]int{}
	for _, l := range i.Letters(t, email, "") {
		if l.Mail.Kind != db.MailDigest {
			all[l.Mail.Kind]++
		}
		for _, r := range l.Mail.Data.Repeats {
			all[r.Kind] += r.Count
		}
	}
	return all
}

// OT-50: a notice that is held with others is not dropped with the one that it was added to, once that one no longer
// applies: here a change of the address that was called off.
func TestOT50_HeldWithWhatIsOff(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn, "DRAGOMAN_RATE_LIMITS=on", harness.MailWaits)
		who := confirmed(t, s, "ada@example.com")
		for _, email := range []string{"one@example.net", "two@example.net"} {
			harness.Fine(t, s.GraphQL(t, who.Access, askDoc, harness.InputOf("email", email)))
			s.Deliver(t)
		}
		for range 2 {
			s.NewKey(t, who.Access, nil)
			s.Deliver(t)
		}
		harness.Fine(t, s.GraphQL(t, who.Access, askDoc, harness.InputOf("email", who.Email)))
		s.Clock.Add(time.Minute)
		if got := told(t, s, who.Email); got[db.MailKeyMade] != 2 {
			t.Errorf("told of %v", got)
		}
		digest := s.Letter(t, who.Email, db.MailDigest)
		if digest.Token != "" || digest.Mail.Data.NewAddress != "" {
			t.Errorf("a digest says more than its lines: %+v", digest.Mail)
		}
	})
}

// OT-51: notices to a suspended account, and the mail with which its owner chooses a password, wait until it is active.
func TestOT51_WhileSuspended(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn, "DRAGOMAN_RATE_LIMITS=on", harness.MailWaits)
		root, who := s.Admin(t, dsn, "root@example.com"), confirmed(t, s, "ada@example.com")
		for range 2 {
			s.NewKey(t, who.Access, nil)
			s.Deliver(t)
		}
		made := harness.Fine(t, s.GraphQL(t, root.Access, harness.CreateUserDoc,
			harness.InputOf("email", "new@example.com", "active", false))).Text("createUser", "user", "id")
		harness.Fine(t, s.GraphQL(t, root.Access, harness.SuspendDoc, harness.InputOf("id", who.ID)))
		for range 3 {
			s.Clock.Add(2 * time.Minute)
			s.Deliver(t)
		}
		if got := told(t, s, who.Email); got[db.MailKeyMade] != 1 || len(s.Letters(t, "new@example.com", "")) != 0 {
			t.Errorf("while it is suspended: %v", got)
		}
		for _, id := range []string{who.ID, made} {
			harness.Fine(t, s.GraphQL(t, root.Access, harness.ReactivateDoc, harness.InputOf("id", id)))
		}
		if got := told(t, s, who.Email); got[db.MailKeyMade] != 2 {
			t.Errorf("once it is active: %v", got)
		}
		choose(t, s, "new@example.com")
	})
}

// OT-52: an account that lost its address, which it never confirmed, confirms another one, and hears of what happens.
func TestOT52_AnotherAddress(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		who, other := s.Register(t, "typed@example.com"), confirmed(t, s, "other@example.com")
		harness.Fine(t, s.GraphQL(t, other.Access, askDoc, harness.InputOf("email", "typed@example.com")))
		harness.Fine(t, s.GraphQL(t, other.Access, harness.VerifyDoc,
			harness.InputOf("token", s.Letter(t, "typed@example.com", db.MailConfirmChange).Token)))
		if got := addresses(t, s, who.Access); got != "<nil> false <nil>" {
			t.Fatal(got)
		}
		a := s.GraphQL(t, who.Access, harness.SendVerifyDoc, nil)
		if a.Code() != "CONFLICT" || strings.Contains(a.Raw, "already") {
			t.Error(a.Raw)
		}
		harness.Fine(t, s.GraphQL(t, who.Access, askDoc, harness.InputOf("email", "mine@example.com")))
		s.Letter(t, "mine@example.com", db.MailConfirmChange)
		s.Clock.Add(time.Minute)
		harness.Fine(t, s.GraphQL(t, who.Access, harness.SendVerifyDoc, nil))
		all := s.Letters(t, "mine@example.com", db.MailConfirmChange)
		if len(all) != 2 {
			t.Fatalf("%d mails", len(all))
		}
		harness.Fine(t, s.GraphQL(t, who.Access, harness.VerifyDoc, harness.InputOf("token", all[0].Token)))
		if got := addresses(t, s, who.Access); got != "mine@example.com true <nil>" {
			t.Error(got)
		}
	})
}

// OT-53: where a sign-in goes on is not asked for by whoever shows the address of somebody else: the mail goes to their
// own address, without it.
func TestOT53_ReturnToOfStrangers(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		const listed = "https://app.example.com/welcome"
		s := harness.Start(t, dsn, "DRAGOMAN_RETURN_URLS="+listed)
		who := confirmed(t, s, "ada@example.com")
		changeAtOnce(t, s, who.Access, "victim@example.com")
		for email, want := range map[string]string{"victim@example.com": "", who.Email: listed} {
			s.Clock.Add(time.Minute)
			harness.Fine(t, s.GraphQL(t, "", harness.AskMagicDoc, harness.InputOf("email", email, "returnTo", listed)))
			l := s.Letter(t, who.Email, db.MailMagicLink)
			if l.ResolvedMail.Token.ReturnTo != want || l.Mail.Data.ReturnTo != want {
				t.Errorf("asked by %s, it leads to %q", email, l.ResolvedMail.Token.ReturnTo)
			}
		}
	})
}

// OT-54: the mail with which the owner of an account chooses a password is an administrator's, so nobody else's mails
// end its link or use its budget up: neither a reset that a stranger asks for, nor a mailbox that has too many.
func TestOT54_SetupMail(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn, "DRAGOMAN_RATE_LIMITS=on", harness.MailWaits)
		root := s.Admin(t, dsn, "root@example.com")
		harness.Fine(t, s.GraphQL(t, root.Access, harness.CreateUserDoc, harness.InputOf("email", "new@example.com")))
		setup := s.Letter(t, "new@example.com", db.MailSetPassword)
		reset := s.Mailed(t, harness.AskResetDoc, "new@example.com", db.MailResetPassword)
		if setup.Token == "" || reset.Token == "" {
			t.Fatal("a mail has no link")
		}
		choose(t, s, "new@example.com")
		harness.RefusedWith(t, s.GraphQL(t, "", harness.ResetDoc,
			harness.InputOf("token", reset.Token, "newPassword", harness.NewPass)), "INVALID_TOKEN")

		for range 12 { // a stranger uses the budget of a mailbox up
			s.Register(t, "flood+x@example.com")
			s.Deliver(t)
			s.Clock.Add(time.Minute)
			harness.Fine(t, s.GraphQL(t, "", harness.AskResetDoc, harness.InputOf("email", "flood+x@example.com")))
			s.Deliver(t)
			harness.OpenSide(t, dsn).MustExec(t, `DELETE FROM users WHERE email_canonical = 'flood+x@example.com'`)
		}
		root.Access = harness.Fine(t, s.Login(t, root.Email, harness.GoodPass)).Text("login", "tokens", "accessToken")
		harness.Fine(t, s.GraphQL(t, root.Access, harness.CreateUserDoc, harness.InputOf("email", "flood@example.com")))
		s.Deliver(t)
		s.Clock.Add(time.Minute)
		harness.Fine(t, s.GraphQL(t, "", harness.AskResetDoc, harness.InputOf("email", "flood@example.com")))
		for range 61 {
			s.Deliver(t)
			s.Clock.Add(time.Minute)
		}
		choose(t, s, "flood@example.com")
	})
}
