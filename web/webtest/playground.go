package webtest

import (
	"strconv"
	"testing"

	"github.com/chromedp/chromedp"
)

// Playground is the playground in a browser.
type Playground struct{ *Page }

// answerPane is an expression for what the playground shows as the answer.
const answerPane = `document.querySelector(".result-window .CodeMirror").CodeMirror.getValue()`

// OpenPlayground shows the playground at that address and waits until its tabs are there.
func OpenPlayground(t testing.TB, address string) Playground {
	t.Helper()
	p := Playground{Browser(t)}
	p.Run(chromedp.Navigate(address))
	p.WaitFor(`document.querySelectorAll(".graphiql-tab").length > 1 && document.querySelector(".result-window ` +
		`.CodeMirror")`)
	return p
}

// OpenTab brings the tab of that title, the name of its first operation, to the front.
func (p Playground) OpenTab(title string) {
	p.t.Helper()
	p.Run(p.clickText(".graphiql-tab-button", title))
	// GraphiQL learns the operations of the document a moment after it shows it.
	p.WaitFor(`document.querySelector(".graphiql-query-editor .CodeMirror").CodeMirror.operations` +
		`.some((operation) => operation.name.value === ` + strconv.Quote(title) + `)`)
}

// Execute runs the one operation of the tab in front and waits until the answer holds the text.
func (p Playground) Execute(answer string) {
	p.t.Helper()
	p.Run(chromedp.Click(chromedp.CSS(".graphiql-execute-button")))
	p.WaitFor(answerPane + `.includes(` + strconv.Quote(answer) + `)`)
}

// ExecuteOne runs one of several operations of the tab in front, by the menu of the run button, and waits until the
// answer holds the text.
func (p Playground) ExecuteOne(operation, answer string) {
	p.t.Helper()
	p.Run(chromedp.Click(chromedp.CSS(".graphiql-execute-button[aria-haspopup=menu]")))
	// The menu is put into its place after it is shown; a click that was aimed before that misses.
	p.WaitFor(`(() => {
		const at = JSON.stringify(document.querySelector("[role=menuitem]").getBoundingClientRect())
		const still = window.menuAt === at
		window.menuAt = at
		return still
	})()`)
	p.Run(p.clickText("[role=menuitem]", operation))
	p.WaitFor(answerPane + `.includes(` + strconv.Quote(answer) + `)`)
}

// Answer is what the playground shows as the answer.
func (p Playground) Answer() string {
	p.t.Helper()
	return Eval[string](p.Page, answerPane)
}

// SetVariables replaces the variables of the tab in front.
func (p Playground) SetVariables(json string) {
	p.t.Helper()
	p.edit("Variables", json)
}

// SetHeaders replaces the headers of the tab in front.
func (p Playground) SetHeaders(json string) {
	p.t.Helper()
	p.edit("Headers", json)
}

func (p Playground) edit(tool, text string) {
	p.t.Helper()
	p.Run(p.clickText(".graphiql-editor-tools button", tool))
	// The section of the one tool holds the editors of both; the other's is hidden.
	editor := `document.querySelector("[aria-label=` + tool + `] .graphiql-editor:not(.hidden) .CodeMirror")`
	p.WaitFor(editor)
	Eval[chromedp.Void](p.Page, editor+`.CodeMirror.setValue(`+strconv.Quote(text)+`)`)
}

// TypeToken writes a token into the slot, as a person does.
func (p Playground) TypeToken(token string) {
	p.t.Helper()
	p.Run(chromedp.Focus(chromedp.ID("token")))
	Eval[chromedp.Void](p.Page, `document.getElementById("token").select()`)
	p.Run(chromedp.KeyEvent(token + "\r"))
}

// Token is the token in the slot.
func (p Playground) Token() string {
	p.t.Helper()
	return Eval[string](p.Page, `document.getElementById("token").value`)
}

// WaitForStatus waits until the words beside the slot begin so, for example "signed in as ada@example.com".
func (p Playground) WaitForStatus(text string) {
	p.t.Helper()
	p.WaitFor(`document.getElementById("status").textContent.startsWith(` + strconv.Quote(text) + `)`)
}

// RequireNothingKept fails the test when the browser keeps anything of the page beyond its life.
func (p Playground) RequireNothingKept() {
	p.t.Helper()
	kept := Eval[string](p.Page, `(async () => JSON.stringify({
		local: { ...localStorage }, session: { ...sessionStorage }, cookies: document.cookie, history: history.state,
		databases: await indexedDB.databases(), caches: await caches.keys(), address: location.search + location.hash,
	}))()`)
	if want := `{"local":{},"session":{},"cookies":"","history":null,"databases":[],"caches":[],"address":""}`; kept !=
		want {
		p.t.Errorf("the browser keeps %s", kept)
	}
}

// clickText clicks the element of that kind with exactly that text.
func (p Playground) clickText(selector, text string) chromedp.Action[chromedp.Void] {
	return chromedp.Click(chromedp.JSPath(`[...document.querySelectorAll(` + strconv.Quote(selector) + `)]` +
		`.find((element) => element.textContent === ` + strconv.Quote(text) + `)`))
}
