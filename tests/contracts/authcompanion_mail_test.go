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

// These tests hold the server against document 000 where a mailbox comes into it: auth/recovery, and the token of its
// mail on auth/users/me.

const (
	companionIssued = `{"data":{"type":"users","detail":"Recovery email sent"}}`
	companionAgain  = "another secret"
)

// companionRecovers asks for a recovery mail, and gives it.
func companionRecovers(t testing.TB, i *harness.Instance, address string) harness.Letter {
	t.Helper()
	i.Clock.Add(time.Minute)
	i.CompanionAsks(t, "POST "+harness.Companion+"/recovery", `{ "email": "`+address+`" }`, "X-Forwarded-Host",
		"evil.example").Says(t, http.StatusOK, companionIssued)
	return linkedLetter(t, i, companionEmail, db.MailResetPassword, "reset-password", 15*time.Minute)
}

// OT-01, OT-03, OT-05, SE-08: the token of a recovery mail sets the password once, within a quarter of an hour, and the
// answer has tokens and the cookie as that of every other users/me. All sessions of before end; to ask for a mail ends
// none.
func TestOT01_CompanionRecovery(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := companionServer(t, dsn)
		u, other := companionJoins(t, s, companionEmail), companionJoins(t, s, "other@authcompanion.com")
		older, l := companionRecovers(t, s, companionEmail), companionRecovers(t, s, "HELLO@authcompanion.com")
		if l.Mail.Address != companionEmail { // OT-10
			t.Errorf("the mail goes to %s", l.Mail.Address)
		}
		if !s.Is(t, u.Access, u.Account) || s.Refresh(t, u.Refresh).Code() != "" {
			t.Error("to ask for a mail ended a session")
		}
		me := "POST " + harness.Companion + "/users/me"
		set := harness.CompanionBody("password", companionAgain)
		for _, text := range append(notTokens(l.Token), older.Token) {
			if strings.HasPrefix(text, "%") { // is another text where it is no path
				continue
			}
			s.CompanionAsks(t, me, set, harness.Bearer(text)...).Says(t, http.StatusUnauthorized, companionDenied)
		}
		for _, text := range []string{``, l.Code, "Bearer " + l.Code, l.Token} {
			s.CompanionAsks(t, me, set, "Authorization", text).Says(t, http.StatusUnauthorized, companionDenied)
		}
		s.CompanionAsks(t, me, harness.CompanionBody("password", strings.Repeat("x", 300)), harness.Bearer(l.Token)...).
			Says(t, http.StatusBadRequest, companionInvalid("body/data/attributes/password: The password is too "+
				"long. Please use at most 256 characters."))
		s.Clock.Add(time.Second)
		r := s.CompanionAsks(t, me, harness.CompanionBody("password", companionAgain, "name", "Eve", "email",
			"eve@example.com", "id", other.ID), harness.Bearer(l.Token)...)
		got := companionSays(t, s, r, http.StatusOK, companionChanged, `"Authy Person"`, companionEmail)
		if got.ID != u.ID || !s.Is(t, got.Access, got.Account) || s.Is(t, u.Access, u.Account) ||
			s.Refresh(t, u.Refresh).Code() == "" || !s.Is(t, other.Access, other.Account) {
			t.Error("a session lives that had to end, or the other way round")
		}
		s.CompanionAsks(t, "POST "+harness.Companion+"/login",
			harness.CompanionBody("email", companionEmail, "password", harness.CompanionPass)).Says(t,
			http.StatusBadRequest, companionLoginFailed)
		if code := s.Login(t, companionEmail, companionAgain).Code(); code != "" {
			t.Errorf("the new password: %s", code)
		}
		s.CompanionAsks(t, me, set, harness.Bearer(l.Token)...).Says(t, http.StatusUnauthorized, companionDenied)
		late := companionRecovers(t, s, companionEmail)
		s.Clock.Add(15*time.Minute + time.Second)
		s.CompanionAsks(t, me, set, harness.Bearer(late.Token)...).Says(t, http.StatusUnauthorized, companionDenied)
		if mails := mailsTo(t, s, companionEmail); !strings.Contains(mails, "password-changed") {
			t.Errorf("the mails were %s", mails)
		}
	})
}

