package contracts

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
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// These tests hold the server against document 004 where a mailbox comes into it: the verification of an email, the
// reset of a password, and what a change of the email mails.

const (
	zeroMail      = "lazaronixon@hotmail.com" // the document's own
	zeroBadVerify = `{"error":"That email verification link is invalid"}`
	zeroBadReset  = `{"error":"That password reset link is invalid"}`
)

// OT-15: sign_up mails the link of the document, which verifies the email for two days, as often as it is followed.
func TestOT15_ZeroVerification(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		for n, path := range []string{"", "/edit"} {
			for m, query := range []func(harness.Letter) string{
				func(l harness.Letter) string { return verification(l.Mail.Address, l.Token) },
				func(l harness.Letter) string { return verification(strings.ToUpper(l.Mail.Address), l.Token) },
				func(l harness.Letter) string { return "?sid=" + l.Token },
				func(l harness.Letter) string { return verification(l.Mail.Address, l.Token) + "&sid=x" },
			} {
				email := fmt.Sprintf("user+%d%d@example.com", n, m)
				z := zero(t, s, email)
				l := linkedLetter(t, s, email, db.MailVerifyEmail, "verify-email", 48*time.Hour)
				route := "GET /identity/email_verification" + path + query(l)
				for range 2 {
					s.REST(t, route, "").Empty(t)
				}
				if !s.Verified(t, z.Token) {
					t.Errorf("%s verifies nothing", route)
				}
				if events := harness.OpenSide(t, dsn).Count(t, "SELECT count(*) FROM audit_events WHERE action = "+
					"'email.verified' AND reason IS NULL AND user_id = (SELECT id FROM users WHERE email = '"+email+
					"')"); events != 1 {
					t.Errorf("%d events of success", events) // the second time nothing happens
				}
				s.Clock.Add(48*time.Hour + time.Second)
				s.REST(t, route, "").Says(t, http.StatusBadRequest, zeroBadVerify)
			}
		}
	})
}

// What is no link of a mail verifies nothing: no token, that of another email or purpose, an older one, one of before a
// change.
func TestOT04_ZeroVerification(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		z := zero(t, s, zeroMail)
		zero(t, s, "other@example.com")
		older := s.Letter(t, zeroMail, db.MailVerifyEmail)
		other := s.Letter(t, "other@example.com", db.MailVerifyEmail)
		s.REST(t, "POST /identity/email_verification", "", harness.Bearer(z.Token)...).Empty(t)
		l := linkedLetter(t, s, zeroMail, db.MailVerifyEmail, "verify-email", 48*time.Hour)
		s.REST(t, "POST /identity/password_reset", `{"email":"`+zeroMail+`"}`).Empty(t)
		reset := s.Letter(t, zeroMail, db.MailResetPassword)
		queries := []string{
			"", "?email=" + zeroMail, "?token=" + l.Token, "?token=" + l.Token + "&email=", "?sid=", "?token=&email=" +
				zeroMail,
			verification("other@example.com", l.Token), verification("junk", l.Token),
			verification(zeroMail, older.Token),
			verification(zeroMail, other.Token), verification(zeroMail, reset.Token), verification(zeroMail, z.Token),
		}
		for _, text := range notTokens(l.Token) {
			if plain, err := url.PathUnescape(text); err == nil && !strings.Contains(plain, "\x00") {
				queries = append(queries, verification(zeroMail, plain), "?sid="+url.QueryEscape(plain))
			}
		}
		for _, query := range queries {
			s.REST(t, "GET /identity/email_verification"+query, "").Says(t, http.StatusBadRequest, zeroBadVerify)
		}
		// HT-12
		for _, query := range []string{verification(zeroMail, l.Token) + "&token=x", "?token[]=" + l.Token + "&email=" +
			zeroMail, "?Token=" + l.Token + "&email=" + zeroMail} {
			if r := s.REST(t, "GET /identity/email_verification"+query, ""); r.Status != http.StatusBadRequest {
				t.Errorf("%s: %d", query, r.Status)
			}
		}
		if s.Verified(t, z.Token) {
			t.Fatal("it is verified")
		}
		s.REST(t, "PUT /identity/email", `{"current_password":"`+harness.ZeroPass+`","email":"new_email@hey.com"}`,
			harness.Bearer(z.Token)...)
		// OT-03
		s.REST(t, "GET /identity/email_verification"+verification(zeroMail, l.Token), "").Says(t, http.StatusBadRequest,
			zeroBadVerify)
		s.REST(t, "GET /identity/email_verification"+verification("new_email@hey.com", l.Token), "").Says(t,
			http.StatusBadRequest, zeroBadVerify)
	})
}

