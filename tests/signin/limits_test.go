package signin

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

// called is a call of a mutation that counts against its limit, number n of many: one that is no refused input.
type called struct {
	document string
	needs    bool // whether it takes a live credential
	input    func(n int, c *caller) map[string]any
}

// caller is who calls: an administrator, with what a mail said and a refresh token of a session that is over.
type caller struct {
	harness.Account
	mailed, ended string
}

const nowhere = "00000000000000000000000000"

// callsOf has a call of every mutation.
func callsOf() map[string]called {
	input := func(fields ...any) func(int, *caller) map[string]any {
		return func(n int, c *caller) map[string]any {
			all := make([]any, len(fields))
			for i, f := range fields {
				all[i] = f
				if text, ok := f.(string); ok {
					text = strings.ReplaceAll(text, "{n}", fmt.Sprint(n))
					text = strings.ReplaceAll(text, "{mailed}", c.mailed)
					text = strings.ReplaceAll(text, "{challenge}", harness.ChallengeOfNobody())
					all[i] = strings.ReplaceAll(text, "{ended}", c.ended)
				}
			}
			return harness.InputOf(all...)
		}
	}
	id := func(kind string) func(int, *caller) map[string]any { return input("id", kind+"_"+nowhere) }
	plain := func(name, fields string) string {
		typed := strings.ToUpper(name[:1]) + name[1:] + "Input"
		return fmt.Sprintf("mutation M($input: %s!) { %s(input: $input) { %s userErrors { code message } } }", typed,
			name, fields)
	}
	return map[string]called{
		"register": {harness.RegisterDoc, false, input("email", "new{n}@example.com", "password", harness.GoodPass)},
		"login":    {harness.LoginDoc, false, input("email", "nobody{n}@example.com", "password", harness.WrongPass)},
		"refresh": {harness.RefreshDoc, false, func(_ int, c *caller) map[string]any {
			return map[string]any{"token": c.ended}
		}},
		"logout":                {harness.LogoutDoc, false, input("refreshToken", "{ended}")},
		"sendVerificationEmail": {harness.SendVerifyDoc, false, input("email", "nobody{n}@example.com")},
		"requestPasswordReset":  {harness.AskResetDoc, false, input("email", "nobody{n}@example.com")},
		"requestMagicLink":      {harness.AskMagicDoc, false, input("email", "nobody{n}@example.com")},
		"verifyEmail":           {harness.VerifyDoc, false, input("token", "123456", "email", "nobody@example.com")},
		"resetPassword": {harness.ResetDoc, false, input("token", "123456", "email", "nobody@example.com",
			"newPassword",
			harness.GoodPass)},
		"loginWithMagicLink": {harness.MagicDoc, false, input("token", "123456", "email", "nobody@example.com")},
		"requestLoginCode":   {harness.AskCodeDoc, false, input("email", "nobody{n}@example.com")},
		"loginWithCode":      {harness.LoginCodeDoc, false, input("code", "123456", "email", "nobody@example.com")},
		"sendPhoneCode":      {harness.SendPhoneCodeDoc, true, input("phone", "+491555010{n}")},
		"verifyPhone":        {plain("verifyPhone", ""), true, input("code", "123456", "phone", "+4915550100101")},
		"removePhone":        {`mutation { removePhone { userErrors { code message } } }`, true, nil},
		"cancelEmailChange":  {plain("cancelEmailChange", ""), false, input("token", "{mailed}")},

		"updateMe":            {harness.UpdateMeDoc, true, input("name", "Ada {n}")},
		"changePassword":      {harness.ChangePasswordDoc, true, input("newPassword", harness.GoodPass)},
		"changeEmail":         {harness.ChangeEmailDoc, true, input("email", "other{n}@example.com")},
		"sudo":                {harness.SudoDoc, true, input("password", harness.GoodPass)},
		"exportMyData":        {harness.ExportDoc, true, nil},
		"deleteAccount":       {harness.DeleteAccountDoc, true, nil},
		"revokeSession":       {harness.EndSessionDoc, true, id("sess")},
		"revokeOtherSessions": {harness.EndOthersDoc, true, nil},
		"createApiKey":        {harness.CreateKey, true, input("name", "{n}")},
		"updateApiKey":        {harness.UpdateKeyDoc, true, id("key")},
		"rotateApiKey":        {harness.RotateKeyDoc, true, id("key")},
		"deleteApiKey":        {harness.DropKeyDoc, true, id("key")},
		"verifyMfa": {harness.VerifyMfaDoc, false, input("challengeToken", "{challenge}", "method",
			"TOTP", "code", "123456")},
		"setupTotp": {harness.SetupTotpDoc, true, input("name", "App {n}")},
		"confirmTotp": {
			harness.ConfirmTotpDoc, true,
			input("id", "totp_"+nowhere, "code", "123456"),
		},
		"updateAuthenticator": {
			plain("updateAuthenticator", "authenticator { id }"), true,
			input("id", "totp_"+nowhere, "name", "App {n}"),
		},
		"removeAuthenticator":     {harness.RemoveAuthenticatorDoc, true, id("totp")},
		"regenerateRecoveryCodes": {harness.RecoveryCodesDoc, true, nil},
		"forgetDevices":           {`mutation { forgetDevices { userErrors { code message } } }`, true, nil},
		"resetUserMfa":            {plain("resetUserMfa", "user { id }"), true, id("user")},
		"createUser":              {harness.CreateUserDoc, true, input("email", "made{n}@example.com")},
		"updateUser":              {harness.UpdateUserDoc, true, id("user")},
		"suspendUser":             {harness.SuspendDoc, true, id("user")},
		"reactivateUser":          {harness.ReactivateDoc, true, id("user")},
		"unlockUser":              {harness.UnlockDoc, true, id("user")},
		"deleteUser":              {harness.DeleteUserDoc, true, id("user")},
		"revokeUserSessions":      {harness.EndUserDoc, true, id("user")},
		"retryMailDelivery":       {plain("retryMailDelivery", "delivery { id }"), true, id("mail")},
	}
}

