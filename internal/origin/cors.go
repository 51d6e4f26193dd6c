package origin

import (
	"net/http"
	"strings"
)

// maxAge is for how many seconds a browser may remember what it was told before a request. Chromium takes up to two hours.
const maxAge = "3600"

// CORS lets the pages of allowed origins read the answers of next, with the headers that are exposed, and answers what
// browsers ask before they send a request (the Fetch standard, "CORS protocol"). Everybody else is served as if there
// were no CORS. A trusted page may use every method that there is, and may send any header: no header opens what its
// credential does not.
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
		h.Set("Access-Control-Allow-Origin", origin) // one of the list, never * (HT-06)
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
