package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
)

const (
	registerAllDoc = `mutation R($input: RegisterInput!) { register(input: $input) {
  user { id email emailVerified locale } session { id } tokens { accessToken } confirmationRequired userErrors { code message field } } }`
	localeDoc = `mutation U($input: UpdateMeInput!) { updateMe(input: $input) { user { locale } userErrors { code field } } }`
)

// kindsTo are the mails to an address, the oldest first.
func (i *instance) kindsTo(t testing.TB, address string) string {
	t.Helper()
	var kinds []string
	for _, l := range i.letters(t, address, "") {
		kinds = append([]string{string(l.Mail.Kind)}, kinds...)
	}
	return strings.Join(kinds, " ")
}

func TestRegister_Mails(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		for n, row := range []struct {
			input []any
			want  string
		}{
			{[]any{"password", goodPass}, "verify-email"},
			{[]any{"password", goodPass, "sendVerificationEmail", false}, ""},
			{[]any{"password", goodPass, "sendPasswordSetupEmail", true, "sendWelcomeEmail", true}, "verify-email welcome"},
			{[]any{"sendPasswordSetupEmail", true, "sendVerificationEmail", false}, "set-password"},
			{[]any{}, "verify-email"},
		} {
			email := fmt.Sprintf("u%d@example.com", n)
			a := fine(t, s.graphql(t, "", registerAllDoc, inputOf(append(row.input, "email", email)...)))
			if a.at("register", "confirmationRequired") != false || a.text("register", "tokens", "accessToken") == "" {
				t.Error(a.Raw)
			}
			if got := s.kindsTo(t, email); got != row.want {
				t.Errorf("%v: %s, want %s", row.input, got, row.want)
			}
		}
		// What is refused leaves no mail but that to the owner of the address.
		refusedWith(t, s.graphql(t, "", registerDoc, inputOf("email", "weak@example.com", "password", "short")), "PASSWORD_TOO_WEAK")
		refusedWith(t, s.graphql(t, "", registerDoc, inputOf("email", "U1@example.com", "password", goodPass)), "ALREADY_EXISTS")
		if s.kindsTo(t, "u1@example.com") != "address-taken" || s.kindsTo(t, "weak@example.com") != "" {
			t.Errorf("%q %q", s.kindsTo(t, "u1@example.com"), s.kindsTo(t, "weak@example.com"))
		}
	})
}

// PW-17: the password that is made where none was given is in no answer, no mail and no log, and lets nobody in.
func TestPW17_NoPassword(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		a := fine(t, s.graphql(t, "", registerAllDoc, inputOf("email", "ada@example.com", "sendPasswordSetupEmail", true, "signIn", false)))
		l := s.letter(t, "ada@example.com", db.MailSetPassword)
		hash := openSide(t, dsn).texts(t, `SELECT password_hash FROM users`)[0]
		if !strings.HasPrefix(hash, "$argon2id$") || strings.Contains(strings.ToLower(a.Raw), "password") ||
			strings.Contains(s.log.String(), l.Token) || strings.Contains(s.log.String(), hash) || strings.Contains(dump(t, dsn), l.Token) {
			t.Errorf("%s %s", hash, a.Raw)
		}
		if data := fmt.Sprintf("%+v %+v", l.Mail, *l.Letter.Token); strings.Contains(data, hash) {
			t.Error(data)
		}
		for _, guess := range []string{hash, "ada@example.com", l.Code, l.Token} {
			refusedWith(t, s.login(t, "ada@example.com", guess), "INVALID_CREDENTIALS")
		}
		if l.Mail.TTLSeconds != 24*3600 {
			t.Errorf("%d seconds", l.Mail.TTLSeconds)
		}
		fine(t, s.graphql(t, "", resetDoc, inputOf("token", l.Token, "newPassword", newPass)))
		fine(t, s.login(t, "ada@example.com", newPass))
		other := fine(t, s.graphql(t, "", registerAllDoc, inputOf("email", "bob@example.com", "signIn", false)))
		if openSide(t, dsn).count(t, `SELECT count(DISTINCT password_hash) FROM users`) != 2 || other.at("register", "user") == nil {
			t.Error(other.Raw)
		}
	})
}

