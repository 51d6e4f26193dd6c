package browser

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
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
	p.Run(chromedp.Click(chromedp.JSPath(`[...document.querySelectorAll("#mails a")].find((a) => ` +
		`a.querySelector("b").textContent === ` + strconv.Quote(subject) + `)`)))
	p.WaitFor(`document.querySelector("article h2")?.textContent === ` + strconv.Quote(subject) +
		` && document.readyState === "complete"`)
	p.ClickInFrame("/html", "a.button")
}

// title waits for the heading of a page.
func (p mailReader) title(text string) {
	p.WaitFor(`document.querySelector("h1")?.textContent === ` + strconv.Quote(text))
}

// press clicks the button of a page when the page has said whose account the link is about, which moves the button.
func (p mailReader) press() {
	p.WaitFor(`!document.getElementById("about").hidden`)
	p.Run(chromedp.Click(chromedp.CSS("form button")))
}

// TestBrowser_MailFlows: a person registers, opens the local mailbox, follows the link by a click and presses the
// button, and the account is confirmed; the password is recovered the same way, and a link signs in. The address bar
// keeps no token (OT-14, OT-18).
func TestBrowser_MailFlows(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		who := s.Register(t, "ada@example.com")
		p := mailReader{webtest.Browser(t), s.URL}

		s.Mailed(t, harness.SendVerifyDoc, "ada@example.com", db.MailVerifyEmail)
		p.follow("Confirm your email address")
		p.title("Confirm your email address")
		p.WaitFor(`location.hash === "" && location.href.endsWith("/account/verify-email")`)
		p.WaitFor(`document.getElementById("by-hand").hidden`)
		p.Page.Shoot("account-verify")
		if v := s.GraphQL(t, who.Access, `{ me { emailVerified } }`, nil).At("me", "emailVerified"); v != false {
			t.Fatalf("the address is confirmed before the button was pressed: %v", v)
		}
		p.press()
		p.title("Your address is confirmed")
		p.Page.Shoot("account-verified")
		if v := s.GraphQL(t, who.Access, `{ me { emailVerified } }`, nil).At("me", "emailVerified"); v != true {
			t.Fatalf("the address is not confirmed: %v", v)
		}

		s.Mailed(t, harness.AskResetDoc, "ada@example.com", db.MailResetPassword)
		p.follow("Choose a new password")
		p.title("Choose a new password")
		p.WaitFor(`document.activeElement.id === "password"`)
		p.Run(chromedp.KeyEvent("a better horse battery"), chromedp.Focus(chromedp.ID("repeat")),
			chromedp.KeyEvent("another one"), chromedp.KeyEvent("\r"))
		p.WaitFor(`document.getElementById("problem").textContent === "The two passwords are not the same."`)
		p.Page.Shoot("account-reset")
		webtest.Eval[chromedp.Void](p.Page, `document.getElementById("repeat").select()`)
		p.Run(chromedp.KeyEvent("a better horse battery"), chromedp.KeyEvent("\r"))
		p.title("Your new password counts")
		if a := s.Login(t, "ada@example.com", "a better horse battery"); a.Code() != "" {
			t.Errorf("login with the new password: %s", a.Raw)
		}

		s.Mailed(t, harness.AskMagicDoc, "ada@example.com", db.MailMagicLink)
		p.follow("Sign in to " + strings.TrimPrefix(s.URL, "http://"))
		p.title("Sign in")
		p.press()
		p.title("You are signed in")
		p.WaitFor(`document.querySelector(".lead").textContent.startsWith("You are signed in as ada@example.com.")`)
		me := webtest.Eval[string](p.Page, `fetch("/graphql", { method: "POST", headers: { "Content-Type": `+
			`"application/json" },
			body: JSON.stringify({ query: "{ me { email } }" }) }).then((r) => r.text())`)
		if !strings.Contains(me, "ada@example.com") {
			t.Errorf("the browser is signed in as %s", me)
		}
		if kept := webtest.Eval[string](p.Page, `JSON.stringify([{...localStorage}, {...sessionStorage}, `+
			`history.state, location.hash])`); kept != `[{},{},null,""]` {
			t.Errorf("the browser keeps %s", kept)
		}

		// A link that was used is refused in words, and the code does it where there is no link.
		used := s.Letter(t, "ada@example.com", db.MailMagicLink)
		p.Run(chromedp.Navigate("about:blank"), chromedp.Navigate(s.URL+"/account/sign-in#token="+used.Token))
		p.WaitFor(`document.getElementById("by-hand").hidden`)
		p.Run(chromedp.Click(chromedp.CSS("form button")))
		p.WaitFor(`document.getElementById("problem").textContent.startsWith("This link is not good any more")`)
		p.Page.Shoot("account-used")
		s.Mailed(t, harness.AskMagicDoc, "ada@example.com", db.MailMagicLink)
		p.Run(chromedp.Navigate(s.URL+"/account/sign-in"), chromedp.Focus(chromedp.ID("email")),
			chromedp.KeyEvent("ada@example.com"),
			chromedp.Focus(chromedp.ID("code")), chromedp.KeyEvent(" "+
				s.Letter(t, "ada@example.com", db.MailMagicLink).Code+"\r"))
		p.title("You are signed in")
		p.RequireClean()
	})
}

