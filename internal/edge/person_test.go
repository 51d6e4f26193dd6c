package edge

import (
	"net/http"
	"testing"
)

func TestPerson(t *testing.T) {
	t.Parallel()
	const chromium = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"
	for _, c := range []struct {
		method string
		header []string
		want   bool
	}{
		{"GET", []string{"Accept", chromium}, true},
		{"HEAD", []string{"Accept", chromium}, true},
		{"GET", []string{"Accept", chromium, "Sec-Fetch-Dest", "document"}, true},
		{"GET", []string{"Accept", "application/json, Text/HTML;q=0.5"}, true},
		{"GET", []string{"Accept", chromium, "Sec-Fetch-Dest", "image"}, false},
		{"GET", []string{"Accept", chromium, "Sec-Fetch-Dest", "empty"}, false},
		{"GET", []string{"Accept", chromium, "Authorization", "Bearer x"}, false},
		{"GET", []string{"Accept", chromium, "X-API-Key", "x"}, false},
		{"POST", []string{"Accept", chromium}, false},
		{"GET", nil, false},
		{"GET", []string{"Accept", "*/*"}, false},
		{"GET", []string{"Accept", "text/*"}, false},
		{"GET", []string{"Accept", "application/json, text/html;q=0"}, false},
		{"GET", []string{"Accept", "text/html; q=0.000"}, false},
		{"GET", []string{"Accept", "text/html-like"}, false},
	} {
		r := &http.Request{Method: c.method, Header: http.Header{}}
		for i := 0; i+1 < len(c.header); i += 2 {
			r.Header.Set(c.header[i], c.header[i+1])
		}
		if got := Person(r); got != c.want {
			t.Errorf("%s %q: %t", c.method, c.header, got)
		}
	}
}
