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

// These tests hold the server against document 002 where a mailbox comes into it: the password, magic links, the address, and
// the mails that POST /register is asked for.

const (
	mailSent     = `{"success":true,"data":{"message":"Email sent"}}`
	serviceAgain = `{"password":"password456"}`
)

// OT-01, OT-03, SE-08: a password is reset by the link of a mail, once and for a quarter of an hour; all sessions end.
func TestOT01_ServiceReset(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		z, second := s.service(t, serviceMail), s.service(t, "other@mail.com")
		forgot := func(address string) letter {
			s.clock.add(time.Minute)
			s.rest(t, "POST /password/forgot", `{"email":"`+address+`","captchaToken":"x"}`, "X-Forwarded-Host", "evil.example", "Origin", s.URL).says(t, http.StatusOK, mailSent)
			return s.linkedLetter(t, serviceMail, db.MailResetPassword, "/password/reset/{token}", 15*time.Minute)
		}
		older, l := forgot(serviceMail), forgot("EXAMPLE@mail.com")
		if l.Mail.Address != serviceMail { // OT-10
			t.Errorf("the mail goes to %s", l.Mail.Address)
		}
		path := "/password/reset/" + l.Token
		for range 2 { // looking uses nothing up
			s.rest(t, "GET "+path, "").says(t, http.StatusOK, `{"success":true,"data":{"message":"Token is valid"}}`)
		}
		invalid := serviceRefusal("Invalid Token")
		for _, text := range append(notTokens(l.Token), older.Token) {
			s.rest(t, "GET /password/reset/"+text, "").says(t, http.StatusBadRequest, invalid)
			s.rest(t, "POST /password/reset/"+text, serviceAgain).says(t, http.StatusBadRequest, invalid)
		}
		for body, want := range map[string]string{
			``: "Password is required", `{}`: "Password is required", `{"password":""}`: "Password is required", `{"password":null}`: "Password is required",
			`{"password":"1234567"}`: "Password does not meet requirements", `{"password":"` + strings.Repeat("x", 300) + `"}`: "Password does not meet requirements",
			`{"password":7}`: "password must be of type string.",
		} {
			s.rest(t, "POST "+path, body).says(t, http.StatusBadRequest, serviceRefusal(want))
		}
		// The token is no session, nor a magic link, nor that of another purpose (SE-15).
		s.rest(t, "GET /user", "", bearer(l.Token)...).says(t, http.StatusUnauthorized, badSession)
		s.rest(t, "GET /login/magic/"+l.Token, "").says(t, http.StatusBadRequest, invalid)
		s.rest(t, "GET /email/verify/"+l.Token, "").says(t, http.StatusBadRequest, invalid)

		s.rest(t, "POST "+path, `{"password":"password456","email":"other@mail.com"}`, second.cookies()...). // OT-06
															says(t, http.StatusOK, `{"success":true,"data":{"message":"Password reset successful"}}`)
		s.rest(t, "POST "+path, serviceAgain).says(t, http.StatusBadRequest, invalid)
		s.rest(t, "GET "+path, "").says(t, http.StatusBadRequest, invalid)
		if s.works(t, z.Token) || s.refresh(t, z.Refresh).code() == "" || !s.works(t, second.Token) {
			t.Error("a session lives that had to end, or the other way round")
		}
		s.rest(t, "POST /login", serviceLogin).says(t, http.StatusBadRequest, serviceRefusal("Invalid credentials"))
		if r, _ := s.jar(t, "POST /login", `{"email":"example@mail.com","password":"password456"}`); r.Status != http.StatusOK {
			t.Errorf("%d %s", r.Status, r.Body)
		}
		l = forgot(serviceMail)
		s.clock.add(15*time.Minute + time.Second)
		s.rest(t, "GET /password/reset/"+l.Token, "").says(t, http.StatusBadRequest, invalid)
		s.rest(t, "POST /password/reset/"+l.Token, serviceAgain).says(t, http.StatusBadRequest, invalid)
	})
}