// variables are those of the call with this number.
func (c called) variables(n int, who *caller) map[string]any {
	if c.input == nil {
		return nil
	}
	return c.input(n, who)
}

// someCaller makes an administrator. The address that they come from is one that no test counts.
func someCaller(t *testing.T, s *harness.Instance, dsn, email string) *caller {
	t.Helper()
	a := harness.Asked(t, s.URL, "", harness.RegisterDoc, harness.InputOf("email", email, "password", harness.GoodPass),
		"X-Forwarded-For", "10.0.0.1")
	over := harness.Asked(t, s.URL, "", harness.LoginDoc, harness.InputOf("email", email, "password", harness.GoodPass),
		"X-Forwarded-For", "10.0.0.1")
	c := &caller{
		Account: harness.Account{
			ID: a.Text("register", "user", "id"), Email: email, Session: a.Text("register", "session", "id"),
			Access: a.Text("register", "tokens", "accessToken"), Refresh: a.Text("register", "tokens", "refreshToken"),
		},
		ended: over.Text("login", "tokens", "refreshToken"),
	}
	if c.Access == "" || c.ended == "" {
		t.Fatalf("%s %s", a.Raw, over.Raw)
	}
	s.SetRole(t, dsn, c.Account, "admin")
	harness.Asked(t, s.URL, over.Text("login", "tokens", "accessToken"), harness.LogoutDoc, nil, "X-Forwarded-For",
		"10.0.0.1")
	c.mailed = s.Letter(t, email, db.MailVerifyEmail).Token
	return c
}

// roomy are settings under which nobody meets a limit that the test does not set.
var roomy = strings.Fields(`LOGIN REGISTER REFRESH RECOVERY VERIFICATION CANCEL_EMAIL_CHANGE ACCOUNT CREATE_USER
	MUTATION REFUSED NETWORK SESSION_REFRESH ACCOUNT_MUTATION KEY_MUTATION ACCOUNT_QUERY KEY_QUERY
	ACCOUNT_EXPORT`)

// limits gives the settings of all limits: those that are named, and room for the rest.
func limits(set ...string) (env []string) {
	for _, name := range roomy {
		value := "100000/15m"
		for i := 0; i+1 < len(set); i += 2 {
			if set[i] == name {
				value = set[i+1]
			}
		}
		env = append(env, "DRAGOMAN_LIMIT_"+name+"="+value)
	}
	return env
}

// limitedBy tells whether the answer is that of a limit, as every transport has it.
func limitedBy(t *testing.T, a *harness.Answer, rule string) bool {
	t.Helper()
	if a.Status != http.StatusTooManyRequests {
		return false
	}
	if a.Code() != "RATE_LIMITED" || strings.Contains(a.Raw, `"data"`) || a.Header.Get("Retry-After") == "" ||
		!strings.HasPrefix(a.Header.Get("RateLimit"), `"`+rule+`";r=0;`) {
		t.Errorf("the answer of the limit %s: %d %s %v", rule, a.Status, a.Raw, a.Header)
	}
	return true
}

