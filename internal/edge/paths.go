package edge

import (
	"io"
	"net/http"
	"path"
	"slices"
	"strings"

	"github.com/dragoman-auth/dragoman/internal/site"
	"github.com/dragoman-auth/dragoman/internal/visit"
)

// ExactPaths answers with notFound where ServeMux would redirect to the clean path, and for percent-encoded slashes,
// dots and letters. A path has one spelling, so nobody can evade what counts by path (LG-17).
func ExactPaths(mux, notFound http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p := r.URL.Path; r.URL.RawPath != "" || strings.TrimSuffix(path.Clean(p), "/")+trailing(p) != p ||
			!strings.HasPrefix(p, "/") {
			notFound.ServeHTTP(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// stripPrefix takes the path prefix of the public URL off the path of a request. A proxy forwards the prefix or strips
// it, so every other path stands for itself. The encoded path, where there is one, loses the prefix too or keeps both:
// ExactPaths then sees what was sent.
func stripPrefix(at site.Site, r *http.Request) *http.Request {
	stripped, ok := at.Strip(r.URL.Path)
	if !ok {
		return r
	}
	raw := r.URL.RawPath
	if raw != "" {
		if raw, ok = at.Strip(raw); !ok {
			return r
		}
	}
	target := *r.URL
	target.Path, target.RawPath = stripped, raw
	r = r.WithContext(r.Context()) // a handler changes no request that it was given
	r.URL = &target
	return r
}

// trailing is the slash that path.Clean removes.
func trailing(p string) string {
	if strings.HasSuffix(p, "/") {
		return "/"
	}
	return ""
}

// NotFound answers 404 as JSON.
func NotFound(w http.ResponseWriter, r *http.Request) {
	Problem(w, http.StatusNotFound, withEndpoint(r, "There is nothing at this path. Paths are exact: case and a slash "+
		"at the end count."))
}

// withEndpoint adds to a text where GraphQL is sent. The listener of the metrics has no GraphQL.
func withEndpoint(r *http.Request, text string) string {
	if endpoint := visit.From(r.Context()).Endpoint; endpoint != "" {
		text += " GraphQL is sent by POST to " + endpoint + "."
	}
	return text
}

// Get allows GET and HEAD alone.
func Get(h http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if Allow(w, r, http.MethodGet, http.MethodHead) {
			h(w, r)
		}
	})
}

// Allow tells whether a path takes the method of a request. If not, it answers 405 with the methods that it takes.
func Allow(w http.ResponseWriter, r *http.Request, methods ...string) bool {
	if slices.Contains(methods, r.Method) {
		return true
	}
	last := len(methods) - 1
	text := "The method must be " + strings.Join(methods[:last], ", ") + " or " + methods[last] + " here, and is " +
		MethodName(r.Method) + "."
	if r.Method == http.MethodPost {
		text = withEndpoint(r, text)
	}
	w.Header().Set("Allow", strings.Join(methods, ", "))
	Problem(w, http.StatusMethodNotAllowed, text)
	return false
}

// MethodName repeats a method of HTTP (RFC 9110 section 9, RFC 5789), and no other text.
func MethodName(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodPatch,
		http.MethodOptions, http.MethodTrace, http.MethodConnect:
		return method
	}
	return "another one"
}

// Text answers with one line of plain text.
func Text(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text+"\n")
}
