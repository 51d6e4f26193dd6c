package browser

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
	"github.com/dragoman-auth/dragoman/web/webtest"
)

// TestPG12_WithoutScripts signs up for an application in a browser without scripts, over plain http, where every
// account must have a second factor and confirm its address: the first sign-in leads through the set-up of an app, the
// next one asks for its code, both lead back to the application, and a mail signs in by the code of the app too.
func TestPG12_WithoutScripts(t *testing.T) {
	t.Parallel()
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = fmt.Fprint(w, "<!doctype html><title>App</title><link rel=icon href='data:,'><h1>The application</h1>")
	}))
	t.Cleanup(app.Close)
	s := harness.Start(t, dbtest.SQLite(t), "DRAGOMAN_MFA=required", "DRAGOMAN_REQUIRE_VERIFIED_EMAIL=on")
	p := &person{mailReader: mailReader{webtest.Browser(t), s.URL}, t: t, s: s}
	p.NoScripts()
	p.Viewport(390, 844, "dark")
	back := app.URL + "/welcome?step=2"
	returnTo := "?returnTo=" + url.QueryEscape(back)
	p.Run(chromedp.Navigate(s.URL + "/account/signup" + returnTo))
	p.at("Create an account")
	p.fill("email", "ada@example.com", "password", harness.GoodPass, "repeat", harness.GoodPass)
	p.at("Look into your mailbox")
	p.WaitFor(`document.querySelector("section a[href='/dev/mailbox']").checkVisibility()`)
	p.press("Enter the code of the mail")
	p.at("Confirm your email address")
	p.fill("email", "ada@example.com", "code", s.Letter(t, "ada@example.com", db.MailVerifyEmail).Code)
	p.at("Your address is confirmed")

	p.Run(chromedp.Navigate(s.URL + "/account/signin" + returnTo))
	p.signIn("ada@example.com")
	p.at("Set up an authenticator app")
	webtest.Eval[chromedp.Void](p.Page, `document.querySelector("details").open = true`)
	p.scan()
	p.fill("code", "000000")
	p.problem("This code is wrong")
	p.fill("code", p.code())
	p.at("Keep your recovery codes")
	p.WaitFor(`[...document.querySelectorAll("section button")].every((b) => !b.checkVisibility()) && ` +
		`document.getElementById("download").checkVisibility()`)
	p.press("I keep them: back to " + strings.TrimPrefix(app.URL, "http://"))
	p.at("The application")

	p.Run(chromedp.Navigate(s.URL + "/account/signin" + returnTo))
	p.WaitFor(`document.querySelector(".lead").textContent.startsWith("You are signed in as ada@example.com")`)
	p.signIn("ada@example.com")
	p.at("One more step")
	p.fill("code", p.code())
	p.WaitFor(`location.href === "` + back + `" && document.querySelector("h1").textContent === "The application"`)

	l := s.Mailed(t, harness.AskMagicDoc, "ada@example.com", db.MailMagicLink)
	p.Run(chromedp.Navigate(s.URL + "/account/sign-in" + returnTo))
	p.at("Sign in")
	p.fill("email", "ada@example.com", "code", l.Code)
	p.at("One more step")
	p.fill("code", p.code())
	p.WaitFor(`location.href === "` + back + `"`)
	p.RequireClean()
}

// TestPG12_Forms wants of the forms that those of other sites are refused, that nobody gets at an account without a
// cookie, and that a page leads to addresses of the list alone.
func TestPG12_Forms(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, dbtest.SQLite(t), "DRAGOMAN_REGISTRATION=off", "DRAGOMAN_MFA=required")
	const form, home = "application/x-www-form-urlencoded", "http://localhost:5173/welcome"
	call := func(route, body string, header ...string) harness.Reply {
		t.Helper()
		r, err := s.Call(route, body, append(header, "Content-Type", form)...)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	for _, page := range []string{"signin", "signup", "security"} {
		r := call("POST /account/"+page, "do=leave", "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site")
		if r.Status != http.StatusForbidden || len(r.Header.Values("Set-Cookie")) > 0 {
			t.Errorf("%s takes a form of another site: %d", page, r.Status)
		}
		if r := call("POST /account/"+page, "who=a&who=b"); r.Status != http.StatusBadRequest {
			t.Errorf("%s takes a field twice: %d", page, r.Status)
		}
		if policy := call("GET /account/"+page, "").Header.Get("Content-Security-Policy"); strings.Contains(policy,
			"unsafe") || !strings.Contains(policy, "img-src 'self' data:;") {
			t.Errorf("%s has the policy %s", page, policy)
		}
	}
	for route, want := range map[string]string{
		"GET /account/security":                                    "/account/signin",
		"GET /account/security?returnTo=" + home:                   "/account/signin?returnTo=" + url.QueryEscape(home),
		"GET /account/security?returnTo=https://evil.example":      "/account/signin",
		"GET /account/security?done=removed&returnTo=//evil.local": "/account/signin",
	} {
		if r := call(route, ""); r.Status != http.StatusSeeOther || r.Header.Get("Location") != want {
			t.Errorf("%s: %d, to %s", route, r.Status, r.Header.Get("Location"))
		}
	}
	if r := call("POST /account/security", "do=codes"); r.Status != http.StatusSeeOther {
		t.Errorf("codes for nobody: %d", r.Status)
	}
	if r := call("POST /account/security", "do=everything"); r.Status != http.StatusSeeOther {
		t.Errorf("a button that there is not: %d", r.Status)
	}
	if r := call("GET /account/signup", ""); !strings.Contains(r.Body, "Registration is closed here") ||
		strings.Contains(r.Body, `name="password"`) {
		t.Error("a closed registration shows its form")
	}
	if r := call("POST /account/signup", "email=a@example.com&password=x+y+z+1+2+3&repeat=x+y+z+1+2+3"); len(
		r.Header.Values("Set-Cookie")) > 0 || !strings.Contains(r.Body, "Registration is closed here") {
		t.Errorf("a closed registration registers: %d", r.Status)
	}
	under, _ := harness.Below(t, dbtest.SQLite(t), false, false)
	if r, err := under.Call("GET /account/security", ""); err != nil ||
		r.Header.Get("Location") != harness.Prefix+"/account/signin" {
		t.Errorf("below a prefix the page leads to %s (%v)", r.Header.Get("Location"), err)
	}
	if r, err := under.Call("GET /account/signin", ""); err != nil ||
		!strings.Contains(r.Body, `action="`+harness.Prefix+`/account/signin"`) {
		t.Errorf("below a prefix the form is sent elsewhere (%v): %s", err, r.Body)
	}
	// What comes back out of a form is shown as an image and as text alone.
	r := call("POST /account/signin", url.Values{
		"step": {"confirm"}, "challenge": {"x"}, "id": {"x"}, "code": {"1"}, "secret": {"<script>"},
		"qr": {"javascript:alert(1)"},
	}.Encode())
	if strings.Contains(r.Body, "<script>") || strings.Contains(r.Body, `src="javascript`) {
		t.Errorf("a form writes the page: %s", r.Body)
	}
}
