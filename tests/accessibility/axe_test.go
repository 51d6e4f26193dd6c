package accessibility

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
	"github.com/dragoman-auth/dragoman/web/webtest"
)

// windows are a desktop and a phone, each in light and dark. The first two are looked at in every run.
var windows = []struct {
	width  int64
	scheme string
}{{1280, "light"}, {390, "dark"}, {1280, "dark"}, {390, "light"}}

// TestPG04_Axe runs axe over every kind of page, on a desktop and on a phone, in light and dark: it finds nothing that
// is serious or critical.
func TestPG04_Axe(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, dbtest.SQLite(t))
	s.Register(t, "ada@example.com")
	l := s.Mailed(t, harness.AskMagicDoc, "ada@example.com", db.MailMagicLink)
	ready := map[string]string{
		"/playground": `document.querySelectorAll(".graphiql-tab").length > 0 && ` +
			`document.querySelector(".graphiql-execute-button")`,
	}
	for _, path := range []string{
		"/", "/playground", "/docs", "/docs/graphql", "/docs/graphql/login", "/docs/graphql/types",
		"/docs/graphql/frontend",
		"/docs/authcompanion", "/dev/mailbox", "/dev/mailbox/" + l.Mail.ID.String(),
		"/account", "/account/verify-email", "/account/confirm-email", "/account/reset-password", "/account/sign-in",
		"/account/signin", "/account/signup", "/account/choose-password", "/account/cancel-email-change",
		"/account/forgot-password", "/token/revoke", "/nothing",
	} {
		t.Run(path, func(t *testing.T) {
			page := webtest.Browser(t)
			page.Run(chromedp.Navigate(s.URL + path))
			page.WaitFor(`document.readyState === "complete" && document.fonts.status === "loaded"`)
			if wait := ready[path]; wait != "" {
				page.WaitFor(wait)
			}
			weight := webtest.Eval[int](page, `[...performance.getEntriesByType("resource"), `+
				`performance.getEntriesByType("navigation")[0]].reduce((sum, one) => sum + one.encodedBodySize, 0)`)
			t.Logf("%s weighs %d kB", path, (weight+512)/1024)
			for _, w := range windows[:harness.Amount(2, len(windows))] {
				page.Viewport(w.width, 844, w.scheme)
				name := strings.TrimSuffix(path, l.Mail.ID.String())
				for _, barrier := range page.Barriers() {
					t.Errorf("%s, %s, %d pixels: %s", name, w.scheme, w.width, barrier)
				}
			}
			page.RequireClean("/nothing")
		})
	}
	page := webtest.Browser(t)
	page.Run(chromedp.Navigate(s.URL + "/"))
	webtest.Eval[chromedp.Void](page, `document.querySelector("main").insertAdjacentHTML("beforeend", `+
		`"<button></button>")`)
	if found := page.Barriers(); len(found) != 1 || !strings.Contains(found[0], "button-name") {
		t.Errorf("a button without a name: %q", found)
	}
	page.RequireClean()
}
