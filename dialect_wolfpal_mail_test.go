package main

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
)

// These tests hold the server against the API of document 001 where a mailbox comes into it: the activation that its register
// promises, and the routes below /api that its original has.

const (
	wolfActivated   = `{"code":"ACTIVATED","message":"Good job! Your account is now activated and you can start using WolfPal."}`
	wolfNoActivated = `{"code":"EXPIRED_OR_ALREADY_USED","error":"Either your account activate link has expired or already has been used."}`
	wolfResent      = `{"code":"PENDING_CONFIRMATION","message":"Please check your email address to complete the registration."}`
	wolfUpdated     = `{"code":"UPDATED","error":"Your passsword has been updated.  Please try logging in with your new password."}`
	wolfNoReset     = `{"code":"EXPIRED_OR_ALREADY_USED","error":"Either your reset link has expired or already has been used."}`
	wolfChanging    = `{"code":"PENDING_CONFIRMATION","message":"Please check your new email address to complate the email change."}`
	wolfChanged     = `{"code":"EMAIL_CHANGED","message":"Your email has been changed successfully."}`
	wolfNoChange    = `{"code":"EXPIRED_CONFIRMATION","error":"Either your new email confirmation link has expired or already has been used."}`
	wolfEmailTaken  = `{"code":"ALREADY_EXISTS","error":"The email you are attempting to change to is already in use."}`
	wolfNew         = "new@mrdemonwolf.github.io"

	wolfActivate = "/api/user/activate-account/"
	wolfReset    = "/api/user/reset-password/"
	wolfChange   = "/api/account/change-email/"
)

// wolfForgotten is the answer to a forgotten password.
func wolfForgotten(email string) string {
	return `{"code":"PENDING_CONFIRMATION","error":"An Email has been sent to ` + email +
		` with further instructions on how to reset your password. Please check your email account."}`
}

// wolfJoins registers as the document says, and gives the mail that the answer promises.
func (i *instance) wolfJoins(t testing.TB, username, email string) letter {
	t.Helper()
	i.form(t, "POST /auth/register", formOf("username", username, "email", email, "password", goodPass), "X-Forwarded-Host", "evil.example").
		says(t, http.StatusCreated, wolfPending)
	return i.linkedLetter(t, email, db.MailVerifyEmail, wolfActivate+"{token}", 3*time.Hour)
}

// wolfEnters signs in.
func (i *instance) wolfEnters(t testing.TB, email, password string) (access, refresh string) {
	t.Helper()
	return pairIn(t, i.form(t, "POST /auth/login", formOf("email", email, "password", password)))
}

// activated is what the account says of its address.
func (i *instance) activated(t testing.TB, access string) bool {
	t.Helper()
	return strings.Contains(i.rest(t, "GET /api/account", "", bearer(access)...).Body, `"emailVerified":true`)
}

// inPath leaves out what would be no segment of a path.
func inPath(texts []string) (kept []string) {
	for _, text := range texts {
		if len(text) < 2000 {
			kept = append(kept, text)
		}
	}
	return kept
}

