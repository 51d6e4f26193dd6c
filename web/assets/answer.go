package assets

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/dragoman-auth/dragoman/internal/edge"
)

// SetHeaders sets the security headers of a page or file, with this Content-Security-Policy, and forbids caching.
// [File.Serve] allows caching again.
func SetHeaders(h http.Header, policy string) {
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", policy)
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
}

// Allow tells whether the method is allowed. If not, it answers 405.
func Allow(w http.ResponseWriter, r *http.Request, methods ...string) bool {
	if slices.Contains(methods, r.Method) {
		return true
	}
	w.Header().Set("Allow", strings.Join(methods, ", "))
	edge.Problem(w, http.StatusMethodNotAllowed, "This method is not allowed.")
	return false
}

// WriteBody writes a body and its Content-Length. For HEAD it writes only the Content-Length.
func WriteBody(w http.ResponseWriter, r *http.Request, body []byte) {
	WriteStatus(w, r, http.StatusOK, body)
}

// WriteStatus is WriteBody with another status than 200.
func WriteStatus(w http.ResponseWriter, r *http.Request, status int, body []byte) {
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // an error means that the client hung up
	}
}
