package mail

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

const magicTo = `mutation M($input: RequestMagicLinkInput!) { requestMagicLink(input: $input) { userErrors { code ` +
	`field } } }`

const signInTo = `mutation S($input: LoginWithMagicLinkInput!) {
  loginWithMagicLink(input: $input) { returnTo user { email } userErrors { code } }
}`

// OT-08, OT-39: where a sign-in by mail goes on is compared with the list when it is asked for and when it is used. It
// is told by GraphQL and by the page, alike for an address that nobody has, and stands in no link.
func TestOT39_ReturnTo(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		const listed = "https://app.example.com/welcome"
		s := harness.Start(t, dsn, "DRAGOMAN_RETURN_URLS="+listed)
		s.Register(t, "ada@example.com")
		for _, bad := range []string{
			"https://evil.example/welcome", "https://app.example.com/welcome/../x", "https://app.example.com/",
			"https://app.example.com@evil.example/welcome", "javascript:alert(1)", "//app.example.com/welcome",
			"https://app.example.com:8443/welcome", "http://app.example.com/welcome", "http://localhost:5173/", "",
		} {
			for _, email := range []string{"ada@example.com", "nobody@example.com"} {
				a := s.GraphQL(t, "", magicTo, harness.InputOf("email", email, "returnTo", bad))
				if a.Code() != "INVALID_INPUT" || !strings.Contains(a.Raw, `"field":["input","returnTo"]`) {
					t.Errorf("%q for %s: %s", bad, email, a.Raw)
				}
			}
		}
		if got := s.Letters(t, "ada@example.com", db.MailMagicLink); len(got) > 0 {
			t.Errorf("%d mails were sent", len(got))
		}
		ask := func(returnTo any) harness.Letter {
			s.Clock.Add(time.Minute)
			for _, email := range []string{"nobody@example.com", "ada@example.com"} {
				harness.Fine(t, s.GraphQL(t, "", magicTo, harness.InputOf("email", email, "returnTo", returnTo)))
			}
			return s.Letter(t, "ada@example.com", db.MailMagicLink)
		}
		l := ask("HTTPS://App.example.com:443/welcome?state=1&next=%2Fcart")
		_, mail := visitPage(t, s, "GET", "/dev/mailbox/"+l.Mail.ID.String(), "", "Accept", "application/json")
		if strings.Contains(mail, "app.example.com") ||
			!strings.Contains(mail, s.URL+"/account/sign-in#token="+l.Token) {
			t.Errorf("the mail says %s", mail)
		}
		a := harness.Fine(t, s.GraphQL(t, "", signInTo, harness.InputOf("token", l.Token)))
		if got := a.Text("loginWithMagicLink", "returnTo"); got != listed+"?state=1&next=%2Fcart" {
			t.Errorf("returnTo is %q", got)
		}
		form := func(token string) string { return url.Values{"token": {token}}.Encode() }
		_, page := visitPage(t, s, "POST", "/account/sign-in", form(ask(listed).Token), "Accept", "application/json",
			"Sec-Fetch-Site", "same-origin")
		if !strings.Contains(page, `"returnTo":"`+listed+`"`) {
			t.Errorf("the page says %s", page)
		}
		_, page = visitPage(t, s, "POST", "/account/sign-in", form(ask(listed).Token), "Accept", "text/html",
			"Sec-Fetch-Site", "same-origin")
		if !strings.Contains(page, `<a href="`+listed+`">`) {
			t.Errorf("without scripts the page has no link: %s", page)
		}
		a = harness.Fine(t, s.GraphQL(t, "", signInTo, harness.InputOf("token", ask(nil).Token)))
		if a.At("loginWithMagicLink", "returnTo") != nil {
			t.Errorf("%s", a.Raw)
		}
		// A URL that was taken off the list meanwhile is forgotten; a code tells as the link does.
		l = ask(listed)
		other := harness.StartWithClock(t, s.Clock, dsn, "DRAGOMAN_RETURN_URLS=none")
		a = harness.Fine(t, other.GraphQL(t, "", signInTo, harness.InputOf("token", l.Token)))
		if a.At("loginWithMagicLink", "returnTo") != nil {
			t.Errorf("a URL of no list: %s", a.Raw)
		}
		l = ask(listed)
		a = harness.Fine(t, s.GraphQL(t, "", signInTo, harness.InputOf("token", l.Code, "email", "ada@example.com")))
		if a.Text("loginWithMagicLink", "returnTo") != listed {
			t.Errorf("by code: %s", a.Raw)
		}
	})
}

