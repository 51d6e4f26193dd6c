package browser

import (
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
	"github.com/dragoman-auth/dragoman/web/webtest"
)

// tryPage is a page of the documentation on which calls are tried.
type tryPage struct {
	*webtest.Page
	url string
}

func (p tryPage) open(path string) {
	p.Run(chromedp.Navigate(p.url + path))
	p.WaitFor(`document.readyState === "complete" && document.querySelector(".try-it:not([hidden])")`)
}

// example finds an example of a dialect by its route and title, or that of an operation, and keeps it as window.example
// with its form open.
func (p tryPage) example(route, title string) {
	webtest.Eval[chromedp.Void](p.Page, `(() => {
		window.example = [...document.querySelectorAll(`+strconv.Quote(route+" [data-try]")+`)].find((e) =>
			e.querySelector("summary, h2")?.textContent.includes(`+strconv.Quote(title)+`));
		if (example.tagName === "DETAILS") example.open = true;
	})()`)
	p.unfold()
}

// unfold opens the form of window.example, whose own parts window.own finds: an example has its steps within it.
func (p tryPage) unfold() {
	webtest.Eval[chromedp.Void](p.Page, `(() => {
		window.own = (what) => [...example.querySelectorAll(what)].find((e) => e.closest("[data-try]") === example);
		if (!own(".try")) own(".try-it").click();
	})()`)
	p.WaitFor(`own(".try")`)
}

// step opens the form of a step of window.example, and keeps the step in its place.
func (p tryPage) step(n int) {
	webtest.Eval[chromedp.Void](p.Page, `(() => {
		const before = example.querySelector("details.before");
		before.open = true;
		window.example = before.querySelectorAll("li[data-try]")[`+strconv.Itoa(n)+`];
	})()`)
	p.unfold()
}

// set writes into a field of the form.
func (p tryPage) set(field, value string) {
	webtest.Eval[chromedp.Void](p.Page, `(() => {
		const field = own(".try").elements[`+strconv.Quote(field)+`];
		if (field.type === "checkbox") { field.checked = `+strconv.Quote(value)+` === "yes"; } else { field.value = `+
		strconv.Quote(value)+`; }
		field.dispatchEvent(new Event("input", { bubbles: true }));
	})()`)
}

// send presses the button and waits for the status of the answer. It gives the headers and the body.
func (p tryPage) send(t *testing.T, status string) string {
	t.Helper()
	webtest.Eval[chromedp.Void](p.Page, `(() => {
		own(".got").hidden = true;
		own(".try [type=submit]").click();
	})()`)
	p.WaitFor(`!own(".got").hidden || !own(".problem").hidden`)
	got := webtest.Eval[string](p.Page, `own(".problem").hidden ? own(".got b")`+
		`.textContent + "\n" + own(".got code").textContent : `+
		`own(".problem").textContent`)
	if !strings.HasPrefix(got, status) {
		t.Fatalf("want %s, got %s", status, got)
	}
	return got
}

func (p tryPage) command() string {
	return webtest.Eval[string](p.Page, `example.querySelector(":scope > .command code, :scope .example > .command `+
		`code")`+
		`.textContent`)
}

// nothingKept demands that the browser stores nothing and that the address of the page says nothing.
func (p tryPage) nothingKept(t *testing.T) {
	t.Helper()
	kept := webtest.Eval[string](p.Page, `(async () => JSON.stringify({
		local: { ...localStorage }, session: { ...sessionStorage }, cookies: document.cookie,
		databases: await indexedDB.databases(), caches: await caches.keys(), address: location.search + location.hash,
	}))()`)
	if kept != `{"local":{},"session":{},"cookies":"","databases":[],"caches":[],"address":""}` {
		t.Errorf("the browser keeps %s", kept)
	}
}

// TestPG05_Try tries the examples of a dialect with forms and of one with JSON from their pages: edited, with the token
// of a sign-in, without one, and with cookies.
func TestPG05_Try(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, dbtest.SQLite(t), "DRAGOMAN_DIALECTS_DIR="+harness.TutorialFiles)
	p := tryPage{webtest.Browser(t), s.URL}
	p.open("/docs/library-card")
	p.example("#post-Card", "gives out a card")
	p.send(t, "201")
	p.set("body", "HolderMail=it's & more@example.com\nHolderName=Mary\nSecret=the long way home")
	if got := p.command(); !strings.Contains(got, `'HolderMail=it'\''s & more@example.com'`) {
		t.Errorf("the command does not follow: %s", got)
	}
	p.send(t, "400")
	p.example("#get-Card", "shows the card")
	p.send(t, "401") // without a token
	p.example("#post-Open", "opens the desk")
	p.send(t, "200")
	p.example("#get-Card", "shows the card")
	if got := p.send(t, "200"); !strings.Contains(got, `"HolderName": "Mary"`) {
		t.Errorf("the card is %s", got)
	}
	if got := p.command(); !strings.Contains(got, "$token") || strings.Contains(got, "eyJ") {
		t.Errorf("the command holds the token: %s", got)
	}
	for _, target := range []string{"//evil.example/desk/Card", "https://evil.example/", "desk/Card"} {
		p.set("target", target)
		p.send(t, "The path begins with one slash")
	}
	p.set("target", "/desk/Card?x=1")
	if got := p.command(); !strings.Contains(got, s.URL+"/desk/Card?x=1") {
		t.Errorf("the command does not follow: %s", got)
	}
	p.send(t, "200")
	p.nothingKept(t)
	webtest.Eval[chromedp.Void](p.Page, `window.example.scrollIntoView({ behavior: "instant" })`)
	p.Page.Shoot("try-desktop")
	p.Viewport(390, 800, "dark")
	webtest.Eval[chromedp.Void](p.Page, `window.example.scrollIntoView({ behavior: "instant" })`)
	p.Page.Shoot("try-phone")
	if wide := webtest.Eval[int](p.Page, `document.documentElement.scrollWidth`); wide > 390 {
		t.Errorf("the page is %d wide", wide)
	}
	p.Viewport(1280, 800, "light")
	p.example("#post-Open", "opens the desk")
	p.set("cookies", "yes")
	p.send(t, "200")
	p.example("#get-Card", "takes the cookie")
	if got := p.send(t, "200"); !strings.Contains(got, `"HolderName": "Mary"`) {
		t.Errorf("the card by the cookie is %s", got)
	}
	p.RequireClean("HTTP 400", "HTTP 401", "status of 400", "status of 401")
}

