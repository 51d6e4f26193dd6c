package phones

import (
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// OT-59: a code confirms the number that it went to, for the account that asked; the number belongs to whoever proved
// it last, and both owners get a mail.
func TestOT59_NumberOfWhoProvedItLast(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s, side := harness.Start(t, dsn), harness.OpenSide(t, dsn)
		ada, eve := s.Register(t, "ada@example.com"), s.Register(t, "eve@example.com")
		harness.Fine(t, s.GraphQL(t, ada.Access, sendCodeDoc, harness.InputOf("phone", "+49 (1555) 010-0101")))
		code := codeTo(t, s, side, number)
		if me := s.GraphQL(t, ada.Access, meDoc, nil); me.At("me", "phone") != nil {
			t.Errorf("a number that nobody proved stands in the account: %s", me.Raw)
		}
		for name, a := range map[string]*harness.Answer{
			"a wrong code": s.GraphQL(t, ada.Access, verifyDoc,
				harness.InputOf("phone", number, "code", wrong(code, 0))),
			"another number":  s.GraphQL(t, ada.Access, verifyDoc, harness.InputOf("phone", other, "code", code)),
			"another account": s.GraphQL(t, eve.Access, verifyDoc, harness.InputOf("phone", number, "code", code)),
			"no code":         s.GraphQL(t, ada.Access, verifyDoc, harness.InputOf("phone", number, "code", "")),
		} {
			if a.Code() != "INVALID_TOKEN" {
				t.Errorf("%s: %s", name, a.Raw)
			}
		}
		a := harness.Fine(t, s.GraphQL(t, ada.Access, verifyDoc, harness.InputOf("phone", number, "code", code)))
		if a.Text("verifyPhone", "user", "phone") != number || a.At("verifyPhone", "user", "phoneVerified") != true {
			t.Errorf("%s", a.Raw)
		}
		if a := s.GraphQL(t, ada.Access, verifyDoc, harness.InputOf("phone", number, "code", code)); a.Code() !=
			"INVALID_TOKEN" {
			t.Errorf("a second time: %s", a.Raw)
		}
		if a := s.GraphQL(t, ada.Access, sendCodeDoc, nil); a.Code() != "CONFLICT" {
			t.Errorf("a confirmed number: %s", a.Raw)
		}
		s.Clock.Add(2 * time.Minute)
		verified(t, s, side, eve, number)
		if me := s.GraphQL(t, ada.Access, meDoc, nil); me.At("me", "phone") != nil ||
			me.At("me", "phoneVerified") != false {
			t.Errorf("the former owner has %s", me.Raw)
		}
		changes := func(email string) (all string) {
			for _, l := range s.Letters(t, email, db.MailPhoneChanged) {
				all += string(l.Mail.Data.Phone.Change) + l.Mail.Data.Phone.Number + " "
			}
			return strings.TrimSpace(all)
		}
		if got := changes("ada@example.com"); got != "moved…01 confirmed…01" {
			t.Errorf("ada was told %q", got)
		}
		s.Clock.Add(2 * time.Minute)
		verified(t, s, side, eve, other)
		harness.Fine(t, s.GraphQL(t, eve.Access, removeDoc, nil))
		if got := changes("eve@example.com"); got != "removed…02 changed…02 confirmed…01" {
			t.Errorf("eve was told %q", got)
		}
		if a := s.GraphQL(t, eve.Access, removeDoc, nil); a.Code() != "CONFLICT" {
			t.Errorf("nothing to remove: %s", a.Raw)
		}
		if n := side.Count(t, `SELECT count(*) FROM audit_events WHERE action IN ('phone.verified', 'phone.removed') `+
			`AND `+
			`outcome = 'ok'`); n != 5 {
			t.Errorf("%d events", n)
		}
		if n := side.Count(t, `SELECT count(*) FROM audit_events WHERE action = 'sms.sent'`); n != 3 {
			t.Errorf("%d messages have an event", n)
		}
	})
}

