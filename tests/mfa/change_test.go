package mfa

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// MF-04: a challenge ends with a change of the password, with every session of the account, after five wrong codes and
// after five minutes.
func TestMF04_Ended(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn, "DRAGOMAN_RATE_LIMITS=off")
		ada := s.Register(t, "ada@example.com")
		app := s.Enrols(t, ada.Access)
		in := func() string {
			a := harness.Fine(t, s.Answers(t, s.Challenged(t, ada.Email), s.NextCode(t, app)))
			return a.Text("verifyMfa", "tokens", "accessToken")
		}
		access := in()
		for name, end := range map[string]func(challenge string){
			"time": func(string) { s.Clock.Add(5 * time.Minute) },
			"wrong codes": func(c string) {
				for range 5 {
					harness.RefusedWith(t, s.Answers(t, c, "000000"), "INVALID_CODE")
				}
			},
			"a password": func(string) {
				access = in()
				harness.Fine(t, s.GraphQL(t, access, harness.ChangePasswordDoc,
					harness.InputOf("newPassword", harness.GoodPass)))
			},
			"signing out everywhere": func(string) {
				harness.Fine(t, s.GraphQL(t, access, harness.LogoutDoc, harness.InputOf("everywhere", true)))
				access = in()
			},
		} {
			challenge := s.Challenged(t, ada.Email)
			end(challenge)
			if got := s.Answers(t, challenge, s.NextCode(t, app)).Code(); got != "INVALID_TOKEN" {
				t.Errorf("%s: %q", name, got)
			}
		}
	})
}

// MF-03, MF-14: wrong codes add up over challenges, and 300 in a year close codes of apps to devices that are not
// known. The answer is the same before the password is right. Recovery codes and known devices go on, and a success
// resets nothing.
func TestMF03_Budget(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s, side := harness.Start(t, dsn, "DRAGOMAN_RATE_LIMITS=off"), harness.OpenSide(t, dsn)
		ada := s.Register(t, "ada@example.com")
		app := s.Enrols(t, ada.Access)
		a := harness.Fine(t, s.Answers(t, s.Challenged(t, ada.Email), s.NextCode(t, app)))
		device := a.Text("verifyMfa", "deviceToken")
		for range 2 {
			harness.RefusedWith(t, s.Answers(t, s.Challenged(t, ada.Email), "000000"), "INVALID_CODE")
		}
		if n := side.Count(t, `SELECT sum(tries) FROM factor_tries WHERE scope = ''`); n != 2 {
			t.Fatalf("%d tries", n)
		}
		side.MustExec(t, `UPDATE factor_tries SET tries = 299 WHERE scope = ''`)
		harness.Fine(t, s.Answers(t, s.Challenged(t, ada.Email), s.NextCode(t, app)))
		harness.RefusedWith(t, s.Answers(t, s.Challenged(t, ada.Email), "000000"), "INVALID_CODE")
		harness.RefusedWith(t, s.Answers(t, s.Challenged(t, ada.Email), s.NextCode(t, app)), "ACCOUNT_LOCKED")
		harness.RefusedWith(t, s.GraphQL(t, ada.Access, harness.SudoDoc,
			harness.InputOf("method", "TOTP", "code", s.NextCode(t, app))), "ACCOUNT_LOCKED")
		harness.Fine(t, s.GraphQL(t, "", harness.VerifyMfaDoc, harness.InputOf("challengeToken",
			s.Challenged(t, ada.Email), "method", "RECOVERY_CODE", "code", app.Codes[0])))
		harness.Fine(t, s.Answers(t, s.Challenged(t, ada.Email), s.NextCode(t, app), "deviceToken", device))
		s.Clock.Add(366 * 24 * time.Hour)
		harness.Fine(t, s.Answers(t, s.Challenged(t, ada.Email), s.NextCode(t, app)))
	})
}

