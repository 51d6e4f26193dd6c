package webtest

import (
	"slices"
	"strconv"
	"testing"

	"github.com/chromedp/chromedp"
)

// Playground is the playground in a browser.
type Playground struct{ *Page }

// answerPane is a JavaScript expression for the text of the answer.
const answerPane = `document.querySelector(".result-window .CodeMirror").CodeMirror.getValue()`

// OpenPlayground opens the playground at a URL and waits for its tabs.
func OpenPlayground(t testing.TB, address string) Playground {
	t.Helper()
	p := Playground{Browser(t)}
	p.Run(chromedp.Navigate(address))
	p.WaitFor(`document.querySelectorAll(".graphiql-tab").length > 1 && ` +
		`document.querySelector(".result-window .CodeMirror")`)
	return p
}

// OpenTab selects a tab, or opens one from the menu of examples. Its title is the name of its first operation.
func (p Playground) OpenTab(title string) {
	p.t.Helper()
	if slices.Contains(p.Tabs(), title) {
		p.Run(p.clickText(".graphiql-tab-button", title))
	} else {
		p.Run(chromedp.Click(chromedp.CSS("#examples summary")),
			chromedp.Click(chromedp.CSS(`#examples button[data-title="`+title+`"]`)))
	}
	// GraphiQL parses the document a moment after showing it.
	p.WaitFor(`document.querySelector(".graphiql-query-editor .CodeMirror").CodeMirror.operations` +
		`.some((operation) => operation.name.value === ` + strconv.Quote(title) + `)`)
}

// Tabs are the titles of the open tabs.
func (p Playground) Tabs() []string {
	p.t.Helper()
	return Eval[[]string](p.Page, `[...document.querySelectorAll(".graphiql-tab-button")].map((e) => e.textContent)`)
}

// Examples are the titles of the menu of examples.
func (p Playground) Examples() []string {
	p.t.Helper()
	return Eval[[]string](p.Page, `[...document.querySelectorAll("#examples button")].map((e) => e.dataset.title)`)
}

// Execute runs the only operation of the selected tab, and waits until the answer contains the text.
func (p Playground) Execute(answer string) {
	p.t.Helper()
	p.Run(chromedp.Click(chromedp.CSS(".graphiql-execute-button")))
	p.WaitFor(answerPane + `.includes(` + strconv.Quote(answer) + `)`)
}

// ExecuteOne runs one of several operations of the selected tab, with the menu of the run button. It waits until the
// answer contains the text.
func (p Playground) ExecuteOne(operation, answer string) {
	p.t.Helper()
	p.Run(chromedp.Click(chromedp.CSS(".graphiql-execute-button[aria-haspopup=menu]")))
	// The menu moves after it appears, and an earlier click would miss it.
	p.WaitFor(`(() => {
		const at = JSON.stringify(document.querySelector("[role=menuitem]").getBoundingClientRect())
		const still = window.menuAt === at
		window.menuAt = at
		return still
	})()`)
	p.Run(p.clickText("[role=menuitem]", operation))
	p.WaitFor(answerPane + `.includes(` + strconv.Quote(answer) + `)`)
}

// Answer returns the text of the answer.
func (p Playground) Answer() string {
	p.t.Helper()
	return Eval[string](p.Page, answerPane)
}

// SetVariables replaces the variables of the selected tab.
func (p Playground) SetVariables(json string) {
	p.t.Helper()
	p.edit("Variables", json)
}

// SetHeaders replaces the headers of the selected tab.
func (p Playground) SetHeaders(json string) {
	p.t.Helper()
	p.edit("Headers", json)
}

func (p Playground) edit(tool, text string) {
	p.t.Helper()
	p.Run(p.clickText(".graphiql-editor-tools button", tool))
	// Each section has the editors of both tools, and hides the other one.
	editor := `document.querySelector("[aria-label=` + tool + `] .graphiql-editor:not(.hidden) .CodeMirror")`
	p.WaitFor(editor)
	Eval[chromedp.Void](p.Page, editor+`.CodeMirror.setValue(`+strconv.Quote(text)+`)`)
}

// TypeToken types a token into the slot and presses Enter.
func (p Playground) TypeToken(token string) {
	p.t.Helper()
	p.Run(chromedp.Focus(chromedp.ID("token")))
	Eval[chromedp.Void](p.Page, `document.getElementById("token").select()`)
	p.Run(chromedp.KeyEvent(token + "\r"))
}

// Token returns the token in the slot.
func (p Playground) Token() string {
	p.t.Helper()
	return Eval[string](p.Page, `document.getElementById("token").value`)
}

// WaitForStatus waits until the status of the token begins with the text, for example "signed in as ada@example.com".
func (p Playground) WaitForStatus(text string) {
	p.t.Helper()
	p.WaitFor(`document.getElementById("status").textContent.startsWith(` + strconv.Quote(text) + `)`)
}

// RequireNothingKept fails the test if the page has stored anything in the browser or in its URL.
func (p Playground) RequireNothingKept() {
	p.t.Helper()
	kept := Eval[string](p.Page, `(async () => JSON.stringify({
		local: { ...localStorage }, session: { ...sessionStorage }, cookies: document.cookie, history: history.state,
		databases: await indexedDB.databases(), caches: await caches.keys(), address: location.search + location.hash,
	}))()`)
	want := `{"local":{},"session":{},"cookies":"","history":null,"databases":[],"caches":[],"address":""}`
	if kept != want {
		p.t.Errorf("the browser keeps %s", kept)
	}
}

// clickText clicks the element with the selector and exactly the text.
func (p Playground) clickText(selector, text string) chromedp.Action[chromedp.Void] {
	return chromedp.Click(chromedp.JSPath(`[...document.querySelectorAll(` + strconv.Quote(selector) + `)]` +
		`.find((element) => element.textContent === ` + strconv.Quote(text) + `)`))
}
