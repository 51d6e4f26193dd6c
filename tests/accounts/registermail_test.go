package accounts

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

const (
	registerAllDoc = `mutation R($input: RegisterInput!) { register(input: $input) {
  user { id email emailVerified locale } session { id } tokens { accessToken } confirmationRequired userErrors { ` +
		`code message field } } }`
	localeDoc = `mutation U($input: UpdateMeInput!) { updateMe(input: $input) { user { locale } userErrors { code ` +
		`field } } }`
)

// kindsTo are the mails to an address, the oldest first.
func kindsTo(t testing.TB, i *harness.Instance, address string) string {
	t.Helper()
	var kinds []string
	for _, l := range i.Letters(t, address, "") {
		kinds = append([]string{string(l.Mail.Kind)}, kinds...)
	}
	return strings.Join(kinds, " ")
}

func TestRegister_Mails(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		for n, row := range []struct {
			input []any
			want  string
		}{
			{[]any{"password", harness.GoodPass}, "verify-email"},
			{[]any{"password", harness.GoodPass, "sendVerificationEmail", false}, ""},
			{
				[]any{"password", harness.GoodPass, "sendPasswordSetupEmail", true, "sendWelcomeEmail", true},
				"verify-email welcome",
			},
			{[]any{"sendPasswordSetupEmail", true, "sendVerificationEmail", false}, "set-password"},
			{[]any{"passwordless", true}, "verify-email"},
		} {
			email := fmt.Sprintf("u%d@example.com", n)
			a := harness.Fine(t, s.GraphQL(t, "", registerAllDoc,
				harness.InputOf(append(row.input, "email", email)...)))
			if a.At("register", "confirmationRequired") != false || a.Text("register", "tokens", "accessToken") == "" {
				t.Error(a.Raw)
			}
			if got := kindsTo(t, s, email); got != row.want {
				t.Errorf("%v: %s, want %s", row.input, got, row.want)
			}
		}
		// What is refused leaves no mail but that to the owner of the address.
		harness.RefusedWith(t, s.GraphQL(t, "", harness.RegisterDoc,
			harness.InputOf("email", "weak@example.com", "password", "short")), "PASSWORD_TOO_WEAK")
		harness.RefusedWith(t, s.GraphQL(t, "", harness.RegisterDoc,
			harness.InputOf("email", "U1@example.com", "password", harness.GoodPass)), "ALREADY_EXISTS")
		if kindsTo(t, s, "u1@example.com") != "address-taken" || kindsTo(t, s, "weak@example.com") != "" {
			t.Errorf("%q %q", kindsTo(t, s, "u1@example.com"), kindsTo(t, s, "weak@example.com"))
		}
	})
}

// PW-17: the password that is made where none was given is in no answer, no mail and no log, and lets nobody in.
func TestPW17_NoPassword(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		a := harness.Fine(t, s.GraphQL(t, "", registerAllDoc,
			harness.InputOf("email", "ada@example.com", "sendPasswordSetupEmail", true, "signIn", false)))
		l := s.Letter(t, "ada@example.com", db.MailSetPassword)
		hash := harness.OpenSide(t, dsn).Texts(t, `SELECT password_hash FROM users`)[0]
		if !strings.HasPrefix(hash, "$argon2id$") || strings.Contains(strings.ToLower(a.Raw), "password") ||
			strings.Contains(s.Logged.String(), l.Token) || strings.Contains(s.Logged.String(), hash) ||
			strings.Contains(harness.Dump(t, dsn), l.Token) {
			t.Errorf("%s %s", hash, a.Raw)
		}
		if data := fmt.Sprintf("%+v %+v", l.Mail, *l.ResolvedMail.Token); strings.Contains(data, hash) {
			t.Error(data)
		}
		for _, guess := range []string{hash, "ada@example.com", l.Code, l.Token} {
			harness.RefusedWith(t, s.Login(t, "ada@example.com", guess), "INVALID_CREDENTIALS")
		}
		if l.Mail.TTLSeconds != 24*3600 {
			t.Errorf("%d seconds", l.Mail.TTLSeconds)
		}
		harness.Fine(t, s.GraphQL(t, "", harness.ResetDoc,
			harness.InputOf("token", l.Token, "newPassword", harness.NewPass)))
		harness.Fine(t, s.Login(t, "ada@example.com", harness.NewPass))
		other := harness.Fine(t, s.GraphQL(t, "", registerAllDoc,
			harness.InputOf("email", "bob@example.com", "passwordless", true, "signIn", false)))
		if harness.OpenSide(t, dsn).Count(t, `SELECT count(DISTINCT password_hash) FROM users`) != 2 ||
			other.At("register", "user") == nil {
			t.Error(other.Raw)
		}
	})
}

