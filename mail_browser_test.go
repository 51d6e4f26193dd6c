package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/web/webtest"
)

// mailReader is the local mailbox in a browser.
type mailReader struct {
	*webtest.Page
	server string
}

// follow opens the newest mail of a subject as a person does, and presses the button in it.
func (p mailReader) follow(subject string) {
	p.Run(chromedp.Navigate(p.server + "/dev/mailbox"))
	p.WaitFor(`document.querySelector("#mails a")`)
	p.Run(chromedp.Click(chromedp.JSPath(`[...document.querySelectorAll("#mails a")].find((a) => a.querySelector("b").textContent === ` + strconv.Quote(subject) + `)`)))
	p.WaitFor(`document.querySelector("article h2")?.textContent === ` + strconv.Quote(subject) + ` && document.readyState === "complete"`)
	p.ClickInFrame("/html", "a.button")
}

// title waits for the heading of a page.
func (p mailReader) title(text string) {
	p.WaitFor(`document.querySelector("h1")?.textContent === ` + strconv.Quote(text))
}

func (p mailReader) shoot(name string) {
	if folder := os.Getenv("DRAGOMAN_SCREENSHOTS"); folder != "" {
		p.Screenshot(filepath.Join(folder, name+".png"))
	}
}

// TestBrowser_MailFlows: a person registers, opens the local mailbox, follows the link by a click and presses the button, and the
// account is confirmed; the password is recovered the same way, and a link signs in. The address bar keeps no token (OT-14, OT-18).
func TestBrowser_MailFlows(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		who := s.register(t, "ada@example.com")
		p := mailReader{webtest.Browser(t), s.URL}

		s.mailed(t, sendVerifyDoc, "ada@example.com", db.MailVerifyEmail)
		p.follow("Confirm your email address")
		p.title("Confirm your email address")
		p.WaitFor(`location.hash === "" && location.href.endsWith("/account/verify-email")`)
		p.WaitFor(`document.getElementById("by-hand").hidden`)
		p.shoot("account-verify")
		if v := s.graphql(t, who.Access, `{ me { emailVerified } }`, nil).at("me", "emailVerified"); v != false {
			t.Fatalf("the address is confirmed before the button was pressed: %v", v)
		}
		p.Run(chromedp.Click(chromedp.CSS("form button")))
		p.title("Your address is confirmed")
		p.shoot("account-verified")
		if v := s.graphql(t, who.Access, `{ me { emailVerified } }`, nil).at("me", "emailVerified"); v != true {
			t.Fatalf("the address is not confirmed: %v", v)
		}

		s.mailed(t, askResetDoc, "ada@example.com", db.MailResetPassword)
		p.follow("Choose a new password")
		p.title("Choose a new password")
		p.WaitFor(`document.activeElement.id === "password"`)
		p.Run(chromedp.KeyEvent("a better horse battery"), chromedp.Focus(chromedp.ID("repeat")), chromedp.KeyEvent("another one"), chromedp.KeyEvent("\r"))
		p.WaitFor(`document.getElementById("problem").textContent === "The two passwords are not the same."`)
		p.shoot("account-reset")
		webtest.Eval[chromedp.Void](p.Page, `document.getElementById("repeat").select()`)
		p.Run(chromedp.KeyEvent("a better horse battery"), chromedp.KeyEvent("\r"))
		p.title("Your new password counts")
		if a := s.login(t, "ada@example.com", "a better horse battery"); a.code() != "" {
			t.Errorf("login with the new password: %s", a.Raw)
		}

		s.mailed(t, askMagicDoc, "ada@example.com", db.MailMagicLink)
		p.follow("Sign in to "+strings.TrimPrefix(s.URL, "http://"))
		p.title("Sign in")
		p.Run(chromedp.Click(chromedp.CSS("form button")))
		p.title("You are signed in")
		p.WaitFor(`document.querySelector(".lead").textContent.startsWith("You are signed in as ada@example.com.")`)
		me := webtest.Eval[string](p.Page, `fetch("/graphql", { method: "POST", headers: { "Content-Type": "application/json" },
			body: JSON.stringify({ query: "{ me { email } }" }) }).then((r) => r.text())`)
		if !strings.Contains(me, "ada@example.com") {
			t.Errorf("the browser is signed in as %s", me)
		}
		if kept := webtest.Eval[string](p.Page, `JSON.stringify([{...localStorage}, {...sessionStorage}, history.state, location.hash])`); kept != `[{},{},null,""]` {
			t.Errorf("the browser keeps %s", kept)
		}

		// A link that was used is refused in words, and the code does it where there is no link.
		used := s.letter(t, "ada@example.com", db.MailMagicLink)
		p.Run(chromedp.Navigate("about:blank"), chromedp.Navigate(s.URL+"/account/sign-in#token="+used.Token))
		p.WaitFor(`document.getElementById("by-hand").hidden`)
		p.Run(chromedp.Click(chromedp.CSS("form button")))
		p.WaitFor(`document.getElementById("problem").textContent.startsWith("This link is not good any more")`)
		p.shoot("account-used")
		s.clock.add(2 * 60e9)
		s.mailed(t, askMagicDoc, "ada@example.com", db.MailMagicLink)
		p.Run(chromedp.Navigate(s.URL+"/account/sign-in"), chromedp.Focus(chromedp.ID("email")), chromedp.KeyEvent("ada@example.com"),
			chromedp.Focus(chromedp.ID("code")), chromedp.KeyEvent(" "+s.letter(t, "ada@example.com", db.MailMagicLink).Code+"\r"))
		p.title("You are signed in")
		p.RequireClean()
	})
}
