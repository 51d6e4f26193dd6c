package browser

import (
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
	"github.com/dragoman-auth/dragoman/web/webtest"
)

// TestPG10_WithoutScripts goes through the pages under /account in a browser without scripts, over plain http: a person
// asks for a mail and signs in by its code, chooses a password, forgets it and chooses another one. The way back to the
// application stays on every page.
func TestPG10_WithoutScripts(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		const home = "http://localhost:5173/welcome"
		s := harness.Start(t, dsn)
		s.Register(t, "ada@example.com")
		p := mailReader{webtest.Browser(t), s.URL}
		p.NoScripts()
		p.Viewport(390, 844, "dark")
		page := func(title string) {
			t.Helper()
			p.WaitFor(`document.readyState === "complete" && document.querySelector("h1").textContent === "` + title +
				`" && [...document.querySelectorAll("main a")].filter((a) => a.href === "` + home +
				`" && a.checkVisibility()).length === 1`)
		}
		fill := func(fields ...string) {
			t.Helper()
			for n := 0; n < len(fields); n += 2 {
				p.Run(chromedp.SetValue(chromedp.ID(fields[n]), fields[n+1]))
			}
			p.Run(chromedp.Click(chromedp.CSS("form button")))
		}
		link := func(text string) {
			t.Helper()
			p.Run(chromedp.Click(chromedp.JSPath(`[...document.querySelectorAll("main a")].find((a) => ` +
				`a.textContent === "` + text + `")`)))
		}
		ask := func(title string, kind db.MailKind) string {
			t.Helper()
			page(title)
			fill("email", "ada@example.com")
			page("Look into your mailbox")
			l := s.Letter(t, "ada@example.com", kind)
			if l.Mail.Data.ReturnTo != home {
				t.Errorf("the mail leads to %q", l.Mail.Data.ReturnTo)
			}
			link("Enter the code of the mail")
			return l.Code
		}
		p.Run(chromedp.Navigate(s.URL + "/account/sign-in?returnTo=" + home))
		page("Sign in")
		link("Get a new mail")
		code := ask("Sign in by a mail", db.MailMagicLink)
		page("Sign in")
		p.Page.Shoot("noscript-sign-in")
		wrong := "000000"
		if code == wrong {
			wrong = "000001"
		}
		fill("email", "ada@example.com", "code", wrong)
		p.WaitFor(`document.getElementById("problem").textContent.startsWith("This code is not right")`)
		page("Sign in")
		fill("code", code) // the address stands there still
		page("You are signed in")
		link("Choose a password")
		page("Choose a password")
		fill("password", "a better horse battery", "repeat", "another horse battery")
		p.WaitFor(`document.getElementById("problem").textContent === "The two passwords are not the same."`)
		page("Choose a password")
		fill("password", "a better horse battery", "repeat", "a better horse battery")
		page("Your new password counts")
		p.Page.Shoot("noscript-done")
		harness.Fine(t, s.Login(t, "ada@example.com", "a better horse battery"))

		s.Clock.Add(time.Minute)
		p.Run(chromedp.Navigate(s.URL + "/account"))
		p.WaitFor(`document.readyState === "complete"`)
		p.Page.Shoot("noscript-account")
		link("Forgot your password?")
		p.WaitFor(`document.readyState === "complete" && location.pathname === "/account/forgot-password"`)
		p.Run(chromedp.Navigate(s.URL + "/account/forgot-password?returnTo=" + home))
		code = ask("Forgot your password?", db.MailResetPassword)
		page("Choose a new password")
		fill("email", "ada@example.com", "code", code, "password", "one more horse battery", "repeat",
			"one more horse battery")
		page("Your new password counts")
		harness.Fine(t, s.Login(t, "ada@example.com", "one more horse battery"))
		p.RequireClean()
	})
}

// TestPG10_AsksAlike wants that the pages which mail something answer alike for every address, and say what is wrong
// with one that is none.
func TestPG10_AsksAlike(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, dbtest.SQLite(t))
	s.Register(t, "ada@example.com")
	p := webtest.Browser(t)
	for _, page := range []string{"mail-sign-in", "forgot-password", "mail-confirmation"} {
		seen := map[string]string{}
		for _, email := range []string{"ada@example.com", "bob@example.com", "nobody"} {
			p.Run(chromedp.Navigate(s.URL + "/account/" + page))
			p.WaitFor(`document.readyState === "complete"`)
			p.Run(chromedp.SetValue(chromedp.ID("email"), email))
			webtest.Eval[chromedp.Void](p, `document.querySelector("form").noValidate = true`)
			p.Run(chromedp.Click(chromedp.CSS("form button")))
			p.WaitFor(`document.querySelector(".tick") || !document.getElementById("problem").hidden`)
			seen[email] = webtest.Eval[string](p, `document.querySelector("main").innerText.replaceAll("`+email+`", "X")`)
		}
		if seen["ada@example.com"] != seen["bob@example.com"] || seen["nobody"] == seen["bob@example.com"] {
			t.Errorf("%s: %q", page, seen)
		}
	}
	p.RequireClean()
}