// OT-01, OT-03, OT-04: an account is activated by the mail that the document's register promises, once and for three hours; another
// mail takes the place of the first.
func TestOT01_WolfpalActivation(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		older := s.wolfJoins(t, wolfName, wolfMail)
		access, _ := s.wolfEnters(t, wolfMail, goodPass) // which an account that is not activated can
		s.clock.add(time.Minute)
		s.form(t, "POST "+wolfActivate+"resend", formOf("email", strings.ToUpper(wolfMail))).says(t, http.StatusOK, wolfResent)
		l := s.linkedLetter(t, wolfMail, db.MailVerifyEmail, wolfActivate+"{token}", 3*time.Hour)
		s.form(t, "POST /api/user/forgot-password", formOf("email", wolfMail)).says(t, http.StatusOK, wolfForgotten(wolfMail))
		reset := s.letter(t, wolfMail, db.MailResetPassword)
		for _, text := range append(inPath(notTokens(l.Token)), older.Token, reset.Token, l.Code) {
			if r := s.ask(t, "PUT "+wolfActivate+text, ""); r.Body != wolfNoActivated && r.Body != wolfLost {
				t.Errorf("%q: %d %s", text, r.Status, r.Body)
			}
		}
		if s.activated(t, access) {
			t.Fatal("it is activated")
		}
		s.rest(t, "PUT "+wolfActivate+l.Token, "").says(t, http.StatusOK, wolfActivated)
		if !s.activated(t, access) {
			t.Error("it is not activated")
		}
		s.rest(t, "PUT "+wolfActivate+l.Token, "", "Content-Type", formType).says(t, http.StatusBadRequest, wolfNoActivated)
		second := s.wolfJoins(t, "another", "another@mrdemonwolf.github.io")
		s.clock.add(3*time.Hour + time.Second)
		s.rest(t, "PUT "+wolfActivate+second.Token, "").says(t, http.StatusBadRequest, wolfNoActivated)
	})
}

// OT-01, OT-03, SE-08: a password is reset by mail, once and for a quarter of an hour; all sessions end, and nobody is signed in.
func TestOT01_WolfpalReset(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		activation := s.wolfJoins(t, wolfName, wolfMail)
		access, refresh := s.wolfEnters(t, wolfMail, goodPass)
		forgot := func() letter {
			t.Helper()
			s.clock.add(time.Minute)
			s.form(t, "POST /api/user/forgot-password", formOf("email", wolfMail), "Host", "evil.example").says(t, http.StatusOK, wolfForgotten(wolfMail))
			return s.linkedLetter(t, wolfMail, db.MailResetPassword, wolfReset+"{token}", 15*time.Minute)
		}
		older, l := forgot(), forgot()
		const again = "another good secret"
		twice := formOf("password", again, "comfirmPassword", again)
		for _, text := range append(inPath(notTokens(l.Token)), older.Token, activation.Token, l.Code) {
			if r := s.ask(t, "POST "+wolfReset+text, twice, "Content-Type", formType); r.Body != wolfNoReset && r.Body != wolfLost {
				t.Errorf("%q: %d %s", text, r.Status, r.Body)
			}
		}
		for body, want := range map[string]string{
			formOf("password", again):                                                             `{"codes":{"password":"NO_MATCH","comfirmPassword":"MUST_CONFIRM"},"errors":{"password":"Both passwords must match.","comfirmPassword":"You must comfirm your new password."}}`,
			formOf("comfirmPassword", again):                                                      `{"codes":{"password":"REQUIRED","comfirmPassword":"NO_MATCH"},"errors":{"password":"Password is required.","comfirmPassword":"Both passwords must match."}}`,
			formOf("password", again, "confirmPassword", "no"):                                    `{"codes":{"password":"NO_MATCH","comfirmPassword":"NO_MATCH"},"errors":{"password":"Both passwords must match.","comfirmPassword":"Both passwords must match."}}`,
			formOf("password", "short", "comfirmPassword", "short"):                               `{"codes":{"password":"NOT_LONG_ENOUGH"},"errors":{"password":"Password must be between 8 and 56 characters long"}}`,
			"password=" + strings.Repeat("x", 57) + "&comfirmPassword=" + strings.Repeat("x", 57): `{"codes":{"password":"NOT_LONG_ENOUGH"},"errors":{"password":"Password must be between 8 and 56 characters long"}}`,
		} {
			s.form(t, "POST "+wolfReset+l.Token, body).says(t, http.StatusBadRequest, want)
		}
		s.form(t, "POST "+wolfReset+l.Token, twice).says(t, http.StatusOK, wolfUpdated)
		s.form(t, "POST "+wolfReset+l.Token, twice).says(t, http.StatusBadRequest, wolfNoReset)
		s.rest(t, "GET /api/account", "", bearer(access)...).unauthorized(t)
		s.form(t, "POST /auth/refresh", formOf("refresh_token", refresh)).unauthorized(t)
		s.form(t, "POST /auth/login", formOf("email", wolfMail, "password", goodPass)).says(t, http.StatusBadRequest, wolfWrong)
		if access, _ := s.wolfEnters(t, wolfMail, again); !s.activated(t, access) { // it proved whose the address is
			t.Error("the address is not confirmed")
		}
		late := forgot()
		s.clock.add(15*time.Minute + time.Second)
		s.form(t, "POST "+wolfReset+late.Token, twice).says(t, http.StatusBadRequest, wolfNoReset)
	})
}

