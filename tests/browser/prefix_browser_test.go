package browser

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
	"github.com/dragoman-auth/dragoman/web/webtest"
)

// TestPG08_Walk walks through a server below a path prefix as a person does, behind each kind of proxy: from the start
// page to the playground, the mailbox, the link of a mail, the documentation and a sign-in without scripts. Nothing is
// given out, or asked for, without the prefix.
func TestPG08_Walk(t *testing.T) {
	t.Parallel()
	for name, strips := range harness.Proxies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, front := harness.Below(t, dbtest.SQLite(t), strips, false, "DRAGOMAN_DIALECTS=all")
			w := walker{Instance: s, page: webtest.Browser(t), t: t, name: "prefix-" + name}
			w.doors()
			w.playground()
			w.mail()
			w.docs()
			w.withoutScripts()
			w.page.RequireClean()
			front.Whole(t)
		})
	}
}

type walker struct {
	*harness.Instance
	page *webtest.Page
	t    *testing.T
	name string
}

func (w walker) goes(path, condition string) {
	w.page.Run(chromedp.Navigate(w.URL + path))
	w.page.WaitFor(`document.readyState === "complete" && ` + condition)
}

// doors goes through every door of the start page and back, and through what is nowhere.
func (w walker) doors() {
	var banner bytes.Buffer
	w.App.Banner(&banner, "dragoman")
	key := regexp.MustCompile(regexp.QuoteMeta(w.URL) + `(/dev/mailbox\?key=\S+)`).FindStringSubmatch(banner.String())
	if key == nil {
		w.t.Fatalf("the banner says no key: %s", banner.String())
	}
	w.goes(key[1], `location.pathname === "/accounts/dev/mailbox" && location.search === ""`)
	for _, home := range []string{"", "/"} {
		w.goes(home, `document.querySelector("h1").textContent === "Dragoman is running here"`)
	}
	w.page.Shoot(w.name + "-start")
	for _, door := range []string{"/playground", "/docs", "/dev/mailbox", "/account"} {
		door = harness.Prefix + door
		w.page.Run(chromedp.Click(chromedp.CSS(`.card a[href="` + door + `"]`)))
		w.page.WaitFor(`location.pathname === "` + door + `" && document.readyState === "complete"`)
		w.page.Run(chromedp.Click(chromedp.CSS(".brand")))
		w.page.WaitFor(`location.pathname === "/accounts/" && document.readyState === "complete"`)
	}
}

// playground signs up with tokens and refreshes them, and signs up with the cookie, which outlives the page.
func (w walker) playground() {
	ready := `document.querySelectorAll(".graphiql-tab").length > 1 && document.querySelector(".result-window ` +
		`.CodeMirror")`
	p := webtest.Playground{Page: w.page}
	press := func(selector string) { p.Run(chromedp.Click(chromedp.CSS(selector))) }
	w.goes("/playground", ready)
	press("#person summary")
	press("#trial")
	p.WaitForStatus("signed in as trial-")
	first := p.Token()
	press("#refresh")
	p.WaitFor(`document.getElementById("token").value !== "` + first + `"`)
	p.WaitForStatus("signed in as trial-")
	press("#sign-out")
	p.WaitForStatus("anonymous")
	press("#cookies")
	press("#person summary")
	press("#trial")
	p.WaitForStatus("signed in as trial-")
	w.page.Shoot(w.name + "-playground")
	w.goes("/playground", ready)
	press("#cookies")
	p.WaitForStatus("signed in as trial-")
	press("#sign-out")
	p.WaitForStatus("anonymous")
}

// mail opens the mailbox, follows the link of a mail and confirms an address.
func (w walker) mail() {
	who := w.Register(w.t, "ada@example.com")
	var claims map[string]any
	if err := json.Unmarshal(harness.MustDecode(w.t, strings.Split(who.Access, ".")[1]), &claims); err != nil ||
		claims["iss"] != w.URL || claims["aud"] != w.URL {
		w.t.Errorf("the token says %v", claims)
	}
	w.Mailed(w.t, harness.SendVerifyDoc, "ada@example.com", db.MailVerifyEmail)
	p := mailReader{w.page, w.URL}
	p.follow("Confirm your email address")
	p.title("Confirm your email address")
	p.WaitFor(`location.pathname === "/accounts/account/verify-email" && location.hash === ""`)
	p.press()
	p.title("Your address is confirmed")
	if v := w.GraphQL(w.t, who.Access, `{ me { emailVerified } }`, nil).At("me", "emailVerified"); v != true {
		w.t.Errorf("the address is not confirmed: %v", v)
	}
}

// docs searches the documentation, and tries a sign-up of a REST API and its refresh by the cookie.
func (w walker) docs() {
	w.goes("/docs", `!document.querySelector(".search").hidden`)
	w.page.Run(chromedp.Focus(chromedp.ID("search")), chromedp.KeyEvent("login with magic"))
	w.page.WaitFor(`document.querySelector("#hits [aria-selected=true]")`)
	w.page.Run(chromedp.KeyEvent("\r"))
	w.page.WaitFor(`location.pathname === "/accounts/docs/graphql/loginWithMagicLink"`)
	p := tryPage{w.page, w.URL}
	p.open("/docs/authcompanion")
	p.example("#post-register", "")
	if got := p.command(); !strings.Contains(got, w.URL+harness.Companion+"/register") {
		w.t.Errorf("the command is %s", got)
	}
	p.set("cookies", "yes")
	p.send(w.t, "201")
	p.example("#post-refresh", "")
	p.set("cookies", "yes")
	for range 2 {
		if got := p.send(w.t, "200"); !strings.Contains(got, "access_token") {
			w.t.Errorf("the refresh by the cookie: %s", got)
		}
	}
	for _, target := range []string{"/graphql", "/accounts/../blog", "/accountsx", "//evil.example/accounts/"} {
		p.set("target", target)
		p.send(w.t, "The path begins with /accounts/: requests go to this server alone.")
	}
	webtest.Eval[chromedp.Void](p.Page, `window.example.scrollIntoView({ behavior: "instant" })`)
	w.page.Shoot(w.name + "-try")
}

// withoutScripts signs in by the code of a mail in a browser that runs no script of a page.
func (w walker) withoutScripts() {
	if _, err := chromedp.Call(w.page.Context(), emulation.SetScriptExecutionDisabled,
		emulation.SetScriptExecutionDisabledParams{Value: true}); err != nil {
		w.t.Fatal(err)
	}
	w.Mailed(w.t, harness.AskMagicDoc, "ada@example.com", db.MailMagicLink)
	w.goes("/account/sign-in", `document.querySelector("h1").textContent === "Sign in"`)
	w.page.Run(chromedp.Focus(chromedp.ID("email")), chromedp.KeyEvent("ada@example.com"),
		chromedp.Focus(chromedp.ID("code")),
		chromedp.KeyEvent(w.Letter(w.t, "ada@example.com", db.MailMagicLink).Code+"\r"))
	w.page.WaitFor(`document.querySelector("h1").textContent === "You are signed in" && ` +
		`location.pathname === "/accounts/account/sign-in"`)
	w.page.Shoot(w.name + "-signed-in")
	w.goes("/account/choose-password", `document.querySelector("h1").textContent === "Choose a password"`)
	w.page.WaitFor(`document.querySelector("input[type=email]").value === "ada@example.com"`)
}
