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

// window is a size and a colour in which pages are looked at.
type window struct {
	name          string
	width, height int64
	scheme        string
}

var windows = []window{
	{"phone-light", 360, 780, "light"},
	{"phone-dark", 360, 780, "dark"},
	{"tablet-light", 820, 1100, "light"},
	{"desktop-light", 1280, 900, "light"},
	{"desktop-dark", 1280, 900, "dark"},
}

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
		for _, w := range windows {
			looked(t, page, w, "docs-"+w.name+strings.ReplaceAll(path, "/", "-"))
		}
	}
	page.RequireClean()
}

// looked makes the window such a one and finds what is wrong with the page in it. Its name is that of a screenshot.
func looked(t *testing.T, page *webtest.Page, w window, name string) {
	t.Helper()
	page.Viewport(w.width, w.height, w.scheme)
	page.WaitFor(`document.fonts.status === "loaded"`)
	shoot(page, name)
	if wide := webtest.Eval[int](page, `document.documentElement.scrollWidth`); wide > int(w.width) {
		t.Errorf("%s: it is %d wide", name, wide)
	}
	if out := webtest.Eval[string](page, sticksOut); out != "" {
		t.Errorf("%s: these stick out: %s", name, out)
	}
	if pale := webtest.Eval[string](page, paleText); pale != "" {
		t.Errorf("%s: these are hard to read: %s", name, pale)
	}
	if steps := webtest.Eval[string](page, `[...document.querySelectorAll("h1,h2,h3,h4")].map((h) => `+
		`h.tagName[1]).join("")`); !stepwise(steps) {
		t.Errorf("%s: the headings go %s", name, steps)
	}
}

// stepwise tells whether headings begin with the one first and never leave a level out.
func stepwise(levels string) bool {
	for i := range levels {
		if i > 0 && levels[i] > levels[i-1]+1 || i > 0 && levels[i] == '1' {
			return false
		}
	}
	return strings.HasPrefix(levels, "1")
}

// sticksOut names what leaves the window at a side, but within a box that scrolls.
const sticksOut = `[...document.querySelectorAll("body *")].filter((e) => {
  const box = e.getBoundingClientRect();
  return box.width > 0 && (box.right > innerWidth + 1 || box.left < -1) && !e.closest("pre, .quiet, .skip");
}).map((e) => e.tagName + "." + e.className).slice(0, 5).join(" ")`

// paleText names text whose contrast with what is below it is less than 4.5 to 1.
const paleText = `(() => {
  const parse = (c) => { const m = c.match(/[\d.]+/g).map(Number); return { rgb: m.slice(0, 3), a: m[3] ?? 1 }; };
  const light = ([r, g, b]) => { const f = (v) => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / ` +
	`1.055) ** 2.4; };
    return 0.2126 * f(r) + 0.7152 * f(g) + 0.0722 * f(b); };
  const below = (e) => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor); if ` +
	`(c.a === 1) return c.rgb; } return [255, 255, 255]; };
  const pale = new Set();
  for (const e of document.querySelectorAll("body *")) {
    if (![...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim()) || !e.getClientRects().length || ` +
	`e.closest(".quiet")) continue;
    const a = light(parse(getComputedStyle(e).color).rgb), b = light(below(e));
    if ((Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) < 4.5) pale.add(e.tagName + "." + e.className + " in ." + ` +
	`e.parentElement.className);
  }
  return [...pale].slice(0, 8).join(", ");
})()`

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
		shoot(page, "search"+strings.ReplaceAll(try.from, "/", "-"))
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