// A locale is a language tag of at most 35 characters, kept in its canonical spelling (RFC 5646).
func TestLocale(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		a := harness.Fine(t, s.GraphQL(t, "", registerAllDoc,
			harness.InputOf("email", "ada@example.com", "password", harness.GoodPass, "locale", "de-at")))
		if a.Text("register", "user", "locale") != "de-AT" {
			t.Error(a.Raw)
		}
		access := a.Text("register", "tokens", "accessToken")
		for _, tag := range []string{"pt-br", "zh-Hant-TW", "en", "sr-Latn"} {
			u := harness.Fine(t, s.GraphQL(t, access, localeDoc, harness.InputOf("locale", tag)))
			if !strings.EqualFold(u.Text("updateMe", "user", "locale"), tag) {
				t.Error(u.Raw)
			}
		}
		for _, bad := range []string{
			"", "und", "english please", "x", strings.Repeat("de-AT-", 8) + "x", "<b>",
			"de\r\nBcc: a@b.example",
		} {
			harness.RefusedWith(t, s.GraphQL(t, access, localeDoc, harness.InputOf("locale", bad)), "INVALID_INPUT")
			harness.RefusedWith(t, s.GraphQL(t, "", harness.RegisterDoc,
				harness.InputOf("email", "b@example.com", "password", harness.GoodPass, "locale", bad)),
				"INVALID_INPUT")
		}
		if u := harness.Fine(t, s.GraphQL(t, access, localeDoc, harness.InputOf("locale", nil))); u.At("updateMe",
			"user", "locale") != nil {
			t.Error(u.Raw)
		}
	})
}

const required = "DRAGOMAN_REQUIRE_VERIFIED_EMAIL=on"

// LG-04, with confirmation first: the answer is the same, byte by byte, for a new address and for one that is taken.
func TestLG04_RequireVerified(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn, required)
		if a := s.GraphQL(t, "", `{ serverInfo { verifiedEmailRequired } }`, nil); a.At("serverInfo",
			"verifiedEmailRequired") != true {
			t.Error(a.Raw)
		}
		ask := func(email, username string) *harness.Answer {
			return s.GraphQL(t, "", registerAllDoc, harness.InputOf("email", email, "username", username, "password",
				harness.GoodPass))
		}
		s.Waited(t, "ada@example.com", "username", "ada")
		s.Clock.Add(time.Minute)
		first := harness.Fine(t, ask("new@example.com", "next"))
		if strings.TrimSpace(first.Raw) !=
			`{"data":{"register":{"user":null,"session":null,"tokens":null,"confirmationRequired":true,`+
				`"userErrors":[]}}}` {
			t.Error(first.Raw)
		}
		if again := ask("ADA@example.com", "next"); again.Raw != first.Raw || again.Status != first.Status {
			t.Errorf("%s, not %s", again.Raw, first.Raw)
		}
		// A username is public, and what is wrong with the rest is said before.
		harness.RefusedWith(t, ask("other@example.com", "Ada"), "ALREADY_EXISTS")
		harness.RefusedWith(t, ask("ada@example.com", "ada"), "ALREADY_EXISTS")
		if got := kindsTo(t, s, "ada@example.com"); !strings.HasSuffix(got, "address-taken") {
			t.Error(got)
		}
		conn := harness.OpenSide(t, dsn)
		if n := conn.Count(t, `SELECT count(*) FROM users`); n != 1 {
			t.Errorf("%d accounts", n)
		}
		// The mail goes out although it was not asked for.
		harness.Fine(t, s.GraphQL(t, "", registerAllDoc,
			harness.InputOf("email", "bob@example.com", "password", harness.GoodPass, "sendVerificationEmail", false)))
		s.Letter(t, "bob@example.com", db.MailVerifyEmail)

		for _, call := range []struct{ route, first, again string }{
			{"POST /v1/auth/register", harness.CompanionBody("name", "x", "email", "a1@example.com", "password",
				harness.GoodPass), harness.CompanionBody("name", "x", "email", "a1@example.com", "password",
				harness.GoodPass)},
			{
				"POST /register", `{"email":"c1@example.com","password":"` + harness.GoodPass + `"}`,
				`{"email":"c1@example.com","password":"` + harness.GoodPass + `"}`,
			},
			{"POST /api/auth/register", `{"username":"wolfone","email":"b1@example.com","password":"` +
				harness.GoodPass + `"}`, `{"username":"wolftwo","email":"b1@example.com","password":"` +
				harness.GoodPass + `"}`},
			{
				"POST /sign_up", `{"email":"e1@example.com","password":"` + harness.GoodPass + `"}`,
				`{"email":"e1@example.com","password":"` + harness.GoodPass + `"}`,
			},
		} {
			one, two := s.REST(t, call.route, call.first), s.REST(t, call.route, call.again)
			if one.Status >= 300 || one.Status != two.Status || one.Body != two.Body ||
				one.Header.Get("Set-Cookie") != "" {
				t.Errorf("%s: %d %s, and then %d %s", call.route, one.Status, one.Body, two.Status, two.Body)
			}
		}
	})
}

