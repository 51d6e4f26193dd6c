package main

import (
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
)

// The documents of the flows that go through a mailbox.
const (
	sendVerifyDoc = `mutation S($input: SendVerificationEmailInput) { sendVerificationEmail(input: $input) { userErrors { code message field } } }`
	verifyDoc     = `mutation V($input: VerifyEmailInput!) { verifyEmail(input: $input) { user { id email emailVerified } userErrors { code message field } } }`
	askResetDoc   = `mutation A($input: RequestPasswordResetInput!) { requestPasswordReset(input: $input) { userErrors { code message field } } }`
	resetDoc      = `mutation R($input: ResetPasswordInput!) { resetPassword(input: $input) {
  user { id email emailVerified } session { id } tokens { accessToken } userErrors { code message field } } }`
	askMagicDoc = `mutation A($input: RequestMagicLinkInput!) { requestMagicLink(input: $input) { userErrors { code message field } } }`
	magicDoc    = `mutation M($input: LoginWithMagicLinkInput!) { loginWithMagicLink(input: $input) {
  user { id email emailVerified } session { id authMethods sudoExpiresAt } tokens { accessToken refreshToken sessionToken } userErrors { code message field } } }`
	validDoc = `query T($purpose: TokenPurpose!, $token: String!, $email: String) { tokenIsValid(purpose: $purpose, token: $token, email: $email) }`
)

// fine demands that a call was not refused.
func fine(t testing.TB, a *answer) *answer {
	t.Helper()
	if a.code() != "" || len(a.Errors) > 0 || a.Status != 200 {
		t.Fatalf("%s", a.Raw)
	}
	return a
}

// refusedWith demands a refusal.
func refusedWith(t testing.TB, a *answer, code string) {
	t.Helper()
	if a.code() != code {
		t.Errorf("%s, want %s", a.Raw, code)
	}
}

// mailed asks for a mail of a kind by an address and gives it.
func (i *instance) mailed(t testing.TB, document, address string, kind db.MailKind) letter {
	t.Helper()
	i.clock.add(time.Minute)
	fine(t, i.graphql(t, "", document, inputOf("email", address)))
	return i.letter(t, address, kind)
}

func TestMail_Verify(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		i := start(t, dsn)
		ada := i.register(t, "ada@example.com")
		refusedWith(t, i.graphql(t, "", sendVerifyDoc, nil), "UNAUTHENTICATED")
		fine(t, i.graphql(t, ada.Access, sendVerifyDoc, nil))
		l := i.letter(t, ada.Email, db.MailVerifyEmail)
		a := fine(t, i.graphql(t, "", verifyDoc, inputOf("token", l.Token)))
		if a.text("verifyEmail", "user", "id") != ada.ID || a.at("verifyEmail", "user", "emailVerified") != true {
			t.Errorf("%s", a.Raw)
		}
		refusedWith(t, i.graphql(t, "", verifyDoc, inputOf("token", l.Token)), "INVALID_TOKEN")
		fine(t, i.graphql(t, "", verifyDoc, inputOf("token", l.Token, "allowConfirmed", true))) // OT-15
		refusedWith(t, i.graphql(t, ada.Access, sendVerifyDoc, nil), "CONFLICT")

		bob := i.register(t, "bob@example.com")
		l = i.mailed(t, sendVerifyDoc, "BOB@example.com", db.MailVerifyEmail)
		if l.Mail.Address != bob.Email {
			t.Errorf("it goes to %s", l.Mail.Address)
		}
		fine(t, i.graphql(t, "", verifyDoc, inputOf("token", l.Code[:3]+" "+l.Code[3:], "email", "Bob@example.com")))
	})
}

func TestMail_Reset(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		i := start(t, dsn)
		ada := i.register(t, "ada@example.com")
		l := i.mailed(t, askResetDoc, ada.Email, db.MailResetPassword)
		refusedWith(t, i.graphql(t, "", resetDoc, inputOf("token", l.Token, "newPassword", "short")), "PASSWORD_TOO_WEAK")
		refusedWith(t, i.graphql(t, "", resetDoc, inputOf("token", l.Token, "newPassword", "ada@example.com1")), "PASSWORD_TOO_WEAK") // PW-08
		refusedWith(t, i.graphql(t, "", resetDoc, inputOf("token", l.Token, "newPassword", "password123")), "PASSWORD_BREACHED")      // PW-06
		refusedWith(t, i.graphql(t, "", resetDoc, inputOf("token", l.Token, "newPassword", strings.Repeat("x", 2000))), "INVALID_INPUT")
		a := fine(t, i.graphql(t, "", resetDoc, inputOf("token", l.Token, "newPassword", newPass)))
		if a.text("resetPassword", "user", "id") != ada.ID || a.at("resetPassword", "user", "emailVerified") != true ||
			a.at("resetPassword", "tokens") != nil || a.at("resetPassword", "session") != nil {
			t.Errorf("OT-09: %s", a.Raw)
		}
		if i.is(t, ada.Access, ada) {
			t.Error("SE-08: the session lives")
		}
		refusedWith(t, i.refresh(t, ada.Refresh), "INVALID_TOKEN")
		refusedWith(t, i.login(t, ada.Email, goodPass), "INVALID_CREDENTIALS")
		fine(t, i.login(t, ada.Email, newPass))
		refusedWith(t, i.graphql(t, "", resetDoc, inputOf("token", l.Token, "newPassword", goodPass)), "INVALID_TOKEN")
		i.letter(t, ada.Email, db.MailPassword) // LG-20
	})
}