// MF-09, MF-14: a recovery code is good once, for its own account, until others are made.
func TestMF09_RecoveryCodes(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn, "DRAGOMAN_RATE_LIMITS=off")
		ada, bob := s.Register(t, "ada@example.com"), s.Register(t, "bob@example.com")
		app, other := s.Enrols(t, ada.Access), s.Enrols(t, bob.Access)
		by := func(who harness.Account, code string) string {
			return s.GraphQL(t, "", harness.VerifyMfaDoc, harness.InputOf("challengeToken",
				s.Challenged(t, who.Email), "method", "RECOVERY_CODE", "code", code)).Code()
		}
		for _, row := range []struct {
			who        harness.Account
			code, want string
		}{
			{ada, other.Codes[0], "INVALID_CODE"},
			{ada, app.Codes[0], ""},
			{ada, app.Codes[0], "INVALID_CODE"},
			{ada, strings.ToUpper(strings.ReplaceAll(app.Codes[1], "-", " ")), ""},
			{ada, "x", "INVALID_INPUT"},
			{bob, other.Codes[0], ""},
		} {
			if got := by(row.who, row.code); got != row.want {
				t.Errorf("%s %s: %q, want %q", row.who.Email, row.code, got, row.want)
			}
		}
		a := harness.Fine(t, s.GraphQL(t, ada.Access, harness.RecoveryCodesDoc, nil))
		codes, _ := a.At("regenerateRecoveryCodes", "recoveryCodes").([]any)
		if len(codes) != 10 || by(ada, app.Codes[2]) != "INVALID_CODE" || by(ada, codes[0].(string)) != "" {
			t.Error(a.Raw)
		}
	})
}

// MF-08: what weakens an account with a second factor takes that factor lately, and a right password does not do.
func TestMF08_Weaken(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn, "DRAGOMAN_RATE_LIMITS=off")
		ada := s.Register(t, "ada@example.com")
		app := s.Enrols(t, ada.Access)
		a := harness.Fine(t, s.Answers(t, s.Challenged(t, ada.Email), s.NextCode(t, app)))
		s.Clock.Add(11 * time.Minute)
		access := harness.Fine(t, s.Refresh(t, a.Text("verifyMfa", "tokens", "refreshToken"))).Text("refresh", "tokens",
			"accessToken")
		harness.Fine(t, s.GraphQL(t, access, harness.SudoDoc, harness.InputOf("password", harness.GoodPass)))
		for name, call := range map[string]func() *harness.Answer{
			"set up": func() *harness.Answer { return s.GraphQL(t, access, harness.SetupTotpDoc, nil) },
			"remove": func() *harness.Answer {
				return s.GraphQL(t, access, harness.RemoveAuthenticatorDoc, harness.InputOf("id", app.ID))
			},
			"codes": func() *harness.Answer { return s.GraphQL(t, access, harness.RecoveryCodesDoc, nil) },
			"password": func() *harness.Answer {
				return s.GraphQL(t, access, harness.ChangePasswordDoc, harness.InputOf("newPassword", harness.NewPass,
					"currentPassword", harness.GoodPass))
			},
			"address": func() *harness.Answer {
				return s.GraphQL(t, access, harness.ChangeEmailDoc, harness.InputOf("email", "eve@example.com",
					"currentPassword", harness.GoodPass))
			},
			"delete the account": func() *harness.Answer {
				return s.GraphQL(t, access, harness.DeleteAccountDoc, nil)
			},
			"key": func() *harness.Answer {
				return s.GraphQL(t, access, harness.CreateKey, harness.InputOf("name", "wide", "scopes",
					[]string{"PROFILE_READ"}))
			},
		} {
			want := "SUDO_REQUIRED"
			if name == "key" {
				want = "" // it reads alone
			}
			if got := call().Code(); got != want {
				t.Errorf("%s: %q", name, got)
			}
		}
		harness.RefusedWith(t, s.GraphQL(t, access, harness.SudoDoc,
			harness.InputOf("method", "TOTP", "code", "000000")), "INVALID_CODE")
		harness.Fine(t, s.GraphQL(t, access, harness.SudoDoc,
			harness.InputOf("method", "TOTP", "code", s.NextCode(t, app))))
		harness.Fine(t, s.GraphQL(t, access, harness.ChangePasswordDoc,
			harness.InputOf("newPassword", harness.NewPass)))
	})
}