// ruleOf is the name of the limit by address that a mutation counts against.
func ruleOf(name string) string {
	for _, field := range harness.Schema().Mutation.Fields {
		if d := field.Directives.ForName("credential"); field.Name == name && d != nil {
			return d.Arguments.ForName("limit").Value.Raw
		}
	}
	return "mutation"
}

// TestLG28_EveryMutationByAddress: no mutation is without a limit by address, and each limit is that address' alone.
func TestLG28_EveryMutationByAddress(t *testing.T) {
	t.Parallel()
	calls := callsOf()
	for _, field := range harness.Schema().Mutation.Fields {
		if _, ok := calls[field.Name]; !ok {
			t.Errorf("no call of %s", field.Name)
		}
	}
	dbtest.Each(t, func(t *testing.T, dsn string) {
		var two []string
		for _, name := range []string{
			"LOGIN", "REGISTER", "REFRESH", "RECOVERY", "VERIFICATION", "CANCEL_EMAIL_CHANGE", "ACCOUNT", "CREATE_USER",
			"MUTATION",
		} {
			two = append(two, name, "2/15m")
		}
		s := harness.Limited(t, harness.NewClock(), dsn, append(limits(two...), "DRAGOMAN_SMS_COUNTRIES=DE",
			"DRAGOMAN_SMS_URL=http://127.0.0.1:9/", "DRAGOMAN_SMS_SECRET=whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")...)
		root := someCaller(t, s, dsn, "root@example.com")
		number := 0
		for name, c := range calls {
			number++
			credential := ""
			if c.needs {
				credential = root.Access
			}
			for n := range 4 {
				address, want := fmt.Sprintf("192.0.2.%d", number), n == 2
				if n == 3 {
					address = fmt.Sprintf("198.51.100.%d", number)
				}
				root.ended = harness.RefreshOfNobody(t) // one that is known to be over is not counted (LG-37)
				a := harness.Asked(t, s.URL, credential, c.document, c.variables(number*10+n, root), "X-Forwarded-For",
					address)
				if limitedBy(t, a, ruleOf(name)) != want {
					t.Errorf("%s number %d from %s: %d %s", name, n+1, address, a.Status, a.Raw)
				}
			}
		}
	})
}

// TestLG29_EveryMutationByAccount: what a live credential does is counted from everywhere together; a key has a count
// of its own, a session one for its refresh tokens, and so has everybody else.
func TestLG29_EveryMutationByAccount(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Limited(t, harness.NewClock(), dsn,
			limits("ACCOUNT_MUTATION", "2/15m", "SESSION_REFRESH", "2/15m", "KEY_MUTATION", "2/15m")...)
		number := 0
		ask := func(credential string, c called, who *caller) *harness.Answer {
			number++
			return harness.Asked(t, s.URL, credential, c.document, c.variables(number, who), "X-Forwarded-For",
				fmt.Sprintf("192.0.%d.%d", number/200, number%200))
		}
		people := 0
		for name, c := range callsOf() {
			if !c.needs && name != "refresh" && name != "logout" || name == "deleteAccount" {
				continue // the account is not known, or has what is older (throttling, codes, mails), or is gone
			}
			people++
			who := someCaller(t, s, dsn, fmt.Sprintf("root%d@example.com", people))
			credential, rule := who.Access, "accountMutation"
			if !c.needs {
				credential, rule, who.ended = "", "sessionRefresh", who.Refresh
			}
			for n := range 3 {
				call := c
				if name == "logout" && n < 2 { // which a session does once
					call = callsOf()["refresh"]
				}
				if a := ask(credential, call, who); limitedBy(t, a, rule) != (n == 2) {
					t.Errorf("%s number %d: %d %s", name, n+1, a.Status, a.Raw)
				}
			}
		}
		root := someCaller(t, s, dsn, "key@example.com")
		_, key := s.NewKey(t, root.Access, map[string]any{"scopes": []string{"USERS_WRITE", "PROFILE_READ"}})
		for n := range 3 {
			if a := ask(key, callsOf()["updateUser"], root); limitedBy(t, a, "keyMutation") != (n == 2) {
				t.Errorf("by key, number %d: %d %s", n+1, a.Status, a.Raw)
			}
		}
		if a := ask(root.Access, callsOf()["updateUser"], root); a.Status == http.StatusTooManyRequests {
			t.Errorf("the owner of the key: %s", a.Raw)
		}
	})
}

