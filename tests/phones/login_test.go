package phones

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// claims are those of an access token.
func claims(t *testing.T, access string) (all map[string]any) {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(strings.Split(access, ".")[1])
	if err != nil || json.Unmarshal(raw, &all) != nil {
		t.Fatalf("%q: %v", access, err)
	}
	return all
}

// OT-60: a code of a mail signs in as the link of one does: it confirms the address, takes an account over that nobody
// confirmed, and is good once, of 64 at once too. The mail has no link. A code to choose a password is none.
func TestOT60_LoginByMailedCode(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s, side := harness.Start(t, dsn, "DRAGOMAN_REQUIRE_VERIFIED_EMAIL=off"), harness.OpenSide(t, dsn)
		ada := s.Register(t, "ada@example.com")
		side.MustExec(t, `UPDATE users SET phone = '`+number+`', phone_verified_at = created_at`)
		for _, in := range []map[string]any{
			harness.InputOf("email", "ada@example.com"), harness.InputOf("email", "nobody@example.com"),
		} {
			harness.Fine(t, s.GraphQL(t, "", askDoc, in))
		}
		l := s.Letter(t, "ada@example.com", db.MailLoginCode)
		if len(s.Letters(t, "nobody@example.com", "")) != 0 {
			t.Error("nobody got a mail")
		}
		if n := side.Count(t, `SELECT count(*) FROM audit_events WHERE action = 'login_code.requested'`); n != 2 {
			t.Errorf("%d requests have an event", n)
		}
		for name, in := range map[string]map[string]any{
			"a wrong code":       harness.InputOf("email", "ada@example.com", "code", wrong(l.Code, 0)),
			"another address":    harness.InputOf("email", "eve@example.com", "code", l.Code),
			"the token":          harness.InputOf("email", "ada@example.com", "code", l.Token),
			"a code of no digit": harness.InputOf("email", "ada@example.com", "code", ""),
		} {
			if a := s.GraphQL(t, "", loginDoc, in); a.Code() != "INVALID_TOKEN" ||
				!strings.Contains(a.Raw, `"field":["input","code"]`) {
				t.Errorf("%s: %s", name, a.Raw)
			}
		}
		var fine *harness.Answer
		n := 0
		for _, a := range harness.Together(64, func(int) (*harness.Answer, error) {
			return harness.Send(s.URL, "", loginDoc, harness.InputOf("email", "ada@example.com", "code", l.Code))
		}) {
			if a.Code() == "" {
				n, fine = n+1, a
			}
		}
		if n != 1 {
			t.Fatalf("%d of 64 signed in", n)
		}
		if got := claims(t, fine.Text("loginWithCode", "tokens", "accessToken"))["amr"]; fmt.Sprint(got) != "[otp]" {
			t.Errorf("amr is %v", got)
		}
		if fmt.Sprint(fine.At("loginWithCode", "session", "authMethods")) != "[EMAIL_CODE]" ||
			fine.At("loginWithCode", "takeOver", "passwordMissing") != true ||
			fine.At("loginWithCode", "user", "phone") != nil ||
			fine.At("loginWithCode", "user", "phoneVerified") != false {
			t.Errorf("the account of somebody else was not taken over: %s", fine.Raw)
		}
		if a := s.GraphQL(t, ada.Access, meDoc, nil); a.Code() != "UNAUTHENTICATED" {
			t.Errorf("the session of before: %s", a.Raw)
		}
		reset := s.Mailed(t, harness.AskResetDoc, "ada@example.com", db.MailResetPassword)
		if a := s.GraphQL(t, "", loginDoc, harness.InputOf("email", "ada@example.com", "code", reset.Code)); a.Code() !=
			"INVALID_TOKEN" {
			t.Errorf("the code of a reset: %s", a.Raw)
		}
		for _, in := range []map[string]any{
			{}, harness.InputOf("email", "ada@example.com", "phone", number), harness.InputOf("phone", number),
		} {
			in, ok := in["input"].(map[string]any)
			if !ok {
				in = map[string]any{}
			}
			a := s.GraphQL(t, "", askDoc, map[string]any{"input": in})
			if code := a.Code(); code != "INVALID_INPUT" && (len(in) != 1 || code != "FEATURE_DISABLED") {
				t.Errorf("%v: %s", in, a.Raw)
			}
		}
	})
}

