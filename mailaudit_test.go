package main

import (
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
)

// AU-01: what goes through a mailbox leaves one row for each call, done or failed.
func TestAU01_Mail(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		i := start(t, dsn, "DRAGOMAN_RATE_LIMITS=on")
		a := &auditor{instance: i, side: openSide(t, dsn)}
		ada := i.register(t, "ada@example.com")
		skip := func() { a.seen = len(a.side.audit(t)) }
		row := func(action, outcome, reason, user, session string) auditRow {
			return auditRow{action: action, outcome: outcome, reason: reason, user: user, session: session}
		}
		skip()
		a.do(t, row("send_verification_email", "ok", "", ada.ID, ada.Session), ada.Access, sendVerifyDoc, nil)
		a.do(t, row("send_verification_email", "ok", "limited", ada.ID, ada.Session), ada.Access, sendVerifyDoc, nil)
		first := i.letter(t, ada.Email, db.MailVerifyEmail)
		for _, c := range []struct{ document, action string }{
			{sendVerifyDoc, "send_verification_email"}, {askResetDoc, "request_password_reset"}, {askMagicDoc, "request_magic_link"},
		} {
			i.clock.add(time.Minute)
			a.do(t, row(c.action, "ok", "", "", ""), "", c.document, inputOf("email", ada.Email))
			a.do(t, row(c.action, "ok", "limited", "", ""), "", c.document, inputOf("email", "ADA@example.com"))
			a.do(t, row(c.action, "ok", "", "", ""), "", c.document, inputOf("email", "nobody@example.com"))
			a.do(t, row(c.action, "failed", "invalid_input", "", ""), "", c.document, inputOf("email", "nobody"))
		}
		verify := i.letter(t, ada.Email, db.MailVerifyEmail)
		a.do(t, row("verify_email", "failed", "replaced", ada.ID, ""), "", verifyDoc, inputOf("token", first.Token))
		reset, magic := i.letter(t, ada.Email, db.MailResetPassword), i.letter(t, ada.Email, db.MailMagicLink)
		a.do(t, row("verify_email", "failed", "other_purpose", ada.ID, ""), "", verifyDoc, inputOf("token", reset.Token))
		a.do(t, row("verify_email", "failed", "other_address", ada.ID, ""), "", verifyDoc, inputOf("token", verify.Token, "email", "b@example.com"))
		a.do(t, row("verify_email", "failed", "wrong_code", ada.ID, ""), "", verifyDoc, inputOf("token", wrongCode(verify), "email", ada.Email))
		a.do(t, row("verify_email", "failed", "no_code", "", ""), "", verifyDoc, inputOf("token", "123456", "email", "nobody@example.com"))
		a.do(t, row("verify_email", "ok", "", ada.ID, ""), "", verifyDoc, inputOf("token", verify.Token))
		a.do(t, row("verify_email", "failed", "spent", ada.ID, ""), "", verifyDoc, inputOf("token", verify.Token))
		a.do(t, row("verify_email", "ok", "confirmed_before", ada.ID, ""), "", verifyDoc, inputOf("token", verify.Token, "allowConfirmed", true))
		a.do(t, row("send_verification_email", "failed", "conflict", ada.ID, ada.Session), ada.Access, sendVerifyDoc, nil)
		a.do(t, row("reset_password", "failed", "password_too_weak", ada.ID, ""), "", resetDoc, inputOf("token", reset.Token, "newPassword", "short"))
		a.do(t, row("token_is_valid", "failed", "wrong_code", ada.ID, ""), "", validDoc,
			map[string]any{"purpose": "MAGIC_LINK", "token": wrongCode(magic), "email": ada.Email})

		want := row("login_with_magic_link", "ok", "", ada.ID, "*")
		want.methods = `["MAGIC_LINK"]`
		a.do(t, want, "", magicDoc, inputOf("token", magic.Code, "email", ada.Email))
		a.side.exec(t, `UPDATE users SET status = 'SUSPENDED'`)
		a.do(t, row("reset_password", "failed", "suspended", ada.ID, ""), "", resetDoc, inputOf("token", reset.Token, "newPassword", newPass))
		a.side.exec(t, `UPDATE users SET status = 'ACTIVE'`)
		a.do(t, row("reset_password", "ok", "", ada.ID, ""), "", resetDoc, inputOf("token", reset.Token, "newPassword", newPass))
		change := i.pend(t, a.side, ada, "new@example.com")
		a.do(t, row("verify_email", "ok", "email_changed", ada.ID, ""), "", verifyDoc, inputOf("token", change.Token))
		ada.Email = "new@example.com"
		change = i.pend(t, a.side, ada, "taken@example.com")
		i.register(t, "taken@example.com")
		skip()
		a.do(t, row("verify_email", "failed", "already_exists", ada.ID, ""), "", verifyDoc, inputOf("token", change.Token))

		bob := i.register(t, "bob@example.com")
		magic = i.mailed(t, askMagicDoc, bob.Email, db.MailMagicLink)
		skip()
		want = row("login_with_magic_link", "ok", "took_over", bob.ID, "*")
		want.methods = `["MAGIC_LINK"]`
		a.do(t, want, "", magicDoc, inputOf("token", magic.Token))
		magic = i.mailed(t, askMagicDoc, bob.Email, db.MailMagicLink)
		skip()
		a.clock.add(time.Hour)
		a.do(t, row("login_with_magic_link", "failed", "expired", bob.ID, ""), "", magicDoc, inputOf("token", magic.Token))
	})
}