// A new number takes a recent proof; that of the account does not. An API key does neither.
func TestPhone_NewNumberTakesProof(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s, side := harness.Start(t, dsn), harness.OpenSide(t, dsn)
		a := harness.Fine(t, s.GraphQL(t, "", `mutation R($input: RegisterInput!) { register(input: $input) { `+
			`phoneCodeRequested user { phone phoneVerified } tokens { accessToken refreshToken } userErrors { code } `+
			`} }`,
			harness.InputOf("email", "ada@example.com", "password", harness.GoodPass, "phone", number, "sendPhoneCode",
				true)))
		if a.At("register", "phoneCodeRequested") != true || a.At("register", "user", "phoneVerified") != false ||
			a.Text("register", "user", "phone") != number {
			t.Fatalf("%s", a.Raw)
		}
		code := codeTo(t, s, side, number)
		access := a.Text("register", "tokens", "accessToken")
		_, apiKey := s.NewKey(t, access, map[string]any{"name": "k", "scopes": []string{"PROFILE_READ"}})
		side.MustExec(t, `UPDATE sessions SET authenticated_at = '2020-01-01 00:00:00+00:00'`)
		for _, refused := range []*harness.Answer{
			s.GraphQL(t, access, sendCodeDoc, harness.InputOf("phone", other)), s.GraphQL(t, access, removeDoc, nil),
		} {
			if refused.Code() != "SUDO_REQUIRED" {
				t.Errorf("without a proof: %s", refused.Raw)
			}
		}
		if a := s.GraphQL(t, apiKey, verifyDoc, harness.InputOf("code", code)); a.Code() != "FORBIDDEN" {
			t.Errorf("an API key: %s", a.Raw)
		}
		harness.Fine(t, s.GraphQL(t, access, verifyDoc, harness.InputOf("code", code)))
	})
}

// OT-02, OT-16: of 64 that show the code at once one confirms; and of many guesses five an hour are compared, over
// codes that are sent anew, numbers and accounts.
func TestOT16_PhoneTries(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s, side := harness.Start(t, dsn), harness.OpenSide(t, dsn)
		ada := s.Register(t, "ada@example.com")
		harness.Fine(t, s.GraphQL(t, ada.Access, sendCodeDoc, harness.InputOf("phone", number)))
		code := codeTo(t, s, side, number)
		fine := 0
		for _, a := range harness.Together(64, func(int) (*harness.Answer, error) {
			return harness.Send(s.URL, ada.Access, verifyDoc, harness.InputOf("phone", number, "code", code))
		}) {
			if a.Code() == "" {
				fine++
			}
		}
		if fine != 1 {
			t.Fatalf("%d of 64 confirmed", fine)
		}
		s.Clock.Add(2 * time.Hour)
		ada.Access = s.Fresh(t, ada)
		for i, phone := range []string{other, "+4915550100103"} { // three wrong ones at each number
			harness.Fine(t, s.GraphQL(t, ada.Access, sendCodeDoc, harness.InputOf("phone", phone)))
			code = codeTo(t, s, side, phone)
			for n := range 3 - i {
				s.GraphQL(t, ada.Access, verifyDoc, harness.InputOf("phone", phone, "code", wrong(code, n)))
			}
		}
		if a := s.GraphQL(t, ada.Access, verifyDoc, harness.InputOf("phone", "+4915550100103", "code",
			code)); a.Code() !=
			"INVALID_TOKEN" {
			t.Errorf("after five wrong codes at two numbers: %s", a.Raw)
		}
		eve := s.Register(t, "eve@example.com") // at the number where three were wrong
		harness.Fine(t, s.GraphQL(t, eve.Access, sendCodeDoc, harness.InputOf("phone", other)))
		code = codeTo(t, s, side, other)
		for n := range 2 {
			s.GraphQL(t, eve.Access, verifyDoc, harness.InputOf("phone", other, "code", wrong(code, n)))
		}
		if a := s.GraphQL(t, eve.Access, verifyDoc, harness.InputOf("phone", other, "code", code)); a.Code() !=
			"INVALID_TOKEN" {
			t.Errorf("after five wrong codes of two accounts: %s", a.Raw)
		}
		s.Clock.Add(time.Hour + time.Minute)
		eve.Access = s.Fresh(t, eve)
		verified(t, s, side, eve, other)
	})
}
