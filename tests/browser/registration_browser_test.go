package browser

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
	"github.com/dragoman-auth/dragoman/web/webtest"
)

// OT-45: the page of a registration asks for a new password where the browser shows no device token, and says so before
// its button. In the browser that registered a click is enough.
func TestOT45_Pages(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn, "DRAGOMAN_REQUIRE_VERIFIED_EMAIL=on")
		register := func(email string, fields ...any) {
			harness.Fine(t, s.Registers(t, append(fields, "email", email, "password", harness.GoodPass)...))
		}
		open := func(p mailReader, email string) {
			l := s.Letter(t, email, db.MailVerifyEmail)
			p.Run(chromedp.Navigate("about:blank"), chromedp.Navigate(s.URL+"/account/verify-email#token="+l.Token))
		}
		p := mailReader{webtest.Browser(t), s.URL}
		p.Viewport(390, 844, "light")
		register("ada@example.com", "username", "lovelace", "name", "Ada")
		register("bob@example.com", "username", "bob")
		open(p, "ada@example.com")
		p.WaitFor(`document.getElementById("lead").textContent.startsWith("Your account is made now. This ` +
			`browser does not show that it was you who registered")`)
		p.WaitFor(`document.getElementById("keeps").textContent === "What the registration says of you stays: the ` +
			`username lovelace, the name Ada."`)
		p.WaitFor(`!document.getElementById("choose").hidden && document.getElementById("by-hand").hidden`)
		p.Page.Shoot("account-registration-elsewhere")
		p.Run(chromedp.Focus(chromedp.ID("password")), chromedp.KeyEvent("short"),
			chromedp.Focus(chromedp.ID("repeat")), chromedp.KeyEvent("short\r"))
		p.WaitFor(`document.querySelector("h1").textContent === "Confirm your email address"`)
		for _, field := range []string{"password", "repeat"} {
			p.Run(chromedp.Focus(chromedp.ID(field)), chromedp.KeyEvent(" a better horse battery"))
		}
		p.Run(chromedp.Click(chromedp.CSS("form button")))
		p.title("Your address is confirmed")
		harness.Fine(t, s.Login(t, "ada@example.com", "short a better horse battery"))

		// In the browser that registered.
		p.Run(chromedp.Navigate(s.URL + "/account/verify-email"))
		p.WaitFor(`document.readyState === "complete"`)
		webtest.Eval[bool](p.Page, `fetch("/graphql", {method: "POST", headers: {"Content-Type": "application/json"}, `+
			`body: JSON.stringify({query: 'mutation { register(input: {email: "eve@example.com", password: "`+
			harness.GoodPass+`", username: "lovelace2", tokenDelivery: COOKIE}) { userErrors { code } } }'})}).then(`+
			`() => { document.title = "registered" }), true`)
		p.WaitFor(`document.title === "registered"`)
		open(p, "eve@example.com")
		p.WaitFor(`document.getElementById("lead").textContent.endsWith("with the password that you chose when you ` +
			`registered.")`)
		p.WaitFor(`document.getElementById("choose").hidden && document.getElementById("keeps").hidden`)
		p.Page.Shoot("account-registration-here")
		p.Run(chromedp.Click(chromedp.CSS("form button")))
		p.title("Your address is confirmed")
		harness.Fine(t, s.Login(t, "eve@example.com", harness.GoodPass))

		// By the code, where the form alone knows that a password is needed.
		code := s.Letter(t, "bob@example.com", db.MailVerifyEmail).Code
		p.Run(chromedp.Navigate("about:blank"), chromedp.Navigate(s.URL+"/account/verify-email"))
		p.WaitFor(`document.readyState === "complete"`)
		p.Run(chromedp.Focus(chromedp.ID("email")), chromedp.KeyEvent("bob@example.com"),
			chromedp.Focus(chromedp.ID("code")), chromedp.KeyEvent(code+"\r"))
		p.WaitFor(`!document.getElementById("choose").hidden && !document.getElementById("problem").hidden`)
		for _, field := range []string{"password", "repeat"} {
			p.Run(chromedp.Focus(chromedp.ID(field)), chromedp.KeyEvent("a better horse battery"))
		}
		p.Run(chromedp.Click(chromedp.CSS("form button")))
		p.title("Your address is confirmed")
		harness.Fine(t, s.Login(t, "bob@example.com", "a better horse battery"))
		p.RequireClean()
	})
}