// OT-11, OT-19: the address changes when the new one is confirmed, and the one in use is told before. One that is somebody else's is
// answered like a free one: its owner is told.
func TestOT19_WolfpalChangeEmail(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		s.wolfJoins(t, wolfName, wolfMail)
		s.wolfJoins(t, "another", "another@mrdemonwolf.github.io")
		access, _ := s.wolfEnters(t, wolfMail, goodPass)
		change := func(body string) reply {
			t.Helper()
			return s.form(t, "POST /api/account/change-email", body, bearer(access)...)
		}
		s.rest(t, "POST "+wolfChange+"resend", "", bearer(access)...).
			says(t, http.StatusBadRequest, `{"code":"EMAIL_CHANGE_NOT_REQUESTED","error":"You have not requsted a email change."}`)
		change(formOf("email", strings.ToUpper(wolfMail))).says(t, http.StatusConflict,
			`{"code":"EMAIL_CONFLICT","error":"The email you are attempting to change to is the same as your current one."}`)
		free, taken := change(formOf("email", wolfNew)), reply{}
		free.says(t, http.StatusOK, wolfChanging)
		older := s.linkedLetter(t, wolfNew, db.MailConfirmChange, wolfChange+"{token}", 3*time.Hour)
		s.clock.add(time.Minute)
		s.rest(t, "POST "+wolfChange+"resend", "", bearer(access)...).says(t, http.StatusOK, wolfChanging)
		l := s.linkedLetter(t, wolfNew, db.MailConfirmChange, wolfChange+"{token}", 3*time.Hour)
		if s.letter(t, wolfMail, db.MailChangeAsked).Token == "" {
			t.Error("the address in use has nothing to cancel with")
		}
		for _, text := range append(inPath(notTokens(l.Token)), older.Token, l.Code) {
			if r := s.ask(t, "PUT "+wolfChange+text, "", bearer(access)...); r.Body != wolfNoChange && r.Body != wolfLost {
				t.Errorf("%q: %d %s", text, r.Status, r.Body)
			}
		}
		s.rest(t, "PUT "+wolfChange+l.Token, "", bearer(access)...).says(t, http.StatusOK, wolfChanged)
		s.rest(t, "PUT "+wolfChange+l.Token, "", bearer(access)...).says(t, http.StatusBadRequest, wolfNoChange)
		if r := s.rest(t, "GET /api/account", "", bearer(access)...); !strings.Contains(r.Body, `"email":"`+wolfNew+`"`) || !strings.Contains(r.Body, `"emailVerified":true`) {
			t.Errorf("%s", r.Body)
		}
		s.letter(t, wolfMail, db.MailEmailChanged)

		taken = change(formOf("email", "another@mrdemonwolf.github.io"))
		taken.says(t, http.StatusOK, wolfChanging)
		s.clock.add(time.Minute)
		s.rest(t, "POST "+wolfChange+"resend", "", bearer(access)...).says(t, http.StatusOK, wolfChanging)
		if got := s.mailsTo(t, "another@mrdemonwolf.github.io"); got != "verify-email address-taken address-taken" {
			t.Errorf("the owner of the taken address got %s", got)
		}
		for _, r := range []*reply{&free, &taken} {
			r.Header.Del("Date")
			r.Header.Del("X-Request-Id")
		}
		if fmt.Sprint(free.Header) != fmt.Sprint(taken.Header) {
			t.Errorf("%v and %v", free.Header, taken.Header)
		}
	})
}

