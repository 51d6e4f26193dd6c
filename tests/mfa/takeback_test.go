package mfa

import (
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// OT-11: who takes an address back is not kept out by an app that a thief set up meanwhile. An app of before stays.
func TestOT11_FactorsOfAThief(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s, side := harness.Start(t, dsn, "DRAGOMAN_RATE_LIMITS=off"), harness.OpenSide(t, dsn)
		for email, before := range map[string]bool{"ada@example.com": false, "bob@example.com": true} {
			who := s.Register(t, email)
			side.MustExec(t, `UPDATE users SET email_verified_at = created_at`)
			var app *harness.App
			if before {
				app = s.Enrols(t, who.Access)
				s.Clock.Add(time.Minute)
			}
			harness.Fine(t, s.GraphQL(t, who.Access, harness.ChangeEmailDoc, harness.InputOf("email", "thief+"+email)))
			harness.Fine(t, s.GraphQL(t, who.Access, harness.VerifyDoc,
				harness.InputOf("token", s.Letter(t, "thief+"+email, db.MailConfirmChange).Token)))
			s.Clock.Add(time.Minute)
			s.Enrols(t, who.Access)
			harness.Fine(t, s.GraphQL(t, "", `mutation C($input: CancelEmailChangeInput!) { cancelEmailChange(input: $input) {
  email userErrors { code } } }`, harness.InputOf("token", s.Letter(t, email, db.MailEmailChanged).Token)))
			l := s.Mailed(t, harness.AskResetDoc, email, db.MailResetPassword)
			harness.Fine(t, s.GraphQL(t, "", harness.ResetDoc,
				harness.InputOf("token", l.Token, "newPassword", harness.GoodPass)))
			if !before {
				a := harness.Fine(t, s.Login(t, email, harness.GoodPass))
				if a.Text("login", "tokens", "accessToken") == "" {
					t.Errorf("the owner is kept out: %s", a.Raw)
				}
				continue
			}
			harness.Fine(t, s.Answers(t, s.Challenged(t, email), s.NextCode(t, app)))
			if n := side.Count(t, `SELECT count(*) FROM authenticators`); n != 1 {
				t.Errorf("%d apps are left", n)
			}
		}
	})
}

// SE-08: signing out all other sessions ends sign-ins that wait and devices that are remembered, also where no other
// session is alive.
func TestSE08_OthersWithNone(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s, side := harness.Start(t, dsn, "DRAGOMAN_RATE_LIMITS=off"), harness.OpenSide(t, dsn)
		ada := s.Register(t, "ada@example.com")
		app := s.Enrols(t, ada.Access)
		a := harness.Fine(t, s.Answers(t, s.Challenged(t, ada.Email), s.NextCode(t, app), "rememberDevice", true))
		device, access := a.Text("verifyMfa", "deviceToken"), a.Text("verifyMfa", "tokens", "accessToken")
		harness.Fine(t, s.GraphQL(t, access, harness.LogoutDoc, nil))
		waits := s.Challenged(t, ada.Email)
		a = harness.Fine(t, s.GraphQL(t, ada.Access, harness.EndOthersDoc, nil))
		if a.At("revokeOtherSessions", "revokedCount") != float64(0) {
			t.Error(a.Raw)
		}
		harness.RefusedWith(t, s.Answers(t, waits, s.NextCode(t, app)), "INVALID_TOKEN")
		s.Challenged(t, ada.Email, "deviceToken", device)
		if n := side.Count(t, `SELECT count(*) FROM audit_events WHERE action = 'session.others_revoked'`); n != 1 {
			t.Errorf("%d events", n)
		}
	})
}