// countsForAll tells whether the answer is of a limit that honest callers need.
func countsForAll(a *harness.Answer) bool {
	told := a.Header.Get("RateLimit")
	return told != "" && !strings.HasPrefix(told, `"refused"`)
}

// TestLG37_OneSession: neither a session that is over nor one that is alive uses up what its address has for refreshes
// and sign-outs, whether its tokens come by GraphQL or by a dialect.
func TestLG37_OneSession(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Limited(t, harness.NewClock(), dsn, "DRAGOMAN_DIALECTS=all", "DRAGOMAN_LIMIT_MUTATION=150/5m")
		ada, bob := s.Register(t, "ada@example.com"), s.Register(t, "bob@example.com")
		s.Clock.Add(time.Minute)
		const shared = "192.0.2.1"
		from := func(document string, variables map[string]any) *harness.Answer {
			t.Helper()
			return harness.Asked(t, s.URL, "", document, variables, "X-Forwarded-For", shared)
		}
		refresh := func(token string) *harness.Answer {
			t.Helper()
			return from(harness.RefreshDoc, map[string]any{"token": token})
		}
		reused, ended := s.LoginAs(t, ada, "BODY"), s.LoginAs(t, ada, "BODY")
		harness.Fine(t, s.Refresh(t, reused.Refresh))
		harness.Fine(t, s.GraphQL(t, ended.Access, harness.LogoutDoc, nil))
		s.Clock.Add(time.Hour)
		harness.RefusedWith(t, refresh(reused.Refresh), "TOKEN_REUSED")
		for _, over := range []string{reused.Refresh, ended.Refresh, harness.RefreshOfNobody(t)} {
			for n := range 160 {
				if a := refresh(over); a.Code() != "INVALID_TOKEN" || n > 5 && countsForAll(a) {
					t.Fatalf("a refresh of what is over, number %d: %s %v", n, a.Raw, a.Header)
				}
				a := from(harness.LogoutDoc, harness.InputOf("refreshToken", over))
				if a.Code() != "INVALID_TOKEN" || n > 5 && countsForAll(a) {
					t.Fatalf("a sign-out of what is over, number %d: %s %v", n, a.Raw, a.Header)
				}
				r := s.REST(t, "POST "+harness.Generic+"/refresh", `{"refreshToken": "`+over+`"}`,
					"X-Forwarded-For", shared)
				if r.Status != http.StatusUnauthorized {
					t.Fatalf("by a dialect, number %d: %d %s", n, r.Status, r.Body)
				}
			}
		}
		// One that is alive is limited by itself, and only its first calls count for the address.
		limited := 0
		for range 160 {
			if a := refresh(ada.Refresh); limitedBy(t, a, "sessionRefresh") {
				limited++
			} else if a.Code() != "" {
				t.Fatalf("a refresh of what is alive: %s", a.Raw)
			}
		}
		if limited != 100 {
			t.Errorf("%d of 160 refreshes of one session are refused", limited)
		}
		harness.Fine(t, refresh(bob.Refresh))
		harness.Fine(t, from(harness.LogoutDoc, harness.InputOf("refreshToken", bob.Refresh)))
	})
}

// worthless are calls that prove nothing: garbage where a token belongs, a credential that is none, refused input.
func worthless() map[string]called {
	input := func(fields ...any) func(int, *caller) map[string]any {
		return func(int, *caller) map[string]any { return harness.InputOf(fields...) }
	}
	forged := "rt1.01m80kh2hde329jbn2p11d90dk.0.Dvj4kIiQDKlgra7j--t9cyX73rmubIakzJLOlWFhSSv6nEQ"
	calls := callsOf()
	all := map[string]called{
		"register, short": {harness.RegisterDoc, false, input("email", "new@example.com", "password", "x")},
		"register, common": {
			harness.RegisterDoc, false,
			input("email", "new@example.com", "password", "password1"),
		},
		"register, no address": {
			harness.RegisterDoc, false,
			input("email", "nobody", "password", harness.GoodPass),
		},
		"login, two names": {
			harness.LoginDoc, false,
			input("email", "a@example.com", "username", "a", "password", "x"),
		},
		"login, too long": {
			harness.LoginDoc, false,
			input("email", "a@example.com", "password", strings.Repeat("x", 300)),
		},
		"logout, forged":           {harness.LogoutDoc, false, input("refreshToken", forged)},
		"logout, nobody":           {harness.LogoutDoc, false, nil},
		"sendVerification, nobody": {harness.SendVerifyDoc, false, nil},
		"ask, no address":          {harness.AskResetDoc, false, input("email", "nobody")},
		"magic, no address":        {harness.AskMagicDoc, false, input("email", "nobody")},
		"verify, forged":           {harness.VerifyDoc, false, input("token", "ot1.x")},
		"reset, forged":            {harness.ResetDoc, false, input("token", "ot1.x", "newPassword", harness.GoodPass)},
		"sign in, forged":          {harness.MagicDoc, false, input("token", "ot1.x")},
		"sign in, code alone":      {harness.MagicDoc, false, input("token", "123456")},
		"cancel, forged":           {calls["cancelEmailChange"].document, false, input("token", "ot1.x")},
		"refresh, forged": {harness.RefreshDoc, false, func(int, *caller) map[string]any {
			return map[string]any{"token": forged}
		}},
		"valid, forged": {
			`query V($token: String!) { tokenIsValid(purpose: MAGIC_LINK, token: $token) }`, false,
			func(int, *caller) map[string]any { return map[string]any{"token": "ot1.x"} },
		},
	}
	for name, c := range calls {
		if c.needs {
			all[name+", nobody"] = called{c.document, false, c.input}
		}
	}
	return all
}