// OT-11: somebody else may take the address while it waits: the link says so, and nothing changes.
func TestOT11_WolfpalChangeEmailTaken(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		s.wolfJoins(t, wolfName, wolfMail)
		access, _ := s.wolfEnters(t, wolfMail, goodPass)
		s.form(t, "POST /api/account/change-email", formOf("email", wolfNew), bearer(access)...).says(t, http.StatusOK, wolfChanging)
		l := s.letter(t, wolfNew, db.MailConfirmChange)
		s.wolfJoins(t, "another", wolfNew)
		s.rest(t, "PUT "+wolfChange+l.Token, "").says(t, http.StatusConflict, wolfEmailTaken)
		if r := s.rest(t, "GET /api/account", "", bearer(access)...); !strings.Contains(r.Body, `"email":"`+wolfMail+`"`) {
			t.Errorf("%s", r.Body)
		}
	})
}

// PW-10: a login of some minutes ago does not change the address, without the password.
func TestPW10_WolfpalChangeEmail(t *testing.T) {
	t.Parallel()
	s := start(t, dbtest.SQLite(t))
	s.wolfJoins(t, wolfName, wolfMail)
	access, _ := s.wolfEnters(t, wolfMail, goodPass)
	ask := func(body string) reply { return s.form(t, "POST /api/account/change-email", body, bearer(access)...) }
	s.clock.add(11 * time.Minute)
	ask(formOf("email", wolfNew)).says(t, http.StatusUnauthorized, `{"code":"PASSWORD_REQUIRED","error":"Old Password is required."}`)
	ask(formOf("email", wolfNew, "oldPassword", "guess")).says(t, http.StatusUnauthorized, `{"code":"INVALID_CREDENTIALS","error":"Wrong old password."}`)
	ask(formOf("email", wolfNew, "oldPassword", goodPass)).says(t, http.StatusOK, wolfChanging)
	s.clock.add(11 * time.Minute) // the mail goes out again without it: nothing changes by that
	s.rest(t, "POST "+wolfChange+"resend", "", bearer(access)...).says(t, http.StatusOK, wolfChanging)
}

// LG-04, LG-05: what asks for a mail tells nothing of an address, also where accounts are revealed; who has it gets the mail. The
// owner of an address that somebody registers once more is told.
func TestLG05_Wolfpal(t *testing.T) {
	t.Parallel()
	for _, reveal := range []string{"off", "on"} {
		dbtest.Each(t, func(t *testing.T, dsn string) {
			s := start(t, dsn, "DRAGOMAN_REVEAL_ACCOUNTS="+reveal)
			s.wolfJoins(t, wolfName, wolfMail)
			done := s.wolfJoins(t, "activated", "done@mrdemonwolf.github.io")
			s.rest(t, "PUT "+wolfActivate+done.Token, "").says(t, http.StatusOK, wolfActivated)
			everybody := []string{wolfMail, "nobody@mrdemonwolf.github.io", "done@mrdemonwolf.github.io"}
			s.oneAnswer(t, func(address string) reply {
				s.clock.add(time.Minute)
				r := s.form(t, "POST "+wolfActivate+"resend", formOf("email", address))
				r.says(t, http.StatusOK, wolfResent)
				return r
			}, everybody...)
			s.oneAnswer(t, func(address string) reply {
				r := s.form(t, "POST /api/user/forgot-password", formOf("email", address))
				r.says(t, http.StatusOK, wolfForgotten(address))
				r.Body = strings.ReplaceAll(r.Body, address, "")
				r.Header.Del("Content-Length")
				return r
			}, everybody...)
			// A mail that is overtaken before it is sent is gone.
			for address, want := range map[string]string{wolfMail: "verify-email reset-password", "nobody@mrdemonwolf.github.io": "", "done@mrdemonwolf.github.io": "reset-password"} {
				got := s.mailsTo(t, address)
				short := strings.ReplaceAll(got, "verify-email verify-email", "verify-email")
				if short != want && short != "verify-email "+want || strings.HasPrefix(address, "done") && strings.Count(got, "verify") > 1 {
					t.Errorf("%s got %q, want %q", address, got, want)
				}
			}
			s.form(t, "POST /auth/register", formOf("username", "somebodyelse", "email", wolfMail, "password", goodPass))
			s.letter(t, wolfMail, db.MailAddressTaken)
			for _, route := range []string{"POST " + wolfActivate + "resend", "POST /api/user/forgot-password"} {
				s.form(t, route, "").says(t, http.StatusBadRequest, `{"codes":{"email":"REQUIRED"},"errors":{"email":"Email is required."}}`)
				for _, email := range []string{"nobody", "a@b@c", "user@mrdemonwolf.github.io\r\nBcc: eve@example.com"} { // WH-08
					s.form(t, route, formOf("email", email)).says(t, http.StatusBadRequest, `{"codes":{"email":"INVALID"},"errors":{"email":"Email is invalid."}}`)
				}
			}
		})
	}
}

