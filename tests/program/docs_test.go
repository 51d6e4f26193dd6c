package program

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// TestDocs_Answers is what answers below /docs, and how. A dialect cannot take the path.
func TestDocs_Answers(t *testing.T) {
	t.Parallel()
	// open to others, as the playground is not
	on := harness.Start(t, dbtest.SQLite(t), "DRAGOMAN_LISTEN=:8080", "DRAGOMAN_DIALECTS_DIR="+harness.TutorialFiles)
	none := harness.Start(t, dbtest.SQLite(t), "DRAGOMAN_DIALECTS=none")
	off := harness.Start(t, dbtest.SQLite(t), "DRAGOMAN_DOCS=off")
	const page, data, problem = "text/html; charset=utf-8", "application/json; charset=utf-8",
		"application/json; charset=utf-8"
	for _, c := range []struct {
		on           *harness.Instance
		method, path string
		status       int
		contentType  string
	}{
		{on, "GET", "/docs", 200, page},
		{on, "HEAD", "/docs", 200, page},
		{on, "POST", "/docs", 405, problem},
		{on, "OPTIONS", "/docs/library-card", 405, problem},
		{on, "GET", "/docs/", 404, problem},
		{on, "GET", "/docs/graphql", 200, page},
		{on, "GET", "/docs/graphql/openapi.json", 404, problem},
		{on, "GET", "/docs/library-card", 200, page},
		{on, "GET", "/docs/library-card/", 404, problem},
		{on, "GET", "/docs/library-card/openapi.json", 200, data},
		{on, "HEAD", "/docs/library-card/openapi.json", 200, data},
		{on, "PUT", "/docs/library-card/openapi.json", 405, problem},
		{on, "GET", "/docs/no-such-api", 404, problem},
		{on, "POST", "/docs/no-such-api", 404, problem},
		{on, "GET", "/docs/_/docs.css", 404, problem},
		{on, "GET", "/docs//graphql", 404, problem},
		{none, "GET", "/docs", 200, page},
		{none, "GET", "/docs/graphql", 200, page},
		{none, "GET", "/docs/library-card", 404, problem},
		{off, "GET", "/docs", 404, problem},
		{off, "GET", "/docs/graphql", 404, problem},
	} {
		res, body := harness.Fetched(t, c.method, c.on.URL+c.path, "", "")
		h := res.Header
		if res.StatusCode != c.status || h.Get("Content-Type") != c.contentType || c.method == "HEAD" && len(body) > 0 {
			t.Errorf("%s %s: %d %s", c.method, c.path, res.StatusCode, h.Get("Content-Type"))
		}
		csp := h.Get("Content-Security-Policy")
		if h.Get("X-Content-Type-Options") != "nosniff" || !strings.HasPrefix(csp, "default-src 'none'") ||
			strings.Contains(csp, "unsafe") {
			t.Errorf("%s %s: %v", c.method, c.path, h)
		}
		if (c.status == 405) != (h.Get("Allow") == "GET, HEAD") {
			t.Errorf("%s %s: Allow %q", c.method, c.path, h.Get("Allow"))
		}
		if tag := h.Get("ETag"); c.status == 200 {
			again, body := harness.Fetched(t, c.method, c.on.URL+c.path, "", "", "If-None-Match", `"x", `+
				strings.TrimPrefix(tag, "W/"))
			if tag == "" || h.Get("Cache-Control") != "no-cache" || again.StatusCode != 304 || len(body) > 0 ||
				again.Header.Get("ETag") != tag {
				t.Errorf("%s %s: %v, and again %d", c.method, c.path, h, again.StatusCode)
			}
		}
	}
	for s, want := range map[*harness.Instance]bool{none: true, off: false} {
		for _, path := range []string{"/", "/playground", "/account"} {
			if _, body := harness.Fetched(t, "GET", s.URL+path, "", ""); strings.Contains(body,
				`href="/docs"`) != want {
				t.Errorf("%s links to the documentation: want %t", path, want)
			}
		}
	}
	dir := t.TempDir()
	file := "dialect: my-api\ntitle: T\nmounts: [/docs]\nerrors: {body: {e: =.message}}\nroutes: [{route: GET /x, " +
		"status: 204, empty: true}]\n"
	if err := os.WriteFile(filepath.Join(dir, "a.yaml"), []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := command(t, t.TempDir(), []string{
		"DRAGOMAN_DIALECTS_DIR=" + dir, "DRAGOMAN_DIALECTS=my-api",
		"DRAGOMAN_LISTEN=localhost:FREEPORT",
	}); got.code == 0 ||
		!strings.Contains(got.stderr, "/docs/x belongs to the server itself") {
		t.Errorf("a dialect at /docs: %+v", got)
	}
}
