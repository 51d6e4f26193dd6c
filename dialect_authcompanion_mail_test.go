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

// These tests hold the server against document 000 where a mailbox comes into it: auth/recovery, and the token of its mail on
// auth/users/me.

const (
	companionIssued = `{"data":{"type":"users","detail":"Recovery email sent"}}`
	companionLink   = "/v1/web/profile?token={token}"
	companionAgain  = "another secret"
)

// companionRecovers asks for a recovery mail, and gives it.
func (i *instance) companionRecovers(t testing.TB, address string) letter {
	t.Helper()
	i.clock.add(time.Minute)
	i.companionAsks(t, "POST "+companion+"/recovery", `{ "email": "`+address+`" }`, "X-Forwarded-Host", "evil.example").says(t, http.StatusOK, companionIssued)
	return i.linkedLetter(t, companionEmail, db.MailResetPassword, companionLink, 15*time.Minute)
}

// OT-01, OT-03, OT-05, SE-08: the token of a recovery mail sets the password once, within a quarter of an hour, and the answer has
// tokens and the cookie as that of every other users/me. All sessions of before end; to ask for a mail ends none.
func TestOT01_CompanionRecovery(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := companionServer(t, dsn)
		u, other := s.companionJoins(t, companionEmail), s.companionJoins(t, "other@authcompanion.com")
		older, l := s.companionRecovers(t, companionEmail), s.companionRecovers(t, "HELLO@authcompanion.com")
		if l.Mail.Address != companionEmail { // OT-10
			t.Errorf("the mail goes to %s", l.Mail.Address)
		}
		if !s.is(t, u.Access, u.account) || s.refresh(t, u.Refresh).code() != "" {
			t.Error("to ask for a mail ended a session")
		}
		me := "POST " + companion + "/users/me"
		set := companionBody("password", companionAgain)
		for _, text := range append(notTokens(l.Token), older.Token) {
			if strings.HasPrefix(text, "%") { // is another text where it is no path
				continue
			}
			s.companionAsks(t, me, set, bearer(text)...).says(t, http.StatusUnauthorized, companionDenied)
		}
		for _, text := range []string{``, l.Code, "Bearer " + l.Code, l.Token} {
			s.companionAsks(t, me, set, "Authorization", text).says(t, http.StatusUnauthorized, companionDenied)
		}
		s.companionAsks(t, me, companionBody("password", strings.Repeat("x", 300)), bearer(l.Token)...).
			says(t, http.StatusBadRequest, companionInvalid("body/data/attributes/password: The password is too long. Please use at most 256 characters."))
		s.clock.add(time.Second)
		r := s.companionAsks(t, me, companionBody("password", companionAgain, "name", "Eve", "email", "eve@example.com", "id", other.ID), bearer(l.Token)...)
		got := s.companionSays(t, r, http.StatusOK, companionChanged, `"Authy Person"`, companionEmail)
		if got.ID != u.ID || !s.is(t, got.Access, got.account) || s.is(t, u.Access, u.account) || s.refresh(t, u.Refresh).code() == "" || !s.is(t, other.Access, other.account) {
			t.Error("a session lives that had to end, or the other way round")
		}
		s.companionAsks(t, "POST "+companion+"/login", companionBody("email", companionEmail, "password", companionPass)).says(t, http.StatusBadRequest, companionLoginFailed)
		if code := s.login(t, companionEmail, companionAgain).code(); code != "" {
			t.Errorf("the new password: %s", code)
		}
		s.companionAsks(t, me, set, bearer(l.Token)...).says(t, http.StatusUnauthorized, companionDenied)
		late := s.companionRecovers(t, companionEmail)
		s.clock.add(15*time.Minute + time.Second)
		s.companionAsks(t, me, set, bearer(late.Token)...).says(t, http.StatusUnauthorized, companionDenied)
		if mails := s.mailsTo(t, companionEmail); !strings.Contains(mails, "password-changed") {
			t.Errorf("the mails were %s", mails)
		}
	})
}