// TestLG26_WorthlessIsCountedApart: thousands of calls that prove nothing leave an honest caller at the same address
// all that they need; they have a limit of their own.
func TestLG26_WorthlessIsCountedApart(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Limited(t, harness.NewClock(), dsn)
		root := someCaller(t, s, dsn, "root@example.com")
		const address = "192.0.2.1"
		from := func(credential string, c called, n int) *harness.Answer {
			return harness.Asked(t, s.URL, credential, c.document, c.variables(n, root), "X-Forwarded-For", address)
		}
		refused, limited := 0, 0
		for name, c := range worthless() {
			for n := range 70 {
				a := from("", c, n)
				forged := strings.HasSuffix(name, "forged") || strings.HasSuffix(name, "code alone")
				switch {
				case !forged && a.Status == http.StatusOK && limited > 0 && a.Code() != "RATE_LIMITED": // keeps its answer (LG-36)
				case a.Status == http.StatusTooManyRequests && limitedBy(t, a, "refused"):
					limited++
				case a.Status == http.StatusOK && limited == 0:
					refused++
					if got := a.Header.Get("RateLimit"); got != "" && refused < 600 {
						t.Fatalf("%s is counted: %s", name, got)
					}
				default:
					t.Fatalf("%s number %d: %d %s", name, n, a.Status, a.Raw)
				}
			}
		}
		if refused == 0 || limited == 0 {
			t.Errorf("%d refused, %d over the limit", refused, limited)
		}
		for name, c := range callsOf() {
			credential := ""
			if c.needs {
				credential = root.Access
			}
			if a := from(credential, c, 1); a.Status == http.StatusTooManyRequests {
				t.Errorf("%s: %s %v", name, a.Raw, a.Header)
			}
		}
		if a := from("", called{document: harness.RefreshDoc}, 0); a.Status == 0 {
			t.Error("no answer")
		}
		if a := harness.Asked(t, s.URL, "", harness.RefreshDoc, map[string]any{"token": root.Refresh},
			"X-Forwarded-For", address); a.Code() != "" {
			t.Errorf("an honest refresh: %s", a.Raw)
		}
		if a := s.LoginFrom(t, address, "email", root.Email, harness.GoodPass); a.Code() != "" {
			t.Errorf("an honest sign-in: %s", a.Raw)
		}
	})
}

// TestLG36_HonestAnswersStay wants that garbage from an address changes no answer that a client acts on: of a session
// that is over, of an access token that has expired, and of an input that is refused, over GraphQL and through
// dialects.
func TestLG36_HonestAnswersStay(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn, "DRAGOMAN_RATE_LIMITS=on", "DRAGOMAN_LIMIT_REFUSED=20/15m", "DRAGOMAN_DIALECTS=all")
		ada, bob := s.Register(t, "ada@example.com"), s.Register(t, "bob@example.com")
		harness.Fine(t, s.GraphQL(t, ada.Access, harness.LogoutDoc, nil))
		forged := map[string]any{"token": "rt1.nonsense"}
		for range 20 {
			s.Expect(t, "INVALID_TOKEN", "", harness.RefreshDoc, forged)
		}
		s.Expect(t, "RATE_LIMITED", "", harness.RefreshDoc, forged)
		s.Expect(t, "RATE_LIMITED", "nonsense", harness.UpdateMeDoc, harness.InputOf("name", "x"))
		s.Expect(t, "UNAUTHENTICATED", ada.Access, harness.UpdateMeDoc, harness.InputOf("name", "x"))
		s.Expect(t, "UNAUTHENTICATED", "", harness.UpdateMeDoc, harness.InputOf("name", "x"))
		s.Expect(t, "PASSWORD_TOO_WEAK", "", harness.RegisterDoc,
			harness.InputOf("email", "new@example.com", "password", "x"))
		for path, want := range map[string]int{
			"POST " + harness.Generic + "/keys": http.StatusUnauthorized,
		} {
			r := s.REST(t, path, `{"name":"x"}`, harness.Bearer(ada.Access)...)
			if r.Status != want {
				t.Errorf("%s: %d %s", path, r.Status, r.Body)
			}
		}
		s.Clock.Add(time.Hour)
		for range 21 {
			s.GraphQL(t, "", harness.RefreshDoc, forged)
		}
		s.Expect(t, "UNAUTHENTICATED", bob.Access, harness.UpdateMeDoc, harness.InputOf("name", "x"))
	})
}

