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

// These tests hold the server against document 002 where a mailbox comes into it: the password, magic links, the
// address, and the mails that POST /register is asked for.

const (
	mailSent     = `{"success":true,"data":{"message":"Email sent"}}`
	serviceAgain = `{"password":"password456"}`
)

// OT-01, OT-03, SE-08: a password is reset by the link of a mail, once and for a quarter of an hour; all sessions end.
func TestOT01_ServiceReset(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		z, second := s.Service(t, harness.ServiceMail), s.Service(t, "other@mail.com")
		forgot := func(address string) harness.Letter {
			s.Clock.Add(time.Minute)
			s.REST(t, "POST /password/forgot", `{"email":"`+address+`","captchaToken":"x"}`, "X-Forwarded-Host",
				"evil.example", "Origin", s.URL).Says(t, http.StatusOK, mailSent)
			return linkedLetter(t, s, harness.ServiceMail, db.MailResetPassword, "reset-password",
				15*time.Minute)
		}
		older, l := forgot(harness.ServiceMail), forgot("EXAMPLE@mail.com")
		if l.Mail.Address != harness.ServiceMail { // OT-10
			t.Errorf("the mail goes to %s", l.Mail.Address)
		}
		path := "/password/reset/" + l.Token
		for range 2 { // looking uses nothing up
			s.REST(t, "GET "+path, "").Says(t, http.StatusOK, `{"success":true,"data":{"message":"Token is valid"}}`)
		}
		invalid := serviceRefusal("Invalid Token")
		refused := func(token, why string) {
			t.Helper()
			s.REST(t, "GET /password/reset/"+token, "").Says(t, http.StatusBadRequest, serviceRefusal(why))
			s.REST(t, "POST /password/reset/"+token, serviceAgain).Says(t, http.StatusBadRequest, serviceRefusal(why))
		}
		s.REST(t, "POST /email/verify", `{"email":"example@mail.com"}`)
		refused(s.Letter(t, harness.ServiceMail, db.MailVerifyEmail).Token, "Invalid Token")
		refused(older.Token, "Token is blacklisted")
		for _, text := range notTokens(l.Token) {
			refused(text, "Invalid Token")
		}
		for body, want := range map[string]string{
			``: "Password is required", `{}`: "Password is required", `{"password":""}`: "Password is required",
			`{"password":null}`:      "Password is required",
			`{"password":"1234567"}`: "Password does not meet requirements", `{"password":"` +
				strings.Repeat("x", 300) + `"}`: "Password does not meet requirements",
			`{"password":7}`: "Invalid Password",
		} {
			s.REST(t, "POST "+path, body).Says(t, http.StatusBadRequest, serviceRefusal(want))
		}
		// The token is no session, nor a magic link, nor that of another purpose (SE-15).
		s.REST(t, "GET /user", "", harness.Bearer(l.Token)...).Says(t, http.StatusUnauthorized, harness.BadSession)
		s.REST(t, "GET /login/magic/"+l.Token, "").Says(t, http.StatusBadRequest, invalid)
		s.REST(t, "GET /email/verify/"+l.Token, "").Says(t, http.StatusBadRequest, invalid)

		s.REST(t, "POST "+path, `{"password":"password456","email":"other@mail.com"}`, second.Cookies()...). // OT-06
															Says(t, http.StatusOK,
				`{"success":true,"data":{"message":"Password reset successful"}}`)
		refused(l.Token, "Token is blacklisted")
		if s.Works(t, z.Token) || s.Refresh(t, z.Refresh).Code() == "" || !s.Works(t, second.Token) {
			t.Error("a session lives that had to end, or the other way round")
		}
		s.REST(t, "POST /login", serviceLogin).Says(t, http.StatusBadRequest, serviceRefusal("Invalid credentials"))
		if r, _ := s.Jar(t, "POST /login", `{"email":"example@mail.com","password":"password456"}`); r.Status !=
			http.StatusOK {
			t.Errorf("%d %s", r.Status, r.Body)
		}
		l = forgot(harness.ServiceMail)
		s.Clock.Add(15*time.Minute + time.Second)
		refused(l.Token, "Verification Failed")
		l = forgot(harness.ServiceMail)
		harness.OpenSide(t, dsn).MustExec(t, "UPDATE users SET status = 'SUSPENDED' WHERE email = 'example@mail.com'")
		refused(l.Token, "User not found")
		refused(l.Token+"x", "Invalid Token")
	})
}