// SE-15: the token of a recovery mail sets a password, and opens nothing else: no other route, no other API, and
// nothing else of users/me. A token of another purpose does not even do that.
func TestSE15_CompanionRecoveryToken(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := companionServer(t, dsn)
		u := companionJoins(t, s, companionEmail)
		token := companionRecovers(t, s, companionEmail).Token
		conn := harness.OpenSide(t, dsn)
		before := conn.Census(t)
		for _, body := range []string{
			harness.CompanionBody(), harness.CompanionBody("name", "Eve"),
			harness.CompanionBody("email", "eve@example.com"), harness.CompanionBody("password", ""),
			harness.CompanionBody("password", nil),
			harness.CompanionBody("name", "Eve", "password", ""),
			harness.CompanionBody("metadata", map[string]any{"a": 1}),
		} {
			s.CompanionAsks(t, "POST "+harness.Companion+"/users/me", body, harness.Bearer(token)...).Says(t,
				http.StatusUnauthorized, companionDenied)
		}
		s.CompanionAsks(t, "POST "+harness.Companion+"/refresh", `{}`, companionCookie(token)...).Says(t,
			http.StatusBadRequest, harness.CompanionNotRefreshed)
		s.CompanionAsks(t, "DELETE "+harness.Companion+"/refresh", `{}`, companionCookie(token)...).Says(t,
			http.StatusBadRequest, harness.CompanionNotRefreshed)
		for _, credential := range []string{token, "Bearer " + token} {
			if a := s.GraphQL(t, credential, harness.MeDoc, nil); a.At("me") != nil {
				t.Errorf("GraphQL: %s", a.Raw)
			}
			s.REST(t, "POST "+harness.Wolf+"/logout", "", "Authorization", credential).Unauthorized(t)
			if r := s.REST(t, "GET /sessions", "", "Authorization", credential); r.Status != http.StatusUnauthorized {
				t.Errorf("%d %s", r.Status, r.Body)
			}
		}
		// Beside a good token in another place it is one credential too many (HT-05), and an account needs its own.
		s.CompanionAsks(t, "POST "+harness.Companion+"/users/me", harness.CompanionBody("password", companionAgain),
			"Authorization", "Bearer "+token, "Authorization", "Bearer "+u.Access).
			Says(t, http.StatusUnauthorized, companionDenied)
		verify := s.Mailed(t, harness.SendVerifyDoc, companionEmail, db.MailVerifyEmail).Token
		s.CompanionAsks(t, "POST "+harness.Companion+"/users/me", harness.CompanionBody("password", companionAgain),
			harness.Bearer(verify)...).Says(t, http.StatusUnauthorized, companionDenied)
		if after := conn.Census(t); after != before || !s.Is(t, u.Access, u.Account) ||
			s.Login(t, companionEmail, harness.CompanionPass).Code() != "" {
			t.Errorf("%s became %s", before, after)
		}
	})
}