// OT-38: who has the token of a mail learns what became of it; who types a code learns nothing, right or wrong.
func TestOT38_TokenState(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		ada := s.Register(t, "ada@example.com")
		const query = `query Q($token: String!, $email: String) {
  state: tokenState(purpose: PASSWORD_RESET, token: $token, email: $email)
}`
		const reset = `mutation R($input: ResetPasswordInput!) {
  resetPassword(input: $input) { userErrors { code tokenState } }
}`
		state := func(want, token string, email any) {
			t.Helper()
			a := s.GraphQL(t, "", query, map[string]any{"token": token, "email": email})
			if got := a.Text("state"); got != want {
				t.Errorf("tokenState of %.8s… is %q, want %s: %s", token, got, want, a.Raw)
			}
			if want == "VALID" {
				return
			}
			input := map[string]any{"token": token, "newPassword": "a better horse battery"}
			if email != nil {
				input["email"] = email
			}
			a = s.GraphQL(t, "", reset, map[string]any{"input": input})
			told := `"tokenState":"` + want + `"`
			if len(token) == 6 {
				told = `"tokenState":null`
			}
			if a.Code() != "INVALID_TOKEN" || !strings.Contains(a.Raw, told) {
				t.Errorf("resetPassword by %.8s…: %s, want %s", token, a.Raw, told)
			}
		}
		older := s.Mailed(t, harness.AskResetDoc, ada.Email, db.MailResetPassword)
		l := s.Mailed(t, harness.AskResetDoc, ada.Email, db.MailResetPassword)
		state("VALID", l.Token, nil)
		state("VALID", l.Code, ada.Email)
		state("SPENT", older.Token, nil)
		state("UNKNOWN", older.Code, ada.Email)
		state("UNKNOWN", l.Token+"x", nil)
		state("UNKNOWN", "", nil)
		state("UNKNOWN", l.Token, "eve@example.com") // OT-06
		state("UNKNOWN", s.Letter(t, ada.Email, db.MailVerifyEmail).Token, nil)
		s.Clock.Add(16 * time.Minute)
		state("EXPIRED", l.Token, nil)
		state("UNKNOWN", l.Code, ada.Email)
		l = s.Mailed(t, harness.AskResetDoc, ada.Email, db.MailResetPassword)
		harness.Fine(t, s.GraphQL(t, "", reset, harness.InputOf("token", l.Token, "newPassword",
			"a new horse battery")))
		state("SPENT", l.Token, nil)
		state("UNKNOWN", l.Code, ada.Email)
		l = s.Mailed(t, harness.AskResetDoc, ada.Email, db.MailResetPassword)
		conn := harness.OpenSide(t, dsn)
		conn.MustExec(t, "UPDATE users SET status = 'SUSPENDED'")
		state("ACCOUNT_UNAVAILABLE", l.Token, nil)
		state("UNKNOWN", l.Code, ada.Email)
		conn.MustExec(t, "DELETE FROM users")
		state("ACCOUNT_UNAVAILABLE", l.Token, nil)
	})
}

