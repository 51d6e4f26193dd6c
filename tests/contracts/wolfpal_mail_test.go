package contracts

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// These tests hold the server against the API of document 001 where a mailbox comes into it: the activation that its
// register promises, and the routes below /api that its original has.

const (
	wolfActivated = `{"code":"ACTIVATED","message":"Good job! Your account is now activated and you can start ` +
		`using WolfPal."}`
	wolfNoActivated = `{"code":"EXPIRED_OR_ALREADY_USED","error":"Either your account activate link has expired or ` +
		`already has been used."}`
	wolfResent = `{"code":"PENDING_CONFIRMATION","message":"Please check your email address to complete the ` +
		`registration."}`
	wolfNothingToActivate = `{"code":"NON_EXISTENT_OR_ALREADY_ACTIVATED","error":"Your account already activated or ` +
		`there is no such account."}`
	wolfUpdated = `{"code":"UPDATED","error":"Your passsword has been updated.  Please try logging in with your ` +
		`new password."}`
	wolfNoReset = `{"code":"EXPIRED_OR_ALREADY_USED","error":"Either your reset link has expired or already has ` +
		`been used."}`
	wolfChanging = `{"code":"PENDING_CONFIRMATION","message":"Please check your new email address to complate the ` +
		`email change."}`
	wolfChanged  = `{"code":"EMAIL_CHANGED","message":"Your email has been changed successfully."}`
	wolfNoChange = `{"code":"EXPIRED_CONFIRMATION","error":"Either your new email confirmation link has expired or ` +
		`already has been used."}`
	wolfEmailTaken = `{"code":"ALREADY_EXISTS","error":"The email you are attempting to change to is already in use."}`
	wolfNew        = "new@mrdemonwolf.github.io"

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
func wolfJoins(t testing.TB, i *harness.Instance, username, email string) harness.Letter {
	t.Helper()
	form(t, i, "POST /auth/register", harness.FormOf("username", username, "email", email, "password",
		harness.GoodPass), "X-Forwarded-Host", "evil.example").
		Says(t, http.StatusCreated, wolfPending)
	return linkedLetter(t, i, email, db.MailVerifyEmail, "verify-email", 3*time.Hour)
}

// wolfEnters signs in.
func wolfEnters(t testing.TB, i *harness.Instance, email, password string) (access, refresh string) {
	t.Helper()
	return harness.PairIn(t, form(t, i, "POST /auth/login", harness.FormOf("email", email, "password", password)))
}

// activated is what the account says of its address.
func activated(t testing.TB, i *harness.Instance, access string) bool {
	t.Helper()
	return strings.Contains(i.REST(t, "GET /api/account", "", harness.Bearer(access)...).Body, `"emailVerified":true`)
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

// OT-01, OT-03, OT-04: an account is activated by the mail that the document's register promises, once and for three
// hours; another mail takes the place of the first.
func TestOT01_WolfpalActivation(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		older := wolfJoins(t, s, wolfName, wolfMail)
		access, _ := wolfEnters(t, s, wolfMail, harness.GoodPass) // which an account that is not activated can
		s.Clock.Add(time.Minute)
		form(t, s, "POST "+wolfActivate+"resend", harness.FormOf("email", strings.ToUpper(wolfMail))).Says(t,
			http.StatusOK, wolfResent)
		l := linkedLetter(t, s, wolfMail, db.MailVerifyEmail, "verify-email", 3*time.Hour)
		form(t, s, "POST /api/user/forgot-password", harness.FormOf("email", wolfMail)).Says(t, http.StatusOK,
			wolfForgotten(wolfMail))
		reset := s.Letter(t, wolfMail, db.MailResetPassword)
		for _, text := range append(inPath(notTokens(l.Token)), older.Token, reset.Token, l.Code) {
			if r := s.Ask(t, "PUT "+wolfActivate+text, ""); r.Line() != wolfNoActivated && r.Line() != wolfLost {
				t.Errorf("%q: %d %s", text, r.Status, r.Body)
			}
		}
		if activated(t, s, access) {
			t.Fatal("it is activated")
		}
		s.REST(t, "PUT "+wolfActivate+l.Token, "").Says(t, http.StatusOK, wolfActivated)
		if !activated(t, s, access) {
			t.Error("it is not activated")
		}
		s.REST(t, "PUT "+wolfActivate+l.Token, "", "Content-Type", harness.FormType).Says(t, http.StatusBadRequest,
			wolfNoActivated)
		second := wolfJoins(t, s, "another", "another@mrdemonwolf.github.io")
		s.Clock.Add(3*time.Hour + time.Second)
		s.REST(t, "PUT "+wolfActivate+second.Token, "").Says(t, http.StatusBadRequest, wolfNoActivated)
	})
}

