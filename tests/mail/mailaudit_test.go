package mail

import (
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// AU-01: what goes through a mailbox leaves one row for each call, done or failed.
func TestAU01_Mail(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		i := harness.Start(t, dsn)
		a := &harness.Auditor{Instance: i, Side: harness.OpenSide(t, dsn)}
		ada := i.Register(t, "ada@example.com")
		skip := func() { a.Seen = len(a.Side.Audit(t)) }
		row := func(action, outcome, reason, user, session string) harness.AuditRow {
			return harness.AuditRow{Action: action, Outcome: outcome, Reason: reason, User: user, Session: session}
		}
		skip()
		a.Do(t, row("email.verification_requested", "ok", "", ada.ID, ada.Session), ada.Access, harness.SendVerifyDoc,
			nil)
		a.Do(t, row("email.verification_requested", "ok", "", ada.ID, ada.Session), ada.Access,
			harness.SendVerifyDoc, nil)
		first := i.Letter(t, ada.Email, db.MailVerifyEmail)
		for _, c := range []struct{ document, action string }{
			{harness.SendVerifyDoc, "email.verification_requested"},
			{harness.AskResetDoc, "password.reset_requested"},
			{harness.AskMagicDoc, "magic_link.requested"},
		} {
			i.Clock.Add(time.Minute)
			a.Do(t, row(c.action, "ok", "", "", ""), "", c.document, harness.InputOf("email", ada.Email))
			a.Do(t, row(c.action, "ok", "", "", ""), "", c.document, harness.InputOf("email", "ADA@example.com"))
			a.Do(t, row(c.action, "ok", "", "", ""), "", c.document, harness.InputOf("email", "nobody@example.com"))
			a.Do(t, row(c.action, "failed", "invalid_input", "", ""), "", c.document,
				harness.InputOf("email", "nobody"))
		}
		verify := i.Letter(t, ada.Email, db.MailVerifyEmail)
		a.Do(t, row("email.verified", "failed", "replaced", ada.ID, ""), "", harness.VerifyDoc,
			harness.InputOf("token", first.Token))
		reset, magic := i.Letter(t, ada.Email, db.MailResetPassword), i.Letter(t, ada.Email, db.MailMagicLink)
		a.Do(t, row("email.verified", "failed", "other_purpose", ada.ID, ""), "", harness.VerifyDoc,
			harness.InputOf("token", reset.Token))
		a.Do(t, row("email.verified", "failed", "other_address", ada.ID, ""), "", harness.VerifyDoc,
			harness.InputOf("token", verify.Token, "email", "b@example.com"))
		a.Do(t, row("email.verified", "failed", "wrong_code", ada.ID, ""), "", harness.VerifyDoc,
			harness.InputOf("token", wrongCode(verify), "email", ada.Email))
		a.Do(t, row("email.verified", "failed", "no_code", "", ""), "", harness.VerifyDoc,
			harness.InputOf("token", "123456", "email", "nobody@example.com"))
		a.Do(t, row("email.verified", "ok", "", ada.ID, ""), "", harness.VerifyDoc,
			harness.InputOf("token", verify.Token))
		a.Do(t, row("email.verified", "failed", "spent", ada.ID, ""), "", harness.VerifyDoc,
			harness.InputOf("token", verify.Token))
		a.Do(t, row("email.verified", "ok", "confirmed_before", ada.ID, ""), "", harness.VerifyDoc,
			harness.InputOf("token", verify.Token, "allowConfirmed", true))
		a.Do(t, row("email.verification_requested", "failed", "conflict", ada.ID, ada.Session), ada.Access,
			harness.SendVerifyDoc, nil)
		a.Do(t, row("password.reset", "failed", "password_too_weak", ada.ID, ""), "", harness.ResetDoc,
			harness.InputOf("token", reset.Token, "newPassword", "short"))
		a.Do(t, row("token.checked", "failed", "wrong_code", ada.ID, ""), "", validDoc,
			map[string]any{"purpose": "MAGIC_LINK", "token": wrongCode(magic), "email": ada.Email})

		want := row("login.succeeded", "ok", "", ada.ID, "*")
		want.Methods = `["MAGIC_LINK"]`
		a.Do(t, want, "", harness.MagicDoc, harness.InputOf("token", magic.Code, "email", ada.Email))
		a.Side.MustExec(t, `UPDATE users SET status = 'SUSPENDED'`)
		a.Do(t, row("password.reset", "failed", "suspended", ada.ID, ""), "", harness.ResetDoc,
			harness.InputOf("token", reset.Token, "newPassword", harness.NewPass))
		a.Side.MustExec(t, `UPDATE users SET status = 'ACTIVE'`)
		a.Do(t, row("password.reset", "ok", "", ada.ID, ""), "", harness.ResetDoc,
			harness.InputOf("token", reset.Token, "newPassword", harness.NewPass))
		change := pend(t, i, a.Side, ada, "new@example.com")
		a.Do(t, row("email.verified", "ok", "email_changed", ada.ID, ""), "", harness.VerifyDoc,
			harness.InputOf("token", change.Token))
		ada.Email = "new@example.com"
		change = pend(t, i, a.Side, ada, "taken@example.com")
		i.Register(t, "taken@example.com")
		a.Side.MustExec(t, `UPDATE users SET email_verified_at = created_at WHERE email_canonical = 'taken@example.com'`)
		skip()
		a.Do(t, row("email.verified", "failed", "already_exists", ada.ID, ""), "", harness.VerifyDoc,
			harness.InputOf("token", change.Token))

		bob := i.Register(t, "bob@example.com")
		magic = i.Mailed(t, harness.AskMagicDoc, bob.Email, db.MailMagicLink)
		skip()
		want = row("login.succeeded", "ok", "took_over", bob.ID, "*")
		want.Methods = `["MAGIC_LINK"]`
		a.Do(t, want, "", harness.MagicDoc, harness.InputOf("token", magic.Token))
		magic = i.Mailed(t, harness.AskMagicDoc, bob.Email, db.MailMagicLink)
		skip()
		a.Clock.Add(time.Hour)
		a.Do(t, row("login.succeeded", "failed", "expired", bob.ID, ""), "", harness.MagicDoc,
			harness.InputOf("token", magic.Token))
	})
}