// TestBrowser_MailOutOfTheBox is what a newcomer sees who sets nothing at all: the server in a process of its own sends
// its mails to the local mailbox, and their links and buttons do what they say.
func TestBrowser_MailOutOfTheBox(t *testing.T) {
	t.Parallel()
	s := harness.Spawn(t)
	call := func(document string, variables map[string]any) *harness.Answer {
		t.Helper()
		a, err := harness.Send(s.URL, "", document, variables)
		if err != nil {
			t.Fatal(err)
		}
		return harness.Fine(t, a)
	}
	access := call(harness.RegisterDoc, harness.InputOf("email", "ada@example.com", "password",
		harness.GoodPass)).Text("register", "tokens", "accessToken")
	p := mailReader{webtest.Browser(t), s.URL}
	p.follow("Confirm your email address")
	p.title("Confirm your email address")
	p.press()
	p.title("Your address is confirmed")
	if a, err := harness.Send(s.URL, access, `{ me { emailVerified } }`, nil); err != nil ||
		a.At("me", "emailVerified") != true {
		t.Errorf("the address is not confirmed: %v, %v", a, err)
	}
	call(harness.AskResetDoc, harness.InputOf("email", "ada@example.com"))
	p.follow("Choose a new password")
	p.title("Choose a new password")
	p.WaitFor(`document.activeElement.id === "password"`)
	p.Run(chromedp.KeyEvent("a better horse battery"), chromedp.Focus(chromedp.ID("repeat")),
		chromedp.KeyEvent("a better horse battery\r"))
	p.title("Your new password counts")
	call(harness.LoginDoc, harness.InputOf("email", "ada@example.com", "password", "a better horse battery"))
	if out := s.Out.String(); !strings.Contains(out, "Start here   "+s.URL+"/\n") {
		t.Errorf("the banner does not say where to start: %s", out)
	}
	p.Run(chromedp.Navigate(s.URL + "/"))
	p.WaitFor(`document.querySelector("main .card a[href='/dev/mailbox']")`)
	p.RequireClean()
}

// TestBrowser_MailPages looks at mails, at the mailbox and at the pages of accounts in a small dark window and a large
// light one, and in all of them for screenshots: nothing sticks out, and the text has the contrast of WCAG 2 (1.4.3,
// AA).
func TestBrowser_MailPages(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, dbtest.SQLite(t))
	const name = `<a href="https://evil.example">Click</a>`
	const address = "ada.lovelace-with-a-long-address@mail.example.com"
	signed := harness.Fine(t, s.GraphQL(t, "", harness.RegisterDoc,
		harness.InputOf("email", address, "password", harness.GoodPass, "name", name)))
	ada := harness.Account{Email: address, Access: signed.Text("register", "tokens", "accessToken")}
	s.Mailed(t, harness.AskResetDoc, ada.Email, db.MailResetPassword)
	harness.Fine(t, s.GraphQL(t, ada.Access, harness.ChangeEmailDoc,
		harness.InputOf("email", "countess@example.org", "currentPassword", harness.GoodPass)))
	harness.Fine(t, s.GraphQL(t, ada.Access, `mutation($input: UpdateMeInput!) { updateMe(input: $input) { user { id `+
		`} userErrors { code } } }`, harness.InputOf("locale", "de")))
	s.Mailed(t, harness.AskMagicDoc, ada.Email, db.MailMagicLink)

	paths := map[string]string{"mailbox": "/dev/mailbox", "mailbox-nobody": "/dev/mailbox?to=nobody@example.com"}
	s.Register(t, "bob@example.com")
	s.Mailed(t, harness.AskResetDoc, "bob@example.com", db.MailResetPassword)
	for _, l := range append(s.Letters(t, address, ""), s.Letters(t, "bob@example.com", "")...) {
		paths["mail-"+string(l.Mail.Kind)+"-"+l.Mail.ID.String()[20:]] = "/dev/mailbox/" + l.Mail.ID.String() + "/html"
		if l.Mail.Kind == db.MailMagicLink {
			paths["mailbox-open"] = "/dev/mailbox/" + l.Mail.ID.String()
		}
	}
	if len(paths) < 8 {
		t.Fatalf("there are the pages %v", paths)
	}
	for _, page := range []string{"verify-email", "reset-password", "sign-in", "confirm-email", "cancel-email-change"} {
		paths["page-"+page], paths["token-"+page] = "/account/"+page, "/account/"+page+"#token=ot1.x"
	}
	p := mailReader{webtest.Browser(t), s.URL}
	for _, name := range slices.Sorted(maps.Keys(paths)) { // so no two in a row differ by their fragment alone
		p.Run(chromedp.Navigate(s.URL + paths[name]))
		p.WaitFor(`document.readyState === "complete"`)
		for _, w := range webtest.Windows {
			if w.Name == "phone-dark" || w.Name == "desktop-light" || os.Getenv("DRAGOMAN_SCREENSHOTS") != "" {
				p.Page.Look(w, name+"-"+w.Name)
			}
		}
	}
	p.RequireClean()
}