// OT-02: of many at once who use one token, one succeeds.
func TestOT02_WolfpalAtOnce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		activation := s.wolfJoins(t, wolfName, wolfMail)
		access, _ := s.wolfEnters(t, wolfMail, goodPass)
		s.form(t, "POST /api/account/change-email", formOf("email", wolfNew), bearer(access)...)
		change := s.letter(t, wolfNew, db.MailConfirmChange)
		s.form(t, "POST /api/user/forgot-password", formOf("email", wolfMail))
		reset := s.letter(t, wolfMail, db.MailResetPassword)
		for _, one := range []struct{ route, body, good, bad string }{
			{"PUT " + wolfActivate + activation.Token, "", wolfActivated, wolfNoActivated},
			{"POST " + wolfReset + reset.Token, formOf("password", "another good secret", "comfirmPassword", "another good secret"), wolfUpdated, wolfNoReset},
			{"PUT " + wolfChange + change.Token, "", wolfChanged, wolfNoChange},
		} {
			if one.good == wolfChanged { // which the reset made worthless
				access, _ = s.wolfEnters(t, wolfMail, "another good secret")
				s.clock.add(time.Minute)
				s.form(t, "POST /api/account/change-email", formOf("email", wolfNew), bearer(access)...)
				one.route = "PUT " + wolfChange + s.letter(t, wolfNew, db.MailConfirmChange).Token
			}
			var group sync.WaitGroup
			answers := make([]reply, 64)
			for n := range answers {
				group.Go(func() { answers[n], _ = s.call(one.route, one.body, "Content-Type", formType) })
			}
			group.Wait()
			good := 0
			for _, r := range answers {
				if r.Body == one.good {
					good++
				} else {
					r.says(t, http.StatusBadRequest, one.bad)
				}
			}
			if good != 1 {
				t.Errorf("%s: %d of %d", one.route, good, len(answers))
			}
		}
	})
}