// OT-02: of many who set a password by one mail at once, one succeeds.
func TestOT02_CompanionRecoveryAtOnce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := companionServer(t, dsn)
		companionJoins(t, s, companionEmail)
		token := companionRecovers(t, s, companionEmail).Token
		var group sync.WaitGroup
		answers := make([]harness.Reply, 64)
		for n := range answers {
			group.Go(func() {
				answers[n], _ = s.Call("POST "+harness.Companion+"/users/me",
					harness.CompanionBody("password", fmt.Sprintf("another secret %d", n)), harness.Bearer(token)...)
			})
		}
		group.Wait()
		good := 0
		for n, r := range answers {
			switch {
			case r.Status != http.StatusOK:
				r.Says(t, http.StatusUnauthorized, companionDenied)
			case s.Login(t, companionEmail, fmt.Sprintf("another secret %d", n)).Code() != "":
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
				companionJoins(t, s, email)
			}
			harness.OpenSide(t, dsn).MustExec(t, "UPDATE users SET status = 'SUSPENDED' WHERE email = "+
				"'barred@authcompanion.com'")
			last := ""
			for _, body := range []string{
				`{"email":%q}`, `{"data":{"type":"users","attributes":{"email":%q}}}`,
				`{"email":%q,"data":{"type":"users"}}`,
			} {
				oneAnswer(t, s, func(address string) harness.Reply {
					s.Clock.Add(time.Minute)
					r := s.CompanionAsks(t, "POST "+harness.Companion+"/recovery", fmt.Sprintf(body, address))
					r.Says(t, http.StatusOK, companionIssued)
					return r
				}, companionEmail, "nobody@authcompanion.com", "barred@authcompanion.com",
					"hello@authcompanion.com.example")
				if l := s.Letter(t, companionEmail, db.MailResetPassword); l.Token == last {
					t.Errorf("no mail for %s", body)
				} else {
					last = l.Token
				}
			}
			for _, nobody := range []string{"nobody@authcompanion.com", "hello@authcompanion.com.example"} {
				if got := mailsTo(t, s, nobody); got != "" {
					t.Errorf("%s got %s", nobody, got)
				}
			}
			if got := mailsTo(t, s, "barred@authcompanion.com"); strings.Contains(got, "reset") {
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
		`{}`:                        companionInvalid("body must have required property 'email'"),
		`{"email":""}`:              companionInvalid("body must have required property 'email'"),
		`{"email":null}`:            companionInvalid("body must have required property 'email'"),
		`{"email":7}`:               companionInvalid("body/email must be string"),
		`{"email":["a@b.example"]}`: companionInvalid("body/email must be string"),
		`{"email":"hello"}`:         companionInvalid(`body/email must match format "email"`),
		// WH-08
		`{"email":"hello@example.com\r\nBcc: eve@example.com"}`: companionInvalid(
			`body/email must match format "email"`),
		`{"data":{}}`: companionInvalid(
			"body/data must have required property 'type'"),
		`{"data":{"type":"users"}}`: companionInvalid(
			"body/data must have required property 'attributes'"),
		`{"data":{"type":"users","attributes":{}}}`: companionInvalid(
			"body/data/attributes must have required property 'email'"),
		`{"data":{"type":"users","attributes":{"email":"x"}}}`: companionInvalid(
			`body/data/attributes/email must match format "email"`),
		`{"data":{"type":"admins","attributes":{"email":"hello@example.com"}}}`: companionWrongType,
		`[]`: companionInvalid("body must be object"), ``: companionInvalid("body must be object"),
	} {
		s.CompanionAsks(t, "POST "+harness.Companion+"/recovery", body).Says(t, http.StatusBadRequest, want)
	}
	off := companionServer(t, dbtest.SQLite(t), "DRAGOMAN_SMTP_URL=none")
	off.CompanionAsks(t, "POST "+harness.Companion+"/recovery", `{"email":"hello@authcompanion.com"}`).
		Says(t, http.StatusForbidden, `{"statusCode":403,"message":"Recovery Failed"}`)
}

// OT-13, OT-14, OT-18: the link of a recovery mail is the document's, and leads to our page, whoever follows it;
// nothing that looks at it uses it up.
func TestOT13_CompanionLink(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := companionServer(t, dsn)
		companionJoins(t, s, companionEmail)
		token := companionRecovers(t, s, companionEmail).Token
		link := "/v1/web/profile?token=" + token
		for _, header := range [][]string{
			{
				"Accept", "text/html", "Sec-Fetch-Dest", "document", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Site",
				"cross-site",
			},
			{"Accept", "text/html,*/*;q=0.8", "X-Forwarded-Host", "evil.example"},
			{"Sec-Purpose", "prefetch", "Sec-Fetch-Dest", "empty"},
			{"Purpose", "prefetch"},
			{"Accept", "application/json"},
			nil,
		} {
			for _, method := range []string{"GET ", "HEAD "} {
				r := s.Ask(t, method+link, "", header...)
				if r.Status != http.StatusSeeOther || r.Header.Get("Location") != s.App.PublicURL+
					"/account/reset-password#token="+token || r.Body != "" ||
					r.Header.Get("Set-Cookie") != "" || r.Header.Get("Referrer-Policy") != "no-referrer" ||
					r.Header.Get("Cache-Control") != "no-store" {
					t.Errorf("%s%v: %d %v %s", method, header, r.Status, r.Header, r.Body)
				}
			}
		}
		s.REST(t, "POST "+link, `{}`).Refuses(t, http.StatusNotFound)
		s.REST(t, "GET /v1/web/profile", "").Refuses(t, http.StatusNotFound)
		s.CompanionAsks(t, "POST "+harness.Companion+"/users/me", harness.CompanionBody("password", companionAgain),
			harness.Bearer(token)...).Matched(t, http.StatusOK,
			fmt.Sprintf(companionChanged, `"Authy Person"`, companionEmail))
	})
}