// OT-01, OT-03, SE-08: a password is reset by mail, once and for a quarter of an hour; all sessions end, and nobody is
// signed in.
func TestOT01_WolfpalReset(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		activation := wolfJoins(t, s, wolfName, wolfMail)
		access, refresh := wolfEnters(t, s, wolfMail, harness.GoodPass)
		forgot := func() harness.Letter {
			t.Helper()
			s.Clock.Add(time.Minute)
			form(t, s, "POST /api/user/forgot-password", harness.FormOf("email", wolfMail), "Host",
				"evil.example").Says(t, http.StatusOK, wolfForgotten(wolfMail))
			return linkedLetter(t, s, wolfMail, db.MailResetPassword, "reset-password", 15*time.Minute)
		}
		older, l := forgot(), forgot()
		const again = "another good secret"
		twice := harness.FormOf("password", again, "comfirmPassword", again)
		for _, text := range append(inPath(notTokens(l.Token)), older.Token, activation.Token, l.Code) {
			if r := s.Ask(t, "POST "+wolfReset+text, twice, "Content-Type", harness.FormType); r.Line() != wolfNoReset &&
				r.Line() != wolfLost {
				t.Errorf("%q: %d %s", text, r.Status, r.Body)
			}
		}
		for body, want := range map[string]string{
			harness.FormOf("password",
				again): `{"codes":{"password":"NO_MATCH","comfirmPassword":"MUST_CONFIRM"},` +
				`"errors":{"password":"Both passwords must match.","comfirmPassword":"You must comfirm your new ` +
				`password."}}`,
			harness.FormOf("comfirmPassword",
				again): `{"codes":{"password":"REQUIRED","comfirmPassword":"NO_MATCH"},` +
				`"errors":{"password":"Password is required.","comfirmPassword":"Both passwords must match."}}`,
			harness.FormOf("password", again, "confirmPassword",
				"no"): `{"codes":{"password":"NO_MATCH","comfirmPassword":"NO_MATCH"},"errors":{"password":"Both ` +
				`passwords must match.","comfirmPassword":"Both passwords must match."}}`,
			harness.FormOf("password", "short", "comfirmPassword",
				"short"): `{"codes":{"password":"NOT_LONG_ENOUGH"},"errors":{"password":"Password must be between 8 ` +
				`and 56 characters long"}}`,
			"password=" + strings.Repeat("x", 57) + "&comfirmPassword=" +
				strings.Repeat("x", 57): `{"codes":{"password":"NOT_LONG_ENOUGH"},"errors":{"password":"Password ` +
				`must be between 8 and 56 characters long"}}`,
		} {
			form(t, s, "POST "+wolfReset+l.Token, body).Says(t, http.StatusBadRequest, want)
		}
		form(t, s, "POST "+wolfReset+l.Token, twice).Says(t, http.StatusOK, wolfUpdated)
		form(t, s, "POST "+wolfReset+l.Token, twice).Says(t, http.StatusBadRequest, wolfNoReset)
		s.REST(t, "GET /api/account", "", harness.Bearer(access)...).Unauthorized(t)
		form(t, s, "POST /auth/refresh", harness.FormOf("refresh_token", refresh)).Unauthorized(t)
		form(t, s, "POST /auth/login", harness.FormOf("email", wolfMail, "password", harness.GoodPass)).Says(t,
			http.StatusBadRequest, wolfWrong)
		if access, _ := wolfEnters(t, s, wolfMail, again); !activated(t, s, access) { // it proved whose the address is
			t.Error("the address is not confirmed")
		}
		late := forgot()
		s.Clock.Add(15*time.Minute + time.Second)
		form(t, s, "POST "+wolfReset+late.Token, twice).Says(t, http.StatusBadRequest, wolfNoReset)
	})
}