// A locale is a language tag of at most 35 characters, kept in its canonical spelling (RFC 5646).
func TestLocale(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		a := fine(t, s.graphql(t, "", registerAllDoc, inputOf("email", "ada@example.com", "password", goodPass, "locale", "de-at")))
		if a.text("register", "user", "locale") != "de-AT" {
			t.Error(a.Raw)
		}
		access := a.text("register", "tokens", "accessToken")
		for _, tag := range []string{"pt-br", "zh-Hant-TW", "en", "sr-Latn"} {
			u := fine(t, s.graphql(t, access, localeDoc, inputOf("locale", tag)))
			if !strings.EqualFold(u.text("updateMe", "user", "locale"), tag) {
				t.Error(u.Raw)
			}
		}
		for _, bad := range []string{"", "und", "english please", "x", strings.Repeat("de-AT-", 8) + "x", "<b>", "de\r\nBcc: a@b.example"} {
			refusedWith(t, s.graphql(t, access, localeDoc, inputOf("locale", bad)), "INVALID_INPUT")
			refusedWith(t, s.graphql(t, "", registerDoc, inputOf("email", "b@example.com", "password", goodPass, "locale", bad)), "INVALID_INPUT")
		}
		if u := fine(t, s.graphql(t, access, localeDoc, inputOf("locale", nil))); u.at("updateMe", "user", "locale") != nil {
			t.Error(u.Raw)
		}
	})
}

const required = "DRAGOMAN_REQUIRE_VERIFIED_EMAIL=on"

// LG-04, with confirmation first: the answer is the same, byte by byte, for a new address and for one that is taken.
func TestLG04_RequireVerified(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn, required)
		if a := s.graphql(t, "", `{ serverInfo { verifiedEmailRequired } }`, nil); a.at("serverInfo", "verifiedEmailRequired") != true {
			t.Error(a.Raw)
		}
		ask := func(email, username string) *answer {
			return s.graphql(t, "", registerAllDoc, inputOf("email", email, "username", username, "password", goodPass))
		}
		first := fine(t, ask("ada@example.com", "ada"))
		if strings.TrimSpace(first.Raw) != `{"data":{"register":{"user":null,"session":null,"tokens":null,"confirmationRequired":true,"userErrors":[]}}}` {
			t.Error(first.Raw)
		}
		if again := ask("ADA@example.com", "somebody"); again.Raw != first.Raw || again.Status != first.Status {
			t.Errorf("%s, not %s", again.Raw, first.Raw)
		}
		// A username is public, and what is wrong with the rest is said before.
		refusedWith(t, ask("new@example.com", "Ada"), "ALREADY_EXISTS")
		refusedWith(t, ask("ada@example.com", "ada"), "ALREADY_EXISTS")
		if got := s.kindsTo(t, "ada@example.com"); got != "verify-email address-taken" {
			t.Error(got)
		}
		conn := openSide(t, dsn)
		if n := conn.count(t, `SELECT count(*) FROM sessions`) + conn.count(t, `SELECT count(*) FROM users`); n != 1 {
			t.Errorf("%d rows", n)
		}
		// The mail goes out although it was not asked for.
		fine(t, s.graphql(t, "", registerAllDoc, inputOf("email", "bob@example.com", "password", goodPass, "sendVerificationEmail", false)))
		s.letter(t, "bob@example.com", db.MailVerifyEmail)

		for _, call := range []struct{ route, first, again string }{
			{"POST /v1/auth/register", companionBody("name", "x", "email", "a1@example.com", "password", goodPass), companionBody("name", "x", "email", "a1@example.com", "password", goodPass)},
			{"POST /register", `{"email":"c1@example.com","password":"` + goodPass + `"}`, `{"email":"c1@example.com","password":"` + goodPass + `"}`},
			{"POST /api/auth/register", `{"username":"wolfone","email":"b1@example.com","password":"` + goodPass + `"}`, `{"username":"wolftwo","email":"b1@example.com","password":"` + goodPass + `"}`},
			{"POST /sign_up", `{"email":"e1@example.com","password":"` + goodPass + `"}`, `{"email":"e1@example.com","password":"` + goodPass + `"}`},
		} {
			one, two := s.rest(t, call.route, call.first), s.rest(t, call.route, call.again)
			if one.Status >= 300 || one.Status != two.Status || one.Body != two.Body || one.Header.Get("Set-Cookie") != "" {
				t.Errorf("%s: %d %s, and then %d %s", call.route, one.Status, one.Body, two.Status, two.Body)
			}
		}
	})
}