// LG-05: whoever asks for a mail learns nothing of the address, and only who has it gets one.
func TestLG05_Service(t *testing.T) {
	t.Parallel()
	for _, reveal := range []string{"off", "on"} {
		dbtest.Each(t, func(t *testing.T, dsn string) {
			s := start(t, dsn, "DRAGOMAN_REVEAL_ACCOUNTS="+reveal)
			for _, email := range []string{serviceMail, "barred@mail.com", "confirmed@mail.com"} {
				s.service(t, email)
			}
			conn := openSide(t, dsn)
			conn.exec(t, "UPDATE users SET status = 'SUSPENDED' WHERE email = 'barred@mail.com'")
			s.rest(t, "POST /email/verify", `{"email":"confirmed@mail.com"}`)
			s.sent(t, conn)
			s.rest(t, "GET /email/verify/"+s.letter(t, "confirmed@mail.com", db.MailVerifyEmail).Token, "")
			for _, route := range []string{"/password/forgot", "/login/magic", "/email/verify"} {
				s.oneAnswer(t, func(address string) reply {
					s.clock.add(time.Minute)
					r := s.rest(t, "POST "+route, `{"email":"`+address+`"}`)
					r.says(t, http.StatusOK, mailSent)
					return r
				}, serviceMail, "nobody@mail.com", "barred@mail.com", "confirmed@mail.com", "example@mail.com.example")
			}
			for _, route := range []string{"/password/forgot", "/login/magic"} {
				for _, body := range []string{``, `{}`, `{"email":""}`, `{"email":null}`} {
					s.rest(t, "POST "+route, body).says(t, http.StatusBadRequest, serviceRefusal("Email is required"))
				}
				s.rest(t, "POST "+route, `{"email":"example\r\nBcc: eve@mail.com"}`).says(t, http.StatusBadRequest, serviceRefusal("Invalid Email")) // WH-08
			}
			s.sent(t, conn)
			for address, want := range map[string]string{
				serviceMail: "reset-password magic-link verify-email", "nobody@mail.com": "", "barred@mail.com": "",
				"confirmed@mail.com": "verify-email reset-password magic-link", "example@mail.com.example": "",
			} {
				if got := s.mailsTo(t, address); got != want {
					t.Errorf("%s got %q, want %q", address, got, want)
				}
			}
		})
	}
}

// OT-13, HT-04: what looks at a link uses nothing up: HEAD, a prefetch, a browser that opens it, another site. A program does.
func TestOT13_ServiceLinks(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		s.service(t, serviceMail)
		for _, one := range []struct {
			ask, route, page string
			kind             db.MailKind
			changes          bool
		}{
			{"/email/verify", "/email/verify/", "verify-email", db.MailVerifyEmail, true},
			{"/password/forgot", "/password/reset/", "reset-password", db.MailResetPassword, false},
			{"/login/magic", "/login/magic/", "sign-in", db.MailMagicLink, true},
		} {
			s.rest(t, "POST "+one.ask, `{"email":"example@mail.com"}`)
			token := s.letter(t, serviceMail, one.kind).Token
			s.looksOnly(t, one.route+token, one.page+"#token="+token, one.changes)
			if r, _ := s.jar(t, "GET "+one.route+token, "", "Accept", "application/json", "Sec-Fetch-Mode", "cors"); r.Status != http.StatusOK {
				t.Errorf("and then a program gets %d %s", r.Status, r.Body)
			}
		}
	})
}

// OT-02: of many who follow a link at once, one is signed in.
func TestOT02_ServiceMagicLinkAtOnce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		s.service(t, serviceMail)
		s.rest(t, "POST /login/magic", `{"email":"example@mail.com"}`)
		token := s.letter(t, serviceMail, db.MailMagicLink).Token
		var group sync.WaitGroup
		answers := make([]reply, 64)
		for n := range answers {
			group.Go(func() { answers[n], _ = s.call("GET /login/magic/"+token, "") })
		}
		group.Wait()
		good := 0
		for _, r := range answers {
			if r.Status == http.StatusOK {
				good++
			} else {
				r.says(t, http.StatusBadRequest, serviceRefusal("Invalid Token"))
			}
		}
		if good != 1 || openSide(t, dsn).count(t, "SELECT count(*) FROM sessions WHERE revoked_at IS NULL") != 1 {
			t.Errorf("%d of %d signed in", good, len(answers))
		}
	})
}

