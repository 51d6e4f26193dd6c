package mfa

import (
	"testing"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// MF-05: where a second factor is required, the first sign-in leads through its set-up, by a token that opens nothing
// else; sessions of before go on.
func TestMF05_Required(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		c := harness.NewClock()
		const url = "DRAGOMAN_PUBLIC_URL=http://localhost:8080"
		before := harness.StartWithClock(t, c, dsn, url, "DRAGOMAN_MFA=off")
		ada := before.Register(t, "ada@example.com")
		harness.RefusedWith(t, before.GraphQL(t, ada.Access, harness.SetupTotpDoc, nil), "FEATURE_DISABLED")
		s := harness.StartWithClock(t, c, dsn, url, "DRAGOMAN_MFA=required")
		if !s.Is(t, ada.Access, ada) {
			t.Error("a session of before is over")
		}
		a := harness.Fine(t, s.GraphQL(t, "", harness.MfaLoginDoc,
			harness.InputOf("email", ada.Email, "password", harness.GoodPass)))
		challenge := a.Text("login", "challenge", "token")
		if a.At("login", "challenge", "enrolmentRequired") != true || a.At("login", "tokens") != nil {
			t.Fatal(a.Raw)
		}
		harness.RefusedWith(t, s.Answers(t, challenge, "000000"), "INVALID_CODE")
		app, a := s.EnrolsBy(t, challenge)
		if !s.Is(t, a.Text("confirmTotp", "tokens", "accessToken"), ada) || len(app.Codes) != 10 {
			t.Error(a.Raw)
		}
		harness.RefusedWith(t, s.GraphQL(t, a.Text("confirmTotp", "tokens", "accessToken"),
			harness.RemoveAuthenticatorDoc, harness.InputOf("id", app.ID)), "CONFLICT")
		harness.Fine(t, s.Answers(t, s.Challenged(t, ada.Email), s.NextCode(t, app)))

		a = harness.Fine(t, s.GraphQL(t, "", `mutation R($input: RegisterInput!) { register(input: $input) {
  tokens { accessToken } session { id } `+harness.ChallengeParts+` userErrors { code } } }`,
			harness.InputOf("email", "bob@example.com", "password", harness.GoodPass)))
		if a.At("register", "tokens") != nil || a.At("register", "session") != nil {
			t.Error(a.Raw)
		}
		_, a = s.EnrolsBy(t, a.Text("register", "challenge", "token"))
		harness.Fine(t, a)

		roles := harness.StartWithClock(t, c, dsn, url, "DRAGOMAN_MFA_ROLES=admin")
		harness.Fine(t, roles.GraphQL(t, "", harness.RegisterDoc,
			harness.InputOf("email", "eve@example.com", "password", harness.GoodPass)))
		harness.Fine(t, roles.Login(t, "eve@example.com", harness.GoodPass))
		side := harness.OpenSide(t, dsn)
		side.MustExec(t, `UPDATE users SET role = 'admin' WHERE email_canonical = 'eve@example.com'`)
		a = harness.Fine(t, roles.GraphQL(t, "", harness.MfaLoginDoc,
			harness.InputOf("email", "eve@example.com", "password", harness.GoodPass)))
		if a.At("login", "challenge", "enrolmentRequired") != true {
			t.Error(a.Raw)
		}
	})
}

// MF-04: a device that was told to be remembered is asked for no second factor for 30 days, until its session is ended
// in the list, devices are forgotten or factors change.
func TestMF04_Remembered(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn, "DRAGOMAN_RATE_LIMITS=off")
		ada := s.Register(t, "ada@example.com")
		app := s.Enrols(t, ada.Access)
		for name, forget := range map[string]func(access, session string){
			"the session list": func(_, session string) {
				harness.Fine(t, s.GraphQL(t, ada.Access, harness.EndSessionDoc, harness.InputOf("id", session)))
			},
			"forgetDevices": func(access, _ string) {
				harness.Fine(t, s.GraphQL(t, access, `mutation { forgetDevices { userErrors { code } } }`, nil))
			},
			"another app": func(access, _ string) { s.Enrols(t, access) },
		} {
			a := harness.Fine(t, s.Answers(t, s.Challenged(t, ada.Email), s.NextCode(t, app), "rememberDevice", true))
			device := a.Text("verifyMfa", "deviceToken")
			again := harness.Fine(t, s.GraphQL(t, "", harness.MfaLoginDoc,
				harness.InputOf("email", ada.Email, "password", harness.GoodPass, "deviceToken", device)))
			if again.Text("login", "tokens", "accessToken") == "" {
				t.Fatalf("%s: %s", name, again.Raw)
			}
			s.Challenged(t, ada.Email)
			forget(a.Text("verifyMfa", "tokens", "accessToken"), again.Text("login", "session", "id"))
			s.Challenged(t, ada.Email, "deviceToken", device)
		}
	})
}