// SE-15: the token of a recovery mail sets a password, and opens nothing else: no other route, no other API, and nothing else of
// users/me. A token of another purpose does not even do that.
func TestSE15_CompanionRecoveryToken(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := companionServer(t, dsn)
		u := s.companionJoins(t, companionEmail)
		token := s.companionRecovers(t, companionEmail).Token
		conn := openSide(t, dsn)
		before := conn.census(t)
		for _, body := range []string{
			companionBody(), companionBody("name", "Eve"), companionBody("email", "eve@example.com"), companionBody("password", ""), companionBody("password", nil),
			companionBody("name", "Eve", "password", ""), companionBody("metadata", map[string]any{"a": 1}),
		} {
			s.companionAsks(t, "POST "+companion+"/users/me", body, bearer(token)...).says(t, http.StatusUnauthorized, companionDenied)
		}
		s.companionAsks(t, "POST "+companion+"/refresh", `{}`, companionCookie(token)...).says(t, http.StatusBadRequest, companionNotRefreshed)
		s.companionAsks(t, "DELETE "+companion+"/refresh", `{}`, companionCookie(token)...).says(t, http.StatusBadRequest, companionNotRefreshed)
		for _, credential := range []string{token, "Bearer " + token} {
			if a := s.graphql(t, credential, meDoc, nil); a.at("me") != nil {
				t.Errorf("GraphQL: %s", a.Raw)
			}
			s.rest(t, "POST "+wolf+"/logout", "", "Authorization", credential).unauthorized(t)
			if r := s.rest(t, "GET /sessions", "", "Authorization", credential); r.Status != http.StatusUnauthorized {
				t.Errorf("%d %s", r.Status, r.Body)
			}
		}
		// Beside a good token in another place it is one credential too many (HT-05), and an account needs its own.
		s.companionAsks(t, "POST "+companion+"/users/me", companionBody("password", companionAgain), "Authorization", "Bearer "+token, "Authorization", "Bearer "+u.Access).
			says(t, http.StatusUnauthorized, companionDenied)
		verify := s.letter(t, companionEmail, db.MailVerifyEmail).Token
		s.companionAsks(t, "POST "+companion+"/users/me", companionBody("password", companionAgain), bearer(verify)...).says(t, http.StatusUnauthorized, companionDenied)
		if after := conn.census(t); after != before || !s.is(t, u.Access, u.account) || s.login(t, companionEmail, companionPass).code() != "" {
			t.Errorf("%s became %s", before, after)
		}
	})
}

// OT-02: of many who set a password by one mail at once, one succeeds.
func TestOT02_CompanionRecoveryAtOnce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := companionServer(t, dsn)
		s.companionJoins(t, companionEmail)
		token := s.companionRecovers(t, companionEmail).Token
		var group sync.WaitGroup
		answers := make([]reply, 64)
		for n := range answers {
			group.Go(func() {
				answers[n], _ = s.call("POST "+companion+"/users/me", companionBody("password", fmt.Sprintf("another secret %d", n)), bearer(token)...)
			})
		}
		group.Wait()
		good := 0
		for n, r := range answers {
			switch {
			case r.Status != http.StatusOK:
				r.says(t, http.StatusUnauthorized, companionDenied)
			case s.login(t, companionEmail, fmt.Sprintf("another secret %d", n)).code() != "":
				t.Error("the password of the one that succeeded is not good")
				fallthrough
			default:
				good++
			}
		}
		if good != 1 {
			t.Errorf("%d of %d", good, len(answers))
		}
	})
}

// LG-05: the answer is the same for every address, in both bodies; the mail goes to whoever has it.
func TestLG05_Companion(t *testing.T) {
	t.Parallel()
	for _, reveal := range []string{"off", "on"} {
		dbtest.Each(t, func(t *testing.T, dsn string) {
			s := companionServer(t, dsn, "DRAGOMAN_REVEAL_ACCOUNTS="+reveal)
			for _, email := range []string{companionEmail, "barred@authcompanion.com"} {
				s.companionJoins(t, email)
			}
			openSide(t, dsn).exec(t, "UPDATE users SET status = 'SUSPENDED' WHERE email = 'barred@authcompanion.com'")
			last := ""
			for _, body := range []string{`{"email":%q}`, `{"data":{"type":"users","attributes":{"email":%q}}}`, `{"email":%q,"data":{"type":"users"}}`} {
				s.oneAnswer(t, func(address string) reply {
					s.clock.add(time.Minute)
					r := s.companionAsks(t, "POST "+companion+"/recovery", fmt.Sprintf(body, address))
					r.says(t, http.StatusOK, companionIssued)
					return r
				}, companionEmail, "nobody@authcompanion.com", "barred@authcompanion.com", "hello@authcompanion.com.example")
				if l := s.letter(t, companionEmail, db.MailResetPassword); l.Token == last {
					t.Errorf("no mail for %s", body)
				} else {
					last = l.Token
				}
			}
			for _, nobody := range []string{"nobody@authcompanion.com", "hello@authcompanion.com.example"} {
				if got := s.mailsTo(t, nobody); got != "" {
					t.Errorf("%s got %s", nobody, got)
				}
			}
			if got := s.mailsTo(t, "barred@authcompanion.com"); strings.Contains(got, "reset") {
				t.Errorf("a suspended account got %s", got)
			}
		})
	}
}