// LG-01: who does not show the right password of an account that can sign in learns nothing about it.
func TestLG01_RequireVerified(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		clock := harness.NewClock()
		s := harness.Limited(t, clock, dsn, required)
		harness.StartWithClock(t, clock, dsn).Register(t, "ada@example.com") // before the setting was switched on
		for _, email := range []string{
			"bob@example.com", "eve@example.com", "disabled@example.com", "suspended@example.com",
		} {
			harness.Fine(t, s.Registers(t, "email", email, "password", harness.GoodPass))
			harness.Fine(t, s.Proves(t, email, "password", harness.GoodPass))
		}
		harness.Fine(t, s.Registers(t, "email", "waits@example.com", "password", harness.GoodPass))
		conn := harness.OpenSide(t, dsn)
		conn.MustExec(t, `UPDATE users SET status = 'SUSPENDED' WHERE email = 'suspended@example.com'`)
		conn.MustExec(t, `UPDATE users SET password_disabled_at = created_at WHERE email = 'disabled@example.com'`)
		conn.MustExec(t, `UPDATE users SET password_hash = NULL WHERE email = 'eve@example.com'`)
		answers := map[string]string{}
		for state, try := range map[string][2]string{
			"unknown": {"nobody@example.com", harness.GoodPass}, "wrong": {"bob@example.com", harness.WrongPass},
			"suspended":          {"suspended@example.com", harness.GoodPass},
			"disabled":           {"disabled@example.com", harness.GoodPass},
			"without a password": {"eve@example.com", harness.GoodPass},
			"unverified":         {"ada@example.com", harness.WrongPass},
			"registered":         {"waits@example.com", harness.GoodPass},
		} {
			a := s.Login(t, try[0], try[1])
			answers[fmt.Sprint(a.Status, a.Raw)] = state
			s.Clock.Add(time.Minute)
		}
		if len(answers) != 1 {
			t.Errorf("%q", answers)
		}
		harness.RefusedWith(t, s.Login(t, "ada@example.com", harness.GoodPass), "EMAIL_NOT_VERIFIED")
		for route, want := range map[string]struct {
			body string
			code int
			says string
		}{
			"POST /v1/auth/login": {
				harness.CompanionBody("email", "ada@example.com", "password", harness.GoodPass),
				403, "Email not verified",
			},
			"POST /login": {
				`{"email":"ada@example.com","password":"` + harness.GoodPass + `"}`, 403,
				"Email not verified",
			},
			"POST /api/auth/login": {
				`{"email":"ada@example.com","password":"` + harness.GoodPass + `"}`, 400,
				"PENDING_CONFIRMATION",
			},
			"POST /sign_in": {
				`{"email":"ada@example.com","password":"` + harness.GoodPass + `"}`, 403,
				"Verify your email first",
			},
			"POST /api/v1/auth/login": {
				`{"username":"ada@example.com","password":"` + harness.GoodPass + `"}`, 403,
				"Email not verified",
			},
		} {
			if r := s.REST(t, route, want.body); r.Status != want.code || !strings.Contains(r.Body, want.says) {
				t.Errorf("%s: %d %s", route, r.Status, r.Body)
			}
		}
		if n := conn.Count(t, `SELECT count(*) FROM audit_events WHERE reason = 'email_not_verified'`); n != 6 {
			t.Errorf("%d events", n)
		}
		if n := conn.Count(t, `SELECT count(*) FROM throttles WHERE scope <> '*' AND account_key = (SELECT id FROM `+
			`users WHERE email = 'ada@example.com')`); n != 1 {
			t.Errorf("%d buckets: the right password counted as a failure", n)
		}
		harness.Fine(t, s.GraphQL(t, "", harness.VerifyDoc,
			harness.InputOf("token", s.Letter(t, "ada@example.com", db.MailVerifyEmail).Token)))
		harness.Fine(t, s.Login(t, "ada@example.com", harness.GoodPass))
	})
}

