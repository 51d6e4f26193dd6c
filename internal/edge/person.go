package edge

import (
	"net/http"
	"strings"
)

// Person tells whether somebody opens the URL in a browser, who is served better by a page than by JSON: a GET or HEAD
// that asks for text/html, shows no credential in a header, and is no part of another page. Programs ask for JSON, or
// for everything (*/*).
func Person(r *http.Request) bool {
	if r.Method != http.MethodGet && r.Method != http.MethodHead || r.Header.Get("Authorization") != "" ||
		r.Header.Get("X-Api-Key") != "" {
		return false
	}
	if dest := r.Header.Get("Sec-Fetch-Dest"); dest != "" && dest != "document" {
		return false
	}
	for part := range strings.SplitSeq(strings.Join(r.Header.Values("Accept"), ","), ",") {
		media, params, _ := strings.Cut(strings.ToLower(part), ";")
		weight := strings.TrimRight(strings.ReplaceAll(params, " ", ""), "0.")
		if strings.TrimSpace(media) == "text/html" && weight != "q=" {
			return true
		}
	}
	return false
}
