package mfa

import (
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// MF-18: the owner is told of a recovery code that was used, once a day of a challenge that ended by wrong codes, and
// of the wrong code that closes codes of apps. The last two leave an event too.
func TestMF18_Notices(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s, side := harness.Start(t, dsn, "DRAGOMAN_RATE_LIMITS=off"), harness.OpenSide(t, dsn)
		ada := s.Register(t, "ada@example.com")
		app := s.Enrols(t, ada.Access)
		told := func(change string) int {
			return side.Count(t, `SELECT count(*) FROM mails WHERE kind = 'second-factor' AND CAST(data AS text) `+
				`LIKE '%"`+
				change+`"%'`)
		}
		events := func(action string) int {
			return side.Count(t, `SELECT count(*) FROM audit_events WHERE action = '`+action+`'`)
		}
		five := func() {
			challenge := s.Challenged(t, ada.Email)
			for range 5 {
				harness.RefusedWith(t, s.Answers(t, challenge, "000000"), "INVALID_CODE")
			}
		}
		five()
		five()
		if told("wrong-codes") != 1 || events("mfa.guessed") != 1 {
			t.Errorf("%d mails and %d events of wrong codes", told("wrong-codes"), events("mfa.guessed"))
		}
		s.Clock.Add(24 * time.Hour)
		five()
		if told("wrong-codes") != 2 {
			t.Errorf("%d mails of wrong codes the day after", told("wrong-codes"))
		}
		harness.Fine(t, s.GraphQL(t, "", harness.VerifyMfaDoc, harness.InputOf("challengeToken",
			s.Challenged(t, ada.Email), "method", "RECOVERY_CODE", "code", app.Codes[0])))
		if n := side.Count(t, `SELECT count(*) FROM mails WHERE CAST(data AS text) LIKE '%code-used%' AND `+
			`CAST(data AS text) LIKE '%9%'`); n != 1 || told("code-used") != 1 {
			t.Errorf("%d mails of a recovery code", told("code-used"))
		}
		side.MustExec(t, `UPDATE factor_tries SET tries = 284 WHERE scope = '' AND tries = 10`) // 15 were counted
		harness.RefusedWith(t, s.Answers(t, s.Challenged(t, ada.Email), "000000"), "INVALID_CODE")
		if told("guesses-spent") != 0 {
			t.Error("told of spent guesses too early")
		}
		side.MustExec(t, `UPDATE factor_tries SET tries = tries + 9 WHERE scope = '' AND tries < 284`)
		harness.RefusedWith(t, s.Answers(t, s.Challenged(t, ada.Email), "000000"), "INVALID_CODE")
		harness.RefusedWith(t, s.Answers(t, s.Challenged(t, ada.Email), "000000"), "ACCOUNT_LOCKED")
		if told("guesses-spent") != 1 || events("mfa.closed") != 1 {
			t.Errorf("%d mails and %d events of spent guesses", told("guesses-spent"), events("mfa.closed"))
		}
	})
}

// MF-04, MF-14: a challenge ends with a suspension and with what an administrator ends. A device token of before the
// second factor has no budget of its own.
func TestMF14_Outside(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s, side := harness.Start(t, dsn, "DRAGOMAN_RATE_LIMITS=off"), harness.OpenSide(t, dsn)
		root, ada := s.Admin(t, dsn, "root@example.com"), s.Register(t, "ada@example.com")
		early := harness.Fine(t, s.GraphQL(t, "", harness.MfaLoginDoc,
			harness.InputOf("email", ada.Email, "password", harness.GoodPass))).Text("login", "deviceToken")
		app := s.Enrols(t, ada.Access)
		harness.RefusedWith(t, s.Answers(t, s.Challenged(t, ada.Email), "000000", "deviceToken", early), "INVALID_CODE")
		if n := side.Count(t, `SELECT count(*) FROM factor_tries WHERE scope <> ''`); n != 0 {
			t.Error("a device of before the second factor has a budget of its own")
		}
		of := harness.InputOf("id", ada.ID)
		for name, end := range map[string]func(){
			"suspended": func() {
				harness.Fine(t, s.GraphQL(t, root.Access, harness.SuspendDoc, of))
				harness.Fine(t, s.GraphQL(t, root.Access, harness.ReactivateDoc, of))
			},
			"ended by an administrator": func() { harness.Fine(t, s.GraphQL(t, root.Access, harness.EndUserDoc, of)) },
		} {
			challenge := s.Challenged(t, ada.Email)
			end()
			if got := s.Answers(t, challenge, s.NextCode(t, app)).Code(); got != "INVALID_TOKEN" {
				t.Errorf("%s: %q", name, got)
			}
		}
	})
}

// MF-08: of an account that must have a second factor, removals at once leave one app at least.
func TestMF08_OneStays(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		c := harness.NewClock()
		const url = "DRAGOMAN_PUBLIC_URL=http://localhost:8080"
		ada := harness.StartWithClock(t, c, dsn, url).Register(t, "ada@example.com")
		s, side := harness.StartWithClock(t, c, dsn, url, "DRAGOMAN_MFA=required"), harness.OpenSide(t, dsn)
		var apps []*harness.App
		for range 4 {
			apps = append(apps, s.Enrols(t, ada.Access))
		}
		harness.Together(16, func(n int) (*harness.Answer, error) {
			return harness.Send(s.URL, ada.Access, harness.RemoveAuthenticatorDoc, harness.InputOf("id", apps[n%4].ID))
		})
		if n := side.Count(t, `SELECT count(*) FROM authenticators`); n < 1 {
			t.Errorf("%d apps are left", n)
		}
		s.Challenged(t, ada.Email)
	})
}
