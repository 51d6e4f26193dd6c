package main

import (
	"fmt"
	"sync"
	"testing"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
)

// pend lets a new address wait for an account and gives the mail that confirms it.
func (i *instance) pend(t testing.TB, s *side, who account, address string) letter {
	t.Helper()
	s.exec(t, fmt.Sprintf(`UPDATE users SET pending_email = '%s', pending_email_canonical = '%[1]s' WHERE email_canonical = '%s'`, address, who.Email))
	return i.letterFor(t, who, db.MailConfirmChange, address)
}

// artefact is one thing that is good once: how it comes about, and how it is redeemed.
type artefact struct {
	name, purpose, action string
	get                   func(t testing.TB, i *instance, s *side, who account) (l letter, address string)
	document              string
	more                  []any // of the input
}

func artefacts() []artefact {
	asked := func(document string, kind db.MailKind) func(testing.TB, *instance, *side, account) (letter, string) {
		return func(t testing.TB, i *instance, _ *side, who account) (letter, string) {
			return i.mailed(t, document, who.Email, kind), who.Email
		}
	}
	return []artefact{
		{"verification", "EMAIL_VERIFICATION", "verify_email", asked(sendVerifyDoc, db.MailVerifyEmail), verifyDoc, nil},
		{"reset", "PASSWORD_RESET", "reset_password", asked(askResetDoc, db.MailResetPassword), resetDoc, []any{"newPassword", newPass}},
		{"magic link", "MAGIC_LINK", "login_with_magic_link", asked(askMagicDoc, db.MailMagicLink), magicDoc, nil},
		{"confirmed change", "EMAIL_CHANGE", "verify_email", func(t testing.TB, i *instance, s *side, who account) (letter, string) {
			address := "new-" + who.Email
			return i.pend(t, s, who, address), address
		}, verifyDoc, nil},
	}
}

// shown is the input that redeems an artefact, by its token or by its code.
func (a artefact) shown(l letter, address string, byCode bool) map[string]any {
	if byCode {
		return inputOf(append([]any{"token", l.Code, "email", address}, a.more...)...)
	}
	return inputOf(append([]any{"token", l.Token}, a.more...)...)
}

// OT-02: of 64 who redeem the same thing at once exactly one succeeds, with one event, and one session where it signs in.
func TestOT02_ParallelRedemption(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		i := start(t, dsn)
		s := openSide(t, dsn)
		for n, a := range artefacts() {
			for _, by := range []string{"token", "code"} {
				for round := range amount(1, 1000) {
					who := i.register(t, fmt.Sprintf("%s%d-%d@example.com", by, n, round))
					l, address := a.get(t, i, s, who)
					sessions := s.count(t, `SELECT count(*) FROM sessions`)
					events := s.count(t, `SELECT count(*) FROM audit_events WHERE outcome = 'ok'`)
					codes := i.volley(t, 64, a.document, a.shown(l, address, by == "code"))
					if codes[""] != 1 || codes["INVALID_TOKEN"] != 63 {
						t.Errorf("%s by %s: %v", a.name, by, codes)
					}
					if got := s.count(t, `SELECT count(*) FROM audit_events WHERE outcome = 'ok'`) - events; got != 1 {
						t.Errorf("%s by %s: %d events", a.name, by, got)
					}
					want := 0
					if a.purpose == "MAGIC_LINK" {
						want = 1
					}
					if got := s.count(t, `SELECT count(*) FROM sessions`) - sessions; got != want {
						t.Errorf("%s by %s: %d sessions", a.name, by, got)
					}
				}
			}
		}
	})
}

// volley sends the same call n times at once and counts the codes of the answers.
func (i *instance) volley(t testing.TB, n int, document string, variables map[string]any) map[string]int {
	t.Helper()
	var all sync.WaitGroup
	answers := make([]string, n)
	begin := make(chan struct{})
	for k := range n {
		all.Go(func() {
			<-begin
			a, err := send(i.URL, "", document, variables)
			if err != nil {
				answers[k] = err.Error()
				return
			}
			answers[k] = a.code()
		})
	}
	close(begin)
	all.Wait()
	codes := map[string]int{}
	for _, code := range answers {
		codes[code]++
	}
	return codes
}