// OT-61: a code of an SMS signs in where that is switched on, to the account that proved the number and to no other;
// the answer to a request tells nothing.
func TestOT61_LoginBySMS(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s, side := harness.Start(t, dsn, "DRAGOMAN_SMS_LOGIN=on"), harness.OpenSide(t, dsn)
		ada, eve := s.Register(t, "ada@example.com"), s.Register(t, "eve@example.com")
		verified(t, s, side, ada, number)
		side.MustExec(t, `UPDATE users SET phone = '`+other+`' WHERE email = 'eve@example.com'`) // not confirmed
		ask := func(phone string) *harness.Answer {
			return harness.Fine(t, s.GraphQL(t, "", askDoc, harness.InputOf("phone", phone)))
		}
		login := func(phone, code string, more ...any) *harness.Answer {
			return s.GraphQL(t, "", loginDoc, harness.InputOf(append(more, "phone", phone, "code", code)...))
		}
		known, unknown, unproved := ask(number), ask("+4915550100199"), ask(other)
		if known.Raw != unknown.Raw || known.Raw != unproved.Raw {
			t.Errorf("the answers differ: %s %s %s", known.Raw, unknown.Raw, unproved.Raw)
		}
		settle(t, side)
		if n := side.Count(t, `SELECT count(*) FROM sms WHERE purpose = 'LOGIN'`); n != 1 {
			t.Errorf("%d messages", n)
		}
		code := codeTo(t, s, side, number)
		if a := login(other, code); a.Code() != "INVALID_TOKEN" {
			t.Errorf("another number: %s", a.Raw)
		}
		if a := s.GraphQL(t, eve.Access, verifyDoc, harness.InputOf("phone", number, "code", code)); a.Code() !=
			"INVALID_TOKEN" {
			t.Errorf("it confirms the number: %s", a.Raw)
		}
		fine := 0
		for _, a := range harness.Together(64, func(int) (*harness.Answer, error) {
			return harness.Send(s.URL, "", loginDoc, harness.InputOf("phone", number, "code", code))
		}) {
			if a.Code() != "" {
				continue
			}
			fine++
			if a.Text("loginWithCode", "user", "id") != ada.ID ||
				fmt.Sprint(claims(t, a.Text("loginWithCode", "tokens", "accessToken"))["amr"]) != "[sms]" ||
				fmt.Sprint(a.At("loginWithCode", "session", "authMethods")) != "[SMS]" {
				t.Errorf("%s", a.Raw)
			}
		}
		if fine != 1 {
			t.Fatalf("%d of 64 signed in", fine)
		}
		if len(s.Letters(t, "ada@example.com", db.MailNewSignIn)) != 0 { // the tests are one device
			t.Error("a mail of a known device")
		}
		// A code is over after ten minutes, and with the number and the account.
		for name, change := range map[string]string{
			"too old":   "",
			"removed":   `UPDATE users SET phone = NULL, phone_verified_at = NULL WHERE phone = '` + number + `'`,
			"suspended": `UPDATE users SET status = 'SUSPENDED' WHERE phone = '` + number + `'`,
		} {
			side.MustExec(t, `UPDATE users SET status = 'ACTIVE', phone = '`+number+
				`', phone_verified_at = created_at `+
				`WHERE email = 'ada@example.com'`)
			s.Clock.Add(2 * time.Minute)
			ask(number)
			code := codeTo(t, s, side, number)
			if change == "" {
				s.Clock.Add(10 * time.Minute)
			} else {
				side.MustExec(t, change)
			}
			if a := login(number, code); a.Code() != "INVALID_TOKEN" {
				t.Errorf("%s: %s", name, a.Raw)
			}
		}
	})
}

// OT-61: an account whose address was never confirmed signs in by no SMS where addresses must be confirmed; and nobody
// does where that is not switched on.
func TestOT61_Unconfirmed(t *testing.T) {
	t.Parallel()
	dsn := dbtest.SQLite(t)
	s, side := harness.Start(t, dsn, "DRAGOMAN_REQUIRE_VERIFIED_EMAIL=on", "DRAGOMAN_SMS_LOGIN=on"),
		harness.OpenSide(t, dsn)
	s.Waited(t, "ada@example.com", "phone", number)
	if n := side.Count(t, `SELECT count(*) FROM users WHERE phone = '`+number+
		`' AND phone_verified_at IS NULL`); n != 1 {
		t.Error("the number of the registration is gone, or confirmed")
	}
	side.MustExec(t, `UPDATE users SET phone_verified_at = created_at, email_verified_at = NULL`)
	harness.Fine(t, s.GraphQL(t, "", askDoc, harness.InputOf("phone", number)))
	code := codeTo(t, s, side, number)
	if a := s.GraphQL(t, "", loginDoc, harness.InputOf("phone", number, "code", code)); a.Code() !=
		"EMAIL_NOT_VERIFIED" {
		t.Errorf("%s", a.Raw)
	}
	off := harness.Start(t, dbtest.SQLite(t), "DRAGOMAN_SMTP_URL=none")
	access := off.Register(t, "ada@example.com").Access
	for _, a := range []*harness.Answer{
		off.GraphQL(t, access, sendCodeDoc, harness.InputOf("phone", number)),
		off.GraphQL(t, access, verifyDoc, harness.InputOf("phone", number, "code", "012345")),
		off.GraphQL(t, "", askDoc, harness.InputOf("phone", number)),
		off.GraphQL(t, "", askDoc, harness.InputOf("email", "ada@example.com")),
		off.GraphQL(t, "", loginDoc, harness.InputOf("phone", number, "code", "012345")),
	} {
		if a.Code() != "FEATURE_DISABLED" {
			t.Errorf("without a provider and a mailbox: %s", a.Raw)
		}
	}
}

