package main

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
)

// These tests hold the server against document 004 where a mailbox comes into it: the verification of an email, the reset of a
// password, and what a change of the email mails.

const (
	zeroMail         = "lazaronixon@hotmail.com" // the document's own
	zeroNew          = "NewPassword12$34$56$7"
	zeroVerification = "/identity/email_verification?email={email}&token={token}"
	zeroReset        = "/identity/password_reset/edit?sid={token}"
	zeroBadVerify    = `{"error":"That email verification link is invalid"}`
	zeroBadReset     = `{"error":"That password reset link is invalid"}`
)

// OT-15: sign_up mails the link of the document, which verifies the email for two days, as often as it is followed.
func TestOT15_ZeroVerification(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		for n, path := range []string{"", "/edit"} {
			for m, query := range []func(letter) string{
				func(l letter) string { return verification(l.Mail.Address, l.Token) },
				func(l letter) string { return verification(strings.ToUpper(l.Mail.Address), l.Token) },
				func(l letter) string { return "?sid=" + l.Token },
				func(l letter) string { return verification(l.Mail.Address, l.Token) + "&sid=x" },
			} {
				email := fmt.Sprintf("user+%d%d@example.com", n, m)
				z := s.zero(t, email)
				l := s.linkedLetter(t, email, db.MailVerifyEmail, zeroVerification, 48*time.Hour)
				route := "GET /identity/email_verification" + path + query(l)
				for range 2 {
					s.rest(t, route, "").empty(t)
				}
				if !s.verified(t, z.Token) {
					t.Errorf("%s verifies nothing", route)
				}
				if events := openSide(t, dsn).count(t, "SELECT count(*) FROM audit_events WHERE action = 'verify_email' AND reason IS NULL AND user_id = (SELECT id FROM users WHERE email = '"+email+"')"); events != 1 {
					t.Errorf("%d events of success", events) // the second time nothing happens
				}
				s.clock.add(48*time.Hour + time.Second)
				s.rest(t, route, "").says(t, http.StatusBadRequest, zeroBadVerify)
			}
		}
	})
}

// What is no link of a mail verifies nothing: no token, that of another email or purpose, an older one, one of before a change.
func TestOT04_ZeroVerification(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		z := s.zero(t, zeroMail)
		s.zero(t, "other@example.com")
		older := s.letter(t, zeroMail, db.MailVerifyEmail)
		other := s.letter(t, "other@example.com", db.MailVerifyEmail)
		s.rest(t, "POST /identity/email_verification", "", bearer(z.Token)...).empty(t)
		l := s.linkedLetter(t, zeroMail, db.MailVerifyEmail, zeroVerification, 48*time.Hour)
		s.rest(t, "POST /identity/password_reset", `{"email":"`+zeroMail+`"}`).empty(t)
		reset := s.letter(t, zeroMail, db.MailResetPassword)
		queries := []string{
			"", "?email=" + zeroMail, "?token=" + l.Token, "?token=" + l.Token + "&email=", "?sid=", "?token=&email=" + zeroMail,
			verification("other@example.com", l.Token), verification("junk", l.Token), verification(zeroMail, older.Token),
			verification(zeroMail, other.Token), verification(zeroMail, reset.Token), verification(zeroMail, z.Token),
		}
		for _, text := range notTokens(l.Token) {
			if plain, err := url.PathUnescape(text); err == nil && !strings.Contains(plain, "\x00") {
				queries = append(queries, verification(zeroMail, plain), "?sid="+url.QueryEscape(plain))
			}
		}
		for _, query := range queries {
			s.rest(t, "GET /identity/email_verification"+query, "").says(t, http.StatusBadRequest, zeroBadVerify)
		}
		for _, query := range []string{verification(zeroMail, l.Token) + "&token=x", "?token[]=" + l.Token + "&email=" + zeroMail, "?Token=" + l.Token + "&email=" + zeroMail} { // HT-12
			if r := s.rest(t, "GET /identity/email_verification"+query, ""); r.Status != http.StatusBadRequest {
				t.Errorf("%s: %d", query, r.Status)
			}
		}
		if s.verified(t, z.Token) {
			t.Fatal("it is verified")
		}
		s.rest(t, "PUT /identity/email", `{"current_password":"`+zeroPass+`","email":"new_email@hey.com"}`, bearer(z.Token)...)
		s.rest(t, "GET /identity/email_verification"+verification(zeroMail, l.Token), "").says(t, http.StatusBadRequest, zeroBadVerify) // OT-03
		s.rest(t, "GET /identity/email_verification"+verification("new_email@hey.com", l.Token), "").says(t, http.StatusBadRequest, zeroBadVerify)
	})
}