// OT-11, OT-19: the address changes when the new one is confirmed, and the one in use is told before. One that is
// somebody else's is answered like a free one: its owner is told.
func TestOT19_WolfpalChangeEmail(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		wolfJoins(t, s, wolfName, wolfMail)
		wolfJoins(t, s, "another", "another@mrdemonwolf.github.io")
		side := harness.OpenSide(t, dsn)
		s.Sent(t, side)
		side.MustExec(t, `UPDATE users SET email_verified_at = created_at`)
		access, _ := wolfEnters(t, s, wolfMail, harness.GoodPass)
		change := func(body string) harness.Reply {
			t.Helper()
			return form(t, s, "POST /api/account/change-email", body, harness.Bearer(access)...)
		}
		s.REST(t, "POST "+wolfChange+"resend", "", harness.Bearer(access)...).
			Says(t, http.StatusBadRequest, `{"code":"EMAIL_CHANGE_NOT_REQUESTED","error":"You have not requsted a `+
				`email change."}`)
		change(harness.FormOf("email", strings.ToUpper(wolfMail))).Says(t, http.StatusConflict,
			`{"code":"EMAIL_CONFLICT","error":"The email you are attempting to change to is the same as your current `+
				`one."}`)
		free, taken := change(harness.FormOf("email", wolfNew)), harness.Reply{}
		free.Says(t, http.StatusOK, wolfChanging)
		older := linkedLetter(t, s, wolfNew, db.MailConfirmChange, "confirm-email", 3*time.Hour)
		s.Clock.Add(time.Minute)
		s.REST(t, "POST "+wolfChange+"resend", "", harness.Bearer(access)...).Says(t, http.StatusOK, wolfChanging)
		l := linkedLetter(t, s, wolfNew, db.MailConfirmChange, "confirm-email", 3*time.Hour)
		if s.Letter(t, wolfMail, db.MailChangeAsked).Token == "" {
			t.Error("the address in use has nothing to cancel with")
		}
		for _, text := range append(inPath(notTokens(l.Token)), older.Token, l.Code) {
			if r := s.Ask(t, "PUT "+wolfChange+text, "", harness.Bearer(access)...); r.Line() != wolfNoChange &&
				r.Line() != wolfLost {
				t.Errorf("%q: %d %s", text, r.Status, r.Body)
			}
		}
		s.REST(t, "PUT "+wolfChange+l.Token, "", harness.Bearer(access)...).Says(t, http.StatusOK, wolfChanged)
		s.REST(t, "PUT "+wolfChange+l.Token, "", harness.Bearer(access)...).Says(t, http.StatusBadRequest, wolfNoChange)
		if r := s.REST(t, "GET /api/account", "", harness.Bearer(access)...); !strings.Contains(r.Body, `"email":"`+
			wolfNew+`"`) || !strings.Contains(r.Body, `"emailVerified":true`) {
			t.Errorf("%s", r.Body)
		}
		s.Letter(t, wolfMail, db.MailEmailChanged)

		taken = change(harness.FormOf("email", "another@mrdemonwolf.github.io"))
		taken.Says(t, http.StatusOK, wolfChanging)
		s.Clock.Add(time.Minute)
		s.REST(t, "POST "+wolfChange+"resend", "", harness.Bearer(access)...).Says(t, http.StatusOK, wolfChanging)
		if got := mailsTo(t, s, "another@mrdemonwolf.github.io"); got != "verify-email address-taken address-taken" {
			t.Errorf("the owner of the taken address got %s", got)
		}
		for _, r := range []*harness.Reply{&free, &taken} {
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
		s := harness.Start(t, dsn)
		wolfJoins(t, s, wolfName, wolfMail)
		access, _ := wolfEnters(t, s, wolfMail, harness.GoodPass)
		form(t, s, "POST /api/account/change-email", harness.FormOf("email", wolfNew),
			harness.Bearer(access)...).Says(t, http.StatusOK, wolfChanging)
		l := s.Letter(t, wolfNew, db.MailConfirmChange)
		wolfJoins(t, s, "another", wolfNew)
		harness.OpenSide(t, dsn).MustExec(t, `UPDATE users SET email_verified_at = created_at`) // without a mail
		s.REST(t, "PUT "+wolfChange+l.Token, "").Says(t, http.StatusConflict, wolfEmailTaken)
		if r := s.REST(t, "GET /api/account", "", harness.Bearer(access)...); !strings.Contains(r.Body, `"email":"`+
			wolfMail+`"`) {
			t.Errorf("%s", r.Body)
		}
	})
}