// OT-58: wrong codes of an account add up over the ways in for a year, and no success resets them. At 300 codes are
// closed but for its own devices, while links go on; the owner is told once. So an attacker is right with a chance of
// less than 1 in 1000 in a year.
func TestOT58_BudgetOfAYear(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s, side := harness.Start(t, dsn, "DRAGOMAN_SMS_LOGIN=on"), harness.OpenSide(t, dsn)
		ada := s.Register(t, "ada@example.com")
		side.MustExec(t, `UPDATE users SET email_verified_at = created_at`)
		verified(t, s, side, ada, number)
		device := harness.Fine(t, s.Login(t, "ada@example.com", harness.GoodPass)).Text("login", "deviceToken")
		// An attacker has a code sent, and guesses, every hour of a year, by both ways.
		compared := func() int { return side.Count(t, `SELECT coalesce(sum(wrong), 0) FROM wrong_codes`) }
		guess := func(way, to string) string {
			harness.Fine(t, s.GraphQL(t, "", askDoc, harness.InputOf(way, to)))
			code := ""
			if way == "email" {
				code = s.Letter(t, to, db.MailLoginCode).Code
			} else {
				code = codeTo(t, s, side, to)
			}
			for n := range 5 {
				s.GraphQL(t, "", loginDoc, harness.InputOf(way, to, "code", wrong(code, n)))
			}
			s.Clock.Add(time.Hour + time.Minute)
			return code
		}
		before := 284
		guess("email", "ada@example.com")
		guess("phone", number)
		if n := compared(); n != 10 {
			t.Fatalf("%d wrong codes count, not 10", n)
		}
		// The tests may run where a week ends: all of them become those of the newest one.
		side.MustExec(t, `DELETE FROM wrong_codes WHERE week < (SELECT max(week) FROM wrong_codes)`)
		side.MustExec(t, fmt.Sprintf(`UPDATE wrong_codes SET wrong = %d`, before))
		for range 4 {
			guess("email", "ada@example.com")
			guess("phone", number)
		}
		if n := compared(); n != 300 {
			t.Errorf("%d codes were compared, not 300", n)
		}
		const codes, limit = 1e6, 1e-3
		if chance := float64(compared()) / codes; chance >= limit {
			t.Errorf("an attacker is right with a chance of %v in a year", chance)
		}
		if n := len(s.Letters(t, "ada@example.com", db.MailCodesClosed)); n != 1 {
			t.Errorf("%d mails say that codes are closed", n)
		}
		if n := side.Count(t, `SELECT count(*) FROM audit_events WHERE action = 'codes.closed'`); n != 1 {
			t.Errorf("%d events", n)
		}
		right := func(more ...any) string {
			harness.Fine(t, s.GraphQL(t, "", askDoc, harness.InputOf("phone", number)))
			code := codeTo(t, s, side, number)
			a := s.GraphQL(t, "", loginDoc, harness.InputOf(append(more, "phone", number, "code", code)...))
			s.Clock.Add(2 * time.Hour)
			return a.Code()
		}
		if code := right(); code != "INVALID_TOKEN" {
			t.Errorf("a stranger's device: %q", code)
		}
		if code := right("deviceToken", device); code != "" {
			t.Errorf("a device of the owner: %q", code)
		}
		if code := right(); code != "INVALID_TOKEN" {
			t.Errorf("after a success: %q", code)
		}
		link := s.Mailed(t, harness.AskMagicDoc, "ada@example.com", db.MailMagicLink)
		if a := s.GraphQL(t, "", harness.MagicDoc, harness.InputOf("token", link.Token)); a.Code() != "" {
			t.Errorf("a link: %s", a.Raw)
		}
		s.Clock.Add(54 * 7 * 24 * time.Hour)
		if code := right(); code != "" {
			t.Errorf("a year later: %q", code)
		}
		if err := s.App.Sweep(t.Context()); err != nil || compared() != 0 {
			t.Errorf("%d wrong codes of a year ago are kept (%v)", compared(), err)
		}
	})
}
