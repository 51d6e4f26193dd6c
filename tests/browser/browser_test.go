package browser

import (
	"strings"
	"testing"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
	"github.com/dragoman-auth/dragoman/web/webtest"
)

// TestBrowser_Playground is the playground of the real server in Chromium, which reaches nothing but this machine: a
// person registers, looks around, and leaves. The page has nothing to complain of all along.
func TestBrowser_Playground(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn, "DRAGOMAN_RATE_LIMITS=on")
		engine := t.Name()[strings.LastIndexByte(t.Name(), '/')+1:]
		page := webtest.OpenPlayground(t, s.URL+"/playground")
		page.WaitForStatus("anonymous")

		page.Execute("accessToken") // the tab in front is Register
		page.WaitForStatus("signed in as ada@example.com")
		first := page.Token()
		if strings.Count(first, ".") != 2 || !strings.Contains(page.Answer(), first) {
			t.Fatalf("the slot holds %q", first)
		}
		page.Page.Shoot("registered-" + engine)

		page.OpenTab("Me")
		page.Execute("ada@example.com")
		if answer := page.Answer(); !strings.Contains(answer, `"name": "Ada"`) || strings.Contains(answer, "errors") {
			t.Errorf("Me: %s", answer)
		}
		page.Page.Shoot("me-" + engine)

		page.OpenTab("Sessions")
		page.ExecuteOne("Sessions", `"isCurrent": true`)
		if answer := page.Answer(); !strings.Contains(answer, `"ipAddress": "127.0.0.1"`) ||
			!strings.Contains(answer, "on Linux") {
			t.Errorf("Sessions: %s", answer)
		}
		page.OpenTab("Keys")
		page.ExecuteOne("CreateApiKey", "sk_live_")
		page.ExecuteOne("Keys", `"prefix"`)

		page.OpenTab("Refresh")
		page.Execute("accessToken")
		page.WaitFor(`document.getElementById("token").value !== ` + "`" + first + "`")
		page.WaitForStatus("signed in as ada@example.com")
		second := page.Token()
		account := s.GraphQL(t, second, harness.MeDoc, nil)
		if account.Text("me", "email") != "ada@example.com" {
			t.Errorf("the second token: %s", account.Raw)
		}

		page.OpenTab("Logout")
		page.Execute("userErrors")
		page.WaitForStatus("anonymous")
		if page.Token() != "" {
			t.Errorf("after the logout the slot holds %q", page.Token())
		}
		if a := s.GraphQL(t, second, harness.SessionsDoc, nil); a.Code() != "UNAUTHENTICATED" {
			t.Errorf("the token outlived the logout: %s", a.Raw)
		}
		page.OpenTab("Login")
		page.SetVariables(`{"input": {"email": "ada@example.com", "password": "not the password"}}`)
		page.Execute("INVALID_CREDENTIALS")
		page.WaitForStatus("anonymous")
		page.OpenTab("ServerInfo")
		page.Execute(harness.Version)
		page.Page.Shoot("server-info-" + engine)
		page.RequireNothingKept()
		page.RequireClean()
	})
}