// TestLG26_WorthlessInDialects is the same through the doors of dialects.
func TestLG26_WorthlessInDialects(t *testing.T) {
	t.Parallel()
	s := harness.Limited(t, harness.NewClock(), dbtest.SQLite(t), "DRAGOMAN_DIALECTS=all")
	s.Register(t, "ada@example.com")
	for n := range 100 {
		for path, body := range map[string]string{
			"POST " + harness.Generic + "/refresh": `{"refreshToken": "junk"}`,
			"POST /token/refresh":                  `{"refreshToken": "junk"}`,
			"POST /sign_in": harness.Credentials("email", "ada@example.com",
				strings.Repeat("x", 300)),
			"POST /v1/auth/register": `{"name": "x", "email": "nobody", "password": "x"}`,
		} {
			r := s.REST(t, path, body, "X-Forwarded-For", harness.Attacker)
			if r.Status < 400 || r.Status >= 500 || r.Status == http.StatusTooManyRequests {
				t.Fatalf("%s number %d: %d %s", path, n, r.Status, r.Body)
			}
		}
	}
	if a := s.LoginFrom(t, harness.Attacker, "email", "ada@example.com", harness.GoodPass); a.Code() != "" {
		t.Errorf("from the same address: %s", a.Raw)
	}
	for n := range 700 {
		r := s.REST(t, "POST "+harness.Generic+"/refresh", `{"refreshToken": "junk"}`, "X-Forwarded-For",
			harness.Attacker)
		if r.Status == http.StatusTooManyRequests {
			return
		}
		if n == 699 {
			t.Errorf("no limit of its own: %d %s", r.Status, r.Body)
		}
	}
}

// TestLG30_RowsAreBounded: whoever has no live credential writes no more rows than the limits of the network let them,
// whatever they call and from however many of its addresses.
func TestLG30_RowsAreBounded(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Limited(t, harness.NewClock(), dsn, "DRAGOMAN_LIMIT_NETWORK=100/15m",
			"DRAGOMAN_LIMIT_REFRESH=20/15m",
			"DRAGOMAN_LIMIT_MUTATION=20/15m")
		root, side := someCaller(t, s, dsn, "root@example.com"), harness.OpenSide(t, dsn)
		rows := func() (n int) {
			for _, table := range []string{
				"users", "sessions", "api_keys", "audit_events", "throttles", "one_time_tokens", "mails", "river_job",
			} {
				n += side.Count(t, "SELECT count(*) FROM "+table)
			}
			return n
		}
		before, number := rows(), 0
		for _, calls := range []map[string]called{callsOf(), worthless()} {
			for name, c := range calls {
				for n := range harness.Amount(80, 800) {
					number++
					credential := ""
					if c.needs { // by one that was live
						credential = root.ended
					}
					address := fmt.Sprintf("192.0.2.%d", number%4)
					if _, err := harness.Send(s.URL, credential, c.document, c.variables(number, root),
						"X-Forwarded-For",
						address); err != nil {
						t.Fatalf("%s number %d: %v", name, n, err)
					}
				}
			}
		}
		// A registration is the most: an account, a session, a mail, its job, its token and an event. What is refused
		// before it counts is a sample of 60 a minute; a refresh and a sign-out leave an event each.
		if grown, most := rows()-before, 100*6+60+4*(20+20); grown > most {
			t.Errorf("%d rows after %d calls, at most %d", grown, number, most)
		}
	})
}