// LG-05: whoever asks for a mail learns nothing of the address, and only who has it gets one.
func TestLG05_Service(t *testing.T) {
	t.Parallel()
	for _, reveal := range []string{"off", "on"} {
		dbtest.Each(t, func(t *testing.T, dsn string) {
			s := harness.Start(t, dsn, "DRAGOMAN_REVEAL_ACCOUNTS="+reveal)
			for _, email := range []string{harness.ServiceMail, "barred@mail.com", "confirmed@mail.com"} {
				s.Service(t, email)
			}
			conn := harness.OpenSide(t, dsn)
			conn.MustExec(t, "UPDATE users SET status = 'SUSPENDED' WHERE email = 'barred@mail.com'")
			s.REST(t, "POST /email/verify", `{"email":"confirmed@mail.com"}`)
			s.Sent(t, conn)
			s.REST(t, "GET /email/verify/"+s.Letter(t, "confirmed@mail.com", db.MailVerifyEmail).Token, "")
			for _, route := range []string{"/password/forgot", "/login/magic", "/email/verify"} {
				oneAnswer(t, s, func(address string) harness.Reply {
					s.Clock.Add(time.Minute)
					r := s.REST(t, "POST "+route, `{"email":"`+address+`"}`)
					r.Says(t, http.StatusOK, mailSent)
					return r
				}, harness.ServiceMail, "nobody@mail.com", "barred@mail.com", "confirmed@mail.com",
					"example@mail.com.example")
			}
			for route, missing := range map[string]string{
				"/password/forgot": "Email is required", "/login/magic": "Invalid Email",
			} {
				for _, body := range []string{``, `{}`, `{"email":""}`, `{"email":null}`} {
					s.REST(t, "POST "+route, body).Says(t, http.StatusBadRequest, serviceRefusal(missing))
				}
				s.REST(t, "POST "+route, `{"email":7}`).Says(t, http.StatusBadRequest, serviceRefusal("Invalid Email"))
				// WH-08
				s.REST(t, "POST "+route, `{"email":"example\r\nBcc: eve@mail.com"}`).Says(t, http.StatusBadRequest,
					serviceRefusal("Invalid Email"))
			}
			s.Sent(t, conn)
			for address, want := range map[string]string{
				harness.ServiceMail: "reset-password magic-link verify-email", "nobody@mail.com": "",
				"barred@mail.com":    "",
				"confirmed@mail.com": "verify-email reset-password magic-link", "example@mail.com.example": "",
			} {
				if got := mailsTo(t, s, address); got != want {
					t.Errorf("%s got %q, want %q", address, got, want)
				}
			}
		})
	}
}

// OT-13, HT-04: what looks at a link uses nothing up: HEAD, a prefetch, a browser that opens it, another site. A
// program does.
func TestOT13_ServiceLinks(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		s.Service(t, harness.ServiceMail)
		for _, one := range []struct {
			ask, route, page string
			kind             db.MailKind
			changes          bool
		}{
			{"/email/verify", "/email/verify/", "verify-email", db.MailVerifyEmail, true},
			{"/password/forgot", "/password/reset/", "reset-password", db.MailResetPassword, false},
			{"/login/magic", "/login/magic/", "sign-in", db.MailMagicLink, true},
		} {
			s.REST(t, "POST "+one.ask, `{"email":"example@mail.com"}`)
			token := s.Letter(t, harness.ServiceMail, one.kind).Token
			lookAtLink(t, s, one.route+token, one.page+"#token="+token, one.changes)
			if r, _ := s.Jar(t, "GET "+one.route+token, "", "Accept", "application/json", "Sec-Fetch-Mode",
				"cors"); r.Status != http.StatusOK {
				t.Errorf("and then a program gets %d %s", r.Status, r.Body)
			}
		}
	})
}