// TestOT39_RegistrationLeadsHome goes the whole way where addresses are confirmed first: a person registers in an
// application, follows the mail, makes the account, comes back to the application and signs in there.
func TestOT39_RegistrationLeadsHome(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn, "DRAGOMAN_REQUIRE_VERIFIED_EMAIL=on")
		app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`<!doctype html><html lang="en"><title>App</title><link rel="icon" href="data:,">
<h1>The application</h1><script>
const ask = (query, input) => fetch("` + s.URL + `/graphql", {
  method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ query, variables: { input } }),
}).then((answer) => answer.json());
</script>`))
		}))
		t.Cleanup(app.Close)
		p := mailReader{webtest.Browser(t), s.URL}
		p.Viewport(390, 844, "light")
		register := func(email, password string) {
			p.Run(chromedp.Navigate(app.URL + "/sign-up"))
			p.WaitFor(`document.readyState === "complete"`)
			if got := webtest.Eval[string](p.Page, `ask("mutation R($input: RegisterInput!) { register(input: `+
				`$input) { confirmationRequired userErrors { code } } }", { email: `+strconv.Quote(email)+
				`, password: `+strconv.Quote(password)+`, returnTo: "`+app.URL+
				`/welcome?step=2" }).then(JSON.stringify)`); got !=
				`{"data":{"register":{"confirmationRequired":true,"userErrors":[]}}}` {
				t.Fatal(got)
			}
		}
		back := func() {
			p.WaitFor(`[...document.querySelectorAll("main a")].some((a) => a.checkVisibility() && a.href === "` +
				app.URL + `/welcome?step=2")`)
		}
		register("ada@example.com", harness.GoodPass)
		if a := s.Login(t, "ada@example.com", harness.GoodPass); a.Code() != "INVALID_CREDENTIALS" {
			t.Errorf("before the mail: %s", a.Raw)
		}
		p.follow("Confirm your email address")
		p.WaitFor(`!document.getElementById("choose").hidden`)
		back()
		for _, field := range []string{"password", "repeat"} {
			p.Run(chromedp.Focus(chromedp.ID(field)), chromedp.KeyEvent(harness.GoodPass))
		}
		p.Run(chromedp.Click(chromedp.CSS("form button")))
		p.title("Your address is confirmed")
		back()
		p.Page.Shoot("account-registered-back")
		p.Run(chromedp.Click(chromedp.CSS("#panel a")))
		p.WaitFor(`location.href === "` + app.URL + `/welcome?step=2" && document.readyState === "complete"`)
		if got := webtest.Eval[string](p.Page, `ask("mutation L($input: LoginInput!) { login(input: $input) { user { `+
			`email emailVerified } } }", { email: "ada@example.com", password: "`+harness.GoodPass+
			`" }).then(JSON.stringify)`); got !=
			`{"data":{"login":{"user":{"email":"ada@example.com","emailVerified":true}}}}` {
			t.Error(got)
		}

		// Who has an account already is told so by the mail, which has no link; the link of before leads home still.
		used := s.Letter(t, "ada@example.com", db.MailVerifyEmail)
		p.Run(chromedp.Navigate("about:blank"), chromedp.Navigate(s.URL+"/account/verify-email#token="+used.Token))
		back()
		// A registration that waits gets another mail, which leads where its own call says.
		register("bob@example.com", harness.GoodPass)
		s.Clock.Add(time.Minute)
		harness.Fine(t, s.GraphQL(t, "", harness.SendVerifyDoc,
			harness.InputOf("email", "bob@example.com", "returnTo", app.URL+"/welcome?step=2")))
		again := s.Letter(t, "bob@example.com", db.MailVerifyEmail)
		p.Run(chromedp.Navigate("about:blank"), chromedp.Navigate(s.URL+"/account/verify-email#token="+again.Token))
		p.WaitFor(`!document.getElementById("choose").hidden`)
		back()
		p.RequireClean()
	})
}