// A magic link signs in as POST /login does. The first proof of whose the address is takes the account over: what somebody else
// may have set before is gone. Later ones sign in, and no more.
func TestService_MagicLink(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		z := s.service(t, serviceMail)
		enter := func() (token string) {
			t.Helper()
			s.clock.add(time.Minute)
			s.rest(t, "POST /login/magic", `{"email":"example@mail.com","options":{"redirect":"https://evil.example"}}`).says(t, http.StatusOK, mailSent)
			l := s.linkedLetter(t, serviceMail, db.MailMagicLink, "/login/magic/{token}", 15*time.Minute)
			r, set := s.jar(t, "GET /login/magic/"+l.Token, "")
			got := r.matched(t, http.StatusOK, `{"success":true,"token":"<es256>","data":{"message":"Login successful","data":`+
				fmt.Sprintf(`{"id":%q,"email":"example@mail.com","role":"user","mfa":false,"sessionState":"full","iat":%d,"exp":%d}}}`, z.ID, s.clock.now().Unix(), s.clock.now().Unix()+900))
			if len(set) != 2 || set["session"].Value != got[0] || set["refreshToken"].MaxAge != 604800 || !s.works(t, got[0]) || s.refresh(t, set["refreshToken"].Value).code() != "" {
				t.Errorf("cookies %v", set)
			}
			s.rest(t, "GET /login/magic/"+l.Token, "").says(t, http.StatusBadRequest, serviceRefusal("Invalid Token"))
			return got[0]
		}
		first := enter()
		if s.works(t, z.Token) || s.refresh(t, z.Refresh).code() == "" || s.login(t, serviceMail, servicePass).code() != "INVALID_CREDENTIALS" {
			t.Error("the session or the password of before is left")
		}
		s.rest(t, "POST /password/forgot", `{"email":"example@mail.com"}`)
		s.rest(t, "POST /password/reset/"+s.letter(t, serviceMail, db.MailResetPassword).Token, `{"password":"password123"}`)
		if s.works(t, first) {
			t.Error("a session lived through a reset")
		}
		second := s.login(t, serviceMail, servicePass).text("login", "tokens", "accessToken")
		enter()
		if !s.works(t, second) || s.login(t, serviceMail, servicePass).code() != "" {
			t.Error("a second proof took something away")
		}
		s.rest(t, "POST /login/magic", `{"email":"example@mail.com"}`)
		token := s.letter(t, serviceMail, db.MailMagicLink).Token
		for _, text := range notTokens(token) {
			s.rest(t, "GET /login/magic/"+text, "").says(t, http.StatusBadRequest, serviceRefusal("Invalid Token"))
		}
		s.clock.add(15*time.Minute + time.Second)
		s.rest(t, "GET /login/magic/"+token, "").says(t, http.StatusBadRequest, serviceRefusal("Invalid Token"))
		if d := openSide(t, dsn).count(t, "SELECT count(*) FROM sessions WHERE dialect NOT IN ('service-authentication', 'graphql')"); d != 0 {
			t.Errorf("%d sessions of another dialect", d)
		}
	})
}