// TestPG05_TryJSON signs in over a dialect of JSON, and goes on with the values that its file keeps for later calls.
func TestPG05_TryJSON(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, dbtest.SQLite(t))
	harness.Fine(t, s.Registers(t, "email", "ada@example.com", "username", "ada", "password", harness.GoodPass))
	p := tryPage{webtest.Browser(t), s.URL}
	p.open("/docs/generic-v1")
	p.example("#post-login", "")
	p.set("body", `{"username": "ada", "password": "`+harness.GoodPass+`"}`)
	p.send(t, "200")
	p.example("#post-refresh", "")
	p.send(t, "200")
	p.nothingKept(t)
	p.RequireClean()
}

// TestPG05_TrySteps sends the steps of an example from its page, and then the example, on a server where nobody is yet.
func TestPG05_TrySteps(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, dbtest.SQLite(t))
	p := tryPage{webtest.Browser(t), s.URL}
	p.open("/docs/authentication-zero")
	const route, title = "#get-sessions", "lists the sessions"
	p.example(route, title)
	p.send(t, "401")
	for n := range 2 {
		p.example(route, title)
		p.step(n)
		p.send(t, "201")
	}
	webtest.Eval[chromedp.Void](p.Page, `window.example.scrollIntoView({ behavior: "instant" })`)
	p.Page.Shoot("try-steps")
	p.example(route, title)
	if got := p.send(t, "200"); !strings.Contains(got, `"user_id"`) {
		t.Errorf("the sessions are %s", got)
	}
	p.nothingKept(t)
	p.RequireClean("HTTP 401", "status of 401")
}

// TestPG05_TryGraphQL runs operations from their pages: signed in by one, and without a credential.
func TestPG05_TryGraphQL(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, dbtest.SQLite(t))
	ada := s.Register(t, "ada@example.com")
	p := tryPage{webtest.Browser(t), s.URL}
	p.open("/docs/graphql/login")
	p.example("main", "Example")
	p.set("variables", `{"input": {"email": "ada@example.com", "password": "`+harness.GoodPass+`"}}`)
	if got := p.send(t, "200"); !strings.Contains(got, `"accessToken": "eyJ`) {
		t.Errorf("login: %s", got)
	}
	p.set("variables", "{")
	p.send(t, "The variables are not JSON")
	p.open("/docs/graphql/me")
	p.example("main", "Example")
	if got := p.send(t, "200"); !strings.Contains(got, `"me": null`) {
		t.Errorf("me without a credential: %s", got)
	}
	for _, password := range []string{harness.WrongPass, harness.GoodPass} {
		webtest.Eval[chromedp.Void](p.Page, `(() => {
			example.querySelector(".enter").open = true;
			example.querySelector(".try").elements.email.value = "ada@example.com";
			example.querySelector(".try").elements.password.value = `+strconv.Quote(password)+`;
			example.querySelector(".enter button").click();
		})()`)
		p.WaitFor(`example.querySelector(".problem").textContent.startsWith("Nobody was signed in") && ` +
			`!example.querySelector(".problem").hidden || example.querySelector(".gaps input").value.startsWith("eyJ")`)
	}
	if got := p.send(t, "200"); !strings.Contains(got, `"email": "ada@example.com"`) {
		t.Errorf("me after a sign-in: %s", got)
	}
	p.Page.Shoot("try-graphql")
	webtest.Eval[chromedp.Void](p.Page, `(() => {
		const slot = example.querySelector(".gaps input");
		slot.value = `+strconv.Quote("Bearer "+ada.Access)+`;
		slot.dispatchEvent(new Event("input", { bubbles: true }));
	})()`)
	if got := p.send(t, "200"); !strings.Contains(got, `"email": "ada@example.com"`) {
		t.Errorf("me: %s", got)
	}
	p.nothingKept(t)
	p.RequireClean()
}