// OT-13, OT-14, OT-18: the links of the mails are addresses of this API; a browser that follows one comes to our page. Nothing that
// looks at one uses it up.
func TestOT13_WolfpalLinks(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		activation := s.wolfJoins(t, wolfName, wolfMail)
		access, _ := s.wolfEnters(t, wolfMail, goodPass)
		s.form(t, "POST /api/account/change-email", formOf("email", wolfNew), bearer(access)...)
		s.form(t, "POST /api/user/forgot-password", formOf("email", wolfMail))
		for _, one := range []struct{ path, page, allow, use, body, good string }{
			{wolfActivate + activation.Token, "verify-email", "PUT", "PUT ", "", wolfActivated},
			{wolfChange + s.letter(t, wolfNew, db.MailConfirmChange).Token, "confirm-email", "PUT", "PUT ", "", wolfChanged},
			{wolfReset + s.letter(t, wolfMail, db.MailResetPassword).Token, "reset-password", "POST", "POST ", formOf("password", goodPass, "comfirmPassword", goodPass), ""},
		} {
			token := one.path[strings.LastIndexByte(one.path, '/')+1:]
			for _, header := range [][]string{
				{"Accept", "text/html", "Sec-Fetch-Dest", "document", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Site", "cross-site"},
				{"Accept", "text/html,*/*;q=0.8", "X-Forwarded-Host", "evil.example"},
				{"Sec-Purpose", "prefetch;prerender", "Sec-Fetch-Dest", "document"},
				{"Purpose", "prefetch"},
			} {
				r := s.ask(t, "GET "+one.path, "", header...)
				if r.Status != http.StatusSeeOther || r.Header.Get("Location") != s.app.PublicURL+"/account/"+one.page+"#token="+token || r.Body != "" ||
					r.Header.Get("Referrer-Policy") != "no-referrer" || r.Header.Get("Cache-Control") != "no-store" {
					t.Errorf("%v: %d %v %s", header, r.Status, r.Header, r.Body)
				}
			}
			for route, header := range map[string][]string{
				"HEAD " + one.path: {"Accept", "text/html", "Sec-Fetch-Dest", "document"}, "GET " + one.path: {"Accept", "application/json"}, "DELETE " + one.path: nil,
			} {
				if r := s.ask(t, route, "", header...); r.Status != http.StatusMethodNotAllowed || r.Header.Get("Allow") != one.allow {
					t.Errorf("%s: %d %v %s", route, r.Status, r.Header, r.Body)
				}
			}
			if r := s.form(t, one.use+one.path, one.body); one.good != "" {
				r.says(t, http.StatusOK, one.good)
			}
		}
	})
}

// Every refusal that a setting brings has its answer: no mail, stricter passwords.
func TestWolfpal_MailSettings(t *testing.T) {
	t.Parallel()
	off := start(t, dbtest.SQLite(t), "DRAGOMAN_SMTP_URL=none")
	off.form(t, "POST /auth/register", formOf("username", wolfName, "email", wolfMail, "password", goodPass)).says(t, http.StatusCreated, wolfPending)
	access, _ := off.wolfEnters(t, wolfMail, goodPass)
	const disabled = `{"code":"FEATURE_DISABLED","error":"This server sends no mail."}`
	off.form(t, "POST "+wolfActivate+"resend", formOf("email", wolfMail)).says(t, http.StatusConflict, disabled)
	off.form(t, "POST /api/user/forgot-password", formOf("email", wolfMail)).says(t, http.StatusConflict, disabled)
	for _, r := range []reply{
		off.form(t, "POST /api/account/change-email", formOf("email", wolfNew), bearer(access)...), off.rest(t, "POST "+wolfChange+"resend", "", bearer(access)...),
	} {
		if r.Status != http.StatusConflict || !strings.HasPrefix(r.Body, `{"code":"FEATURE_DISABLED","error":"`) {
			t.Errorf("%s: %d %s", r.asked, r.Status, r.Body)
		}
	}
	for _, route := range []string{"POST /api/account/change-email", "POST " + wolfChange + "resend"} {
		off.form(t, route, formOf("email", wolfNew)).unauthorized(t)
		off.form(t, route, formOf("email", wolfNew), bearer("x")...).unauthorized(t)
	}

	strict := start(t, dbtest.SQLite(t), "DRAGOMAN_DIALECT_PASSWORDS=strict")
	strict.wolfJoins(t, wolfName, wolfMail)
	strict.form(t, "POST /api/user/forgot-password", formOf("email", wolfMail))
	token := strict.letter(t, wolfMail, db.MailResetPassword).Token
	r := strict.form(t, "POST "+wolfReset+token, formOf("password", "password123", "comfirmPassword", "password123"))
	if r.Status != http.StatusBadRequest || !strings.HasPrefix(r.Body, `{"codes":{"password":"TOO_WEAK"},"errors":{"password":"`) {
		t.Errorf("%d %s", r.Status, r.Body)
	}
	strict.form(t, "POST "+wolfReset+token, formOf("password", "another good secret", "comfirmPassword", "another good secret")).says(t, http.StatusOK, wolfUpdated)
}