// OT-02: of many who follow a link at once, one is signed in.
func TestOT02_ServiceMagicLinkAtOnce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		s.Service(t, harness.ServiceMail)
		s.REST(t, "POST /login/magic", `{"email":"example@mail.com"}`)
		token := s.Letter(t, harness.ServiceMail, db.MailMagicLink).Token
		var group sync.WaitGroup
		answers := make([]harness.Reply, 64)
		for n := range answers {
			group.Go(func() { answers[n], _ = s.Call("GET /login/magic/"+token, "") })
		}
		group.Wait()
		good := 0
		for _, r := range answers {
			if r.Status == http.StatusOK {
				good++
			} else {
				r.Says(t, http.StatusBadRequest, serviceRefusal("Invalid Token"))
			}
		}
		if good != 1 || harness.OpenSide(t, dsn).Count(t,
			"SELECT count(*) FROM sessions WHERE revoked_at IS NULL") != 1 {
			t.Errorf("%d of %d signed in", good, len(answers))
		}
	})
}

// A magic link signs in as POST /login does. The first proof of whose the address is takes the account over: what
// somebody else may have set before is gone. Later ones sign in, and no more.
func TestService_MagicLink(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		z := s.Service(t, harness.ServiceMail)
		enter := func() (token string) {
			t.Helper()
			s.Clock.Add(time.Minute)
			s.REST(t, "POST /login/magic", `{"email":"example@mail.com","options":{}}`).Says(t, http.StatusOK, mailSent)
			l := linkedLetter(t, s, harness.ServiceMail, db.MailMagicLink, "sign-in", 15*time.Minute)
			r, set := s.Jar(t, "GET /login/magic/"+l.Token, "")
			got := r.Matched(t, http.StatusOK, `{"success":true,"token":"<es256>","data":{"message":"Login `+
				`successful","data":`+
				fmt.Sprintf(
					`{"id":%q,"email":"example@mail.com","role":"user","mfa":false,"sessionState":"full","iat":%d,`+
						`"exp":%d}}}`, z.ID, s.Clock.Now().Unix(), s.Clock.Now().Unix()+900))
			if len(set) != 2 || set["session"].Value != got[0] || set["refreshToken"].MaxAge != 604800 ||
				!s.Works(t, got[0]) || s.Refresh(t, set["refreshToken"].Value).Code() != "" {
				t.Errorf("cookies %v", set)
			}
			s.REST(t, "GET /login/magic/"+l.Token, "").Says(t, http.StatusBadRequest, serviceRefusal("Invalid Token"))
			return got[0]
		}
		first := enter()
		if s.Works(t, z.Token) || s.Refresh(t, z.Refresh).Code() == "" ||
			s.Login(t, harness.ServiceMail, harness.ServicePass).Code() != "INVALID_CREDENTIALS" {
			t.Error("the session or the password of before is left")
		}
		s.REST(t, "POST /password/forgot", `{"email":"example@mail.com"}`)
		s.REST(t, "POST /password/reset/"+s.Letter(t, harness.ServiceMail, db.MailResetPassword).Token,
			`{"password":"password123"}`)
		if s.Works(t, first) {
			t.Error("a session lived through a reset")
		}
		second := s.Login(t, harness.ServiceMail, harness.ServicePass).Text("login", "tokens", "accessToken")
		enter()
		if !s.Works(t, second) || s.Login(t, harness.ServiceMail, harness.ServicePass).Code() != "" {
			t.Error("a second proof took something away")
		}
		s.REST(t, "POST /login/magic", `{"email":"example@mail.com"}`)
		token := s.Letter(t, harness.ServiceMail, db.MailMagicLink).Token
		for _, text := range notTokens(token) {
			s.REST(t, "GET /login/magic/"+text, "").Says(t, http.StatusBadRequest, serviceRefusal("Invalid Token"))
		}
		s.Clock.Add(15*time.Minute + time.Second)
		s.REST(t, "GET /login/magic/"+token, "").Says(t, http.StatusBadRequest, serviceRefusal("Invalid Token"))
		if d := harness.OpenSide(t, dsn).Count(t, "SELECT count(*) FROM sessions WHERE dialect NOT IN "+
			"('service-authentication', 'graphql')"); d != 0 {
			t.Errorf("%d sessions of another dialect", d)
		}
	})
}

