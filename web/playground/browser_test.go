package playground

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/dragoman-auth/dragoman/web/webtest"
)

// open shows the playground in a browser.
func open(t *testing.T, f *fake) webtest.Playground {
	t.Helper()
	return webtest.OpenPlayground(t, serve(t, f).URL+"/playground")
}

// requireSlot waits for the status of the token, and compares the token in the slot.
func requireSlot(t *testing.T, page webtest.Playground, token, status string) {
	t.Helper()
	page.WaitForStatus(status)
	if got := page.Token(); got != token {
		t.Errorf("the slot holds %q, want %q", got, token)
	}
}

func TestSignInFillsTheSlot(t *testing.T) {
	t.Parallel()
	f := &fake{}
	page := open(t, f)
	requireSlot(t, page, "", "anonymous")

	page.Execute("access-1") // the first tab is Register
	requireSlot(t, page, "access-1", "signed in as ada@example.com")
	register := f.last(t, "Register")
	if register.authorization != "" || register.contentType != "application/json" || register.cookie != "" ||
		register.accept != "application/graphql-response+json, application/json" {
		t.Errorf("register was asked as %+v", register)
	}
	if register.Variables.Input.Email != "ada@example.com" || strings.Contains(register.Query, "ada@example.com") {
		t.Errorf("register was asked with %+v", register)
	}

	page.OpenTab("Me")
	page.Execute("answerTo")
	if got := f.last(t, "Me").authorization; got != "Bearer access-1" {
		t.Errorf("the next tab sent %q", got)
	}
	page.RequireNothingKept()
	page.RequireClean()
}

func TestRefreshAndLogout(t *testing.T) {
	t.Parallel()
	f := &fake{}
	page := open(t, f)
	page.OpenTab("Login")
	page.Execute("access-1")
	requireSlot(t, page, "access-1", "signed in as ada@example.com")

	page.OpenTab("Refresh")
	page.Execute("access-2")
	requireSlot(t, page, "access-2", "signed in as ada@example.com")
	if got := f.last(t, "Refresh").Variables.Input.RefreshToken; got != "refresh-1" {
		t.Errorf("refresh sent %q", got)
	}

	page.OpenTab("Keys")
	page.ExecuteOne("CreateApiKey", "sk_live_1")
	requireSlot(t, page, "access-2", "signed in as ada@example.com")
	page.RequireNothingKept()

	page.OpenTab("Logout")
	page.Execute("userErrors")
	requireSlot(t, page, "", "anonymous")
	if got := f.last(t, "Logout").authorization; got != "Bearer access-2" {
		t.Errorf("logout sent %q", got)
	}
	page.OpenTab("Refresh")
	page.Execute("No refresh token is remembered")
	page.RequireClean()
}

func TestSessionTokenIsPreferred(t *testing.T) {
	t.Parallel()
	page := open(t, &fake{})
	page.OpenTab("Login")
	page.SetVariables(`{"input": {"email": "ada@example.com", "password": "x", "tokenDelivery": "SESSION_TOKEN"}}`)
	page.Execute("session-1")
	requireSlot(t, page, "session-1", "signed in as ada@example.com")
	page.OpenTab("Refresh")
	page.Execute("No refresh token is remembered")
	page.RequireNothingKept()
	page.RequireClean()
}

func TestTokenByHand(t *testing.T) {
	t.Parallel()
	f := &fake{}
	page := open(t, f)
	page.TypeToken("Bearer sk_live_1")
	requireSlot(t, page, "sk_live_1", "token accepted (API key)")
	shown := `getComputedStyle(document.getElementById("token")).webkitTextSecurity === "none"`
	if webtest.Eval[bool](page.Page, shown) {
		t.Error("the token is shown")
	}
	page.Run(chromedp.Click(chromedp.ID("reveal")))
	page.WaitFor(shown)

	page.TypeToken("stale-1")
	requireSlot(t, page, "stale-1", "token not accepted")
	page.TypeToken("no header takes ☃")
	page.WaitForStatus("token not checked")

	page.Run(chromedp.Click(chromedp.ID("clear")))
	requireSlot(t, page, "", "anonymous")
	page.OpenTab("ServerInfo")
	page.Execute("answerTo")
	if got := f.last(t, "ServerInfo").authorization; got != "" {
		t.Errorf("an empty slot sent %q", got)
	}
	page.RequireNothingKept()
	page.RequireClean()
}

func TestHeadersOfTheTabWin(t *testing.T) {
	t.Parallel()
	f := &fake{}
	page := open(t, f)
	page.Execute("access-1")
	requireSlot(t, page, "access-1", "signed in")
	page.OpenTab("ServerInfo")
	page.SetHeaders(`{"authorization": "Bearer other"}`)
	page.Execute("answerTo")
	if got := f.last(t, "ServerInfo").authorization; got != "Bearer other" {
		t.Errorf("sent %q", got)
	}
	page.RequireNothingKept()
	page.RequireClean()
}

// TestTokenExpires: the page learns from WWW-Authenticate that the token has expired between two requests.
func TestTokenExpires(t *testing.T) {
	t.Parallel()
	f := &fake{}
	page := open(t, f)
	page.Execute("access-1")
	page.WaitForStatus("signed in")
	f.expire("access-1")
	page.OpenTab("ServerInfo")
	page.Execute("answerTo")
	requireSlot(t, page, "access-1", "token not accepted")
	page.RequireClean()
}

func TestHiddenSchema(t *testing.T) {
	t.Parallel()
	page := open(t, &fake{schemaHidden: true})
	page.WaitFor(`document.getElementById("notice").innerText.includes("introspection")`)
	page.Execute("access-1")
	requireSlot(t, page, "access-1", "signed in")
	page.RequireClean()
}

// TestDialogsKeepThePolicy opens GraphiQL's panels and dialogs, which set styles that the policy could reject.
func TestDialogsKeepThePolicy(t *testing.T) {
	t.Parallel()
	page := open(t, &fake{})
	click := func(label string) { page.Run(chromedp.Click(chromedp.CSS(`button[aria-label="` + label + `"]`))) }
	click("Show Documentation Explorer")
	page.WaitFor(`document.querySelector(".graphiql-doc-explorer")`)
	click("Show History")
	page.WaitFor(`document.querySelector(".graphiql-history")`)

	click("Open settings dialog")
	page.Run(chromedp.Click(chromedp.JSPath(
		`[...document.querySelectorAll("[role=dialog] button")].find((button) => button.textContent === "Dark")`)))
	page.WaitFor(`document.body.classList.contains("graphiql-dark")`)
	closeDialog(page)
	click("Open short keys dialog")
	page.WaitFor(`document.querySelector("[role=dialog]")`)
	closeDialog(page)
	page.RequireNothingKept()
	page.RequireClean("Missing `Description`") // GraphiQL's dialogs have titles, and no second text
}

// closeDialog clicks the close button. The Escape key would be lost if the dialog does not listen for it yet.
func closeDialog(page webtest.Playground) {
	page.Run(chromedp.Click(chromedp.CSS(`[role=dialog] .graphiql-dialog-close`)))
	page.WaitFor(`!document.querySelector("[role=dialog]")`)
}

// TestPhone checks that the page fits into a narrow window.
func TestPhone(t *testing.T) {
	t.Parallel()
	page := open(t, &fake{})
	page.Viewport(390, 844, "dark")
	page.WaitFor(`innerWidth === 390 && document.documentElement.scrollWidth <= 390`)
	page.WaitFor(`[...document.querySelectorAll("header *")].every((element) => ` +
		`element.getBoundingClientRect().right <= 390)`)
	page.Execute("access-1")
	page.RequireClean()
}
