package gqlhttp

import (
	"net/url"
	"strings"
	"testing"
)

// GQ-05: a GET is served with any header that makes a browser ask first, and with none that a form, a link, an image or
// a plain fetch of another origin can send. The refusal says both ways out.
func TestGQ05_HeadersOfGet(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	path := "/graphql?query=" + url.QueryEscape("{me{id}}")
	for status, all := range map[int][][]string{
		200: {
			{"Authorization", "Bearer a.b.c"},
			{"Authorization", "bearer a.b.c"},
			{"Authorization", "Token a.b.c"},
			{"X-API-Key", "sk_live_x"},
			{"Content-Type", "application/json"},
			{"Content-Type", "application/json; charset=utf-8"},
			{"X-Requested-With", "XMLHttpRequest"},
			{"X-Device-Token", "dt1.x"},
			{"Apollo-Require-Preflight", "true"},
			{"X-Apollo-Operation-Name", "Me"},
			{"GraphQL-Preflight", "1"},
		},
		400: {
			nil,
			{"Authorization", "Basic YTpi"},
			{"Authorization", "Digest username=a"},
			{"Authorization", "a.b.c"},
			{"Authorization", ""},
			{"Content-Type", "text/plain"},
			{"Content-Type", "text/plain; application/json"},
			{"Content-Type", "application/x-www-form-urlencoded"},
			{"Content-Type", "multipart/form-data; boundary=a"},
			{"Accept", "application/json"},
			{"Accept", "application/graphql-response+json", "Accept-Language", "de", "Referer", "https://app.example.com/"},
			{"Cookie", "dragoman_session=st1.x"},
			{"Apollo-Require-Preflight", ""},
		},
	} {
		for _, header := range all {
			got := k.send("GET", path, "", header...)
			if got.StatusCode != status {
				t.Errorf("%q: %d, want %d", header, got.StatusCode, status)
			}
			if status == 400 && (!strings.Contains(got.text, "POST") || !strings.Contains(got.text, "Bearer")) {
				t.Errorf("%q: %s", header, got.text)
			}
		}
	}
}
