package browser

import (
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
	"github.com/dragoman-auth/dragoman/web/webtest"
)

// OT-26: a page says before its button is pressed whose account the link is about, what a take-over removes and what it
// keeps; its person starts empty, and chooses a password afterwards.
func TestOT26_TakeOverPages(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		harness.Fine(t, s.Registers(t, "email", "ada@example.com", "password", harness.GoodPass, "username", "stranger",
			"name", "A Stranger"))
		p := mailReader{webtest.Browser(t), s.URL}
		l := s.Mailed(t, harness.AskMagicDoc, "ada@example.com", db.MailMagicLink)
		p.Run(chromedp.Navigate(s.URL + "/account/sign-in#token=" + l.Token))
		p.WaitFor(`document.getElementById("about").textContent.startsWith("This is about the account stranger. ` +
			`Nobody has confirmed yet that ada@example.com belongs to this account.")`)
		p.WaitFor(`document.getElementById("keeps").textContent === "What the account says of you stays: the username ` +
			`stranger, the name A Stranger."`)
		p.Page.Shoot("account-take-over")
		p.Run(chromedp.Click(chromedp.CSS(`#empty input`)), chromedp.Click(chromedp.CSS("form button")))
		p.title("You are signed in")
		p.WaitFor(`document.querySelector(".lead").textContent.endsWith("The account has no password now.")`)
		p.Page.Shoot("account-taken-over")
		p.Run(chromedp.Click(chromedp.CSS(`a[href$="/account/choose-password"]`)))
		p.title("Choose a password")
		p.Run(chromedp.Focus(chromedp.ID("password")), chromedp.KeyEvent("a better horse battery"),
			chromedp.Focus(chromedp.ID("repeat")), chromedp.KeyEvent("a better horse battery\r"))
		p.title("Your new password counts")
		in := harness.Fine(t, s.Login(t, "ada@example.com", "a better horse battery"))
		a := s.GraphQL(t, in.Text("login", "tokens", "accessToken"), `{ me { username name emailVerified } }`, nil)
		if a.At("me", "username") != nil || a.At("me", "name") != nil || a.At("me", "emailVerified") != true {
			t.Errorf("%s", a.Raw)
		}
		p.RequireClean()
	})
}
