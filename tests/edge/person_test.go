package edge

import (
	"net/http"
	"strings"
	"testing"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// accepts is what Chromium sends for a page.
const accepts = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"

// TestPG03_BrowsersGetPages opens addresses of APIs, and addresses where nothing is, in a browser and with a program:
// the browser is sent to a page or gets one, the program gets the JSON that it knows.
func TestPG03_BrowsersGetPages(t *testing.T) {
	t.Parallel()
	const page, json = "text/html; charset=utf-8", "application/json; charset=utf-8"
	local := harness.Start(t, dbtest.SQLite(t))
	bare := harness.Start(t, dbtest.SQLite(t), "DRAGOMAN_PLAYGROUND=off", "DRAGOMAN_START_PAGE=off")
	none := harness.Start(t, dbtest.SQLite(t), "DRAGOMAN_PLAYGROUND=off", "DRAGOMAN_START_PAGE=off",
		"DRAGOMAN_DOCS=off")
	for _, c := range []struct {
		on       *harness.Instance
		path     string
		browser  int
		location string
		program  int
	}{
		{local, "/graphql", 303, "/playground", 400},
		{local, "/query", 303, "/playground", 400},
		{bare, "/graphql", 303, "/docs/graphql", 400},
		{none, "/graphql", 400, "", 400},
		{local, "/graphql?query=%7B__typename%7D", 400, "", 400},
		{local, "/v1/auth", 303, "/docs/authcompanion", 404},
		{local, "/v1/auth/", 303, "/docs/authcompanion", 404},
		{local, "/api/v1/auth", 303, "/docs/generic-v1", 404},
		{local, "/auth", 303, "/docs/wolfpal", 404},
		{none, "/v1/auth", 404, "", 404},
		{local, "/v1/auth/nothing", 404, "", 404},
		{local, "/v1/auth/login", 405, "", 404},
		{local, "/nothing", 404, "", 404},
		{local, "/docs/nothing", 404, "", 404},
		{local, "/playground/nothing", 404, "", 404},
		{local, "/account/nothing", 404, "", 404},
		{local, "/dev/nothing", 404, "", 404},
		{local, "/_/nothing", 404, "", 404},
		{local, "/.well-known/nothing", 404, "", 404},
		{local, "//", 404, "", 404},
		{bare, "/", 404, "", 404},
		{none, "/docs", 404, "", 404},
		{none, "/playground", 404, "", 404},
	} {
		res, body := harness.Fetched(t, "GET", c.on.URL+c.path, "", "", "Accept", accepts)
		kind := page
		if c.browser == 303 || c.browser == 400 {
			kind = res.Header.Get("Content-Type")
		}
		if res.StatusCode != c.browser || res.Header.Get("Location") != c.location ||
			res.Header.Get("Content-Type") != kind {
			t.Errorf("%s in a browser: %d %v %.200s", c.path, res.StatusCode, res.Header, body)
		}
		if c.browser != 400 && !strings.Contains(strings.Join(res.Header.Values("Vary"), ","), "Accept") {
			t.Errorf("%s in a browser: Vary %q", c.path, res.Header.Values("Vary"))
		}
		if kind == page && !strings.Contains(body, `href="/account"`) {
			t.Errorf("%s in a browser: a page without a way on: %s", c.path, body)
		}
		for _, accept := range []string{"*/*", "application/json", ""} {
			res, body := harness.Fetched(t, "GET", c.on.URL+c.path, "", "", "Accept", accept)
			if got := res.Header.Get("Content-Type"); res.StatusCode != c.program ||
				strings.HasPrefix(got, "text/html") || !strings.HasSuffix(body, "\n") ||
				res.Header.Get("Location") != "" || strings.HasPrefix(body, "<") {
				t.Errorf("%s for a program that accepts %q: %d %s %q", c.path, accept, res.StatusCode, got, body)
			}
		}
	}
	// Above all: it is a page for people alone.
	for _, header := range [][]string{
		{"Accept", accepts, "Authorization", "Bearer x"}, {"Accept", accepts, "Sec-Fetch-Dest", "image"},
	} {
		if res, _ := harness.Fetched(t, "GET", local.URL+"/nothing", "", "",
			header...); res.Header.Get("Content-Type") != json {
			t.Errorf("%v: %v", header, res.Header)
		}
	}
	if res, _ := harness.Fetched(t, "POST", local.URL+"/nothing", "", "", "Accept",
		accepts); res.Header.Get("Content-Type") != json {
		t.Errorf("POST: %v", res.Header)
	}
}

// TestPG03_Favicon asks for what browsers ask for by themselves.
func TestPG03_Favicon(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, dbtest.SQLite(t), "DRAGOMAN_START_PAGE=off")
	res, body := harness.Fetched(t, "GET", s.URL+"/favicon.ico", "", "")
	if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "image/x-icon" ||
		!strings.HasPrefix(body, "\x00\x00\x01\x00") {
		t.Errorf("%d %v", res.StatusCode, res.Header)
	}
}