// OT-39: every mail with a link leads on where the call that it belongs to says, and nowhere else; the list decides
// when it is asked for and when the token is redeemed. Notices, and what takes a change back, lead nowhere.
func TestOT39_EveryMailLeadsHome(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		const home = "https://app.example.com/home"
		s := harness.Start(t, dsn, "DRAGOMAN_RETURN_URLS="+home)
		admin := s.Admin(t, dsn, "carol@example.com")
		ada := s.Register(t, "ada@example.com")
		bob := s.Register(t, "bob@example.com")
		dora := s.Register(t, "dora@example.com")
		harness.Fine(t, s.GraphQL(t, "", harness.VerifyDoc,
			harness.InputOf("token", s.Letter(t, dora.Email, db.MailVerifyEmail).Token)))
		const verify = `mutation V($input: VerifyEmailInput!) { done: verifyEmail(input: $input) { returnTo ` +
			`userErrors { code } } }`
		const reset = `mutation R($input: ResetPasswordInput!) { done: resetPassword(input: $input) { returnTo ` +
			`userErrors { code } } }`
		for _, c := range []struct {
			name, as, document, to string
			kind                   db.MailKind
			input                  []any
		}{
			{
				"changeEmail of a confirmed address", dora.Access,
				`mutation M($input: ChangeEmailInput!) { changeEmail(input: $input) { userErrors { code field } } }`,
				"dora2@example.com", db.MailConfirmChange,
				[]any{"email", "dora2@example.com"},
			},
			{
				"register", "", `mutation M($input: RegisterInput!) { register(input: $input) { userErrors { code ` +
					`field } } }`,
				"new@example.com", db.MailVerifyEmail,
				[]any{"email", "new@example.com", "password", harness.GoodPass},
			},
			{
				"register without a password", "",
				`mutation M($input: RegisterInput!) { register(input: $input) { userErrors { code field } } }`,
				"bare@example.com", db.MailSetPassword,
				[]any{
					"email", "bare@example.com", "sendPasswordSetupEmail", true,
					"sendVerificationEmail", false, "signIn", false,
				},
			},
			{
				"createUser", admin.Access, `mutation M($input: CreateUserInput!) { createUser(input: $input) { ` +
					`userErrors { code field } } }`,
				"made@example.com", db.MailSetPassword,
				[]any{"email", "made@example.com"},
			},
			{
				"requestPasswordReset", "",
				`mutation M($input: RequestPasswordResetInput!) { requestPasswordReset(input: $input) { userErrors { ` +
					`code field } } }`,
				"bob@example.com", db.MailResetPassword,
				[]any{"email", "bob@example.com"},
			},
			{
				"sendVerificationEmail to an address", "",
				`mutation M($input: SendVerificationEmailInput) { sendVerificationEmail(input: $input) { userErrors ` +
					`{ code field } } }`,
				"new@example.com", db.MailVerifyEmail,
				[]any{"email", "new@example.com"},
			},
			{
				"sendVerificationEmail", ada.Access,
				`mutation M($input: SendVerificationEmailInput) { sendVerificationEmail(input: $input) { userErrors ` +
					`{ code field } } }`,
				ada.Email, db.MailVerifyEmail, nil,
			},
			{
				"changeEmail", ada.Access, `mutation M($input: ChangeEmailInput!) { changeEmail(input: $input) { ` +
					`userErrors { code field } } }`,
				"ada2@example.com", db.MailConfirmChange,
				[]any{"email", "ada2@example.com"},
			},
			{
				"updateMe", ada.Access, `mutation M($input: UpdateMeInput!) { updateMe(input: $input) { userErrors { ` +
					`code field } } }`,
				"ada3@example.com", db.MailConfirmChange,
				[]any{"email", "ada3@example.com"},
			},
			{
				"updateUser", admin.Access, `mutation M($input: UpdateUserInput!) { updateUser(input: $input) { ` +
					`userErrors { code field } } }`,
				"bob2@example.com", db.MailSetPassword,
				[]any{"id", bob.ID, "email", "bob2@example.com"},
			},
			{
				"updateUser of oneself", admin.Access,
				`mutation M($input: UpdateUserInput!) { updateUser(input: $input) { userErrors { code field } } }`,
				"carol2@example.com", db.MailConfirmChange,
				[]any{"id", admin.ID, "email", "carol2@example.com"},
			},
			{
				"sendVerificationEmail of what waits", dora.Access,
				`mutation M($input: SendVerificationEmailInput) { sendVerificationEmail(input: $input) { userErrors ` +
					`{ code field } } }`,
				"dora2@example.com", db.MailConfirmChange,
				[]any{"pending", true},
			},
		} {
			for _, bad := range []string{
				"https://evil.example/home", home + "/x", "javascript:alert(1)",
				"//app.example.com/home",
			} {
				a := s.GraphQL(t, c.as, c.document, harness.InputOf(append([]any{"returnTo", bad}, c.input...)...))
				if a.Code() != "INVALID_INPUT" || !strings.Contains(a.Raw, `"field":["input","returnTo"]`) {
					t.Errorf("%s to %s: %s", c.name, bad, a.Raw)
				}
			}
			s.Clock.Add(50 * time.Second)
			harness.Fine(t, s.GraphQL(t, c.as, c.document,
				harness.InputOf(append([]any{"returnTo", home + "?state=7"}, c.input...)...)))
			l := s.Letter(t, c.to, c.kind)
			_, mail := visitPage(t, s, "GET", "/dev/mailbox/"+l.Mail.ID.String(), "", "Accept", "application/json")
			if strings.Contains(mail, "app.example.com") {
				t.Errorf("the mail of %s says where it leads: %s", c.name, mail)
			}
			document, input := verify, []any{"token", l.Token}
			if c.kind != db.MailVerifyEmail && c.kind != db.MailConfirmChange {
				document, input = reset, append(input, "newPassword", "a better horse battery")
			}
			if slices.Contains([]string{
				"register", "sendVerificationEmail", "changeEmail",
				"changeEmail of a confirmed address",
			}, c.name) {
				continue // the mail of what comes next replaces it
			}
			as := ""
			if c.name == "updateUser of oneself" {
				as = c.as // an administrator confirms in a session (AZ-11)
			}
			a := harness.Fine(t, s.GraphQL(t, as, document, harness.InputOf(input...)))
			if got := a.Text("done", "returnTo"); got != home+"?state=7" {
				t.Errorf("%s leads to %q", c.name, got)
			}
		}
	})
}

