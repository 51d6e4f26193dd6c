package edge

import (
	"io"
	"net/http"
	"path"
	"strings"
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

// trailing is the slash that path.Clean removes.
func trailing(p string) string {
	if strings.HasSuffix(p, "/") {
		return "/"
	}
	return ""
}

// NotFound answers 404 as JSON.
func NotFound(w http.ResponseWriter, _ *http.Request) {
	Problem(w, http.StatusNotFound, "There is nothing at this path. Paths are exact: case and a slash at the end "+
		"count. GraphQL is sent by POST to /graphql.")
}

// Get allows GET and HEAD alone.
func Get(h http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			Problem(w, http.StatusMethodNotAllowed, "This path takes GET and HEAD alone. GraphQL is sent by POST to "+
				"/graphql.")
			return
		}
		h(w, r)
	})
}

// Text answers with one line of plain text.
func Text(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text+"\n")
}