// Sessions that were there before the setting go on; the next sign-in with the password waits for the confirmation. A
// link that came by mail confirms, and passes.
func TestRequireVerified_SwitchedOn(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		c := harness.NewClock()
		const url = "DRAGOMAN_PUBLIC_URL=http://localhost:8080" // the issuer of both
		before := harness.StartWithClock(t, c, dsn, url)
		ada := before.Register(t, "ada@example.com")
		s := harness.StartWithClock(t, c, dsn, url, required)
		if !s.Is(t, ada.Access, ada) || s.Refresh(t, ada.Refresh).Code() != "" {
			t.Error("the session ended")
		}
		harness.Fine(t, s.GraphQL(t, ada.Access, harness.SudoDoc, harness.InputOf("password", harness.GoodPass)))
		harness.RefusedWith(t, s.Login(t, ada.Email, harness.GoodPass), "EMAIL_NOT_VERIFIED")
		harness.Fine(t, s.GraphQL(t, "", harness.MagicDoc,
			harness.InputOf("token", s.Mailed(t, harness.AskMagicDoc, ada.Email, db.MailMagicLink).Token)))
		l := s.Mailed(t, harness.AskResetDoc, ada.Email, db.MailResetPassword)
		harness.Fine(t, s.GraphQL(t, "", harness.ResetDoc,
			harness.InputOf("token", l.Token, "newPassword", harness.NewPass)))
		harness.Fine(t, s.Login(t, ada.Email, harness.NewPass))
	})
}

// An account that an administrator makes without a password is mailed a link to choose one; a new address is told to
// the former.
func TestAdmin_Mails(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn, required)
		s.Waited(t, "root@example.com")
		s.SetRole(t, dsn, harness.Account{Email: "root@example.com"}, "admin")
		root := harness.Fine(t, s.Login(t, "root@example.com", harness.GoodPass)).Text("login", "tokens", "accessToken")
		id := harness.Fine(t, s.GraphQL(t, root, harness.CreateUserDoc,
			harness.InputOf("email", "ada@example.com"))).Text("createUser", "user", "id")
		harness.Fine(t, s.GraphQL(t, root, harness.CreateUserDoc,
			harness.InputOf("email", "bob@example.com", "password", harness.GoodPass)))
		if got := kindsTo(t, s, "bob@example.com"); got != "" {
			t.Error(got)
		}
		l := s.Letter(t, "ada@example.com", db.MailSetPassword)
		harness.Fine(t, s.GraphQL(t, "", harness.ResetDoc,
			harness.InputOf("token", l.Token, "newPassword", harness.NewPass)))
		ada := harness.Fine(t, s.Login(t, "ada@example.com", harness.NewPass)).Text("login", "tokens", "accessToken")
		harness.Fine(t, s.GraphQL(t, ada, askDoc, harness.InputOf("email", "waits@example.com")))
		confirm, cancel := s.Letter(t, "waits@example.com", db.MailConfirmChange).Token,
			s.Letter(t, "ada@example.com", db.MailChangeAsked).Token
		harness.Fine(t, s.GraphQL(t, root, harness.UpdateUserDoc,
			harness.InputOf("id", id, "email", "new@example.com")))
		told := s.Letter(t, "ada@example.com", db.MailEmailChanged)
		if told.Token != "" || told.Mail.Data.NewAddress != "new@example.com" || told.Mail.Data.IP != "" {
			t.Errorf("%+v", told.Mail)
		}
		harness.RefusedWith(t, s.GraphQL(t, "", harness.VerifyDoc, harness.InputOf("token", confirm)), "INVALID_TOKEN")
		harness.RefusedWith(t, s.GraphQL(t, "", cancelDoc, harness.InputOf("token", cancel)), "INVALID_TOKEN")
		if s.GraphQL(t, ada, harness.MeDoc, nil).At("me") != nil {
			t.Error("a session of the former address goes on")
		}
		setup := s.Letter(t, "new@example.com", db.MailSetPassword)
		harness.Fine(t, s.GraphQL(t, root, harness.UpdateUserDoc,
			harness.InputOf("id", id, "email", "New@example.com", "name", "Ada")))
		if got := kindsTo(t, s, "new@example.com"); got != "set-password" {
			t.Error(got)
		}
		harness.Fine(t, s.GraphQL(t, "", harness.ResetDoc,
			harness.InputOf("token", setup.Token, "newPassword", harness.GoodPass)))
		ada = harness.Fine(t, s.Login(t, "new@example.com", harness.GoodPass)).Text("login", "tokens", "accessToken")
		if got := addresses(t, s, ada); got != "New@example.com true <nil>" {
			t.Error(got)
		}
		r := s.REST(t, "PUT /user/"+id, `{"email":"later@example.com"}`, harness.Bearer(root)...)
		if r.Status != http.StatusOK || !strings.HasSuffix(kindsTo(t, s, "new@example.com"),
			"email-changed") {
			t.Errorf("%d %s", r.Status, r.Body)
		}
	})
}