func TestMail_MagicLink(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		i := start(t, dsn)
		ada := i.register(t, "ada@example.com")
		key := fine(t, i.graphql(t, ada.Access, createKey, nil)).text("createApiKey", "secret")
		l := i.mailed(t, askMagicDoc, ada.Email, db.MailMagicLink)
		a := fine(t, i.graphql(t, "", magicDoc, inputOf("token", l.Token)))
		in := a.text("loginWithMagicLink", "tokens", "accessToken")
		if !i.is(t, in, ada) || a.at("loginWithMagicLink", "user", "emailVerified") != true ||
			a.text("loginWithMagicLink", "session", "sudoExpiresAt") == "" || !strings.Contains(a.Raw, `"authMethods":["MAGIC_LINK"]`) {
			t.Errorf("%s", a.Raw)
		}
		// The address was never confirmed: what was there before may be somebody else's.
		if i.is(t, ada.Access, ada) || i.is(t, key, ada) {
			t.Error("the session or the key of before lives")
		}
		refusedWith(t, i.login(t, ada.Email, goodPass), "INVALID_CREDENTIALS")
		refusedWith(t, i.graphql(t, "", magicDoc, inputOf("token", l.Token)), "INVALID_TOKEN")

		l = i.mailed(t, askResetDoc, ada.Email, db.MailResetPassword) // an account without a password
		fine(t, i.graphql(t, "", resetDoc, inputOf("token", l.Token, "newPassword", newPass)))
		second := fine(t, i.login(t, ada.Email, newPass)).text("login", "tokens", "accessToken")
		l = i.mailed(t, askMagicDoc, ada.Email, db.MailMagicLink)
		fine(t, i.graphql(t, "", magicDoc, inputOf("token", l.Code, "email", ada.Email)))
		if !i.is(t, second, ada) {
			t.Error("a further sign-in ended the session beside it")
		}
		fine(t, i.login(t, ada.Email, newPass))
	})
}

// A sign-in by mail is one as any other: it has its delivery, its place among the sessions that an account may have, and its date.
func TestMail_MagicLinkSession(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		i := start(t, dsn, "DRAGOMAN_SESSION_LIMIT=3")
		s := openSide(t, dsn)
		ada := i.register(t, "ada@example.com")
		s.exec(t, `UPDATE users SET email_verified_at = created_at, last_login_at = NULL`)
		var last account
		for n, delivery := range []string{"BODY", "SESSION_TOKEN", "COOKIE", "SESSION_TOKEN"} {
			l := i.mailed(t, askMagicDoc, ada.Email, db.MailMagicLink)
			a := fine(t, i.graphql(t, "", magicDoc, inputOf("token", l.Token, "tokenDelivery", delivery)))
			refresh, session := a.text("loginWithMagicLink", "tokens", "refreshToken"), a.text("loginWithMagicLink", "tokens", "sessionToken")
			if (refresh != "") != (delivery == "BODY") || (session != "") != (delivery == "SESSION_TOKEN") || (len(a.Header["Set-Cookie"]) == 1) != (delivery == "COOKIE") {
				t.Errorf("%s: %s %v", delivery, a.Raw, a.Header["Set-Cookie"])
			}
			if alive := s.count(t, `SELECT count(*) FROM sessions WHERE revoked_at IS NULL`); alive != min(n+2, 3) {
				t.Errorf("%d sessions after %d", alive, n+1)
			}
			last.Access = session
		}
		if i.is(t, ada.Access, ada) || !i.is(t, last.Access, ada) {
			t.Error("SE-21: it is not the eldest that ended")
		}
		if n := s.count(t, `SELECT count(*) FROM users WHERE last_login_at IS NOT NULL`); n != 1 {
			t.Error("no date")
		}
		if n := s.count(t, `SELECT count(*) FROM sessions WHERE revoked_reason = 'session_limit'`); n != 2 {
			t.Errorf("%d ended", n)
		}
	})
}
