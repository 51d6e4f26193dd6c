package rest

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/internal/site"
	"github.com/dragoman-auth/dragoman/internal/visit"
)

// mountedAt mounts a file on a server at a public URL.
func mountedAt(t *testing.T, publicURL, text string) (*Engine, error) {
	t.Helper()
	d, err := Parse("shelf.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return New(context.Background(), Config{
		Dialects: []*Dialect{d}, GraphQL: handler(), Site: site.Parse(publicURL), Reserved: reserved,
		NotFound: http.NotFound, Log: slog.New(slog.DiscardHandler), Now: time.Now,
		MatchExpired: func(string, string) (bool, bool) { return false, false },
		Page:         func(http.ResponseWriter, *http.Request, Page) {},
	})
}

// PG-09: a path prefix that begins as a path of the server, or the other way round, is refused by a sentence that names
// both.
func TestPG09_AmbiguousPrefixes(t *testing.T) {
	t.Parallel()
	atRoot := strings.Replace(shelf, "mounts: [/shelf]", "mounts: [/]", 1)
	for _, c := range []struct{ prefix, text, other string }{
		{"/graphql", shelf, "the path /graphql of the server itself"},
		{"/graphql/x", shelf, "the path /graphql of the server itself"},
		{"/playground/x/y", shelf, "the path /playground of the server itself"},
		{"/.well-known", shelf, "the path /.well-known of the server itself"},
		{"/shelf", shelf, "the path /shelf of the dialect shelf"},
		{"/shelf/x", shelf, "the path /shelf of the dialect shelf"},
		{"/me", atRoot, "the path /me of the dialect shelf"},
		{"/me/x", atRoot, "the path /me of the dialect shelf"},
		{"/loans", atRoot, "the path /loans/{number}/end of the dialect shelf"},
		{"/loans/7", atRoot, "the path /loans/{number}/end of the dialect shelf"},
		{"/loans/7/end/x", atRoot, "the path /loans/{number}/end of the dialect shelf"},
		{
			"/mailed", strings.Replace(shelf, "fixtures: {}", "mails: {resetPassword: {landing: \"/mailed/{token}\"}}",
				1),
			"the path /mailed/{token} of the dialect shelf",
		},
		{
			"/shelf", strings.Replace(shelf, "mounts: [/shelf]", "mounts: [/shelf/v1]", 1),
			"the path /shelf/v1 of the dialect shelf",
		},
	} {
		_, err := mountedAt(t, "https://example.com"+c.prefix, c.text)
		want := "DRAGOMAN_PUBLIC_URL: its path " + c.prefix + " and " + c.other + " begin alike; choose another path"
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v, want %s", c.prefix, err, want)
		}
	}
	for _, prefix := range []string{
		"", "/accounts", "/shelfs", "/shel", "/graphq", "/well-known", "/Shelf",
		"/a/shelf",
	} {
		if _, err := mountedAt(t, "https://example.com"+prefix, shelf); err != nil {
			t.Errorf("%s: %v", prefix, err)
		}
	}
	if _, err := mountedAt(t, "https://example.com/loan/7", atRoot); err != nil {
		t.Error(err)
	}
	hosted := strings.Replace(shelf, "{session: {path: /}}", "{__Host-s: {path: /}}", 1)
	if _, err := mountedAt(t, "https://example.com", hosted); err != nil {
		t.Error(err)
	}
	if _, err := mountedAt(t, "https://example.com/accounts", hosted); err == nil ||
		!strings.Contains(err.Error(), "__Host-s only for the path /, and the server is at example.com/accounts") {
		t.Errorf("a cookie of the host: %v", err)
	}
}

// PG-08: below a prefix redirects, cookies and links of a dialect have it, and no redirect leads out of it.
func TestPG08_Answers(t *testing.T) {
	t.Parallel()
	text := strings.NewReplacer(
		"{session: {path: /}}", "{session: {path: /}, desk: {path: /shelf}}",
		"  - route: GET /me\n", `  - route: GET /to
    accepts: [query]
    fields: {to: string!}
    headers: {Link: "</help>; rel=help, <https://example.org/x>; rel=license, <//cdn.example/y>; rel=x"}
    cookies: {session: s, desk: d}
    redirect: =$request.params.to
  - route: GET /me
`).Replace(shelf)
	for publicURL, prefix := range map[string]string{
		"https://example.com": "", "https://example.com/accounts": "/accounts", "http://localhost/a/b": "/a/b",
	} {
		e, err := mountedAt(t, publicURL, text)
		if err != nil {
			t.Fatal(err)
		}
		for to, want := range map[string]string{
			"/": prefix + "/", "/shelf/me": prefix + "/shelf/me", "/x%3Fy%23z?a=b%26c": prefix + "/x?y#z?a=b&c",
			"/...": prefix + "/...", "/a..b/.c": prefix + "/a..b/.c",
			"/..": "", "/../x": "", "/x/../../y": "", "/./x": "", "/x/.": "", "/%252e%252e/x": "", "/x/.%252E": "",
			"//evil.example": "", "https://evil.example": "", "x": "", "": "",
		} {
			w := httptest.NewRecorder()
			req := httptest.NewRequest(http.MethodGet, "/shelf/to?to="+strings.ReplaceAll(to, "&", "%26"), nil)
			e.ServeHTTP(w, req.WithContext(visit.With(req.Context(), &visit.Visit{})))
			if got := w.Header().Get("Location"); got != want {
				t.Errorf("%s, %s: %d %q, want %q", publicURL, to, w.Code, got, want)
			}
			if want == "" {
				continue
			}
			set := w.Result().Cookies()
			if len(set) != 2 || set[0].Path != prefix+"/" || set[1].Path != prefix+"/shelf" {
				t.Errorf("%s: the cookies %v", publicURL, set)
			}
			if link := w.Header().Get("Link"); link != "<"+prefix+"/help>; rel=help, <https://example.org/x>; "+
				"rel=license, <//cdn.example/y>; rel=x" {
				t.Errorf("%s: %s", publicURL, link)
			}
		}
	}
}
