package gqlhttp

import (
	"net/http"
	"strings"
	"testing"
)

func TestNegotiate(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"":                                  plainJSON,
		"*/*":                               plainJSON,
		"application/*":                     plainJSON,
		"application/json":                  plainJSON,
		"application/json; charset=utf-8":   plainJSON,
		"application/json; charset=UTF-8":   plainJSON,
		"Application/JSON":                  plainJSON,
		"application/graphql-response+json": graphqlResponse,
		"application/graphql-response+json, application/json":                      graphqlResponse,
		"application/json, application/graphql-response+json":                      graphqlResponse,
		"application/graphql-response+json; charset=utf-8, application/json;q=0.9": graphqlResponse,
		"application/graphql-response+json;q=0.5, application/json;q=0.9":          plainJSON,
		"application/graphql-response+json;q=0.5, application/json":                plainJSON,
		"application/graphql-response+json;q=0, */*":                               plainJSON,
		"application/json;q=0, */*":                                                graphqlResponse,
		"application/graphql-response+json, */*;q=0.1":                             graphqlResponse,
		"application/graphql-response+json, */*":                                   graphqlResponse,
		"text/html, application/xhtml+xml, application/xml;q=0.9, */*;q=0.8":       plainJSON,
		"text/html, garbage, application/json;q=0.1":                               plainJSON,
		"text/html":                        "",
		"garbage":                          "",
		"application/json;q=0":             "",
		"*/*;q=0":                          "",
		"application/json; charset=utf-16": "",
		"text/event-stream":                "",
		"multipart/mixed;boundary=\"-\";deferSpec=20220824,application/json;q=0.9": plainJSON,
		"application/json;q=nonsense, application/graphql-response+json;q=0.9":     plainJSON,
	}
	for accept, want := range tests {
		if got := negotiate(http.Header{"Accept": {accept}}); got != want {
			t.Errorf("%q: %q, want %q", accept, got, want)
		}
	}
	if got := negotiate(http.Header{"Accept": {"text/html", graphqlResponse}}); got != graphqlResponse {
		t.Errorf("two headers: %q", got)
	}
}

// A request error has a status by media type. A malformed request has the same status in both.
func TestMediaTypes(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	const good, invalid, malformed = `{"query":"{me{id}}"}`, `{"query":"{nothing}"}`, `{"query":`
	tests := []struct {
		accept, body string
		status       int
		media        string
	}{
		{"", good, 200, plainJSON},
		{"", invalid, 200, plainJSON},
		{"", malformed, 400, plainJSON},
		{"*/*", invalid, 200, plainJSON},
		{plainJSON, good, 200, plainJSON},
		{plainJSON, invalid, 200, plainJSON},
		{plainJSON, malformed, 400, plainJSON},
		{graphqlResponse, good, 200, graphqlResponse},
		{graphqlResponse, invalid, 400, graphqlResponse},
		{graphqlResponse, malformed, 400, graphqlResponse},
		{"text/html", good, 406, plainJSON},
	}
	for _, tt := range tests {
		got := k.send("POST", "/", tt.body, "Content-Type", "application/json; charset=UTF-8", "Accept", tt.accept)
		if got.StatusCode != tt.status || got.Header.Get("Content-Type") != tt.media+"; charset=utf-8" {
			t.Errorf("%q %s: %d %s", tt.accept, tt.body, got.StatusCode, got.Header.Get("Content-Type"))
		}
		if strings.Contains(got.text, `"data"`) != (got.Errors == nil) {
			t.Errorf("%q %s: %s", tt.accept, tt.body, got.text)
		}
	}
}
