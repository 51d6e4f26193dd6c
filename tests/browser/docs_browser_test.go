package browser

import (
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/chromedp"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
	"github.com/dragoman-auth/dragoman/web/webtest"
)

// TestBrowser_Docs opens every page in every window: it has nothing to complain of, nothing sticks out at the side, and
// its text has the contrast of WCAG 2 (1.4.3, AA).
func TestBrowser_Docs(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, dbtest.SQLite(t), "DRAGOMAN_DIALECTS_DIR="+harness.TutorialFiles)
	paths := []string{
		"/docs", "/docs/graphql", "/docs/graphql/login", "/docs/graphql/users", "/docs/graphql/types",
		"/docs/graphql/frontend",
	}
	for _, d := range s.App.Dialects {
		paths = append(paths, "/docs/"+d.Name)
	}
	page := webtest.Browser(t)
	for _, path := range paths {
		page.Run(chromedp.Navigate(s.URL + path))
		page.WaitFor(`document.readyState === "complete"`)
		for _, w := range webtest.Windows {
			page.Look(w, "docs-"+w.Name+strings.ReplaceAll(path, "/", "-"))
		}
	}
	page.RequireClean()
}

// TestBrowser_DocsAtWork copies a command, filters, and goes from page to page, by mouse and by keys.
func TestBrowser_DocsAtWork(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, dbtest.SQLite(t), "DRAGOMAN_DIALECTS_DIR="+harness.TutorialFiles)
	page := webtest.OpenPlayground(t, s.URL+"/playground").Page
	page.Run(chromedp.Click(chromedp.CSS(`.doors a[href="/docs"]`)))
	page.WaitFor(`document.title === "Dragoman API documentation"`)
	page.Run(chromedp.Click(chromedp.CSS(`.card a[href="/docs/library-card"]`)))
	page.WaitFor(`document.querySelector("h1").textContent === "Card Desk API" && document.readyState === "complete"`)

	command := webtest.Eval[string](page, `document.querySelector("#post-Card .example > .command code").textContent`)
	if !strings.HasPrefix(command, "curl "+s.URL+"/desk/Card") {
		t.Errorf("the command is %s", command)
	}
	if _, err := chromedp.Call(page.Context(), browser.SetPermission, browser.SetPermissionParams{
		Permission: &browser.PermissionDescriptor{Name: "clipboard-read"}, Setting: browser.PermissionSettingGranted,
		Origin:           s.URL,
		BrowserContextID: chromedp.FromContext(page.Context()).BrowserContextID,
	}); err != nil {
		t.Fatal(err)
	}
	page.Run(chromedp.Click(chromedp.CSS("#post-Card .example > .command .copy")))
	page.WaitFor(`document.querySelector("#post-Card .copy").textContent === "Copied"`)
	page.WaitFor(`document.getElementById("said").textContent.includes("clipboard")`)
	if pasted := webtest.Eval[string](page, `navigator.clipboard.readText()`); pasted != command {
		t.Errorf("the clipboard holds %q, want %q", pasted, command)
	}
	page.WaitFor(`document.querySelector("#post-Card .copy").textContent === "Copy"`)

	page.Run(chromedp.Click(chromedp.CSS(`.menu a[href="#get-Card"]`)))
	page.WaitFor(`location.hash === "#get-Card" && ` +
		`Math.abs(document.getElementById("get-Card").getBoundingClientRect().top) < 200`)
	// not by the mouse: the page may still move
	webtest.Eval[chromedp.Void](page, `document.querySelector("#get-Card .before summary").click()`)
	page.WaitFor(`document.querySelector("#get-Card .before").open`)
	broken := webtest.Eval[string](page, `(async () => {
		const wrong = [];
		for (const a of document.querySelectorAll("a[href]")) {
			const url = new URL(a.href);
			if (url.hash && url.pathname === location.pathname && `+
		`!document.getElementById(decodeURIComponent(url.hash.slice(1)))) wrong.push(a.href);
		}
		return wrong.join(" ");
	})()`)
	if broken != "" {
		t.Errorf("these lead nowhere: %s", broken)
	}
	page.RequireClean()
}

// TestPG07_Search searches from every page of the documentation by keys alone: an operation, a type, and a route
// of another API are found and gone to, and what is not there is said not to be.
func TestPG07_Search(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, dbtest.SQLite(t), "DRAGOMAN_DIALECTS_DIR="+harness.TutorialFiles)
	page := webtest.Browser(t)
	for _, try := range []struct{ from, words, to string }{
		{"/docs", "login with magic", "/docs/graphql/loginWithMagicLink"},
		{"/docs/library-card", "TokenDelivery", "/docs/graphql/types#TokenDelivery"},
		{"/docs/graphql", "post /desk/card", "/docs/library-card#post-Card"},
		{"/docs/graphql/types", "holdermail open", "/docs/library-card#post-Open"},
		{"/docs", "urql", "/docs/graphql/frontend#urql"},
		{"/docs/graphql/login", "scope_not_grantable mutation create", "/docs/graphql/createApiKey"},
	} {
		page.Run(chromedp.Navigate(s.URL + try.from))
		page.WaitFor(`document.readyState === "complete" && !document.querySelector(".search").hidden`)
		webtest.Eval[chromedp.Void](page, `document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "/", `+
			`bubbles: `+
			`true, cancelable: true }))`) // chromedp would type it after all
		page.WaitFor(`document.activeElement.id === "search" && document.activeElement.value === ""`)
		page.Run(chromedp.KeyEvent("xyzzy"))
		page.WaitFor(`document.getElementById("found").textContent.startsWith("Nothing found") && ` +
			`document.getElementById("hits").hidden`)
		page.Run(chromedp.KeyEvent("\u001b"))
		page.WaitFor(`document.getElementById("found").textContent === "" && document.activeElement.value === ""`)
		page.Run(chromedp.KeyEvent(try.words))
		page.WaitFor(`/found$/.test(document.getElementById("found").textContent) && ` +
			`document.querySelectorAll("#hits [aria-selected=true]").length === 1 && document.activeElement` +
			`.getAttribute("aria-activedescendant") === document.querySelector("#hits [aria-selected=true]").id`)
		page.Shoot("search" + strings.ReplaceAll(try.from, "/", "-"))
		for webtest.Eval[string](page, `document.querySelector("#hits [aria-selected=true]").dataset.path`) != try.to {
			last := webtest.Eval[bool](page,
				`document.querySelector("#hits [aria-selected=true]").nextSibling === null`)
			if last {
				t.Fatalf("%s: %q does not find %s", try.from, try.words, try.to)
			}
			page.Run(chromedp.KeyEvent("\u0301"))
		}
		page.Run(chromedp.KeyEvent("\r"))
		page.WaitFor(`location.pathname + location.hash === ` + strconv.Quote(try.to) +
			` && document.readyState === "complete"`)
	}
	page.RequireClean()
}