// OT-16: the code of the mail does beside the email, and a few wrong ones end that.
func TestOT16_ZeroCode(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		z, other := zero(t, s, zeroMail), zero(t, s, "other@example.com")
		l := s.Letter(t, zeroMail, db.MailVerifyEmail)
		wrong := fmt.Sprintf("%06d", (int(l.Code[5]-'0')+1)%10)
		s.REST(t, "GET /identity/email_verification?sid="+l.Code, "").Says(t, http.StatusBadRequest, zeroBadVerify)
		s.REST(t, "GET /identity/email_verification"+verification(zeroMail, l.Code), "").Empty(t)
		l = s.Letter(t, "other@example.com", db.MailVerifyEmail)
		for range 5 {
			s.REST(t, "GET /identity/email_verification"+verification("other@example.com", wrong), "").Says(t,
				http.StatusBadRequest, zeroBadVerify)
		}
		s.REST(t, "GET /identity/email_verification"+verification("other@example.com", l.Code), "").Says(t,
			http.StatusBadRequest, zeroBadVerify)
		if !s.Verified(t, z.Token) || s.Verified(t, other.Token) {
			t.Error("the wrong one is verified")
		}
	})
}

// The verification is mailed again to who is signed in, by every form of the credential, and to the email that is
// given.
func TestZero_VerificationMail(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		z := zero(t, s, zeroMail)
		last := s.Letter(t, zeroMail, db.MailVerifyEmail).Mail
		more := func(name string, r harness.Reply) {
			t.Helper()
			r.Empty(t)
			s.Clock.Add(time.Minute)
			if now := s.Letter(t, zeroMail, db.MailVerifyEmail).Mail; now.ID == last.ID {
				t.Errorf("%s: no mail", name)
			} else {
				last = now
			}
		}
		const route = "POST /identity/email_verification"
		more("Bearer", s.REST(t, route, "", harness.Bearer(z.Token)...))
		more("an empty object", s.REST(t, route, "{}", harness.Bearer(z.Token)...))
		more("Token token=", s.REST(t, route, "", "Authorization", `Token token="`+z.Token+`"`))
		more("the header", s.REST(t, route, "", "X-Session-Token", z.Token))
		more("JSON", s.REST(t, route, `{"email":"`+zeroMail+`"}`))
		more("a form", s.REST(t, route, harness.FormOf("email", strings.ToUpper(zeroMail)), "Content-Type",
			harness.FormType))
		more("the query", s.REST(t, route+"?"+harness.FormOf("email", zeroMail), ""))
		s.REST(t, route, "").Denied(t)
		s.REST(t, route, "{}", harness.Bearer("garbage")...).Denied(t)
		for _, email := range []string{`"junk"`, `""`, `"a@b@c"`} {
			s.REST(t, route, `{"email":`+email+`}`).Says(t, http.StatusUnprocessableEntity, `{"email":["is invalid"]}`)
		}
		s.REST(t, "GET /identity/email_verification?sid="+s.Letter(t, zeroMail, db.MailVerifyEmail).Token, "").Empty(t)
		s.REST(t, route, "", harness.Bearer(z.Token)...).Empty(t) // which mails nothing any more
		s.REST(t, route, `{"email":"`+zeroMail+`"}`).Empty(t)
		if all := s.Letters(t, zeroMail, db.MailVerifyEmail); len(all) > 0 &&
			all[0].Mail.CreatedAt.After(last.CreatedAt) {
			t.Error("a verified email got a mail")
		}
	})
}