// AU-02, SE-03: what is mailed, and what is typed beside it, is in no line of the log at level debug and nowhere in the
// database.
func TestAU02_Mail(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		i := harness.Start(t, dsn, "DRAGOMAN_RATE_LIMITS=on", "DRAGOMAN_SLOW_STATEMENT=1ns")
		s := harness.OpenSide(t, dsn)
		ada := i.Register(t, "ada@example.com")
		secrets := map[string]string{"new password": harness.NewPass, "password": harness.GoodPass}
		junk := "ot1." + strings.Repeat("canary9", 12)
		secrets["junk token"] = junk
		for _, a := range artefacts() {
			l, address := a.get(t, i, s, ada)
			secrets[a.name] = l.Token
			_, secrets[a.name+", its mac"], _ = strings.Cut(l.Token[4:], ".")
			for _, token := range []string{junk, l.Token + "x", l.Token} {
				i.GraphQL(t, "", a.document,
					harness.InputOf(append([]any{"token", token, "email", "other@example.com"}, a.more...)...))
				i.GraphQL(t, token, a.document, harness.InputOf(append([]any{"token", token, "x", 1}, a.more...)...))
				i.GraphQL(t, "", `mutation { `+a.action+`(input: {token: "`+token+`"`, nil)
				valid(t, i, a.purpose, token, nil)
			}
			i.GraphQL(t, "", a.document, harness.InputOf(append([]any{"token", wrongCode(l), "email", address},
				a.more...)...))
			as := ""
			if a.purpose == "EMAIL_CHANGE" { // after the reset
				as = harness.Fine(t, i.Login(t, ada.Email, harness.NewPass)).Text("login", "tokens", "accessToken")
			}
			harness.Fine(t, i.GraphQL(t, as, a.document, a.shown(l, address, true)))
			// Six digits are in many a number; in quotes, or alone in a cell, they would be the code.
			for _, place := range []string{i.Logged.String(), harness.Dump(t, dsn)} {
				if strings.Contains(place, `"`+l.Code+`"`) || strings.Contains(place, "\n"+l.Code+"\n") {
					t.Errorf("the code of %s is kept", a.name)
				}
			}
			if a.purpose == "EMAIL_CHANGE" {
				ada.Email = address
			}
		}
		stored, log := harness.Dump(t, dsn), i.Logged.String()
		if !strings.Contains(stored, "login.succeeded") || !strings.Contains(log, "slow statement") {
			t.Fatal("the places to look at are empty")
		}
		for what, secret := range secrets {
			for place, text := range map[string]string{"the log": log, "the database": stored} {
				for _, form := range []string{secret, hex.EncodeToString([]byte(secret)), strings.ToLower(secret)} {
					if strings.Contains(text, form) {
						t.Errorf("%s holds the %s", place, what)
					}
				}
			}
		}
	})
}

