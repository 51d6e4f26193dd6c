package browser

import (
	"strings"
	"testing"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
	"github.com/dragoman-auth/dragoman/web/webtest"
)

// TestBrowser_PlaygroundMarks opens every tab: none has a red or yellow mark under
// what is right, default values that are false and scalars that are objects among it.
func TestBrowser_PlaygroundMarks(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, dbtest.SQLite(t))
	page := webtest.OpenPlayground(t, s.URL+"/playground")
	page.WaitFor(`document.querySelector(".graphiql-query-editor .CodeMirror").CodeMirror.options.lint.schema`)
	for _, title := range webtest.Eval[[]string](page.Page,
		`[...document.querySelectorAll(".graphiql-tab-button")].map((e) => e.textContent)`) {
		page.OpenTab(title)
		marks := webtest.Eval[[]string](page.Page, marksOfTheTab)
		if len(marks) > 0 {
			t.Errorf("%s: marked: %s", title, strings.Join(marks, ""))
		}
	}
	page.RequireClean()
}

// TestBrowser_PlaygroundMarksWhatIsWrong sees the marks where they belong.
func TestBrowser_PlaygroundMarksWhatIsWrong(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, dbtest.SQLite(t))
	page := webtest.OpenPlayground(t, s.URL+"/playground")
	page.OpenTab("Login")
	for _, variables := range []string{
		`{"input": {"email": "ada@example.com"}}`,
		`{"input": {"email": "ada@example.com", "password": "x", "tokenDelivery": {}}}`,
		`{"input": {"email": "ada@example.com", "password": "x", "nick": "ada"}}`,
	} {
		page.SetVariables(variables)
		page.WaitFor(`document.querySelector(".graphiql-editor-tool [class*=CodeMirror-lint-mark]")`)
		page.SetVariables(`{}`)
		page.SetVariables(`{"input": {"email": "ada@example.com", "password": "x"}}`)
		page.WaitFor(`!document.querySelector(".graphiql-editor-tool [class*=CodeMirror-lint-mark]")`)
	}
	page.RequireClean()
}

// marksOfTheTab are the texts under which the editor shows a mark, a second after its last change: it waits for half of that.
const marksOfTheTab = `new Promise((done) => setTimeout(() => done(
	[...document.querySelectorAll("[class*=CodeMirror-lint-mark]")].map((e) => e.textContent)), 1000))`
