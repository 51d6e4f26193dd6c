package browser

import (
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
	"github.com/dragoman-auth/dragoman/web/playground"
	"github.com/dragoman-auth/dragoman/web/webtest"
)

// TestBrowser_PlaygroundMarks opens every tab: none has a red or yellow mark under
// what is right, default values that are false and scalars that are objects among it.
func TestBrowser_PlaygroundMarks(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, dbtest.SQLite(t))
	page := webtest.OpenPlayground(t, s.URL+"/playground")
	page.WaitFor(`document.querySelector(".graphiql-query-editor .CodeMirror").CodeMirror.options.lint.schema`)
	for _, title := range page.Examples() {
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

// marksOfTheTab are the texts under which the editor shows a mark, a second after its last change. It waits for half of
// that.
const marksOfTheTab = `new Promise((done) => setTimeout(() => done(
	[...document.querySelectorAll("[class*=CodeMirror-lint-mark]")].map((e) => e.textContent)), 1000))`

// TestBrowser_PlaygroundPerson signs in and out by the row above the editor, with tokens and with cookies.
func TestBrowser_PlaygroundPerson(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		ada := s.Register(t, "ada@example.com")
		page := webtest.OpenPlayground(t, s.URL+"/playground")
		press := func(selector string) { page.Run(chromedp.Click(chromedp.CSS(selector))) }
		fill := func(id, text string) {
			page.Run(chromedp.Focus(chromedp.ID(id)))
			webtest.Eval[chromedp.Void](page.Page, `document.getElementById("`+id+`").select()`)
			page.Run(chromedp.KeyEvent(text))
		}
		signIn := func(password string) {
			press("#person summary")
			fill("email", ada.Email)
			fill("password", password)
			page.Run(chromedp.KeyEvent("\r"))
		}

		signIn(harness.WrongPass)
		page.WaitFor(`document.getElementById("refusal").textContent.includes("password")`)
		page.WaitForStatus("anonymous")
		press("#person summary")
		signIn(harness.GoodPass)
		page.WaitForStatus("signed in as ada@example.com")
		first := page.Token()
		page.WaitFor(`!document.getElementById("person").open && document.getElementById("password").value === ""`)
		press("#refresh")
		page.WaitFor(`document.getElementById("token").value !== "` + first + `"`)
		page.WaitForStatus("signed in as ada@example.com")
		press("#sign-out")
		page.WaitForStatus("anonymous")
		if a := s.GraphQL(t, first, harness.MeDoc, nil); a.Code() != "UNAUTHENTICATED" {
			t.Errorf("after signing out: %s", a.Raw)
		}

		press("#cookies")
		page.WaitForStatus("anonymous")
		signIn(harness.GoodPass)
		page.WaitForStatus("signed in as ada@example.com")
		if page.Token() != "" {
			t.Error("with cookies the page holds a token")
		}
		page.OpenTab("Me")
		page.Execute("ada@example.com")
		press("#cookies") // without them the page is nobody again
		page.WaitForStatus("anonymous")
		page.Execute(`"me": null`)
		press("#cookies")
		page.WaitForStatus("signed in as ada@example.com")
		press("#sign-out")
		page.WaitForStatus("anonymous")

		press("#cookies")
		press("#person summary")
		press("#trial")
		page.WaitForStatus("signed in as trial-")
		page.RequireNothingKept()
		page.RequireClean()
	})
}

// TestBrowser_PlaygroundTabs opens every example from the menu, at the width of a desktop and of a phone: each is whole
// and can be run, and what is open from the start fits.
func TestBrowser_PlaygroundTabs(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, dbtest.SQLite(t))
	for _, width := range []int64{1280, 390} {
		page := webtest.OpenPlayground(t, s.URL+"/playground")
		page.Viewport(width, 844, "light")
		page.WaitFor(`innerWidth === ` + strconv.FormatInt(width, 10))
		page.WaitFor(`[...document.querySelectorAll(".graphiql-tab-button, .tools *, .graphiql-execute-button")]
			.every((e) => e.getBoundingClientRect().right <= innerWidth)`)
		examples := playground.Examples()
		for i, title := range page.Examples() {
			page.OpenTab(title)
			page.OpenTab(title) // which is there already
			for pane, want := range map[string]string{
				".graphiql-query-editor": examples[i].Query, "[aria-label=Variables]": examples[i].Variables,
			} {
				got := webtest.Eval[string](page.Page, `document.querySelector("`+pane+` .CodeMirror").CodeMirror.getValue()`)
				if strings.TrimSpace(got) != strings.TrimSpace(want) {
					t.Errorf("%d px: %s: %s shows %q", width, title, pane, got)
				}
			}
		}
		if tabs := page.Tabs(); len(tabs) != len(examples) {
			t.Errorf("%d px: tabs %q", width, tabs)
		}
		page.OpenTab("Me") // one operation: the button runs it at once
		page.Execute(`"me": null`)
		page.RequireClean()
	}
}
