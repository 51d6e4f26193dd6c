package mail

import (
	"strings"
	"testing"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

const (
	validDoc = `query T($purpose: TokenPurpose!, $token: String!, $email: String) { tokenIsValid(purpose: $purpose, ` +
		`token: $token, email: $email) }`
)

func TestMail_Verify(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		i := harness.Start(t, dsn)
		ada := i.Register(t, "ada@example.com")
		harness.RefusedWith(t, i.GraphQL(t, "", harness.SendVerifyDoc, nil), "UNAUTHENTICATED")
		harness.Fine(t, i.GraphQL(t, ada.Access, harness.SendVerifyDoc, nil))
		l := i.Letter(t, ada.Email, db.MailVerifyEmail)
		a := harness.Fine(t, i.GraphQL(t, "", harness.VerifyDoc, harness.InputOf("token", l.Token)))
		if a.Text("verifyEmail", "email") != ada.Email || a.At("verifyEmail", "user") != nil {
			t.Errorf("%s", a.Raw)
		}
		harness.RefusedWith(t, i.GraphQL(t, "", harness.VerifyDoc, harness.InputOf("token", l.Token)), "INVALID_TOKEN")
		// OT-15
		harness.Fine(t, i.GraphQL(t, "", harness.VerifyDoc, harness.InputOf("token", l.Token, "allowConfirmed", true)))
		harness.RefusedWith(t, i.GraphQL(t, ada.Access, harness.SendVerifyDoc, nil), "CONFLICT")

		bob := i.Register(t, "bob@example.com")
		l = i.Mailed(t, harness.SendVerifyDoc, "BOB@example.com", db.MailVerifyEmail)
		if l.Mail.Address != bob.Email {
			t.Errorf("it goes to %s", l.Mail.Address)
		}
		harness.Fine(t, i.GraphQL(t, "", harness.VerifyDoc,
			harness.InputOf("token", l.Code[:3]+" "+l.Code[3:], "email", "Bob@example.com")))
	})
}

func TestMail_Reset(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		i := harness.Start(t, dsn)
		ada := i.Register(t, "ada@example.com")
		token := i.Mailed(t, harness.AskResetDoc, ada.Email, db.MailResetPassword).Token
		reset := func(t *testing.T, password string) *harness.Answer {
			t.Helper()
			return i.GraphQL(t, "", harness.ResetDoc, harness.InputOf("token", token, "newPassword", password))
		}
		for _, rejected := range []struct{ name, password, code string }{
			{"short", "short", "PASSWORD_TOO_WEAK"},
			{"PW-08 the email address", "ada@example.com1", "PASSWORD_TOO_WEAK"},
			{"PW-06 common", "password123", "PASSWORD_BREACHED"},
			{"too long", strings.Repeat("x", 2000), "INVALID_INPUT"},
		} {
			t.Run("rejected password: "+rejected.name, func(t *testing.T) {
				harness.RefusedWith(t, reset(t, rejected.password), rejected.code)
			})
		}
		t.Run("OT-09 the password is set, the address is verified, nobody is signed in", func(t *testing.T) {
			a := harness.Fine(t, reset(t, harness.NewPass))
			if a.Text("resetPassword", "user", "id") != ada.ID ||
				a.At("resetPassword", "user", "emailVerified") != true ||
				a.At("resetPassword", "tokens") != nil || a.At("resetPassword", "session") != nil {
				t.Errorf("the answer is %s", a.Raw)
			}
		})
		t.Run("SE-08 the session has ended", func(t *testing.T) {
			if i.Is(t, ada.Access, ada) {
				t.Error("the access token still works")
			}
			harness.RefusedWith(t, i.Refresh(t, ada.Refresh), "INVALID_TOKEN")
		})
		t.Run("only the new password signs in", func(t *testing.T) {
			harness.RefusedWith(t, i.Login(t, ada.Email, harness.GoodPass), "INVALID_CREDENTIALS")
			harness.Fine(t, i.Login(t, ada.Email, harness.NewPass))
		})
		t.Run("the token works once", func(t *testing.T) {
			harness.RefusedWith(t, reset(t, harness.GoodPass), "INVALID_TOKEN")
		})
		t.Run("LG-20 a mail reports the change", func(t *testing.T) {
			i.Letter(t, ada.Email, db.MailPassword)
		})
	})
}