// OT-16: the code of the mail does beside the email, and a few wrong ones end that.
func TestOT16_ZeroCode(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		z, other := s.zero(t, zeroMail), s.zero(t, "other@example.com")
		l := s.letter(t, zeroMail, db.MailVerifyEmail)
		wrong := fmt.Sprintf("%06d", (int(l.Code[5]-'0')+1)%10)
		s.rest(t, "GET /identity/email_verification?sid="+l.Code, "").says(t, http.StatusBadRequest, zeroBadVerify)
		s.rest(t, "GET /identity/email_verification"+verification(zeroMail, l.Code), "").empty(t)
		l = s.letter(t, "other@example.com", db.MailVerifyEmail)
		for range 5 {
			s.rest(t, "GET /identity/email_verification"+verification("other@example.com", wrong), "").says(t, http.StatusBadRequest, zeroBadVerify)
		}
		s.rest(t, "GET /identity/email_verification"+verification("other@example.com", l.Code), "").says(t, http.StatusBadRequest, zeroBadVerify)
		if !s.verified(t, z.Token) || s.verified(t, other.Token) {
			t.Error("the wrong one is verified")
		}
	})
}

// The verification is mailed again to who is signed in, by every form of the credential, and to the email that is given.
func TestZero_VerificationMail(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		z := s.zero(t, zeroMail)
		last := s.letter(t, zeroMail, db.MailVerifyEmail).Mail
		more := func(name string, r reply) {
			t.Helper()
			r.empty(t)
			s.clock.add(time.Minute)
			if now := s.letter(t, zeroMail, db.MailVerifyEmail).Mail; now.ID == last.ID {
				t.Errorf("%s: no mail", name)
			} else {
				last = now
			}
		}
		const route = "POST /identity/email_verification"
		more("Bearer", s.rest(t, route, "", bearer(z.Token)...))
		more("an empty object", s.rest(t, route, "{}", bearer(z.Token)...))
		more("Token token=", s.rest(t, route, "", "Authorization", `Token token="`+z.Token+`"`))
		more("the header", s.rest(t, route, "", "X-Session-Token", z.Token))
		more("JSON", s.rest(t, route, `{"email":"`+zeroMail+`"}`))
		more("a form", s.rest(t, route, formOf("email", strings.ToUpper(zeroMail)), "Content-Type", formType))
		more("the query", s.rest(t, route+"?"+formOf("email", zeroMail), ""))
		s.rest(t, route, "").denied(t)
		s.rest(t, route, "{}", bearer("garbage")...).denied(t)
		for _, email := range []string{`"junk"`, `""`, `"a@b@c"`} {
			s.rest(t, route, `{"email":`+email+`}`).says(t, http.StatusUnprocessableEntity, `{"email":["is invalid"]}`)
		}
		s.rest(t, "GET /identity/email_verification?sid="+s.letter(t, zeroMail, db.MailVerifyEmail).Token, "").empty(t)
		s.rest(t, route, "", bearer(z.Token)...).empty(t) // which mails nothing any more
		s.rest(t, route, `{"email":"`+zeroMail+`"}`).empty(t)
		if all := s.letters(t, zeroMail, db.MailVerifyEmail); len(all) > 0 && all[0].Mail.CreatedAt.After(last.CreatedAt) {
			t.Error("a verified email got a mail")
		}
	})
}