// LG-01: who does not show the right password of an account that can sign in learns nothing about it.
func TestLG01_RequireVerified(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := limited(t, newClock(), dsn, required)
		for _, email := range []string{"ada@example.com", "bob@example.com", "eve@example.com", "disabled@example.com", "suspended@example.com"} {
			fine(t, s.graphql(t, "", registerDoc, inputOf("email", email, "password", goodPass)))
			if email != "ada@example.com" {
				fine(t, s.graphql(t, "", verifyDoc, inputOf("token", s.letter(t, email, db.MailVerifyEmail).Token)))
			}
		}
		conn := openSide(t, dsn)
		conn.exec(t, `UPDATE users SET status = 'SUSPENDED' WHERE email = 'suspended@example.com'`)
		conn.exec(t, `UPDATE users SET password_disabled_at = created_at WHERE email = 'disabled@example.com'`)
		conn.exec(t, `UPDATE users SET password_hash = NULL WHERE email = 'eve@example.com'`)
		answers := map[string]string{}
		for state, try := range map[string][2]string{
			"unknown": {"nobody@example.com", goodPass}, "wrong": {"bob@example.com", wrongPass}, "suspended": {"suspended@example.com", goodPass},
			"disabled": {"disabled@example.com", goodPass}, "without a password": {"eve@example.com", goodPass}, "unverified": {"ada@example.com", wrongPass},
		} {
			a := s.login(t, try[0], try[1])
			answers[fmt.Sprint(a.Status, a.Raw)] = state
			s.clock.add(time.Minute)
		}
		if len(answers) != 1 {
			t.Errorf("%q", answers)
		}
		refusedWith(t, s.login(t, "ada@example.com", goodPass), "EMAIL_NOT_VERIFIED")
		for route, want := range map[string]struct {
			body string
			code int
			says string
		}{
			"POST /v1/auth/login":     {companionBody("email", "ada@example.com", "password", goodPass), 403, "Email not verified"},
			"POST /login":             {`{"email":"ada@example.com","password":"` + goodPass + `"}`, 403, "Email not verified"},
			"POST /api/auth/login":    {`{"email":"ada@example.com","password":"` + goodPass + `"}`, 400, "PENDING_CONFIRMATION"},
			"POST /sign_in":           {`{"email":"ada@example.com","password":"` + goodPass + `"}`, 403, "Verify your email first"},
			"POST /api/v1/auth/login": {`{"username":"ada@example.com","password":"` + goodPass + `"}`, 403, "Email not verified"},
		} {
			if r := s.rest(t, route, want.body); r.Status != want.code || !strings.Contains(r.Body, want.says) {
				t.Errorf("%s: %d %s", route, r.Status, r.Body)
			}
		}
		if n := conn.count(t, `SELECT count(*) FROM audit_events WHERE reason = 'email_not_verified'`); n != 6 {
			t.Errorf("%d events", n)
		}
		if n := conn.count(t, `SELECT count(*) FROM throttles WHERE address <> '*' AND subject = (SELECT id FROM users WHERE email = 'ada@example.com')`); n != 1 {
			t.Errorf("%d buckets: the right password counted as a failure", n)
		}
		fine(t, s.graphql(t, "", verifyDoc, inputOf("token", s.letter(t, "ada@example.com", db.MailVerifyEmail).Token)))
		fine(t, s.login(t, "ada@example.com", goodPass))
	})
}

