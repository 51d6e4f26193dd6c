package config

import (
	"net/http"
	"strings"
	"testing"
)

// PG-09: a path prefix has one spelling, and what has another is refused by a sentence that says what would be right.
func TestPG09_BadPrefixes(t *testing.T) {
	t.Parallel()
	for _, path := range []string{
		"//", "/a//", "/a//b", "//a", "/.", "/..", "/a/.", "/a/..", "/../a", "/a/./b", "/a/../b", "/%61", "/a%2Fb",
		"/%2e%2e", "/a b", "/a+b", "/a;b", "/a=b", "/a,b", "/a@b", "/a:b", "/é", "/a\\b", "/a*", "/{a}", "/a$b", "/a&b",
		"/(a)", "/a!", "/a'b", "/a<b", `/a"b`, "/a?b", "/a#b", "/a?", "/a#", "/a\tb", "/a\x00",
	} {
		_, err := load("DRAGOMAN_PUBLIC_URL=https://example.com" + path)
		if err == nil || !strings.Contains(err.Error(), "DRAGOMAN_PUBLIC_URL=") ||
			!strings.Contains(err.Error(), "https://example.com/accounts") {
			t.Errorf("%q: %v", path, err)
		}
	}
}

// PG-08, HT-03, HT-06: below a prefix the origin of the server stays its scheme, host and port.
func TestPG08_Origin(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"https://example.com:8443", "https://example.com:8443/accounts"} {
		s := mustLoad(t, "DRAGOMAN_PUBLIC_URL="+url, "DRAGOMAN_CORS_ORIGINS=https://app.example.com")
		for origin, foreign := range map[string]bool{
			"https://example.com:8443": false, "https://app.example.com": false, "https://example.com": true,
			"https://evil.example": true, "null": true, "https://example.com:8443/accounts": true,
		} {
			r := &http.Request{
				Method: http.MethodPost, Host: "10.0.0.11:8080", Header: http.Header{"Origin": {origin}},
			}
			if got := s.Origins().Foreign(r); got != foreign {
				t.Errorf("%s, %s: %t", url, origin, got)
			}
		}
		if s.Loopback() || s.Sender().Address != "no-reply@example.com" {
			t.Errorf("%s: %s", url, s.Sender())
		}
	}
	if !mustLoad(t, "DRAGOMAN_PUBLIC_URL=http://localhost:8080/accounts").Loopback() {
		t.Error("a prefix makes this machine another one")
	}
}