// LG-05: whoever asks for a mail learns nothing of the email; every account gets its mail, verified or not.
func TestLG05_Zero(t *testing.T) {
	t.Parallel()
	for _, reveal := range []string{"off", "on"} {
		dbtest.Each(t, func(t *testing.T, dsn string) {
			s := start(t, dsn, "DRAGOMAN_REVEAL_ACCOUNTS="+reveal)
			for _, email := range []string{zeroMail, "verified@example.com", "barred@example.com"} {
				s.zero(t, email)
			}
			s.rest(t, "GET /identity/email_verification?sid="+s.letter(t, "verified@example.com", db.MailVerifyEmail).Token, "").empty(t)
			openSide(t, dsn).exec(t, "UPDATE users SET status = 'SUSPENDED' WHERE email = 'barred@example.com'")
			for _, route := range []string{"/identity/password_reset", "/identity/email_verification"} {
				for way, ask := range map[string]func(string) reply{
					"JSON": func(email string) reply { return s.rest(t, "POST "+route, `{"email":"`+email+`"}`) },
					"form": func(email string) reply {
						return s.rest(t, "POST "+route, formOf("email", email), "Content-Type", formType)
					},
					"query": func(email string) reply { return s.rest(t, "POST "+route+"?"+formOf("email", email), "") },
				} {
					s.oneAnswer(t, func(email string) reply {
						s.clock.add(time.Minute)
						r := ask(email)
						if r.empty(t); r.Status != http.StatusNoContent {
							t.Errorf("by %s", way)
						}
						return r
					}, zeroMail, "verified@example.com", "barred@example.com", "nobody@example.com")
				}
			}
			for _, body := range []string{``, `{}`, `{"email":null}`, `{"email":""}`} {
				s.rest(t, "POST /identity/password_reset", body).says(t, http.StatusUnprocessableEntity, `{"email":["can't be blank","is invalid"]}`)
			}
			for email, want := range map[string]bool{zeroMail: true, "verified@example.com": true, "barred@example.com": false, "nobody@example.com": false} {
				if got := len(s.letters(t, email, db.MailResetPassword)); got > 0 != want {
					t.Errorf("%s got %d mails", email, got)
				}
			}
		})
	}
}