// A kill between the statements of a redemption leaves all or nothing; that is the database's. What it may not do is to
// end a session that belongs to somebody else, or more of the account than it says.
func TestSE08_ResetReach(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		i := harness.Start(t, dsn)
		s := harness.OpenSide(t, dsn)
		ada, bob := i.Register(t, "ada@example.com"), i.Register(t, "bob@example.com")
		_, bobs := i.NewKey(t, bob.Access, nil)
		other := i.LoginAs(t, ada, "SESSION_TOKEN").Refresh
		_, early := i.NewKey(t, ada.Access, nil)
		l := i.Mailed(t, harness.AskResetDoc, ada.Email, db.MailResetPassword)
		harness.Fine(t, i.GraphQL(t, "", harness.ResetDoc,
			harness.InputOf("token", l.Token, "newPassword", harness.NewPass)))
		if i.Is(t, ada.Access, ada) || i.Is(t, other, ada) {
			t.Error("a session lives")
		}
		// The address was never confirmed before: the key may be somebody else's.
		if i.Is(t, early, ada) {
			t.Error("what was there before the address was confirmed is good still")
		}
		if !i.Is(t, bob.Access, bob) || !i.Is(t, bobs, bob) {
			t.Error("a session or a key of somebody else ended")
		}

		ada.Access = harness.Fine(t, i.Login(t, ada.Email, harness.NewPass)).Text("login", "tokens", "accessToken")
		_, key := i.NewKey(t, ada.Access, nil)
		cancel := letterFor(t, i, ada, db.MailEmailChanged, "former@example.com")
		pend(t, i, s, ada, "waits@example.com")
		l = i.Mailed(t, harness.AskResetDoc, ada.Email, db.MailResetPassword)
		harness.Fine(t, i.GraphQL(t, "", harness.ResetDoc,
			harness.InputOf("token", l.Token, "newPassword", harness.GoodPass)))
		if !i.Is(t, key, ada) {
			t.Error("a reset ended an API key of somebody whose address was confirmed")
		}
		if !valid(t, i, "EMAIL_CHANGE_CANCEL", cancel.Token, nil) {
			t.Error("OT-19: a reset robs an address of the link that takes it back")
		}
		if n := s.Count(t, `SELECT count(*) FROM users WHERE pending_email IS NOT NULL`); n != 0 {
			t.Error("an address waits still")
		}
		// No sign-in came of it, and the session of before is not signed in again by the new password alone.
		if n := s.Count(t, `SELECT count(*) FROM sessions WHERE revoked_at IS NULL`); n != 1 { // that of bob
			t.Errorf("%d sessions", n)
		}
	})
}

// letterFor queues a mail of a kind to an address of an account and gives it.
func letterFor(t testing.TB, i *harness.Instance, who harness.Account, kind db.MailKind,
	address string,
) harness.Letter {
	t.Helper()
	var user db.UserID
	if err := user.UnmarshalText([]byte(who.ID)); err != nil {
		t.Fatal(err)
	}
	i.Clock.Add(time.Second)
	err := i.App.DB.QueueMails(t.Context(), &db.Mail{
		ID: db.NewMailID(), Kind: kind, UserID: user, Address: address, AddressCanonical: address,
		TTLSeconds: 24 * 3600,
		State:      db.MailQueued, CreatedAt: db.Clock(i.Clock.Now()), Dialect: "graphql",
	})
	if err != nil {
		t.Fatal(err)
	}
	return i.Letter(t, address, kind)
}