// The address is verified by a link that goes to who is signed in, in any of the ways to be, or to the address that is
// given.
func TestService_VerifyEmail(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		z := s.Service(t, harness.ServiceMail)
		sent := func(body string, header ...string) harness.Letter {
			t.Helper()
			s.Clock.Add(time.Minute)
			s.REST(t, "POST /email/verify", body, header...).Says(t, http.StatusOK, mailSent)
			return linkedLetter(t, s, harness.ServiceMail, db.MailVerifyEmail, "verify-email", 24*time.Hour)
		}
		older := sent(``, harness.Bearer(z.Token)...)
		sent(`{}`, "Cookie", "session="+z.Token)
		sent(`{"email":null}`, harness.Bearer(z.Token)...)
		last := sent(`{"email":"example@mail.com"}`)
		s.REST(t, "POST /email/verify", `{}`).Says(t, http.StatusUnauthorized, harness.NoSession)
		s.REST(t, "POST /email/verify", `{}`, harness.Bearer("x")...).Says(t, http.StatusUnauthorized,
			harness.BadSession)
		// HT-03
		if r, err := s.Call("POST /email/verify", `{}`,
			append(z.Cookies(), "Origin", "https://evil.example")...); err != nil || r.Status != http.StatusForbidden {
			t.Errorf("%d %s %v", r.Status, r.Body, err)
		}
		for _, email := range []string{`""`, `"example"`, `"a@b@c"`} {
			s.REST(t, "POST /email/verify", `{"email":`+email+`}`).Says(t, http.StatusBadRequest,
				serviceRefusal("Invalid Email"))
		}
		s.Clock.Add(16 * time.Minute) // the refresh token renews here too
		r, set := s.Jar(t, "POST /email/verify", `{}`, z.Cookies()...)
		got := r.Matched(t, http.StatusOK, `{"success":true,"token":"<es256>","data":{"message":"Email sent"}}`)
		if len(set) != 2 || set["session"].Value != got[0] {
			t.Errorf("cookies %v", set)
		}
		token := got[0]
		newest := s.Letter(t, harness.ServiceMail, db.MailVerifyEmail)
		verified := `{"success":true,"data":{"message":"Email verified"}}`
		for _, text := range append(notTokens(newest.Token), older.Token, last.Token) {
			s.REST(t, "GET /email/verify/"+text, "").Says(t, http.StatusBadRequest, serviceRefusal("Invalid Token"))
		}
		s.REST(t, "GET /email/verify/"+newest.Token, "").Says(t, http.StatusOK, verified)
		s.REST(t, "GET /email/verify/"+newest.Token, "").Says(t, http.StatusBadRequest, serviceRefusal("Invalid Token"))
		if a := s.GraphQL(t, token, `{ me { emailVerified } }`, nil); a.At("me", "emailVerified") != true {
			t.Errorf("%s", a.Raw)
		}
		s.REST(t, "POST /email/verify", `{}`, harness.Bearer(token)...).Says(t, http.StatusBadRequest,
			serviceRefusal("Email already verified"))
		// which says nothing
		s.REST(t, "POST /email/verify", `{"email":"example@mail.com"}`).Says(t, http.StatusOK, mailSent)

		s.Service(t, "late@mail.com")
		s.REST(t, "POST /email/verify", `{"email":"late@mail.com"}`)
		late := s.Letter(t, "late@mail.com", db.MailVerifyEmail).Token
		s.Clock.Add(24*time.Hour + time.Second)
		s.REST(t, "GET /email/verify/"+late, "").Says(t, http.StatusBadRequest, serviceRefusal("Invalid Token"))
	})
}

