package browser

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
	"github.com/dragoman-auth/dragoman/web/webtest"
)

// TestBrowser_ReadmePictures makes the pictures of README.md, and writes them where they belong if it is asked to:
//
//	DRAGOMAN_TEST_WRITE=1 go test -run ReadmePictures ./tests/browser
func TestBrowser_ReadmePictures(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, dbtest.SQLite(t), "DRAGOMAN_PUBLIC_URL=http://localhost:8080")
	folder := t.TempDir()
	if os.Getenv("DRAGOMAN_TEST_WRITE") == "1" {
		folder = harness.Path("docs/images")
	}
	page := webtest.Browser(t)
	page.Viewport(1280, 720, "light")
	page.Run(chromedp.Navigate(s.URL + "/"))
	page.WaitFor(`document.fonts.status === "loaded" && document.querySelector(".card")`)
	page.Screenshot(filepath.Join(folder, "start.png"))

	playground := webtest.OpenPlayground(t, s.URL+"/playground")
	playground.Viewport(1280, 720, "light")
	playground.Execute("accessToken")
	playground.WaitForStatus("signed in as ada@example.com")
	playground.OpenTab("Me")
	playground.Execute("ACCESS_TOKEN")
	playground.Screenshot(filepath.Join(folder, "playground.png"))

	for _, name := range []string{"start.png", "playground.png"} {
		if info, err := os.Stat(filepath.Join(folder, name)); err != nil || info.Size() < 10_000 ||
			info.Size() > 200_000 {
			t.Errorf("%s: %v %v", name, info, err)
		}
	}
	page.RequireClean()
	playground.RequireClean()
}
