package browser

import (
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
	"github.com/dragoman-auth/dragoman/web/webtest"
)

// barOf is what the bar of a page shows: the way home, the doors, and the current one in brackets.
const barOf = `[...document.querySelectorAll(".top a")].map((a) => a.hasAttribute("aria-current") ? ` +
	"`[${a.textContent}]` : a.textContent).join(\" \")"

// TestPG01_Bar goes over the pages of a server on a machine for development: each has the bar, with the current page
// marked, and fits into its window.
func TestPG01_Bar(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, dbtest.SQLite(t))
	s.Register(t, "ada@example.com")
	page := webtest.Browser(t)
	for path, current := range map[string]string{
		"/":                       "Dragoman",
		"/playground":             "Playground",
		"/docs":                   "API docs",
		"/docs/graphql":           "API docs",
		"/docs/wolfpal":           "API docs",
		"/dev/mailbox":            "Mailbox",
		"/account":                "Account",
		"/account/verify-email":   "Account",
		"/account/reset-password": "Account",
	} {
		want := strings.Replace("Dragoman Playground API docs Mailbox Account", current, "["+current+"]", 1)
		page.Run(chromedp.Navigate(s.URL + path))
		page.WaitFor(`document.readyState === "complete"`)
		if path == "/playground" {
			page.WaitFor(`document.querySelectorAll(".graphiql-tab").length > 1`)
		}
		if got := strings.Join(strings.Fields(webtest.Eval[string](page, barOf)), " "); got != want {
			t.Errorf("%s: the bar is %s, want %s", path, got, want)
		}
		for _, w := range webtest.Windows {
			name := "bar-" + w.Name + strings.ReplaceAll(path, "/", "-")
			if path == "/playground" {
				page.Viewport(w.Width, w.Height, w.Scheme)
				page.Shoot(name)
				continue
			}
			page.Look(w, name)
		}
	}
	page.RequireClean()
}

// TestPG01_Doors walks from the start page through every door and back.
func TestPG01_Doors(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, dbtest.SQLite(t))
	page := webtest.Browser(t)
	page.Run(chromedp.Navigate(s.URL + "/"))
	doors := webtest.Eval[[]string](page, `[...document.querySelectorAll(".doors a")].map((a) => a.pathname)`)
	if !slices.Equal(doors, []string{"/playground", "/docs", "/dev/mailbox", "/account"}) {
		t.Fatalf("the doors are %q", doors)
	}
	for _, door := range doors {
		page.Run(chromedp.Click(chromedp.CSS(`.card a[href="` + door + `"]`)))
		page.WaitFor(`location.pathname === "` + door + `" && document.readyState === "complete"`)
		page.Run(chromedp.Click(chromedp.CSS(".brand")))
		page.WaitFor(`location.pathname === "/" && document.readyState === "complete"`)
	}
	page.RequireClean()
}
