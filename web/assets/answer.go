package assets

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/dragoman-auth/dragoman/internal/edge"
)

// SetHeaders sets what every answer of a page carries, with the page's own Content-Security-Policy. Files then allow
// caching.
func SetHeaders(h http.Header, policy string) {
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", policy)
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
}

// Allow tells whether the method is one of these, and answers otherwise.
func Allow(w http.ResponseWriter, r *http.Request, methods ...string) bool {
	if slices.Contains(methods, r.Method) {
		return true
	}
	w.Header().Set("Allow", strings.Join(methods, ", "))
	edge.Problem(w, http.StatusMethodNotAllowed, "This method is not allowed.")
	return false
}

// WriteBody writes a whole body; the answer to HEAD has its length alone.
func WriteBody(w http.ResponseWriter, r *http.Request, body []byte) {
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // a client that went away is nobody's concern
	}
}