// LG-05: whoever asks for a mail learns nothing of the email; every account gets its mail, verified or not.
func TestLG05_Zero(t *testing.T) {
	t.Parallel()
	for _, reveal := range []string{"off", "on"} {
		dbtest.Each(t, func(t *testing.T, dsn string) {
			s := harness.Start(t, dsn, "DRAGOMAN_REVEAL_ACCOUNTS="+reveal)
			for _, email := range []string{zeroMail, "verified@example.com", "barred@example.com"} {
				zero(t, s, email)
			}
			s.REST(t, "GET /identity/email_verification?sid="+
				s.Letter(t, "verified@example.com", db.MailVerifyEmail).Token, "").Empty(t)
			harness.OpenSide(t, dsn).MustExec(t, "UPDATE users SET status = 'SUSPENDED' WHERE email = "+
				"'barred@example.com'")
			for _, route := range []string{"/identity/password_reset", "/identity/email_verification"} {
				for way, ask := range map[string]func(string) harness.Reply{
					"JSON": func(email string) harness.Reply {
						return s.REST(t, "POST "+route, `{"email":"`+email+
							`"}`)
					},
					"form": func(email string) harness.Reply {
						return s.REST(t, "POST "+route, harness.FormOf("email", email), "Content-Type",
							harness.FormType)
					},
					"query": func(email string) harness.Reply {
						return s.REST(t, "POST "+route+"?"+harness.FormOf("email", email), "")
					},
				} {
					oneAnswer(t, s, func(email string) harness.Reply {
						s.Clock.Add(time.Minute)
						r := ask(email)
						if r.Empty(t); r.Status != http.StatusNoContent {
							t.Errorf("by %s", way)
						}
						return r
					}, zeroMail, "verified@example.com", "barred@example.com", "nobody@example.com")
				}
			}
			for _, body := range []string{``, `{}`, `{"email":null}`, `{"email":""}`} {
				s.REST(t, "POST /identity/password_reset", body).Says(t, http.StatusUnprocessableEntity,
					`{"email":["can't be blank","is invalid"]}`)
			}
			for email, want := range map[string]bool{
				zeroMail: true, "verified@example.com": true,
				"barred@example.com": false, "nobody@example.com": false,
			} {
				if got := len(s.Letters(t, email, db.MailResetPassword)); got > 0 != want {
					t.Errorf("%s got %d mails", email, got)
				}
			}
		})
	}
}