// PW-10: a login of some minutes ago does not change the address, without the password.
func TestPW10_WolfpalChangeEmail(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, dbtest.SQLite(t))
	wolfJoins(t, s, wolfName, wolfMail)
	access, _ := wolfEnters(t, s, wolfMail, harness.GoodPass)
	ask := func(body string) harness.Reply {
		return form(t, s, "POST /api/account/change-email", body, harness.Bearer(access)...)
	}
	s.Clock.Add(11 * time.Minute)
	ask(harness.FormOf("email", wolfNew)).Says(t, http.StatusUnauthorized,
		`{"code":"PASSWORD_REQUIRED","error":"Old Password is required."}`)
	ask(harness.FormOf("email", wolfNew, "oldPassword", "guess")).Says(t, http.StatusUnauthorized,
		`{"code":"INVALID_CREDENTIALS","error":"Wrong old password."}`)
	ask(harness.FormOf("email", wolfNew, "oldPassword", harness.GoodPass)).Says(t, http.StatusOK, wolfChanging)
	s.Clock.Add(11 * time.Minute) // the mail goes out again without it: nothing changes by that
	s.REST(t, "POST "+wolfChange+"resend", "", harness.Bearer(access)...).Says(t, http.StatusOK, wolfChanging)
}

// LG-04, LG-05: what asks for a mail tells nothing of an address, but for resend where accounts are revealed; who has
// it gets the mail. The owner of an address that somebody registers once more is told.
func TestLG05_Wolfpal(t *testing.T) {
	t.Parallel()
	for _, reveal := range []string{"off", "on"} {
		dbtest.Each(t, func(t *testing.T, dsn string) {
			s := harness.Start(t, dsn, "DRAGOMAN_REVEAL_ACCOUNTS="+reveal)
			wolfJoins(t, s, wolfName, wolfMail)
			done := wolfJoins(t, s, "activated", "done@mrdemonwolf.github.io")
			s.REST(t, "PUT "+wolfActivate+done.Token, "").Says(t, http.StatusOK, wolfActivated)
			everybody := []string{wolfMail, "nobody@mrdemonwolf.github.io", "done@mrdemonwolf.github.io"}
			resend := func(address string) harness.Reply {
				s.Clock.Add(time.Minute)
				return form(t, s, "POST "+wolfActivate+"resend", harness.FormOf("email", address))
			}
			if reveal == "on" {
				resend(wolfMail).Says(t, http.StatusOK, wolfResent)
				for _, address := range everybody[1:] {
					resend(address).Says(t, http.StatusConflict, wolfNothingToActivate)
				}
			} else {
				oneAnswer(t, s, func(address string) harness.Reply {
					r := resend(address)
					r.Says(t, http.StatusOK, wolfResent)
					return r
				}, everybody...)
			}
			oneAnswer(t, s, func(address string) harness.Reply {
				r := form(t, s, "POST /api/user/forgot-password", harness.FormOf("email", address))
				r.Says(t, http.StatusOK, wolfForgotten(address))
				r.Body = strings.ReplaceAll(r.Body, address, "")
				r.Header.Del("Content-Length")
				return r
			}, everybody...)
			// A mail that is overtaken before it is sent is gone.
			for address, want := range map[string]string{
				wolfMail:                       "verify-email reset-password",
				"nobody@mrdemonwolf.github.io": "", "done@mrdemonwolf.github.io": "reset-password",
			} {
				got := mailsTo(t, s, address)
				short := strings.ReplaceAll(got, "verify-email verify-email", "verify-email")
				if short != want && short != "verify-email "+want || strings.HasPrefix(address, "done") &&
					strings.Count(got, "verify") > 1 {
					t.Errorf("%s got %q, want %q", address, got, want)
				}
			}
			form(t, s, "POST /auth/register", harness.FormOf("username", "somebodyelse", "email", wolfMail, "password",
				harness.GoodPass))
			s.Letter(t, wolfMail, db.MailAddressTaken)
			for _, route := range []string{"POST " + wolfActivate + "resend", "POST /api/user/forgot-password"} {
				form(t, s, route, "").Says(t, http.StatusBadRequest,
					`{"codes":{"email":"REQUIRED"},"errors":{"email":"Email is required."}}`)
				// WH-08
				for _, email := range []string{
					"nobody", "a@b@c",
					"user@mrdemonwolf.github.io\r\nBcc: eve@example.com",
				} {
					form(t, s, route, harness.FormOf("email", email)).Says(t, http.StatusBadRequest,
						`{"codes":{"email":"INVALID"},"errors":{"email":"Email is invalid."}}`)
				}
			}
		})
	}
}