// SE-22: with the last factor recovery codes go, sessions are worth less, and sign-ins ask for nothing. Each step has
// its event.
func TestSE22_Lowered(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s, side := harness.Start(t, dsn), harness.OpenSide(t, dsn)
		ada := s.Register(t, "ada@example.com")
		app := s.Enrols(t, ada.Access)
		harness.RefusedWith(t, s.Answers(t, s.Challenged(t, ada.Email), "000000"), "INVALID_CODE")
		a := harness.Fine(t, s.Answers(t, s.Challenged(t, ada.Email), s.NextCode(t, app)))
		access, refresh := a.Text("verifyMfa", "tokens", "accessToken"), a.Text("verifyMfa", "tokens", "refreshToken")
		if c := harness.ClaimsOf(t, access); c["acr"] != "aal2" {
			t.Errorf("%v", c)
		}
		harness.Fine(t, s.GraphQL(t, access, harness.RecoveryCodesDoc, nil))
		harness.Fine(t, s.GraphQL(t, access, `mutation N($input: UpdateAuthenticatorInput!) {
  updateAuthenticator(input: $input) { authenticator { name } userErrors { code } } }`,
			harness.InputOf("id", app.ID, "name", "Phone")))
		harness.Fine(t, s.GraphQL(t, access, `mutation { forgetDevices { userErrors { code } } }`, nil))
		harness.Fine(t, s.GraphQL(t, access, harness.RemoveAuthenticatorDoc, harness.InputOf("id", app.ID)))
		a = harness.Fine(t, s.Refresh(t, refresh))
		if c := harness.ClaimsOf(t, a.Text("refresh", "tokens", "accessToken")); c["acr"] != "aal1" {
			t.Errorf("%v", c)
		}
		harness.Fine(t, s.Login(t, ada.Email, harness.GoodPass))
		if n := side.Count(t, `SELECT count(*) FROM recovery_codes`); n != 0 {
			t.Errorf("%d recovery codes are left", n)
		}
		want := []string{
			"user.created", "mfa.enrolment_started", "mfa.added", "login.challenged", "login.challenge_failed",
			"login.challenged", "login.succeeded", "recovery_codes.replaced", "mfa.renamed", "devices.forgotten",
			"mfa.removed", "session.refreshed", "login.succeeded",
		}
		if got := side.Texts(t, `SELECT action FROM audit_events ORDER BY id`); !slices.Equal(got, want) {
			t.Errorf("events %s", got)
		}
	})
}

// MF-17: an administrator removes the factors of an account that may no more than they, within their sudo window. A
// reset by mail removes none.
func TestMF17_Reset(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s, side := harness.Start(t, dsn), harness.OpenSide(t, dsn)
		root := s.Admin(t, dsn, "root@example.com")
		ada := s.Register(t, "ada@example.com")
		s.Enrols(t, ada.Access)
		side.MustExec(t, `UPDATE users SET email_verified_at = created_at WHERE email_canonical = 'ada@example.com'`)
		l := s.Mailed(t, harness.AskResetDoc, ada.Email, "reset-password")
		harness.Fine(t, s.GraphQL(t, "", harness.ResetDoc,
			harness.InputOf("token", l.Token, "newPassword", harness.GoodPass)))
		s.Challenged(t, ada.Email)
		const doc = `mutation R($input: ResetUserMfaInput!) { resetUserMfa(input: $input) { user { id mfa { enabled } }
  userErrors { code } } }`
		if got := s.GraphQL(t, ada.Access, doc, harness.InputOf("id", root.ID)).Code(); got == "" {
			t.Error("anybody resets an administrator")
		}
		harness.Fine(t, s.GraphQL(t, root.Access, doc, harness.InputOf("id", ada.ID)))
		harness.Fine(t, s.Login(t, ada.Email, harness.GoodPass))
		if n := side.Count(t,
			`SELECT count(*) FROM audit_events WHERE action = 'mfa.reset' AND actor_id IS NOT NULL`); n != 1 {
			t.Errorf("%d events", n)
		}
		s.Letter(t, ada.Email, "second-factor")
	})
}