// What POST /register is asked for is mailed, and nothing else.
func TestService_RegisterMails(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		for n, row := range []struct{ fields, mails, notSent string }{
			{`"password":"password123"`, "", ""},
			{`"password":"password123","options":{}`, "", ""},
			{`"password":"password123","options":{"sendEmail":true}`, "welcome", ""},
			{`"password":"password123","options":{"verifyEmail":true}`, "verify-email", ""},
			{`"password":"password123","options":{"sendResetEmail":true}`, "", ""},
			{`"password":"password123","options":{"sendSms":true}`, "", "sendSms"},
			{`"password":"password123","options":{"sendEmail":false,"sendSms":false,"verifyEmail":false,` +
				`"sendResetEmail":false}`, "", ""},
			{`"options":{"sendEmail":null,"verifyEmail":null}`, "", ""},
			{`"password":null,"options":{"sendResetEmail":true}`, "set-password", ""},
			{`"options":{"sendResetEmail":true,"sendEmail":true}`, "set-password welcome", ""},
		} {
			email := fmt.Sprintf("p%d@mail.com", n)
			r := s.REST(t, "POST /register", `{"email":"`+email+`",`+row.fields+`}`)
			if got := mailsTo(t, s, email); r.Status != http.StatusOK || !sameWords(got, row.mails) ||
				r.Header.Get("X-Not-Sent") != row.notSent {
				t.Errorf("%s: %d, mails %q, not sent %q", row.fields, r.Status, got, r.Header.Get("X-Not-Sent"))
			}
		}
		s.REST(t, "POST /register", `{"email":"both@mail.com","options":{"verifyEmail":true}}`)
		linkedLetter(t, s, "both@mail.com", db.MailVerifyEmail, "verify-email", 24*time.Hour)
	})
}

// PW-17: who registers without a password gets one link to choose one, and that is how they get in. Nobody learns the
// random one.
func TestPW17_ServiceSetPassword(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		r := s.REST(t, "POST /register", `{"email":"example@mail.com","options":{"sendResetEmail":true}}`)
		r.Matched(t, http.StatusOK, `{"success":true,"token":"<es256>","data":{"message":"User created","data":`+
			harness.ServiceUser+`,"refreshToken":"<rt>"}}`)
		l := linkedLetter(t, s, harness.ServiceMail, db.MailSetPassword, "reset-password", 24*time.Hour)
		if all := s.Letters(t, harness.ServiceMail, ""); len(all) != 1 {
			t.Errorf("%d mails", len(all))
		}
		s.Clock.Add(23 * time.Hour)
		s.REST(t, "GET /password/reset/"+l.Token, "").Says(t, http.StatusOK,
			`{"success":true,"data":{"message":"Token is valid"}}`)
		s.REST(t, "POST /password/reset/"+l.Token, `{"password":"password123"}`).Says(t, http.StatusOK,
			`{"success":true,"data":{"message":"Password reset successful"}}`)
		if r, _ := s.Jar(t, "POST /login", serviceLogin); r.Status != http.StatusOK {
			t.Errorf("%d %s", r.Status, r.Body)
		}
		// AU-02
		if log := s.Logged.String(); strings.Contains(log, l.Token) || strings.Contains(log, l.Code) ||
			strings.Contains(log, "password123") {
			t.Error("the log holds a secret")
		}
	})
}

// Where the server sends no mail, what is nothing without one is refused, and the rest does without.
func TestService_NoMail(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn, "DRAGOMAN_SMTP_URL=none")
		z := s.Service(t, harness.ServiceMail)
		before := harness.OpenSide(t, dsn).Census(t)
		for _, address := range []string{harness.ServiceMail, "nobody@mail.com"} {
			for _, route := range []string{"/password/forgot", "/login/magic", "/email/verify"} {
				s.REST(t, "POST "+route, `{"email":"`+address+`"}`).Says(t, http.StatusForbidden,
					serviceRefusal("This server sends no mail."))
			}
			for _, route := range []string{"/identity/password_reset", "/identity/email_verification"} {
				s.REST(t, "POST "+route, `{"email":"`+address+`"}`).Says(t, http.StatusForbidden,
					`{"error":"This server sends no mail."}`)
			}
		}
		s.REST(t, "POST /email/verify", ``, harness.Bearer(z.Token)...).Says(t, http.StatusForbidden,
			serviceRefusal("This server sends no mail."))
		s.REST(t, "POST /register", `{"email":"a@mail.com","options":{"sendResetEmail":true}}`).Says(t,
			http.StatusForbidden, serviceRefusal("This server sends no mail."))
		if after := harness.OpenSide(t, dsn).Census(t); after != before {
			t.Errorf("%s became %s", before, after)
		}
		s.REST(t, "POST /register",
			`{"email":"a@mail.com","password":"password123","options":{"sendEmail":true,"verifyEmail":true}}`)
		zero(t, s, zeroMail)
		if n := harness.OpenSide(t, dsn).Count(t, "SELECT count(*) FROM mails"); n != 0 {
			t.Errorf("%d mails", n)
		}
	})
}