// OT-02: of many at once who use one token, one succeeds.
func TestOT02_WolfpalAtOnce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		activation := wolfJoins(t, s, wolfName, wolfMail)
		access, _ := wolfEnters(t, s, wolfMail, harness.GoodPass)
		form(t, s, "POST /api/account/change-email", harness.FormOf("email", wolfNew), harness.Bearer(access)...)
		change := s.Letter(t, wolfNew, db.MailConfirmChange)
		form(t, s, "POST /api/user/forgot-password", harness.FormOf("email", wolfMail))
		reset := s.Letter(t, wolfMail, db.MailResetPassword)
		for _, one := range []struct{ route, body, good, bad string }{
			{"PUT " + wolfActivate + activation.Token, "", wolfActivated, wolfNoActivated},
			{"POST " + wolfReset + reset.Token, harness.FormOf("password", "another good secret", "comfirmPassword",
				"another good secret"), wolfUpdated, wolfNoReset},
			{"PUT " + wolfChange + change.Token, "", wolfChanged, wolfNoChange},
		} {
			if one.good == wolfChanged { // which the reset made worthless
				access, _ = wolfEnters(t, s, wolfMail, "another good secret")
				s.Clock.Add(time.Minute)
				form(t, s, "POST /api/account/change-email", harness.FormOf("email", wolfNew),
					harness.Bearer(access)...)
				one.route = "PUT " + wolfChange + s.Letter(t, wolfNew, db.MailConfirmChange).Token
			}
			var group sync.WaitGroup
			answers := make([]harness.Reply, 64)
			for n := range answers {
				group.Go(func() { answers[n], _ = s.Call(one.route, one.body, "Content-Type", harness.FormType) })
			}
			group.Wait()
			good := 0
			for _, r := range answers {
				if r.Line() == one.good {
					good++
				} else {
					r.Says(t, http.StatusBadRequest, one.bad)
				}
			}
			if good != 1 {
				t.Errorf("%s: %d of %d", one.route, good, len(answers))
			}
		}
	})
}