// SE-08, PW-19: the password is reset by the token of a mail, within twenty minutes and once, by both methods and in
// every form; all sessions end. What is refused uses nothing up.
func TestSE08_ZeroReset(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		z := zero(t, s, zeroMail)
		again := s.SignIn(t, zeroMail, harness.ZeroPass)
		token := func() string {
			s.Clock.Add(time.Minute)
			s.REST(t, "POST /identity/password_reset", `{"email":"`+zeroMail+`"}`).Empty(t)
			return linkedLetter(t, s, zeroMail, db.MailResetPassword, "reset-password", 20*time.Minute).Token
		}
		older, good := token(), token()
		const route = "PUT /identity/password_reset"
		short, mismatch := `"password":["is too short (minimum is 12 characters)"]`,
			`"password_confirmation":["doesn't match Password"]`
		for _, row := range [][2]string{
			{`{"token":"<t>"}`, `{"password":["can't be blank"]}`},
			{`{"token":"<t>","password":""}`, `{"password":["can't be blank"]}`},
			{`{"token":"<t>","password":"eleven char"}`, "{" + short + "}"},
			{
				`{"token":"<t>","password":"` + harness.ZeroNew + `","password_confirmation":"` + harness.ZeroNew +
					`x"}`,
				"{" + mismatch + "}",
			},
			{`{"token":"<t>","password":"` + harness.ZeroNew + `","password_confirmation":""}`, "{" + mismatch + "}"},
			{`{"sid":"<t>","password":"short","password_confirmation":"other"}`, "{" + short + "," + mismatch + "}"},
			{`{"token":"<t>","password":"` + strings.Repeat("x", 300) + `"}`, `{"password":["is invalid"]}`},
		} {
			s.REST(t, route, strings.Replace(row[0], "<t>", good, 1)).Says(t, http.StatusUnprocessableEntity, row[1])
		}
		for _, text := range append([]string{"", older, z.Token, s.Letter(t, zeroMail, db.MailVerifyEmail).Token},
			notTokens(good)...) {
			if plain, err := url.PathUnescape(text); err == nil && !strings.Contains(plain, "\x00") {
				s.REST(t, route, newPasswordBody(plain)).Says(t, http.StatusBadRequest, zeroBadReset)
				s.REST(t, "GET /identity/password_reset/edit?sid="+url.QueryEscape(plain), "").Says(t,
					http.StatusBadRequest, zeroBadReset)
			}
		}
		s.REST(t, route, `{"password":"`+harness.ZeroNew+`"}`).Says(t, http.StatusBadRequest, zeroBadReset)
		s.REST(t, route, `{"token":["`+good+`"],"password":"`+harness.ZeroNew+`"}`).Refuses(t, http.StatusBadRequest)
		if s.REST(t, "GET /sessions", "", harness.Bearer(z.Token)...).Status != http.StatusOK {
			t.Fatal("something ended the session")
		}
		for range 2 { // looking uses nothing up
			s.REST(t, "GET /identity/password_reset/edit?sid="+good, "").Empty(t)
			s.REST(t, "GET /identity/password_reset/edit?token="+good, "").Empty(t)
		}
		got := s.REST(t, route, newPasswordBody(good), "X-Session-Token", "stale").Matched(t, http.StatusOK,
			strings.Replace(fmt.Sprintf(harness.UserTemplate, zeroMail), `"verified":false`, `"verified":true`, 1))
		if got[0] != fmt.Sprint(z.UserID) || got[2] != s.Clock.Now().UTC().Format(millis) {
			t.Errorf("%v", got)
		}
		s.REST(t, route, newPasswordBody(good)).Says(t, http.StatusBadRequest, zeroBadReset)
		s.REST(t, "GET /identity/password_reset/edit?sid="+good, "").Says(t, http.StatusBadRequest, zeroBadReset)
		s.REST(t, "GET /sessions", "", harness.Bearer(z.Token)...).Denied(t)
		s.REST(t, "GET /sessions", "", harness.Bearer(again.Token)...).Denied(t)
		s.REST(t, "POST /sign_in", harness.Credentials("email", zeroMail, harness.ZeroPass)).Says(t,
			http.StatusUnauthorized, harness.Incorrect)
		s.SignIn(t, zeroMail, harness.ZeroNew)
		for n, call := range []func(token string) harness.Reply{
			func(token string) harness.Reply {
				return s.REST(t, "PATCH /identity/password_reset", newPasswordBody(token))
			},
			func(token string) harness.Reply {
				return s.REST(t, route, harness.FormOf("sid", token, "password", harness.ZeroNew), "Content-Type",
					harness.FormType)
			},
			func(token string) harness.Reply {
				return s.REST(t, route+"?"+harness.FormOf("token", token, "password", harness.ZeroNew,
					"password_confirmation", harness.ZeroNew), "")
			},
		} {
			if r := call(token()); r.Status != http.StatusOK {
				t.Errorf("way %d: %d %s", n, r.Status, r.Body)
			}
		}
		late := token()
		s.Clock.Add(20*time.Minute + time.Second)
		s.REST(t, route, newPasswordBody(late)).Says(t, http.StatusBadRequest, zeroBadReset)
		if log := s.Logged.String(); strings.Contains(log, good) || strings.Contains(log, harness.ZeroNew) { // AU-02
			t.Error("the log holds a secret")
		}
	})
}

// OT-02: of many who redeem the token of a reset at once, one succeeds.
func TestOT02_ZeroResetAtOnce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		zero(t, s, zeroMail)
		s.REST(t, "POST /identity/password_reset", `{"email":"`+zeroMail+`"}`).Empty(t)
		token := s.Letter(t, zeroMail, db.MailResetPassword).Token
		var group sync.WaitGroup
		answers := make([]harness.Reply, 64)
		for n := range answers {
			group.Go(func() { answers[n], _ = s.Call("PUT /identity/password_reset", newPasswordBody(token)) })
		}
		group.Wait()
		good := 0
		for _, r := range answers {
			if r.Status == http.StatusOK {
				good++
			} else {
				r.Says(t, http.StatusBadRequest, zeroBadReset)
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
		s := harness.Start(t, dsn)
		z := zero(t, s, zeroMail)
		token := s.Letter(t, zeroMail, db.MailVerifyEmail).Token
		lookAtLink(t, s, "/identity/email_verification"+verification(zeroMail, token), "verify-email#token="+token,
			true)
		for _, path := range []string{ // as later versions have it
			"/identity/email_verification/edit?sid=", "/identity/email_verification?sid=",
			"/identity/email_verification/edit?email=a%40b.test&token=",
		} {
			lookAtLink(t, s, path+token, "verify-email#token="+token, true)
		}
		if s.Verified(t, z.Token) {
			t.Error("looking verifies")
		}
		s.REST(t, "GET /identity/email_verification/edit?sid="+token, "").Empty(t)
		if !s.Verified(t, z.Token) {
			t.Error("a program verifies nothing")
		}
		s.REST(t, "POST /identity/password_reset", `{"email":"`+zeroMail+`"}`).Empty(t)
		token = s.Letter(t, zeroMail, db.MailResetPassword).Token
		lookAtLink(t, s, "/identity/password_reset/edit?sid="+token, "reset-password#token="+token, false)
		lookAtLink(t, s, "/identity/password_reset/edit?token="+token, "reset-password#token="+token, false)
		s.REST(t, "PUT /identity/password_reset", newPasswordBody(token)).Matched(t, http.StatusOK,
			strings.Replace(fmt.Sprintf(harness.UserTemplate, zeroMail), `"verified":false`, `"verified":true`, 1))
	})
}

