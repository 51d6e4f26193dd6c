package assets

import (
	"net/http"
	"strconv"
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