// OT-39: the pages of the server end with a way on: back to where the call said, and always to the list of pages.
func TestOT39_PagesLeadOn(t *testing.T) {
	t.Parallel()
	const home = "https://app.example.com/home"
	s := harness.Start(t, dbtest.SQLite(t), "DRAGOMAN_RETURN_URLS="+home)
	s.Register(t, "ada@example.com")
	ask := func(document string, kind db.MailKind, returnTo any) string {
		s.Clock.Add(61 * time.Second)
		harness.Fine(t, s.GraphQL(t, "", document, harness.InputOf("email", "ada@example.com", "returnTo", returnTo)))
		return s.Letter(t, "ada@example.com", kind).Token
	}
	const askReset = `mutation M($input: RequestPasswordResetInput!) { requestPasswordReset(input: $input) { ` +
		`userErrors { code } } }`
	const askVerify = `mutation M($input: SendVerificationEmailInput) { sendVerificationEmail(input: $input) { ` +
		`userErrors { code } } }`
	for _, c := range []struct {
		page, document string
		kind           db.MailKind
	}{
		{"/account/verify-email", askVerify, db.MailVerifyEmail},
		{"/account/reset-password", askReset, db.MailResetPassword},
	} {
		for _, to := range []any{home, nil} {
			if c.kind == db.MailVerifyEmail && to == nil {
				continue // it is confirmed by now
			}
			form := url.Values{
				"token": {ask(c.document, c.kind, to)}, "password": {"a better horse battery"},
				"repeat": {"a better horse battery"},
			}
			if c.kind == db.MailVerifyEmail {
				form.Del("password")
				form.Del("repeat")
			}
			_, page := visitPage(t, s, "POST", c.page, form.Encode(), "Accept", "text/html", "Sec-Fetch-Site",
				"same-origin")
			if strings.Contains(page, `<a href="`+home+`">Back to app.example.com</a>`) != (to != nil) ||
				!strings.Contains(page, `<a href="/account">`) || !strings.Contains(page, `class="tick"`) {
				t.Errorf("%s to %v: %s", c.page, to, page)
			}
		}
	}
	for _, page := range []string{
		"verify-email", "confirm-email", "reset-password", "sign-in", "choose-password",
		"cancel-email-change",
	} {
		if _, text := visitPage(t, s, "GET", "/account/"+page, ""); !strings.Contains(text, `<a href="/account">`) {
			t.Errorf("%s ends nowhere: %s", page, text)
		}
	}
}

