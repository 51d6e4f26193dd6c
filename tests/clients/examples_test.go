package clients

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
	"github.com/dragoman-auth/dragoman/web/webtest"
)

// app is an example for frontends in a browser.
type app struct{ *webtest.Page }

// served puts the built pages of a folder on a port, as pages of the server behind a gate.
func served(t *testing.T, folder string, g *gate) (home string) {
	t.Helper()
	files := http.FileServer(http.Dir(folder))
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			files.ServeHTTP(w, r)
			return
		}
		page, err := os.ReadFile(filepath.Join(folder, "index.html"))
		const standard = `content="http://localhost:8080/graphql"`
		if err != nil || !bytes.Contains(page, []byte(standard)) {
			t.Errorf("the page does not name its server: %v", err)
		}
		_, _ = w.Write(bytes.Replace(page, []byte(standard), []byte(`content="`+g.URL+`/graphql"`), 1))
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// enter fills the form in and presses one of its buttons: login or register.
func (p app) enter(email, password, button string) {
	p.WaitFor(`!document.getElementById("sign-in").hidden`)
	p.Run(chromedp.Focus(chromedp.CSS("[name=email]")), chromedp.KeyEvent(email),
		chromedp.Focus(chromedp.CSS("[name=password]")), chromedp.KeyEvent(password),
		chromedp.Click(chromedp.CSS("[name="+button+"]")))
}

// account waits until the page shows a person with all that it asks for.
func (p app) account(email, kind string) {
	p.WaitFor(`document.getElementById("email").textContent === "` + email + `" && ` +
		`document.getElementById("kind").textContent === "` + kind + `" && ` +
		`document.querySelectorAll("#sessions li").length > 0`)
}

func (p app) form() {
	p.WaitFor(`document.getElementById("sign-in") && !document.getElementById("sign-in").hidden`)
}

// shoot writes a screenshot where DRAGOMAN_SCREENSHOTS names a folder for them.
func (p app) shoot(name string) {
	if folder := os.Getenv("DRAGOMAN_SCREENSHOTS"); folder != "" {
		p.Screenshot(filepath.Join(folder, name+".png"))
	}
}

// asksAgain presses the button that asks three things at once, and wants three answers and one refresh.
func (p app) asksAgain(t *testing.T, g *gate) {
	t.Helper()
	g.refreshes.Store(0)
	g.answered.Store(0)
	p.Run(chromedp.Click(chromedp.ID("again")))
	for deadline := time.Now().Add(20 * time.Second); g.answered.Load() < 3 && time.Now().Before(deadline); {
		time.Sleep(20 * time.Millisecond)
	}
	p.account("ada@example.com", "ACCESS_TOKEN")
	if n, answers := g.refreshes.Load(), g.answered.Load(); n != 1 || answers != 3 {
		t.Errorf("%d refreshes and %d answers, want 1 and 3", n, answers)
	}
}

// TestExamples_Wait waits ten seconds beside the program itself, whose clock goes on: the page knows then that its
// token has ended, and refreshes before it asks. TestExamples moves the clock of the server alone, so that pages are
// refused. Without DRAGOMAN_TEST_FULL it is one of the examples.
func TestExamples_Wait(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"fetch", "apollo", "urql"}[:harness.Amount(1, 3)] {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := "docs/examples/" + name
			built := filepath.Join(workspace(t, folder), folder)
			run(t, built, "npm run build --silent")
			program := harness.Spawn(t, append(harness.ProcessEnv(dbtest.SQLite(t)), short)...)
			g := newGate(t, &harness.Instance{URL: program.URL})
			p := app{webtest.Browser(t)}
			p.Run(chromedp.Navigate(served(t, filepath.Join(built, "www"), g)))
			p.enter("ada@example.com", harness.GoodPass, "register")
			p.account("ada@example.com", "ACCESS_TOKEN")
			time.Sleep(over)
			p.asksAgain(t, g)
			p.RequireClean()
		})
	}
}

// TestExamples builds each example as docs/examples/README.md says, and a person uses it in Chromium: signs up, comes
// back after the access token has ended, asks three things at once, which takes one refresh, signs out and in, and is
// signed out from elsewhere.
func TestExamples(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"fetch", "apollo", "urql"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := "docs/examples/" + name
			built := filepath.Join(workspace(t, folder), folder)
			run(t, built, "npm run build --silent")
			dsn := dbtest.SQLite(t)
			s := harness.Start(t, dsn, short)
			g := newGate(t, s)
			home := served(t, filepath.Join(built, "www"), g)
			p := app{webtest.Browser(t)}
			p.Run(chromedp.Navigate(home))
			p.form()
			p.shoot("example-" + name + "-form")
			p.enter("ada@example.com", harness.GoodPass, "register")
			p.account("ada@example.com", "ACCESS_TOKEN")
			p.shoot("example-" + name + "-account")

			for range 2 {
				s.Clock.Add(over)
				p.asksAgain(t, g)
			}
			p.Run(chromedp.Navigate(home))
			p.account("ada@example.com", "ACCESS_TOKEN")

			live := func() int {
				return harness.OpenSide(t, dsn).Count(t, "SELECT count(*) FROM sessions WHERE revoked_at IS NULL")
			}
			p.Run(chromedp.Click(chromedp.ID("sign-out")))
			p.form()
			if n, kept := live(), webtest.Eval[int](p.Page, `localStorage.length`); n != 0 || kept != 0 {
				t.Errorf("after the sign-out %d sessions are live, and %d tokens are kept", n, kept)
			}
			p.enter("ada@example.com", "not the password", "login")
			p.WaitFor(`document.getElementById("status").textContent === "Email, username or password is wrong."`)
			p.Run(chromedp.Navigate(home))
			p.form()
			p.enter("ada@example.com", harness.GoodPass, "login")
			p.account("ada@example.com", "ACCESS_TOKEN")
			elsewhere := s.Login(t, "ada@example.com", harness.GoodPass).Text("login", "tokens", "accessToken")
			s.GraphQL(t, elsewhere, "mutation { revokeOtherSessions { revokedCount } }", nil)
			p.Run(chromedp.Click(chromedp.ID("again")))
			p.form()
			p.RequireClean()
		})
	}
}
