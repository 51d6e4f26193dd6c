package browser

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
	"github.com/dragoman-auth/dragoman/web/webtest"
)

// HT-04 in a browser: the link shows a page, the button does it, once.
func TestBrowser_EngineConfirmation(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Library(t, dsn)
		c := s.NewCard(t)
		page := webtest.Browser(t)
		page.Run(chromedp.Navigate(s.URL + "/desk/nowhere"))
		webtest.Eval[chromedp.Void](page, `(() => { document.cookie = "card=`+c.Session+`; path=/"; return null })()`)
		webtest.Eval[int](page, `new Promise((done) => { const i = new Image(); i.onerror = () => done(1); i.onload `+
			`= () => done(2); i.src = "/desk/leave" })`)
		page.Run(chromedp.Navigate(s.URL + "/desk/leave?why=spring"))
		page.WaitFor(`document.querySelector("button")`)
		if !s.Alive(t, c.Session) {
			t.Fatal("opening the link did it")
		}
		page.Shoot("confirm")
		page.Run(chromedp.Click(chromedp.CSS("button")))
		page.WaitFor(`document.querySelector("h1").textContent === "Done"`)
		page.Shoot("confirmed")
		if s.Alive(t, c.Session) {
			t.Error("the button did not do it")
		}
		conn := dbtest.Beside(t, dsn)
		if n := harness.MustCount(t, conn, "SELECT count(*) FROM audit_events WHERE action = 'session.ended'"); n != 1 {
			t.Errorf("it was done %d times", n)
		}
		page.RequireClean("content security policy: img-src", "violates the following Content Security Policy",
			"blocked", "404", "403", "request failed: Image") // the image asks, and is refused
	})
}

// HT-04 in a browser: the button of a route that leads to another place, which the file names, leads there.
func TestBrowser_EngineConfirmationLeadsAway(t *testing.T) {
	t.Parallel()
	s := harness.Library(t, dbtest.SQLite(t))
	page := webtest.Browser(t)
	c := s.NewCard(t)
	page.Run(chromedp.Navigate(s.URL + "/desk/nowhere"))
	webtest.Eval[chromedp.Void](page, `(() => { document.cookie = "card=`+c.Session+`; path=/"; return null })()`)
	page.Run(chromedp.Navigate(s.URL + "/desk/leave/away"))
	page.WaitFor(`document.querySelector("button")`)
	page.Run(chromedp.Click(chromedp.CSS("button")))
	page.WaitFor(`location.protocol === "chrome-error:"`) // nobody listens at the other place
	if s.Alive(t, c.Session) {
		t.Error("the button did not do it")
	}
	for _, problem := range page.Problems() {
		if strings.Contains(strings.ToLower(problem), "form-action") {
			t.Errorf("the browser does not go there: %s", problem)
		}
	}
}