// TestLG30_EqualRefusalsAreSampled: one and the same refusal of one and the same caller is written down five times a
// minute, with the limits off too; another caller's and another refusal are not hidden by it.
func TestLG30_EqualRefusalsAreSampled(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn, "DRAGOMAN_TRUSTED_PROXIES=127.0.0.0/8")
		root, side := someCaller(t, s, dsn, "root@example.com"), harness.OpenSide(t, dsn)
		calls, bad := callsOf(), worthless()
		live := s.LoginAs(t, root.Account, "SESSION_TOKEN").Refresh
		hammer := func(times int, address, credential string, c called) {
			for n := range times {
				harness.Asked(t, s.URL, credential, c.document, c.variables(n, root), "X-Forwarded-For", address)
			}
		}
		for _, c := range []struct {
			name, credential, action, reason string
			call                             called
		}{
			{"sign-out by an ended session", "", "session.refresh_failed", "session_over", calls["logout"]},
			{"refresh of an ended session", "", "session.refresh_failed", "session_over", calls["refresh"]},
			{"a session that is not there", live, "session.revoke_failed", "not_found", calls["revokeSession"]},
			{"a key that is not there", live, "api_key.delete_failed", "not_found", calls["deleteApiKey"]},
			{"an account that is not there", live, "user.suspend_failed", "not_found", calls["suspendUser"]},
			{"a mail that is not there", live, "mail.retry_failed", "not_found", calls["retryMailDelivery"]},
			{"a weak password", "", "user.create_failed", "password_too_weak", bad["register, short"]},
			{"no address", "", "password.reset_request_failed", "invalid_input", bad["ask, no address"]},
			{"a token of a mail", "", "email.change_cancel_failed", "invalid_token", calls["cancelEmailChange"]},
		} {
			count := func() int {
				return side.Count(t, "SELECT count(*) FROM audit_events WHERE action = '"+c.action+"' AND reason = '"+
					c.reason+"'")
			}
			s.Clock.Add(time.Minute)
			was := count()
			hammer(30, "192.0.2.1", c.credential, c.call)
			if n := count() - was; n != 5 {
				t.Errorf("%s: %d rows of thirty", c.name, n)
			}
			if c.credential == "" {
				hammer(30, "198.51.100.1", c.credential, c.call)
				if n := count() - was; n != 10 && c.reason != "session_over" {
					t.Errorf("%s: %d rows with those of another network", c.name, n)
				}
			}
			s.Clock.Add(time.Minute)
			hammer(1, "192.0.2.1", c.credential, c.call)
			if n := count() - was; n < 6 {
				t.Errorf("%s: %d rows a minute later", c.name, n)
			}
		}
	})
}

// TestLG31_QueriesByAccount: the queries of a person and of a key are counted by what they cost, from everywhere
// together.
func TestLG31_QueriesByAccount(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Limited(t, harness.NewClock(), dsn, limits("ACCOUNT_QUERY", "5/5m", "KEY_QUERY", "3/5m")...)
		ada, bob := someCaller(t, s, dsn, "ada@example.com"), someCaller(t, s, dsn, "bob@example.com")
		_, key := s.NewKey(t, ada.Access, map[string]any{"scopes": []string{"PROFILE_READ"}})
		number := 0
		ask := func(credential, document string) *harness.Answer {
			number++
			return harness.Asked(t, s.URL, credential, document, nil, "X-Forwarded-For",
				fmt.Sprintf("192.0.2.%d", number))
		}
		for n := range 6 {
			document := []string{harness.MeDoc, harness.CurrentDoc, `{ a: me { id } b: me { email } node(id: "x") { ` +
				`id } }`}[n%3]
			if a := ask(ada.Access, document); limitedBy(t, a, "accountQuery") != (n == 5) {
				t.Errorf("number %d: %d %s", n+1, a.Status, a.Raw)
			}
		}
		for n := range 4 {
			if a := ask(key, harness.MeDoc); limitedBy(t, a, "keyQuery") != (n == 3) {
				t.Errorf("by key, number %d: %d %s", n+1, a.Status, a.Raw)
			}
		}
		// 300 of cost are three.
		dear := `{ sessions { id number userAgent } }`
		if a := ask(bob.Access, dear); a.Code() != "" {
			t.Errorf("%s", a.Raw)
		}
		if a := ask(bob.Access, dear); !limitedBy(t, a, "accountQuery") {
			t.Errorf("%d %s", a.Status, a.Raw)
		}
		if a := ask(bob.Access, harness.MeDoc); a.Code() != "" {
			t.Errorf("what is cheaper: %s", a.Raw)
		}
		if a := ask("", harness.MeDoc); a.Status != http.StatusOK {
			t.Errorf("nobody: %s", a.Raw)
		}
		s.Clock.Add(time.Minute)
		if a := ask(ada.Access, harness.MeDoc); a.Code() != "" {
			t.Errorf("a minute later: %s", a.Raw)
		}
	})
}