func TestMail_MagicLink(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		i := harness.Start(t, dsn)
		ada := i.Register(t, "ada@example.com")
		key := harness.Fine(t, i.GraphQL(t, ada.Access, harness.CreateKey, nil)).Text("createApiKey", "secret")
		l := i.Mailed(t, harness.AskMagicDoc, ada.Email, db.MailMagicLink)
		a := harness.Fine(t, i.GraphQL(t, "", harness.MagicDoc, harness.InputOf("token", l.Token)))
		in := a.Text("loginWithMagicLink", "tokens", "accessToken")
		if !i.Is(t, in, ada) || a.At("loginWithMagicLink", "user", "emailVerified") != true ||
			a.Text("loginWithMagicLink", "session", "sudoExpiresAt") == "" ||
			!strings.Contains(a.Raw, `"authMethods":["MAGIC_LINK"]`) {
			t.Errorf("%s", a.Raw)
		}
		// The address was never confirmed: what was there before may be somebody else's.
		if i.Is(t, ada.Access, ada) || i.Is(t, key, ada) {
			t.Error("the session or the key of before lives")
		}
		harness.RefusedWith(t, i.Login(t, ada.Email, harness.GoodPass), "INVALID_CREDENTIALS")
		harness.RefusedWith(t, i.GraphQL(t, "", harness.MagicDoc, harness.InputOf("token", l.Token)), "INVALID_TOKEN")

		l = i.Mailed(t, harness.AskResetDoc, ada.Email, db.MailResetPassword) // an account without a password
		harness.Fine(t, i.GraphQL(t, "", harness.ResetDoc,
			harness.InputOf("token", l.Token, "newPassword", harness.NewPass)))
		second := harness.Fine(t, i.Login(t, ada.Email, harness.NewPass)).Text("login", "tokens", "accessToken")
		l = i.Mailed(t, harness.AskMagicDoc, ada.Email, db.MailMagicLink)
		harness.Fine(t, i.GraphQL(t, "", harness.MagicDoc, harness.InputOf("token", l.Code, "email", ada.Email)))
		if !i.Is(t, second, ada) {
			t.Error("a further sign-in ended the session beside it")
		}
		harness.Fine(t, i.Login(t, ada.Email, harness.NewPass))
	})
}

// A sign-in by mail is one as any other: it has its delivery, its place among the sessions that an account may have,
// and its date.
func TestMail_MagicLinkSession(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		i := harness.Start(t, dsn, "DRAGOMAN_SESSION_LIMIT=3")
		s := harness.OpenSide(t, dsn)
		ada := i.Register(t, "ada@example.com")
		s.MustExec(t, `UPDATE users SET email_verified_at = created_at, last_login_at = NULL`)
		var last harness.Account
		for n, delivery := range []string{"BODY", "SESSION_TOKEN", "COOKIE", "SESSION_TOKEN"} {
			l := i.Mailed(t, harness.AskMagicDoc, ada.Email, db.MailMagicLink)
			a := harness.Fine(t, i.GraphQL(t, "", harness.MagicDoc,
				harness.InputOf("token", l.Token, "tokenDelivery", delivery)))
			refresh, session := a.Text("loginWithMagicLink", "tokens", "refreshToken"),
				a.Text("loginWithMagicLink", "tokens", "sessionToken")
			if (refresh != "") != (delivery == "BODY") || (session != "") != (delivery == "SESSION_TOKEN") ||
				(len(harness.OwnCookies(a.Header)) == 1) != (delivery == "COOKIE") {
				t.Errorf("%s: %s %v", delivery, a.Raw, a.Header["Set-Cookie"])
			}
			if alive := s.Count(t, `SELECT count(*) FROM sessions WHERE revoked_at IS NULL`); alive != min(n+2, 3) {
				t.Errorf("%d sessions after %d", alive, n+1)
			}
			last.Access = session
		}
		if i.Is(t, ada.Access, ada) || !i.Is(t, last.Access, ada) {
			t.Error("SE-21: it is not the eldest that ended")
		}
		if n := s.Count(t, `SELECT count(*) FROM users WHERE last_login_at IS NOT NULL`); n != 1 {
			t.Error("no date")
		}
		if n := s.Count(t, `SELECT count(*) FROM sessions WHERE revoked_reason = 'session_limit'`); n != 2 {
			t.Errorf("%d ended", n)
		}
	})
}
