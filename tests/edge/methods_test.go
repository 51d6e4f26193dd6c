package edge

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// TestGQ17_Methods wants that every path of the server names the methods that it takes, in the header Allow and in
// words, to whoever sends another one; and the method that came, unless it is none of HTTP.
func TestGQ17_Methods(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, dbtest.SQLite(t), "DRAGOMAN_METRICS_TOKEN="+harness.MetricsToken)
	_, start := harness.Fetched(t, "GET", s.URL+"/", "", "", "Accept", "text/html")
	_, style, _ := strings.Cut(start, `rel="stylesheet" href="`)
	style, _, _ = strings.Cut(style, `"`)
	read, form := []string{"GET", "HEAD"}, []string{"GET", "HEAD", "POST"}
	for path, takes := range map[string][]string{
		"/": read, "/playground": read, "/docs": read, "/docs/graphql": read, "/docs/graphql/login": read,
		"/docs/graphql/types": read, "/docs/schema.graphql": read, "/docs/generic-v1": read, "/favicon.ico": read,
		style: read, "/account": read, "/account/sign-in": form, "/account/reset-password": form,
		"/account/signin": form, "/account/signup": form, "/account/security": form, "/dev/mailbox": read,
		"/healthz": read, "/readyz": read, "/metrics": read, "/.well-known/jwks.json": read,
		"/graphql": {"GET", "POST"}, "/query": {"GET", "POST"}, "/api/v1/auth/login": {"POST"},
		"/api/auth/login": {"POST"},
	} {
		for _, method := range []string{"HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW", "TRACE"} {
			if slices.Contains(takes, method) {
				continue
			}
			res, body := harness.Fetched(t, method, s.URL+path, "", "")
			allow := strings.Split(res.Header.Get("Allow"), ", ")
			if res.StatusCode != http.StatusMethodNotAllowed || len(allow[0]) == 0 {
				t.Errorf("%s %s: %d, Allow %q: %s", method, path, res.StatusCode, allow, body)
				continue
			}
			if method == "TRACE" {
				continue // looked up nowhere
			}
			if !slices.Equal(allow, takes) {
				t.Errorf("%s %s: Allow %q, want %q", method, path, allow, takes)
			}
			for _, one := range allow {
				if method != "HEAD" && !strings.Contains(body, one) {
					t.Errorf("%s %s does not say %s: %s", method, path, one, body)
				}
			}
			if strings.Contains(body, "BREW") {
				t.Errorf("%s repeats the method: %s", path, body)
			}
		}
	}
	_, body := harness.Fetched(t, "POST", s.URL+"/", "", "")
	want := `{"error":"The method must be GET or HEAD here, and is POST. GraphQL is sent by POST to /graphql."}`
	if strings.TrimSpace(body) != want {
		t.Error(body)
	}
}