// The address is verified by a link that goes to who is signed in, in any of the ways to be, or to the address that is given.
func TestService_VerifyEmail(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		z := s.service(t, serviceMail)
		sent := func(body string, header ...string) letter {
			t.Helper()
			s.clock.add(time.Minute)
			s.rest(t, "POST /email/verify", body, header...).says(t, http.StatusOK, mailSent)
			return s.linkedLetter(t, serviceMail, db.MailVerifyEmail, "/email/verify/{token}", 24*time.Hour)
		}
		older := sent(``, bearer(z.Token)...)
		sent(`{}`, "Cookie", "session="+z.Token)
		sent(`{"email":null}`, bearer(z.Token)...)
		last := sent(`{"email":"example@mail.com"}`)
		s.rest(t, "POST /email/verify", `{}`).says(t, http.StatusUnauthorized, noSession)
		s.rest(t, "POST /email/verify", `{}`, bearer("x")...).says(t, http.StatusUnauthorized, badSession)
		if r, err := s.call("POST /email/verify", `{}`, append(z.cookies(), "Origin", "https://evil.example")...); err != nil || r.Status != http.StatusForbidden { // HT-03
			t.Errorf("%d %s %v", r.Status, r.Body, err)
		}
		for _, email := range []string{`""`, `"example"`, `"a@b@c"`} {
			s.rest(t, "POST /email/verify", `{"email":`+email+`}`).says(t, http.StatusBadRequest, serviceRefusal("Invalid Email"))
		}
		s.clock.add(16 * time.Minute) // the refresh token renews here too
		r, set := s.jar(t, "POST /email/verify", `{}`, z.cookies()...)
		got := r.matched(t, http.StatusOK, `{"success":true,"token":"<es256>","data":{"message":"Email sent"}}`)
		if len(set) != 2 || set["session"].Value != got[0] {
			t.Errorf("cookies %v", set)
		}
		token := got[0]
		newest := s.letter(t, serviceMail, db.MailVerifyEmail)
		verified := `{"success":true,"data":{"message":"Email verified"}}`
		for _, text := range append(notTokens(newest.Token), older.Token, last.Token) {
			s.rest(t, "GET /email/verify/"+text, "").says(t, http.StatusBadRequest, serviceRefusal("Invalid Token"))
		}
		s.rest(t, "GET /email/verify/"+newest.Token, "").says(t, http.StatusOK, verified)
		s.rest(t, "GET /email/verify/"+newest.Token, "").says(t, http.StatusBadRequest, serviceRefusal("Invalid Token"))
		if a := s.graphql(t, token, `{ me { emailVerified } }`, nil); a.at("me", "emailVerified") != true {
			t.Errorf("%s", a.Raw)
		}
		s.rest(t, "POST /email/verify", `{}`, bearer(token)...).says(t, http.StatusBadRequest, serviceRefusal("Email already verified"))
		s.rest(t, "POST /email/verify", `{"email":"example@mail.com"}`).says(t, http.StatusOK, mailSent) // which says nothing

		s.service(t, "late@mail.com")
		s.rest(t, "POST /email/verify", `{"email":"late@mail.com"}`)
		late := s.letter(t, "late@mail.com", db.MailVerifyEmail).Token
		s.clock.add(24*time.Hour + time.Second)
		s.rest(t, "GET /email/verify/"+late, "").says(t, http.StatusBadRequest, serviceRefusal("Invalid Token"))
	})
}

// What POST /register is asked for is mailed, and nothing else.
func TestService_RegisterMails(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		for n, row := range []struct{ fields, mails, notSent string }{
			{`"password":"password123"`, "", ""},
			{`"password":"password123","options":{}`, "", ""},
			{`"password":"password123","options":{"sendEmail":true}`, "welcome", ""},
			{`"password":"password123","options":{"verifyEmail":true}`, "verify-email", ""},
			{`"password":"password123","options":{"sendResetEmail":true}`, "", ""},
			{`"password":"password123","options":{"sendSms":true}`, "", "sendSms"},
			{`"password":"password123","options":{"sendEmail":false,"sendSms":false,"verifyEmail":false,"sendResetEmail":false}`, "", ""},
			{`"options":{"sendEmail":null,"verifyEmail":null}`, "", ""},
			{`"password":null,"options":{"sendResetEmail":true}`, "set-password", ""},
			{`"options":{"sendResetEmail":true,"sendEmail":true}`, "set-password welcome", ""},
		} {
			email := fmt.Sprintf("p%d@mail.com", n)
			r := s.rest(t, "POST /register", `{"email":"`+email+`",`+row.fields+`}`)
			if got := s.mailsTo(t, email); r.Status != http.StatusOK || !sameWords(got, row.mails) || r.Header.Get("X-Not-Sent") != row.notSent {
				t.Errorf("%s: %d, mails %q, not sent %q", row.fields, r.Status, got, r.Header.Get("X-Not-Sent"))
			}
		}
		s.rest(t, "POST /register", `{"email":"both@mail.com","options":{"verifyEmail":true}}`)
		s.linkedLetter(t, "both@mail.com", db.MailVerifyEmail, "/email/verify/{token}", 24*time.Hour)
	})
}

