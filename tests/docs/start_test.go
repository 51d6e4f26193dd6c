package docs

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// TestPG02_StartPage reads the start page: it names the version, every API with its paths and a link to its
// documentation, and a command that signs somebody up.
func TestPG02_StartPage(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, dbtest.SQLite(t), "DRAGOMAN_DIALECTS_DIR="+harness.TutorialFiles)
	root := parsed(t, s.URL+"/")
	text := words(root)
	if !strings.Contains(text, harness.Version) {
		t.Error("the version is missing")
	}
	linked := map[string]bool{}
	for _, a := range all(root, "a", "") {
		linked[attr(a, "href")] = true
	}
	for _, path := range []string{"/playground", "/docs", "/dev/mailbox", "/account", "/docs/graphql"} {
		if !linked[path] {
			t.Errorf("no link to %s", path)
		}
	}
	for _, d := range s.App.Dialects {
		if !linked["/docs/"+d.Name] || !strings.Contains(text, d.Title) {
			t.Errorf("%s is missing", d.Name)
		}
		for _, mount := range d.Mounts {
			if !strings.Contains(text, mount) {
				t.Errorf("%s: the path %s is missing", d.Name, mount)
			}
		}
	}
	harness.NeedCurl(t)
	command := words(all(root, "pre", "")[0])
	out, err := exec.Command("sh", "-c", command).CombinedOutput()
	if err != nil || !strings.Contains(string(out), `"accessToken":"ey`) {
		t.Errorf("%s: %v: %s", command, err, out)
	}
}

// TestPG02_ClosedRegistration reads the start page of a server where nobody may register: its command works there.
func TestPG02_ClosedRegistration(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, dbtest.SQLite(t), "DRAGOMAN_REGISTRATION=off", "DRAGOMAN_DOCS=off", "DRAGOMAN_PLAYGROUND=off",
		"DRAGOMAN_SMTP_URL=none")
	root := parsed(t, s.URL+"/")
	for _, a := range all(root, "a", "") {
		if res, _ := harness.Fetched(t, "GET", s.URL+strings.TrimPrefix(attr(a, "href"), "#content"), "",
			""); res.StatusCode != 200 {
			t.Errorf("the link %s: %d", attr(a, "href"), res.StatusCode)
		}
	}
	harness.NeedCurl(t)
	command := words(all(root, "pre", "")[0])
	if out, err := exec.Command("sh", "-c", command).CombinedOutput(); err != nil ||
		!strings.Contains(string(out), harness.Version) {
		t.Errorf("%s: %v: %s", command, err, out)
	}
}