// SE-08, PW-19: the password is reset by the token of a mail, within twenty minutes and once, by both methods and in every form;
// all sessions end. What is refused uses nothing up.
func TestSE08_ZeroReset(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		z := s.zero(t, zeroMail)
		again := s.signIn(t, zeroMail, zeroPass)
		token := func() string {
			s.clock.add(time.Minute)
			s.rest(t, "POST /identity/password_reset", `{"email":"`+zeroMail+`"}`).empty(t)
			return s.linkedLetter(t, zeroMail, db.MailResetPassword, zeroReset, 20*time.Minute).Token
		}
		older, good := token(), token()
		const route = "PUT /identity/password_reset"
		short, mismatch := `"password":["is too short (minimum is 12 characters)"]`, `"password_confirmation":["doesn't match Password"]`
		for _, row := range [][2]string{
			{`{"token":"<t>"}`, `{"password":["can't be blank"]}`},
			{`{"token":"<t>","password":""}`, `{"password":["can't be blank"]}`},
			{`{"token":"<t>","password":"eleven char"}`, "{" + short + "}"},
			{`{"token":"<t>","password":"` + zeroNew + `","password_confirmation":"` + zeroNew + `x"}`, "{" + mismatch + "}"},
			{`{"token":"<t>","password":"` + zeroNew + `","password_confirmation":""}`, "{" + mismatch + "}"},
			{`{"sid":"<t>","password":"short","password_confirmation":"other"}`, "{" + short + "," + mismatch + "}"},
			{`{"token":"<t>","password":"` + strings.Repeat("x", 300) + `"}`, `{"password":["is invalid"]}`},
		} {
			s.rest(t, route, strings.Replace(row[0], "<t>", good, 1)).says(t, http.StatusUnprocessableEntity, row[1])
		}
		for _, text := range append([]string{"", older, z.Token, s.letter(t, zeroMail, db.MailVerifyEmail).Token}, notTokens(good)...) {
			if plain, err := url.PathUnescape(text); err == nil && !strings.Contains(plain, "\x00") {
				s.rest(t, route, newPasswordBody(plain)).says(t, http.StatusBadRequest, zeroBadReset)
				s.rest(t, "GET /identity/password_reset/edit?sid="+url.QueryEscape(plain), "").says(t, http.StatusBadRequest, zeroBadReset)
			}
		}
		s.rest(t, route, `{"password":"`+zeroNew+`"}`).says(t, http.StatusBadRequest, zeroBadReset)
		s.rest(t, route, `{"token":["`+good+`"],"password":"`+zeroNew+`"}`).refuses(t, http.StatusBadRequest)
		if s.rest(t, "GET /sessions", "", bearer(z.Token)...).Status != http.StatusOK {
			t.Fatal("something ended the session")
		}
		for range 2 { // looking uses nothing up
			s.rest(t, "GET /identity/password_reset/edit?sid="+good, "").empty(t)
			s.rest(t, "GET /identity/password_reset/edit?token="+good, "").empty(t)
		}
		got := s.rest(t, route, newPasswordBody(good), "X-Session-Token", "stale").matched(t, http.StatusOK,
			strings.Replace(fmt.Sprintf(userTemplate, zeroMail), `"verified":false`, `"verified":true`, 1))
		if got[0] != fmt.Sprint(z.UserID) || got[2] != s.clock.now().UTC().Format(millis) {
			t.Errorf("%v", got)
		}
		s.rest(t, route, newPasswordBody(good)).says(t, http.StatusBadRequest, zeroBadReset)
		s.rest(t, "GET /identity/password_reset/edit?sid="+good, "").says(t, http.StatusBadRequest, zeroBadReset)
		s.rest(t, "GET /sessions", "", bearer(z.Token)...).denied(t)
		s.rest(t, "GET /sessions", "", bearer(again.Token)...).denied(t)
		s.rest(t, "POST /sign_in", credentials("email", zeroMail, zeroPass)).says(t, http.StatusUnauthorized, incorrect)
		s.signIn(t, zeroMail, zeroNew)
		for n, call := range []func(token string) reply{
			func(token string) reply { return s.rest(t, "PATCH /identity/password_reset", newPasswordBody(token)) },
			func(token string) reply {
				return s.rest(t, route, formOf("sid", token, "password", zeroNew), "Content-Type", formType)
			},
			func(token string) reply {
				return s.rest(t, route+"?"+formOf("token", token, "password", zeroNew, "password_confirmation", zeroNew), "")
			},
		} {
			if r := call(token()); r.Status != http.StatusOK {
				t.Errorf("way %d: %d %s", n, r.Status, r.Body)
			}
		}
		late := token()
		s.clock.add(20*time.Minute + time.Second)
		s.rest(t, route, newPasswordBody(late)).says(t, http.StatusBadRequest, zeroBadReset)
		if log := s.log.String(); strings.Contains(log, good) || strings.Contains(log, zeroNew) { // AU-02
			t.Error("the log holds a secret")
		}
	})
}

// OT-02: of many who redeem the token of a reset at once, one succeeds.
func TestOT02_ZeroResetAtOnce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		s.zero(t, zeroMail)
		s.rest(t, "POST /identity/password_reset", `{"email":"`+zeroMail+`"}`).empty(t)
		token := s.letter(t, zeroMail, db.MailResetPassword).Token
		var group sync.WaitGroup
		answers := make([]reply, 64)
		for n := range answers {
			group.Go(func() { answers[n], _ = s.call("PUT /identity/password_reset", newPasswordBody(token)) })
		}
		group.Wait()
		good := 0
		for _, r := range answers {
			if r.Status == http.StatusOK {
				good++
			} else {
				r.says(t, http.StatusBadRequest, zeroBadReset)
			}
		}
		if good != 1 {
			t.Errorf("%d of %d succeed", good, len(answers))
		}
	})
}