// PW-17: who registers without a password gets one link to choose one, and that is how they get in. Nobody learns the random one.
func TestPW17_ServiceSetPassword(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		r := s.rest(t, "POST /register", `{"email":"example@mail.com","options":{"sendResetEmail":true}}`)
		r.matched(t, http.StatusOK, `{"success":true,"token":"<es256>","data":{"message":"User created","data":`+serviceUser+`,"refreshToken":"<rt>"}}`)
		l := s.linkedLetter(t, serviceMail, db.MailSetPassword, "/password/reset/{token}", 24*time.Hour)
		if all := s.letters(t, serviceMail, ""); len(all) != 1 {
			t.Errorf("%d mails", len(all))
		}
		s.clock.add(23 * time.Hour)
		s.rest(t, "GET /password/reset/"+l.Token, "").says(t, http.StatusOK, `{"success":true,"data":{"message":"Token is valid"}}`)
		s.rest(t, "POST /password/reset/"+l.Token, `{"password":"password123"}`).says(t, http.StatusOK, `{"success":true,"data":{"message":"Password reset successful"}}`)
		if r, _ := s.jar(t, "POST /login", serviceLogin); r.Status != http.StatusOK {
			t.Errorf("%d %s", r.Status, r.Body)
		}
		if log := s.log.String(); strings.Contains(log, l.Token) || strings.Contains(log, l.Code) || strings.Contains(log, "password123") { // AU-02
			t.Error("the log holds a secret")
		}
	})
}

// Where the server sends no mail, what is nothing without one is refused, and the rest does without.
func TestService_NoMail(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn, "DRAGOMAN_SMTP_URL=none")
		z := s.service(t, serviceMail)
		before := openSide(t, dsn).census(t)
		for _, address := range []string{serviceMail, "nobody@mail.com"} {
			for _, route := range []string{"/password/forgot", "/login/magic", "/email/verify"} {
				s.rest(t, "POST "+route, `{"email":"`+address+`"}`).says(t, http.StatusForbidden, serviceRefusal("This server sends no mail."))
			}
			for _, route := range []string{"/identity/password_reset", "/identity/email_verification"} {
				s.rest(t, "POST "+route, `{"email":"`+address+`"}`).says(t, http.StatusForbidden, `{"error":"This server sends no mail."}`)
			}
		}
		s.rest(t, "POST /email/verify", ``, bearer(z.Token)...).says(t, http.StatusForbidden, serviceRefusal("This server sends no mail."))
		s.rest(t, "POST /register", `{"email":"a@mail.com","options":{"sendResetEmail":true}}`).says(t, http.StatusForbidden, serviceRefusal("This server sends no mail."))
		if after := openSide(t, dsn).census(t); after != before {
			t.Errorf("%s became %s", before, after)
		}
		s.rest(t, "POST /register", `{"email":"a@mail.com","password":"password123","options":{"sendEmail":true,"verifyEmail":true}}`)
		s.zero(t, zeroMail)
		if n := openSide(t, dsn).count(t, "SELECT count(*) FROM mails"); n != 0 {
			t.Errorf("%d mails", n)
		}
	})
}