// OT-16: of 64 wrong codes at once five are compared, and the right one is then worth nothing. The link is.
func TestOT16_ParallelGuesses(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		i := start(t, dsn)
		s := openSide(t, dsn)
		ada := i.register(t, "ada@example.com")
		l := i.mailed(t, askMagicDoc, ada.Email, db.MailMagicLink)
		if codes := i.volley(t, 64, magicDoc, inputOf("token", wrongCode(l), "email", ada.Email)); codes["INVALID_TOKEN"] != 64 {
			t.Errorf("%v", codes)
		}
		if n := s.count(t, `SELECT attempts FROM one_time_tokens WHERE purpose = 'MAGIC_LINK'`); n != 5 {
			t.Errorf("%d tries", n)
		}
		if n := s.count(t, `SELECT count(*) FROM audit_events WHERE reason = 'wrong_code'`); n != 5 {
			t.Errorf("%d were compared", n)
		}
		refusedWith(t, i.graphql(t, "", magicDoc, inputOf("token", l.Code, "email", ada.Email)), "INVALID_TOKEN")
		fine(t, i.graphql(t, "", magicDoc, inputOf("token", l.Token)))
	})
}

// wrongCode is another one than that of a mail.
func wrongCode(l letter) string {
	digit := '0' + (l.Code[0]-'0'+1)%10
	return string(digit) + l.Code[1:]
}

// OT-11: an address that waits is confirmed by its own mail alone, also when two changes were asked for at once.
func TestOT11_TwoChanges(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		i := start(t, dsn)
		s := openSide(t, dsn)
		ada := i.register(t, "ada@example.com")
		first := i.pend(t, s, ada, "first@example.com")
		second := i.pend(t, s, ada, "second@example.com")
		refusedWith(t, i.graphql(t, "", verifyDoc, inputOf("token", first.Token)), "INVALID_TOKEN")
		a := fine(t, i.graphql(t, "", verifyDoc, inputOf("token", second.Token)))
		if a.text("verifyEmail", "user", "email") != "second@example.com" || a.at("verifyEmail", "user", "emailVerified") != true {
			t.Errorf("%s", a.Raw)
		}
		// The former address hears of it, with a link to take it back.
		told := i.letter(t, "ada@example.com", db.MailEmailChanged)
		if told.Letter.Token.Purpose != db.PurposeCancelChange || told.Letter.Token.Address != "ada@example.com" ||
			told.Mail.Data.NewAddress != "second@example.com" {
			t.Errorf("%+v", told.Mail)
		}
		ada.Email = "second@example.com"

		// A mail that confirms the address of an account says nothing about the one that it has now.
		l := i.mailed(t, sendVerifyDoc, i.register(t, "bob@example.com").Email, db.MailVerifyEmail)
		s.exec(t, `UPDATE users SET email = 'eve@example.com', email_canonical = 'eve@example.com' WHERE email_canonical = 'bob@example.com'`)
		refusedWith(t, i.graphql(t, "", verifyDoc, inputOf("token", l.Token)), "INVALID_TOKEN")
		if n := s.count(t, `SELECT count(*) FROM users WHERE email_verified_at IS NOT NULL`); n != 1 {
			t.Errorf("%d confirmed addresses", n)
		}

		// Somebody else took the address that waits: nothing is half done, and the token is good when it is free again.
		l = i.pend(t, s, ada, "taken@example.com")
		i.register(t, "taken@example.com")
		refusedWith(t, i.graphql(t, "", verifyDoc, inputOf("token", l.Token)), "ALREADY_EXISTS")
		if n := s.count(t, `SELECT count(*) FROM users WHERE email_canonical = 'second@example.com' AND pending_email = 'taken@example.com'`); n != 1 {
			t.Error("the refusal left something behind")
		}
		s.exec(t, `DELETE FROM users WHERE email_canonical = 'taken@example.com'`)
		fine(t, i.graphql(t, "", verifyDoc, inputOf("token", l.Token)))
	})
}
