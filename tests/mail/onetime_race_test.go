package mail

import (
	"fmt"
	"sync"
	"testing"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// pend lets a new address wait for an account and gives the mail that confirms it.
func pend(t testing.TB, i *harness.Instance, s *harness.Side, who harness.Account, address string) harness.Letter {
	t.Helper()
	s.MustExec(t, fmt.Sprintf(`UPDATE users SET pending_email = '%s', pending_email_canonical = '%[1]s' WHERE `+
		`email_canonical = '%s'`, address, who.Email))
	return letterFor(t, i, who, db.MailConfirmChange, address)
}

// artefact is one thing that is good once: how it comes about, and how it is redeemed.
type artefact struct {
	name, purpose, action string
	get                   func(t testing.TB, i *harness.Instance, s *harness.Side,
		who harness.Account) (l harness.Letter, address string)
	document string
	more     []any // of the input
}

func artefacts() []artefact {
	asked := func(document string, kind db.MailKind) func(testing.TB, *harness.Instance, *harness.Side,
		harness.Account) (harness.Letter, string) {
		return func(t testing.TB, i *harness.Instance, _ *harness.Side, who harness.Account) (harness.Letter, string) {
			return i.Mailed(t, document, who.Email, kind), who.Email
		}
	}
	return []artefact{
		{
			"verification", "EMAIL_VERIFICATION", "email.verified", asked(harness.SendVerifyDoc, db.MailVerifyEmail),
			harness.VerifyDoc, nil,
		},
		{
			"reset", "PASSWORD_RESET", "password.reset", asked(harness.AskResetDoc, db.MailResetPassword),
			harness.ResetDoc,
			[]any{"newPassword", harness.NewPass},
		},
		{
			"magic link", "MAGIC_LINK", "login.succeeded", asked(harness.AskMagicDoc, db.MailMagicLink),
			harness.MagicDoc,
			nil,
		},
		{
			"confirmed change", "EMAIL_CHANGE", "email.verified",
			func(t testing.TB, i *harness.Instance, s *harness.Side, who harness.Account) (harness.Letter, string) {
				address := "new-" + who.Email
				return pend(t, i, s, who, address), address
			}, harness.VerifyDoc, nil,
		},
	}
}

// shown is the input that redeems an artefact, by its token or by its code.
func (a artefact) shown(l harness.Letter, address string, byCode bool) map[string]any {
	if byCode {
		return harness.InputOf(append([]any{"token", l.Code, "email", address}, a.more...)...)
	}
	return harness.InputOf(append([]any{"token", l.Token}, a.more...)...)
}

// as is the credential that redeeming an artefact by its code takes: that of the account, where a new address is
// confirmed (OT-25).
func (a artefact) as(t testing.TB, i *harness.Instance, who harness.Account) string {
	t.Helper()
	if a.purpose != "EMAIL_CHANGE" {
		return ""
	}
	return i.LoginAs(t, who, "SESSION_TOKEN").Refresh
}

// OT-02: of 64 who redeem the same thing at once exactly one succeeds, with one event, and one session where it signs
// in.
func TestOT02_ParallelRedemption(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		i := harness.Start(t, dsn)
		s := harness.OpenSide(t, dsn)
		for n, a := range artefacts() {
			for _, by := range []string{"token", "code"} {
				for round := range harness.Amount(1, 1000) {
					who := i.Register(t, fmt.Sprintf("%s%d-%d@example.com", by, n, round))
					l, address := a.get(t, i, s, who)
					as := a.as(t, i, who)
					sessions := s.Count(t, `SELECT count(*) FROM sessions`)
					events := s.Count(t, `SELECT count(*) FROM audit_events WHERE outcome = 'ok'`)
					codes := volley(t, i, as, 64, a.document, a.shown(l, address, by == "code"))
					if codes[""] != 1 || codes["INVALID_TOKEN"] != 63 {
						t.Errorf("%s by %s: %v", a.name, by, codes)
					}
					if got := s.Count(t, `SELECT count(*) FROM audit_events WHERE outcome = 'ok'`) - events; got != 1 {
						t.Errorf("%s by %s: %d events", a.name, by, got)
					}
					want := 0
					if a.purpose == "MAGIC_LINK" {
						want = 1
					}
					if got := s.Count(t, `SELECT count(*) FROM sessions`) - sessions; got != want {
						t.Errorf("%s by %s: %d sessions", a.name, by, got)
					}
				}
			}
		}
	})
}

