package origin

import (
	"net/http"
	"strings"
)

// maxAge is how long a browser may cache the answer to a preflight request, in seconds. Chromium caps it at two hours.
const maxAge = "3600"

// CORS lets pages of allowed origins read the answers of next and the exposed headers, and answers preflight requests
// (the Fetch standard, "CORS protocol"). Other callers are served without CORS. A trusted page may use every method and
// send any header: no header grants more than the credential.
func (p *Policy) CORS(exposed []string, next http.Handler) http.Handler {
	expose := strings.Join(exposed, ", ")
	methods := strings.Join([]string{
		http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
	}, ", ")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Add("Vary", "Origin")
		origin := sent(r)
		if origin == p.own || !p.Allows(origin) {
			next.ServeHTTP(w, r)
			return
		}
		h.Set("Access-Control-Allow-Origin", origin) // an allowed origin, never * (HT-06)
		h.Set("Access-Control-Allow-Credentials", "true")
		if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
			h.Set("Access-Control-Expose-Headers", expose)
			next.ServeHTTP(w, r)
			return
		}
		h.Add("Vary", "Access-Control-Request-Headers")
		h.Set("Access-Control-Allow-Methods", methods)
		if names := r.Header.Get("Access-Control-Request-Headers"); names != "" {
			h.Set("Access-Control-Allow-Headers", names)
		}
		h.Set("Access-Control-Max-Age", maxAge)
		w.WriteHeader(http.StatusNoContent)
	})
}

// Public lets every page read an answer that is public and that no credential changes. Pages of allowed origins keep
// the headers that CORS set.
func Public(h http.Header) {
	const name = "Access-Control-Allow-Origin"
	if h.Get(name) == "" {
		h.Set(name, "*")
	}
}