// HT-09: what breaks the form of a recovery, in the words of the original's framework; and a server that sends no mail.
func TestHT09_CompanionRecovery(t *testing.T) {
	t.Parallel()
	s := companionServer(t, dbtest.SQLite(t))
	for body, want := range map[string]string{
		`{}`: companionInvalid("body must have required property 'email'"), `{"email":""}`: companionInvalid("body must have required property 'email'"),
		`{"email":null}`: companionInvalid("body must have required property 'email'"), `{"email":7}`: companionInvalid("body/email must be string"),
		`{"email":["a@b.example"]}`: companionInvalid("body/email must be string"), `{"email":"hello"}`: companionInvalid(`body/email must match format "email"`),
		`{"email":"hello@example.com\r\nBcc: eve@example.com"}`: companionInvalid(`body/email must match format "email"`), // WH-08
		`{"data":{}}`:                                                           companionInvalid("body/data must have required property 'type'"),
		`{"data":{"type":"users"}}`:                                             companionInvalid("body/data must have required property 'attributes'"),
		`{"data":{"type":"users","attributes":{}}}`:                             companionInvalid("body/data/attributes must have required property 'email'"),
		`{"data":{"type":"users","attributes":{"email":"x"}}}`:                  companionInvalid(`body/data/attributes/email must match format "email"`),
		`{"data":{"type":"admins","attributes":{"email":"hello@example.com"}}}`: companionWrongType,
		`[]`: companionInvalid("body must be object"), ``: companionInvalid("body must be object"),
	} {
		s.companionAsks(t, "POST "+companion+"/recovery", body).says(t, http.StatusBadRequest, want)
	}
	off := companionServer(t, dbtest.SQLite(t), "DRAGOMAN_SMTP_URL=none")
	off.companionAsks(t, "POST "+companion+"/recovery", `{"email":"hello@authcompanion.com"}`).
		says(t, http.StatusForbidden, `{"statusCode":403,"message":"Recovery Failed"}`)
}

// OT-13, OT-14, OT-18: the link of a recovery mail is the document's, and leads to our page, whoever follows it; nothing that looks
// at it uses it up.
func TestOT13_CompanionLink(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := companionServer(t, dsn)
		s.companionJoins(t, companionEmail)
		token := s.companionRecovers(t, companionEmail).Token
		link := "/v1/web/profile?token=" + token
		for _, header := range [][]string{
			{"Accept", "text/html", "Sec-Fetch-Dest", "document", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Site", "cross-site"},
			{"Accept", "text/html,*/*;q=0.8", "X-Forwarded-Host", "evil.example"},
			{"Sec-Purpose", "prefetch", "Sec-Fetch-Dest", "empty"},
			{"Purpose", "prefetch"},
			{"Accept", "application/json"},
			nil,
		} {
			for _, method := range []string{"GET ", "HEAD "} {
				r := s.ask(t, method+link, "", header...)
				if r.Status != http.StatusSeeOther || r.Header.Get("Location") != s.app.PublicURL+"/account/reset-password#token="+token || r.Body != "" ||
					r.Header.Get("Set-Cookie") != "" || r.Header.Get("Referrer-Policy") != "no-referrer" || r.Header.Get("Cache-Control") != "no-store" {
					t.Errorf("%s%v: %d %v %s", method, header, r.Status, r.Header, r.Body)
				}
			}
		}
		s.rest(t, "POST "+link, `{}`).refuses(t, http.StatusNotFound)
		s.rest(t, "GET /v1/web/profile", "").refuses(t, http.StatusNotFound)
		s.companionAsks(t, "POST "+companion+"/users/me", companionBody("password", companionAgain), bearer(token)...).matched(t, http.StatusOK, fmt.Sprintf(companionChanged, `"Authy Person"`, companionEmail))
	})
}