// TestBrowser_MailsAreInert: not even a mail that is made of scripts runs one in the mailbox, and none leads anywhere
// by itself.
func TestBrowser_MailsAreInert(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	layout := `<html><head><meta http-equiv="refresh" content="0; url=/ran-refresh"><script>fetch("/ran-script"); ` +
		`top.location = "/ran-top"</script></head>` +
		`<body onload="fetch('/ran-onload')"><img src="/ran-image" onerror="fetch('/ran-onerror')"><form ` +
		`action="/ran-form"><button>Go</button></form>` +
		`<iframe src="/ran-frame"></iframe><link rel="stylesheet" href="/ran-style"><a class="button" ` +
		`href="{{.Link}}">{{.Link}} {{.Code}} {{.Greeting}}</a></body></html>`
	if err := os.WriteFile(filepath.Join(dir, "layout.html"), []byte(layout), 0o600); err != nil {
		t.Fatal(err)
	}
	s := harness.Start(t, dbtest.SQLite(t), "DRAGOMAN_MAIL_TEMPLATES="+dir)
	s.Register(t, "ada@example.com")
	l := s.Mailed(t, harness.AskMagicDoc, "ada@example.com", db.MailMagicLink)
	p := webtest.Browser(t)
	for _, path := range []string{"", "/html"} {
		p.Run(chromedp.Navigate(s.URL + "/dev/mailbox/" + l.Mail.ID.String() + path))
		p.WaitFor(`document.readyState === "complete"`)
	}
	p.Run(chromedp.Navigate(s.URL + "/dev/mailbox/" + l.Mail.ID.String()))
	p.WaitFor(`document.querySelector("iframe")`)
	p.ClickInFrame("/html", "form button")
	p.WaitFor(`location.pathname.startsWith("/dev/mailbox/")`)
	if at := strings.Index(s.Logged.String(), "/ran-"); at >= 0 {
		t.Errorf("the mail did something: %.100s", s.Logged.String()[at:])
	}
}

// TestBrowser_BackInEveryState wants the way back to the application on the page of a link before its button is
// pressed, after it, and where the link is used (OT-39).
func TestBrowser_BackInEveryState(t *testing.T) {
	t.Parallel()
	const home = "http://localhost:5173/welcome?from=mail"
	s := harness.Start(t, dbtest.SQLite(t))
	s.Register(t, "ada@example.com")
	harness.Fine(t, s.GraphQL(t, "", harness.AskResetDoc,
		harness.InputOf("email", "ada@example.com", "returnTo", home)))
	link := s.URL + "/account/reset-password#token=" + s.Letter(t, "ada@example.com", db.MailResetPassword).Token
	p := mailReader{webtest.Browser(t), s.URL}
	p.Viewport(390, 844, "dark")
	back := func(where string) {
		p.WaitFor(`[...document.querySelectorAll("main a")].filter((a) => a.href === ` + strconv.Quote(home) +
			` && a.textContent === "Back to localhost:5173" && a.checkVisibility() && a.closest("` + where +
			`")).length === 1 && document.querySelectorAll("#home").length === 1`)
	}
	p.Run(chromedp.Navigate(link))
	back("#ways")
	p.Page.Shoot("account-back")
	p.Run(chromedp.Focus(chromedp.ID("password")), chromedp.KeyEvent("one password"), chromedp.Focus(chromedp.ID("repeat")),
		chromedp.KeyEvent("other password\r"))
	p.WaitFor(`!document.getElementById("problem").hidden`)
	back("#ways")
	webtest.Eval[chromedp.Void](p.Page, `for (const id of ["password", "repeat"]) {
  document.getElementById(id).value = "a better horse battery";
}`)
	p.Run(chromedp.Click(chromedp.CSS("form button")))
	p.title("Your new password counts")
	back("#panel")
	p.Page.Shoot("account-back-done")
	p.Run(chromedp.Navigate("about:blank"), chromedp.Navigate(link))
	back("#ways")
	webtest.Eval[chromedp.Void](p.Page, `for (const id of ["password", "repeat"]) {
  document.getElementById(id).value = "a better horse battery";
}`)
	p.Run(chromedp.Click(chromedp.CSS("form button")))
	p.WaitFor(`document.getElementById("problem").textContent.startsWith("This link is not good any more")`)
	back("#ways")
	p.Page.Shoot("account-back-used")
	p.RequireClean()
}