// Sessions that were there before the setting go on; the next sign-in with the password waits for the confirmation. A link that came
// by mail confirms, and passes.
func TestRequireVerified_SwitchedOn(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		c := newClock()
		const url = "DRAGOMAN_PUBLIC_URL=http://localhost:8080" // the issuer of both
		before := startWithClock(t, c, dsn, url)
		ada := before.register(t, "ada@example.com")
		s := startWithClock(t, c, dsn, url, required)
		if !s.is(t, ada.Access, ada) || s.refresh(t, ada.Refresh).code() != "" {
			t.Error("the session ended")
		}
		fine(t, s.graphql(t, ada.Access, sudoDoc, inputOf("password", goodPass)))
		refusedWith(t, s.login(t, ada.Email, goodPass), "EMAIL_NOT_VERIFIED")
		fine(t, s.graphql(t, "", magicDoc, inputOf("token", s.mailed(t, askMagicDoc, ada.Email, db.MailMagicLink).Token)))
		l := s.mailed(t, askResetDoc, ada.Email, db.MailResetPassword)
		fine(t, s.graphql(t, "", resetDoc, inputOf("token", l.Token, "newPassword", newPass)))
		fine(t, s.login(t, ada.Email, newPass))
	})
}

// An account that an administrator makes without a password is mailed a link to choose one; a new address is told to the former.
func TestAdmin_Mails(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn, required)
		fine(t, s.graphql(t, "", registerDoc, inputOf("email", "root@example.com", "password", goodPass)))
		fine(t, s.graphql(t, "", verifyDoc, inputOf("token", s.letter(t, "root@example.com", db.MailVerifyEmail).Token)))
		s.setRole(t, dsn, account{Email: "root@example.com"}, "admin")
		root := fine(t, s.login(t, "root@example.com", goodPass)).text("login", "tokens", "accessToken")
		id := fine(t, s.graphql(t, root, createUserDoc, inputOf("email", "ada@example.com"))).text("createUser", "user", "id")
		fine(t, s.graphql(t, root, createUserDoc, inputOf("email", "bob@example.com", "password", goodPass)))
		if got := s.kindsTo(t, "bob@example.com"); got != "" {
			t.Error(got)
		}
		l := s.letter(t, "ada@example.com", db.MailSetPassword)
		fine(t, s.graphql(t, "", resetDoc, inputOf("token", l.Token, "newPassword", newPass)))
		ada := fine(t, s.login(t, "ada@example.com", newPass)).text("login", "tokens", "accessToken")
		fine(t, s.graphql(t, ada, askDoc, inputOf("email", "waits@example.com")))
		confirm, cancel := s.letter(t, "waits@example.com", db.MailConfirmChange).Token, s.letter(t, "ada@example.com", db.MailChangeAsked).Token
		fine(t, s.graphql(t, root, updateUserDoc, inputOf("id", id, "email", "new@example.com")))
		told := s.letter(t, "ada@example.com", db.MailEmailChanged)
		if told.Token != "" || told.Mail.Data.NewAddress != "new@example.com" || told.Mail.Data.IP != "" {
			t.Errorf("%+v", told.Mail)
		}
		refusedWith(t, s.graphql(t, "", verifyDoc, inputOf("token", confirm)), "INVALID_TOKEN")
		refusedWith(t, s.graphql(t, "", cancelDoc, inputOf("token", cancel)), "INVALID_TOKEN")
		if got := s.addresses(t, ada); got != "new@example.com true <nil>" {
			t.Error(got)
		}
		fine(t, s.graphql(t, root, updateUserDoc, inputOf("id", id, "email", "New@example.com", "name", "Ada")))
		if got := s.kindsTo(t, "new@example.com"); got != "" {
			t.Error(got)
		}
		r := s.rest(t, "PUT /user/"+id, `{"email":"later@example.com"}`, bearer(root)...)
		if r.Status != http.StatusOK || s.kindsTo(t, "new@example.com") != "email-changed" {
			t.Errorf("%d %s", r.Status, r.Body)
		}
	})
}