// OT-13: what looks at a link uses nothing up; a program does.
func TestOT13_ZeroLinks(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		z := s.zero(t, zeroMail)
		token := s.letter(t, zeroMail, db.MailVerifyEmail).Token
		s.looksOnly(t, "/identity/email_verification"+verification(zeroMail, token), "verify-email#token="+token, true)
		for _, path := range []string{"/identity/email_verification/edit?sid=", "/identity/email_verification?sid="} { // no mail has these: a button
			r := s.rest(t, "GET "+path+token, "", "Accept", "text/html", "Sec-Fetch-Dest", "document", "Sec-Fetch-Site", "none")
			if r.Status != http.StatusOK || !strings.Contains(r.Body, `<form method="post" action="`+path+token+`&amp;_confirm=1"`) {
				t.Errorf("%s: %d %s", path, r.Status, r.Body)
			}
		}
		if s.verified(t, z.Token) {
			t.Error("looking verifies")
		}
		r := s.rest(t, "POST /identity/email_verification/edit?_confirm=1&sid="+token, "", "Origin", s.URL, "Sec-Fetch-Site", "same-origin")
		if r.Status != http.StatusOK || !strings.Contains(r.Body, "Done") || !s.verified(t, z.Token) {
			t.Errorf("the button: %d %s", r.Status, r.Body)
		}
		s.rest(t, "POST /identity/password_reset", `{"email":"`+zeroMail+`"}`).empty(t)
		token = s.letter(t, zeroMail, db.MailResetPassword).Token
		s.looksOnly(t, "/identity/password_reset/edit?sid="+token, "reset-password#token="+token, false)
		s.rest(t, "PUT /identity/password_reset", newPasswordBody(token)).matched(t, http.StatusOK,
			strings.Replace(fmt.Sprintf(userTemplate, zeroMail), `"verified":false`, `"verified":true`, 1))
	})
}

// OT-19: a change of the email counts at once, unverified. The new one gets the verification, and the former one a link to our
// page by which the change is taken back.
func TestOT19_ZeroEmailChange(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		z := s.zero(t, zeroMail)
		s.rest(t, "GET /identity/email_verification?sid="+s.letter(t, zeroMail, db.MailVerifyEmail).Token, "").empty(t)
		s.rest(t, "PUT /identity/email", `{"current_password":"`+zeroPass+`","email":"new_email@hey.com"}`, bearer(z.Token)...).
			matched(t, http.StatusOK, fmt.Sprintf(userTemplate, "new_email@hey.com"))
		l := s.linkedLetter(t, "new_email@hey.com", db.MailVerifyEmail, zeroVerification, 48*time.Hour)
		notice := s.letter(t, zeroMail, db.MailEmailChanged)
		if notice.Mail.Link != "" || notice.Token == "" || notice.Letter.Token.ExpiresAt.Sub(notice.Letter.Token.CreatedAt) != 72*time.Hour {
			t.Errorf("the notice links to %q", notice.Mail.Link)
		}
		s.rest(t, "GET /identity/email_verification"+verification("new_email@hey.com", l.Token), "").empty(t)
		if !s.verified(t, z.Token) {
			t.Error("the new email is not verified")
		}
		// The token that takes it back verifies nothing.
		s.rest(t, "GET /identity/email_verification?sid="+notice.Token, "").says(t, http.StatusBadRequest, zeroBadVerify)
		s.rest(t, "PUT /identity/password_reset", newPasswordBody(notice.Token)).says(t, http.StatusBadRequest, zeroBadReset)
		cancel := `mutation C($input: CancelEmailChangeInput!) { cancelEmailChange(input: $input) { user { email } userErrors { code } } }`
		if a := s.graphql(t, "", cancel, inputOf("token", notice.Token)); a.text("cancelEmailChange", "user", "email") != zeroMail {
			t.Errorf("%s", a.Raw)
		}
		s.rest(t, "GET /sessions", "", bearer(z.Token)...).denied(t)
		s.signIn(t, zeroMail, zeroPass)
	})
}

// LG-20: a sign_in from a device that was not seen before is told by mail, by the server's rule; the first one and known ones are not.
func TestLG20_ZeroSignIn(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		z := s.zero(t, zeroMail)
		firefox := []string{"User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"}
		s.rest(t, "GET /identity/email_verification?sid="+s.letter(t, zeroMail, db.MailVerifyEmail).Token, "").empty(t)
		before := len(s.letters(t, zeroMail, db.MailNewSignIn))
		for range 3 {
			s.clock.add(time.Minute)
			s.signIn(t, zeroMail, zeroPass, firefox...)
		}
		if got := len(s.letters(t, zeroMail, db.MailNewSignIn)); got != before+1 {
			t.Errorf("%d notices of one new device", got-before)
		}
		s.rest(t, "PUT /password", `{"current_password":"`+zeroPass+`","password":"`+zeroNew+`"}`, bearer(z.Token)...)
		s.letter(t, zeroMail, db.MailPassword)
	})
}