// volley sends the same call n times at once and counts the codes of the answers.
func volley(
	t testing.TB, i *harness.Instance, as string, n int, document string, variables map[string]any,
) map[string]int {
	t.Helper()
	var all sync.WaitGroup
	answers := make([]string, n)
	begin := make(chan struct{})
	for k := range n {
		all.Go(func() {
			<-begin
			a, err := harness.Send(i.URL, as, document, variables)
			if err != nil {
				answers[k] = err.Error()
				return
			}
			answers[k] = a.Code()
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
		i := harness.Start(t, dsn)
		s := harness.OpenSide(t, dsn)
		ada := i.Register(t, "ada@example.com")
		l := i.Mailed(t, harness.AskMagicDoc, ada.Email, db.MailMagicLink)
		if codes := volley(t, i, "", 64, harness.MagicDoc,
			harness.InputOf("token", wrongCode(l), "email", ada.Email)); codes["INVALID_TOKEN"] != 64 {
			t.Errorf("%v", codes)
		}
		if n := s.Count(t, `SELECT tries FROM code_tries`); n != 6 {
			t.Errorf("%d tries", n)
		}
		if n := s.Count(t, `SELECT count(*) FROM audit_events WHERE reason = 'wrong_code'`); n != 5 {
			t.Errorf("%d were compared", n)
		}
		harness.RefusedWith(t, i.GraphQL(t, "", harness.MagicDoc, harness.InputOf("token", l.Code, "email", ada.Email)),
			"INVALID_TOKEN")
		harness.Fine(t, i.GraphQL(t, "", harness.MagicDoc, harness.InputOf("token", l.Token)))
	})
}

// wrongCode is another one than that of a mail.
func wrongCode(l harness.Letter) string {
	digit := '0' + (l.Code[0]-'0'+1)%10
	return string(digit) + l.Code[1:]
}

// OT-11: an address that waits is confirmed by its own mail alone, also when two changes were asked for at once.
func TestOT11_TwoChanges(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		i := harness.Start(t, dsn)
		s := harness.OpenSide(t, dsn)
		ada := i.Register(t, "ada@example.com")
		s.MustExec(t, `UPDATE users SET email_verified_at = created_at`)
		first := pend(t, i, s, ada, "first@example.com")
		second := pend(t, i, s, ada, "second@example.com")
		harness.RefusedWith(t, i.GraphQL(t, "", harness.VerifyDoc, harness.InputOf("token", first.Token)),
			"INVALID_TOKEN")
		a := harness.Fine(t, i.GraphQL(t, "", harness.VerifyDoc, harness.InputOf("token", second.Token)))
		if a.Text("verifyEmail", "email") != "second@example.com" || a.At("verifyEmail", "user") != nil {
			t.Errorf("%s", a.Raw)
		}
		// The former address hears of it, with a link to take it back.
		told := i.Letter(t, "ada@example.com", db.MailEmailChanged)
		if told.ResolvedMail.Token.Purpose != db.PurposeCancelChange ||
			told.ResolvedMail.Token.Address != "ada@example.com" ||
			told.Mail.Data.NewAddress != "second@example.com" {
			t.Errorf("%+v", told.Mail)
		}
		ada.Email = "second@example.com"

		// A mail that confirms the address of an account says nothing about the one that it has now.
		l := i.Mailed(t, harness.SendVerifyDoc, i.Register(t, "bob@example.com").Email, db.MailVerifyEmail)
		s.MustExec(t, `UPDATE users SET email = 'eve@example.com', email_canonical = 'eve@example.com' WHERE `+
			`email_canonical = 'bob@example.com'`)
		harness.RefusedWith(t, i.GraphQL(t, "", harness.VerifyDoc, harness.InputOf("token", l.Token)), "INVALID_TOKEN")
		if n := s.Count(t, `SELECT count(*) FROM users WHERE email_verified_at IS NOT NULL`); n != 1 {
			t.Errorf("%d confirmed addresses", n)
		}

		// Somebody else has the address that waits, confirmed without a mail: nothing is half done, and the token is
		// good when it is free again.
		l = pend(t, i, s, ada, "taken@example.com")
		i.Register(t, "taken@example.com")
		s.MustExec(t, `UPDATE users SET email_verified_at = created_at WHERE email_canonical = 'taken@example.com'`)
		harness.RefusedWith(t, i.GraphQL(t, "", harness.VerifyDoc, harness.InputOf("token", l.Token)), "ALREADY_EXISTS")
		if n := s.Count(t, `SELECT count(*) FROM users WHERE email_canonical = 'second@example.com' AND `+
			`pending_email = 'taken@example.com'`); n != 1 {
			t.Error("the refusal left something behind")
		}
		s.MustExec(t, `DELETE FROM users WHERE email_canonical = 'taken@example.com'`)
		harness.Fine(t, i.GraphQL(t, "", harness.VerifyDoc, harness.InputOf("token", l.Token)))
	})
}