// OT-13, OT-14, OT-18: a browser that opens the address of a route that takes the token of a mail comes to our page.
// Nothing that looks at it uses the token up.
func TestOT13_WolfpalLinks(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		activation := wolfJoins(t, s, wolfName, wolfMail)
		access, _ := wolfEnters(t, s, wolfMail, harness.GoodPass)
		form(t, s, "POST /api/account/change-email", harness.FormOf("email", wolfNew), harness.Bearer(access)...)
		form(t, s, "POST /api/user/forgot-password", harness.FormOf("email", wolfMail))
		for _, one := range []struct{ path, page, allow, use, body, good string }{
			{wolfActivate + activation.Token, "verify-email", "PUT", "PUT ", "", wolfActivated},
			{
				wolfChange + s.Letter(t, wolfNew, db.MailConfirmChange).Token, "confirm-email", "PUT", "PUT ", "",
				wolfChanged,
			},
			{
				wolfReset + s.Letter(t, wolfMail, db.MailResetPassword).Token, "reset-password", "POST", "POST ",
				harness.FormOf("password", harness.GoodPass, "comfirmPassword", harness.GoodPass), "",
			},
		} {
			token := one.path[strings.LastIndexByte(one.path, '/')+1:]
			for _, header := range [][]string{
				{
					"Accept", "text/html", "Sec-Fetch-Dest", "document", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Site",
					"cross-site",
				},
				{"Accept", "text/html,*/*;q=0.8", "X-Forwarded-Host", "evil.example"},
				{"Sec-Purpose", "prefetch;prerender", "Sec-Fetch-Dest", "document"},
				{"Purpose", "prefetch"},
			} {
				r := s.Ask(t, "GET "+one.path, "", header...)
				if r.Status != http.StatusSeeOther || r.Header.Get("Location") != s.App.PublicURL+"/account/"+one.page+
					"#token="+token || r.Body != "" ||
					r.Header.Get("Referrer-Policy") != "no-referrer" || r.Header.Get("Cache-Control") != "no-store" {
					t.Errorf("%v: %d %v %s", header, r.Status, r.Header, r.Body)
				}
			}
			for route, header := range map[string][]string{
				"HEAD " + one.path: {"Accept", "text/html", "Sec-Fetch-Dest", "document"}, "GET " +
					one.path: {"Accept", "application/json"}, "DELETE " + one.path: nil,
			} {
				if r := s.Ask(t, route, "", header...); r.Status != http.StatusMethodNotAllowed ||
					r.Header.Get("Allow") != one.allow {
					t.Errorf("%s: %d %v %s", route, r.Status, r.Header, r.Body)
				}
			}
			if r := form(t, s, one.use+one.path, one.body); one.good != "" {
				r.Says(t, http.StatusOK, one.good)
			}
		}
	})
}

// Every refusal that a setting brings has its answer: no mail, stricter passwords.
func TestWolfpal_MailSettings(t *testing.T) {
	t.Parallel()
	off := harness.Start(t, dbtest.SQLite(t), "DRAGOMAN_SMTP_URL=none")
	form(t, off, "POST /auth/register", harness.FormOf("username", wolfName, "email", wolfMail, "password",
		harness.GoodPass)).Says(t, http.StatusCreated, wolfPending)
	access, _ := wolfEnters(t, off, wolfMail, harness.GoodPass)
	const disabled = `{"code":"FEATURE_DISABLED","error":"This server sends no mail."}`
	form(t, off, "POST "+wolfActivate+"resend", harness.FormOf("email", wolfMail)).Says(t, http.StatusConflict,
		disabled)
	form(t, off, "POST /api/user/forgot-password", harness.FormOf("email", wolfMail)).Says(t, http.StatusConflict,
		disabled)
	for _, r := range []harness.Reply{
		form(t, off, "POST /api/account/change-email", harness.FormOf("email", wolfNew), harness.Bearer(access)...),
		off.REST(t, "POST "+wolfChange+"resend", "", harness.Bearer(access)...),
	} {
		if r.Status != http.StatusConflict || !strings.HasPrefix(r.Body, `{"code":"FEATURE_DISABLED","error":"`) {
			t.Errorf("%s: %d %s", r.Asked, r.Status, r.Body)
		}
	}
	for _, route := range []string{"POST /api/account/change-email", "POST " + wolfChange + "resend"} {
		form(t, off, route, harness.FormOf("email", wolfNew)).Unauthorized(t)
		form(t, off, route, harness.FormOf("email", wolfNew), harness.Bearer("x")...).Unauthorized(t)
	}

	strict := harness.Start(t, dbtest.SQLite(t), "DRAGOMAN_DIALECT_PASSWORDS=strict")
	wolfJoins(t, strict, wolfName, wolfMail)
	form(t, strict, "POST /api/user/forgot-password", harness.FormOf("email", wolfMail))
	token := strict.Letter(t, wolfMail, db.MailResetPassword).Token
	r := form(t, strict, "POST "+wolfReset+token, harness.FormOf("password", "password123", "comfirmPassword",
		"password123"))
	if r.Status != http.StatusBadRequest || !strings.HasPrefix(r.Body,
		`{"codes":{"password":"TOO_WEAK"},"errors":{"password":"`) {
		t.Errorf("%d %s", r.Status, r.Body)
	}
	form(t, strict, "POST "+wolfReset+token, harness.FormOf("password", "another good secret", "comfirmPassword",
		"another good secret")).Says(t, http.StatusOK, wolfUpdated)
}