// TestOT39_BackInEveryState wants the way back on a page before its button is pressed, after it, where it was refused,
// and where the link is used or too old; and never to a URL that is not on the list.
func TestOT39_BackInEveryState(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		const home, back = "https://app.example.com/home", `href="https://app.example.com/home">Back to app.example.com<`
		s := harness.Start(t, dsn, "DRAGOMAN_RETURN_URLS="+home)
		s.Register(t, "ada@example.com")
		const ask = `mutation M($input: RequestPasswordResetInput!) { requestPasswordReset(input: $input) { ` +
			`userErrors { code } } }`
		mailed := func(to any) harness.Letter {
			s.Clock.Add(61 * time.Second)
			harness.Fine(t, s.GraphQL(t, "", ask, harness.InputOf("email", "ada@example.com", "returnTo", to)))
			return s.Letter(t, "ada@example.com", db.MailResetPassword)
		}
		send := func(on *harness.Instance, accept string, fields ...string) string {
			form := url.Values{}
			for n := 0; n < len(fields); n += 2 {
				form.Set(fields[n], fields[n+1])
			}
			_, page := visitPage(t, on, "POST", "/account/reset-password", form.Encode(), "Accept", accept,
				"Sec-Fetch-Site", "same-origin")
			return page
		}
		leads := func(what, page string, want bool) {
			t.Helper()
			if strings.Contains(page, back) != want || strings.Contains(page, "evil") {
				t.Errorf("%s: leads back is to be %v: %s", what, want, page)
			}
		}
		looks := func(what, token, want string) {
			t.Helper()
			page := send(s, "application/json", "token", token, "look", "1")
			told := s.GraphQL(t, "", `query Q($token: String!) { mailReturnTo(token: $token) }`,
				map[string]any{"token": token})
			if strings.Contains(page, `"returnTo":"`+home+`"`) != (want != "") || told.Text("mailReturnTo") != want {
				t.Errorf("%s leads to %q by the page %s, want %q", what, told.Text("mailReturnTo"), page, want)
			}
		}
		const pass = "a better horse battery"
		older, l := mailed(home), mailed(home)
		looks("a good link", l.Token, home)
		looks("a link that a newer mail replaced", older.Token, home)
		looks("a code", l.Code, "")
		looks("no link", "nothing", "")
		leads("two passwords", send(s, "text/html", "token", l.Token, "password", pass, "repeat", "other"), true)
		leads("a short password", send(s, "text/html", "token", l.Token, "password", "x", "repeat", "x"), true)
		leads("done", send(s, "text/html", "token", l.Token, "password", pass, "repeat", pass), true)
		looks("a used link", l.Token, home)
		leads("used", send(s, "text/html", "token", l.Token, "password", pass, "repeat", pass), true)
		leads("a wrong code", send(s, "text/html", "email", "ada@example.com", "code", "000000", "password", pass,
			"repeat", pass), false)
		nowhere := mailed(nil)
		leads("nowhere", send(s, "text/html", "token", nowhere.Token, "password", "x", "repeat", "x"), false)
		l = mailed(home)
		s.Clock.Add(16 * time.Minute)
		looks("a link that is too old", l.Token, home)
		leads("too old", send(s, "text/html", "token", l.Token, "password", pass, "repeat", pass), true)
		other := harness.StartWithClock(t, s.Clock, dsn, "DRAGOMAN_RETURN_URLS=none")
		leads("taken off the list", send(other, "text/html", "token", l.Token, "password", pass, "repeat", pass), false)
		// The address of a page may name the way back too, where no link does.
		for _, bad := range []string{"https://evil.example/home", "javascript:evil", "//evil.example", "/evil"} {
			leads(bad, send(s, "text/html", "token", "x", "returnTo", bad), false)
		}
		leads("named", send(s, "text/html", "email", "ada@example.com", "code", "000000", "password", pass,
			"repeat", pass, "returnTo", home), true)
	})
}

// TestOT39_BackOfAddress wants that every page takes the way back from its address, of the list alone, and that the
// page which follows a sign-in keeps it.
func TestOT39_BackOfAddress(t *testing.T) {
	t.Parallel()
	const home = "https://app.example.com/home"
	s := harness.Start(t, dbtest.SQLite(t), "DRAGOMAN_RETURN_URLS="+home)
	for _, page := range []string{
		"verify-email", "confirm-email", "reset-password", "sign-in", "choose-password", "cancel-email-change",
	} {
		at := "/account/" + page + "?returnTo="
		_, text := visitPage(t, s, "GET", at+url.QueryEscape(home+"?a=1&b=2"), "")
		if !strings.Contains(text, `href="`+home+`?a=1&amp;b=2">Back to app.example.com</a>`) ||
			!strings.Contains(text, `name="returnTo" value="`+home+`?a=1&amp;b=2"`) {
			t.Errorf("%s does not lead back: %s", page, text)
		}
		for _, bad := range []string{"https://evil.example/", "javascript:alert(1)", "//evil.example", home + "/../evil"} {
			if _, text := visitPage(t, s, "GET", at+url.QueryEscape(bad), ""); strings.Contains(text, "evil") ||
				strings.Contains(text, "Back to") || strings.Contains(text, "javascript") {
				t.Errorf("%s leads to %s: %s", page, bad, text)
			}
		}
	}
	s.Register(t, "ada@example.com") // nobody confirmed the address: the sign-in takes the account over
	s.Clock.Add(time.Minute)
	harness.Fine(t, s.GraphQL(t, "", harness.AskMagicDoc,
		harness.InputOf("email", "ada@example.com", "returnTo", home)))
	form := url.Values{"token": {s.Letter(t, "ada@example.com", db.MailMagicLink).Token}}
	_, text := visitPage(t, s, "POST", "/account/sign-in", form.Encode(), "Accept", "text/html", "Sec-Fetch-Site",
		"same-origin")
	if !strings.Contains(text, `<a href="/account/choose-password?returnTo=`+strings.ToLower(url.QueryEscape(home))+`">`) {
		t.Errorf("the page that follows does not lead back: %s", text)
	}
}