// TestLG32_Network: the addresses of a /24, and the /64s of a /48, have a limit together.
func TestLG32_Network(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Limited(t, harness.NewClock(), dsn, "DRAGOMAN_LIMIT_NETWORK=10/15m")
		for _, addresses := range []string{"192.0.2.%d", "2001:db8:0:%d::1"} {
			for n := range 11 {
				a := s.LoginFrom(t, fmt.Sprintf(addresses, n), "email", "nobody@example.com", harness.WrongPass)
				if limitedBy(t, a, "network") != (n == 10) {
					t.Errorf("number %d of %s: %d %s", n+1, addresses, a.Status, a.Raw)
				}
			}
		}
		for _, address := range []string{"192.0.3.1", "2001:db8:1::1"} {
			if a := s.LoginFrom(t, address, "email", "nobody@example.com",
				harness.WrongPass); a.Status != http.StatusOK {
				t.Errorf("from %s: %d", address, a.Status)
			}
		}
	})
}

// TestGQ13_GQ14_DearDocuments sends the documents that a few words make dear.
func TestGQ13_GQ14_DearDocuments(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, dbtest.SQLite(t))
	ada := s.Register(t, "ada@example.com")
	ids := make([]string, 100)
	for i := range ids {
		ids[i] = ada.Session
	}
	var nodes, lists, revokes, counts, usages strings.Builder
	for n := range 24 {
		fmt.Fprintf(&nodes, "n%d: nodes(ids: $ids) { ... on Session { id userAgent ipAddress createdAt device { name "+
			"} } } ", n)
		fmt.Fprintf(&lists, "s%d: sessions { id userAgent ipAddress createdAt updatedAt } ", n)
	}
	for n := range 30 {
		fmt.Fprintf(&counts, "c%d: users(first: 0, filter: {search: \"x\"}) { totalCount } ", n)
		fmt.Fprintf(&usages, "u%d: dialectUsage(first: 1) { count } ", n)
	}
	for n := range 11 {
		fmt.Fprintf(&revokes, "r%d: revokeSession(input: {id: \"sess_%s\"}) { userErrors { code } } ", n, nowhere)
	}
	for name, document := range map[string]string{
		"nodes": "query N($ids: [ID!]!) { " + nodes.String() + " }", "lists": "{ " + lists.String() + " }",
		"mutations": "mutation { " + revokes.String() + " }",
		"counts":    "{ " + counts.String() + " }",
		"usage":     "{ " + usages.String() + " }",
		"no length": `{ users(first: null) { nodes { ` + strings.Repeat("id ", 160) + `} } }`,
	} {
		if a := s.GraphQL(t, ada.Access, document, map[string]any{"ids": ids}); a.Code() != "BAD_USER_INPUT" ||
			a.Data != nil {
			t.Errorf("%s: %d, %d bytes, %.200s", name, a.Status, len(a.Raw), a.Raw)
		}
	}
	// Two lists that are searched and counted are no more than a page of an application asks for.
	s.Expect(t, "FORBIDDEN", ada.Access, `query($f: UserFilter) { a: users(filter: $f) { totalCount nodes { id email `+
		`} } `+
		`b: users(filter: $f) { totalCount nodes { id email } } }`, map[string]any{"f": map[string]any{"search": "x"}})
	// What pages of an application ask for passes.
	for _, document := range []string{
		`{ me { id number email emailVerified pendingEmail username name locale metadata status createdAt updatedAt
			lastLoginAt roles { name description permissions isBuiltIn } permissions }
		sessions { id number userAgent device { name client clientVersion os } ipAddress authMethods isCurrent createdAt
			updatedAt expiresAt sudoExpiresAt } keys { id name prefix scopes createdAt lastUsedAt expiresAt }
		currentCredential { kind permissions expiresAt } }`,
	} {
		if a := s.GraphQL(t, ada.Access, document, nil); a.Code() != "" {
			t.Errorf("%s: %s", document, a.Raw)
		}
	}
	if a := s.GraphQL(t, ada.Access, `query N($ids: [ID!]!) { nodes(ids: $ids) { id ... on Session { userAgent } } }`,
		map[string]any{"ids": ids}); a.Code() != "" {
		t.Errorf("a hundred nodes: %.200s", a.Raw)
	}
}