// AU-02, SE-03: what is mailed, and what is typed beside it, is in no line of the log at level debug and nowhere in the database.
func TestAU02_Mail(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		i := start(t, dsn, "DRAGOMAN_RATE_LIMITS=on", "DRAGOMAN_SLOW_STATEMENT=1ns")
		s := openSide(t, dsn)
		ada := i.register(t, "ada@example.com")
		secrets := map[string]string{"new password": newPass, "password": goodPass}
		junk := "ot1." + strings.Repeat("canary9", 12)
		secrets["junk token"] = junk
		for _, a := range artefacts() {
			l, address := a.get(t, i, s, ada)
			secrets[a.name] = l.Token
			_, secrets[a.name+", its mac"], _ = strings.Cut(l.Token[4:], ".")
			for _, token := range []string{junk, l.Token + "x", l.Token} {
				i.graphql(t, "", a.document, inputOf(append([]any{"token", token, "email", "other@example.com"}, a.more...)...))
				i.graphql(t, token, a.document, inputOf(append([]any{"token", token, "x", 1}, a.more...)...))
				i.graphql(t, "", `mutation { `+a.action+`(input: {token: "`+token+`"`, nil)
				i.valid(t, a.purpose, token, nil)
			}
			i.graphql(t, "", a.document, inputOf(append([]any{"token", wrongCode(l), "email", address}, a.more...)...))
			fine(t, i.graphql(t, "", a.document, a.shown(l, address, true)))
			// Six digits are in many a number; in quotes, or alone in a cell, they would be the code.
			for _, place := range []string{i.log.String(), dump(t, dsn)} {
				if strings.Contains(place, `"`+l.Code+`"`) || strings.Contains(place, "\n"+l.Code+"\n") {
					t.Errorf("the code of %s is kept", a.name)
				}
			}
			if a.purpose == "EMAIL_CHANGE" {
				ada.Email = address
			}
		}
		stored, log := dump(t, dsn), i.log.String()
		if !strings.Contains(stored, "login_with_magic_link") || !strings.Contains(log, "slow statement") {
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

// A kill between the statements of a redemption leaves all or nothing; that is the database's. What it may not do is to end a
// session that belongs to somebody else, or more of the account than it says.
func TestSE08_ResetReach(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		i := start(t, dsn)
		s := openSide(t, dsn)
		ada, bob := i.register(t, "ada@example.com"), i.register(t, "bob@example.com")
		_, bobs := i.newKey(t, bob.Access, nil)
		other := i.loginAs(t, ada, "SESSION_TOKEN").Refresh
		_, early := i.newKey(t, ada.Access, nil)
		cancel := i.letterFor(t, ada, db.MailEmailChanged, "former@example.com")
		l := i.mailed(t, askResetDoc, ada.Email, db.MailResetPassword)
		fine(t, i.graphql(t, "", resetDoc, inputOf("token", l.Token, "newPassword", newPass)))
		if i.is(t, ada.Access, ada) || i.is(t, other, ada) {
			t.Error("a session lives")
		}
		// The address was never confirmed before: the key, and the link of an address of before, may be somebody else's.
		if i.is(t, early, ada) || i.valid(t, "EMAIL_CHANGE_CANCEL", cancel.Token, nil) {
			t.Error("what was there before the address was confirmed is good still")
		}
		if !i.is(t, bob.Access, bob) || !i.is(t, bobs, bob) {
			t.Error("a session or a key of somebody else ended")
		}

		ada.Access = fine(t, i.login(t, ada.Email, newPass)).text("login", "tokens", "accessToken")
		_, key := i.newKey(t, ada.Access, nil)
		cancel = i.letterFor(t, ada, db.MailEmailChanged, "former@example.com")
		i.pend(t, s, ada, "waits@example.com")
		l = i.mailed(t, askResetDoc, ada.Email, db.MailResetPassword)
		fine(t, i.graphql(t, "", resetDoc, inputOf("token", l.Token, "newPassword", goodPass)))
		if !i.is(t, key, ada) {
			t.Error("a reset ended an API key of somebody whose address was confirmed")
		}
		if !i.valid(t, "EMAIL_CHANGE_CANCEL", cancel.Token, nil) {
			t.Error("OT-19: a reset robs an address of the link that takes it back")
		}
		if n := s.count(t, `SELECT count(*) FROM users WHERE pending_email IS NOT NULL`); n != 0 {
			t.Error("an address waits still")
		}
		// No sign-in came of it, and the session of before is not signed in again by the new password alone.
		if n := s.count(t, `SELECT count(*) FROM sessions WHERE revoked_at IS NULL`); n != 1 { // that of bob
			t.Errorf("%d sessions", n)
		}
	})
}

// letterFor queues a mail of a kind to an address of an account and gives it.
func (i *instance) letterFor(t testing.TB, who account, kind db.MailKind, address string) letter {
	t.Helper()
	var user db.UserID
	if err := user.UnmarshalText([]byte(who.ID)); err != nil {
		t.Fatal(err)
	}
	i.clock.add(time.Second)
	err := i.app.DB.QueueMails(t.Context(), &db.Mail{
		ID: db.NewMailID(), Kind: kind, UserID: user, Address: address, AddressCanonical: address, TTLSeconds: 24 * 3600,
		State: db.MailQueued, CreatedAt: db.Clock(i.clock.now()), Dialect: "graphql",
	})
	if err != nil {
		t.Fatal(err)
	}
	return i.letter(t, address, kind)
}
