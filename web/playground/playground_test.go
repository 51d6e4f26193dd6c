package playground

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/dragoman-auth/dragoman/web/assets"
)

// ask sends one request to a fresh playground.
func ask(t *testing.T, method, path, acceptEncoding string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, nil)
	if acceptEncoding != "" {
		r.Header.Set("Accept-Encoding", acceptEncoding)
	}
	w := httptest.NewRecorder()
	handler := Handler(config())
	if strings.HasPrefix(path, assets.SharedPrefix) {
		handler = assets.Shared().Handler(http.NotFound)
	}
	handler.ServeHTTP(w, r)
	return w
}

func TestPlaygroundAnswers(t *testing.T) {
	t.Parallel()
	script, err := load().Path("playground.js")
	if err != nil {
		t.Fatal(err)
	}
	const html, text = "text/html; charset=utf-8", "text/plain; charset=utf-8"
	const problem = "application/json; charset=utf-8"
	cases := []struct {
		method, path string
		status       int
		contentType  string
		cache        string
	}{
		{"GET", "/", 404, problem, "no-store"},
		{"GET", "/playground", 200, html, "no-store"},
		{"HEAD", "/playground", 200, html, "no-store"},
		{"GET", "/playground/", 404, problem, "no-store"},
		{"GET", "/elsewhere", 404, problem, "no-store"},
		{"POST", "/elsewhere", 404, problem, "no-store"},
		{"POST", "/playground", 405, problem, "no-store"},
		{"OPTIONS", "/playground", 405, problem, "no-store"},
		{"GET", script, 200, "text/javascript; charset=utf-8", "public, max-age=31536000, immutable"},
		{"HEAD", script, 200, "text/javascript; charset=utf-8", "public, max-age=31536000, immutable"},
		{"DELETE", script, 405, problem, "no-store"},
		{"GET", "/playground/assets/", 404, problem, "no-store"},
		{"GET", "/playground/assets/playground.js", 404, problem, "no-store"},
		{"GET", "/playground/assets/../index.html", 404, problem, "no-store"},
		{"GET", script + "/", 404, problem, "no-store"},
	}
	for _, c := range cases {
		t.Run(c.method+" "+c.path, func(t *testing.T) {
			t.Parallel()
			w := ask(t, c.method, c.path, "")
			h := w.Header()
			if w.Code != c.status || h.Get("Content-Type") != c.contentType || h.Get("Cache-Control") != c.cache {
				t.Errorf("got %d %q %q", w.Code, h.Get("Content-Type"), h.Get("Cache-Control"))
			}
			if h.Get("Content-Security-Policy") != securityPolicy || h.Get("X-Content-Type-Options") != "nosniff" ||
				h.Get("Referrer-Policy") != "no-referrer" {
				t.Errorf("headers %v", h)
			}
			if got := h.Get("Allow"); (got == "GET, HEAD") != (c.status == 405) {
				t.Errorf("Allow: %q", got)
			}
			if c.method == "HEAD" && w.Body.Len() > 0 {
				t.Error("HEAD has a body")
			}
		})
	}
}

func TestContentSecurityPolicyIsStrict(t *testing.T) {
	t.Parallel()
	want := "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; font-src 'self' data:; " +
		"img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
	if securityPolicy != want {
		t.Errorf("got %s", securityPolicy)
	}
}

var reference = regexp.MustCompile(`(?:src|href|data-examples)="([^"]+)"`)

func TestPageIsWhole(t *testing.T) {
	t.Parallel()
	page := ask(t, "GET", "/playground", "").Body.String()
	if !strings.Contains(page, `data-endpoint="/graphql"`) {
		t.Error("the page does not name its endpoint")
	}
	found := 0
	for _, match := range reference.FindAllStringSubmatch(page, -1) {
		if slices.Contains([]string{"/", "/docs", "/playground", "#content"}, match[1]) {
			continue
		}
		found++
		plain, packed := ask(t, "GET", match[1], "identity"), ask(t, "GET", match[1], "br, gzip")
		if plain.Code != http.StatusOK || plain.Header().Get("Content-Encoding") != "" ||
			plain.Header().Get("Content-Type") == "" {
			t.Errorf("%s: %d %v", match[1], plain.Code, plain.Header())
		}
		if packed.Header().Get("Content-Encoding") != "gzip" || packed.Header().Get("Vary") != "Accept-Encoding" {
			t.Errorf("%s compressed: %v", match[1], packed.Header())
		}
		if !bytes.Equal(unpack(t, packed.Body), plain.Body.Bytes()) {
			t.Errorf("%s differs when compressed", match[1])
		}
		for _, elsewhere := range []string{"sourceMappingURL", "//cdn", "@import"} {
			if strings.Contains(plain.Body.String(), elsewhere) {
				t.Errorf("%s loads from elsewhere: %s", match[1], elsewhere)
			}
		}
	}
	if found != 11 {
		t.Errorf("%d references in the page", found)
	}
}

func unpack(t *testing.T, body io.Reader) []byte {
	t.Helper()
	z, err := gzip.NewReader(body)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return plain
}