// OT-19: a change of the email counts at once, unverified. The new one gets the verification, and the former one a link
// to our page by which the change is taken back.
func TestOT19_ZeroEmailChange(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		z := zero(t, s, zeroMail)
		s.REST(t, "GET /identity/email_verification?sid="+s.Letter(t, zeroMail, db.MailVerifyEmail).Token, "").Empty(t)
		s.REST(t, "PUT /identity/email", `{"current_password":"`+harness.ZeroPass+`","email":"new_email@hey.com"}`,
			harness.Bearer(z.Token)...).
			Matched(t, http.StatusOK, fmt.Sprintf(harness.UserTemplate, "new_email@hey.com"))
		l := linkedLetter(t, s, "new_email@hey.com", db.MailConfirmChange, "confirm-email", 48*time.Hour)
		notice := s.Letter(t, zeroMail, db.MailEmailChanged)
		if notice.Mail.Link != "" || notice.Token == "" ||
			notice.ResolvedMail.Token.ExpiresAt.Sub(notice.ResolvedMail.Token.CreatedAt) != 72*time.Hour {
			t.Errorf("the notice links to %q", notice.Mail.Link)
		}
		s.REST(t, "GET /identity/email_verification"+verification("new_email@hey.com", l.Token), "").Empty(t)
		if !s.Verified(t, z.Token) {
			t.Error("the new email is not verified")
		}
		notice = s.Letter(t, zeroMail, db.MailEmailChanged) // told again: 72 hours from now
		// The token that takes it back verifies nothing.
		s.REST(t, "GET /identity/email_verification?sid="+notice.Token, "").Says(t, http.StatusBadRequest,
			zeroBadVerify)
		s.REST(t, "PUT /identity/password_reset", newPasswordBody(notice.Token)).Says(t, http.StatusBadRequest,
			zeroBadReset)
		cancel := `mutation C($input: CancelEmailChangeInput!) { cancelEmailChange(input: $input) { email ` +
			`userErrors { code } } }`
		if a := s.GraphQL(t, "", cancel, harness.InputOf("token", notice.Token)); a.Text("cancelEmailChange", "email") !=
			zeroMail {
			t.Errorf("%s", a.Raw)
		}
		s.REST(t, "GET /sessions", "", harness.Bearer(z.Token)...).Denied(t)
		s.SignIn(t, zeroMail, harness.ZeroPass)
	})
}

// LG-20: a sign_in from a device that was not seen before is told by mail, by the server's rule; the first one and
// known ones are not.
func TestLG20_ZeroSignIn(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		z := zero(t, s, zeroMail)
		firefox := []string{"User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"}
		s.REST(t, "GET /identity/email_verification?sid="+s.Letter(t, zeroMail, db.MailVerifyEmail).Token, "").Empty(t)
		before := len(s.Letters(t, zeroMail, db.MailNewSignIn))
		for range 3 {
			s.Clock.Add(time.Minute)
			s.SignIn(t, zeroMail, harness.ZeroPass, firefox...)
		}
		if got := len(s.Letters(t, zeroMail, db.MailNewSignIn)); got != before+1 {
			t.Errorf("%d notices of one new device", got-before)
		}
		s.REST(t, "PUT /password", `{"current_password":"`+harness.ZeroPass+`","password":"`+harness.ZeroNew+`"}`,
			harness.Bearer(z.Token)...)
		s.Letter(t, zeroMail, db.MailPassword)
	})
}
