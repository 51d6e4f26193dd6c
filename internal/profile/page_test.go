package profile_test

import (
	"strings"
	"testing"

	"github.com/dragoman-auth/dragoman/internal/profile"
)

// OT-35: the token stands in the fragment of every page, whoever names the page.
func TestOT35_ParsePage(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, want string }{
		{"https://app.example.com/reset", "https://app.example.com/reset#token={token}"},
		{"https://app.example.com", "https://app.example.com#token={token}"},
		{"https://app.example.com:8443/a?lang=de", "https://app.example.com:8443/a?lang=de#token={token}"},
		{"https://app.example.com/#/reset?t={token}", "https://app.example.com/#/reset?t={token}"},
		{"https://app.example.com/a#{token}", "https://app.example.com/a#{token}"},
		{"http://localhost:5173/reset", "http://localhost:5173/reset#token={token}"},
		{"http://127.0.0.1/reset", "http://127.0.0.1/reset#token={token}"},
		{"http://[::1]:80/reset", "http://[::1]:80/reset#token={token}"},
	} {
		got, err := profile.ParsePage(c.text)
		if err != nil || got != c.want {
			t.Errorf("%s: %q %v, want %q", c.text, got, err, c.want)
			continue
		}
		if before, fragment, _ := strings.Cut(profile.Filled(got, "ot1.a b"), "#"); strings.Contains(before, "ot1") ||
			!strings.Contains(fragment, "ot1.a%20b") {
			t.Errorf("%s: %s#%s", c.text, before, fragment)
		}
	}
	for _, bad := range []string{
		"", "/reset", "app.example.com/reset", "//app.example.com/reset", "https:reset", "https:///reset",
		"https://:8443/reset", "https://app.example.com:/reset", "https://ada@app.example.com/reset",
		"http://app.example.com/reset", "http://192.0.2.1/", "http://localhost.example.com/", "ftp://localhost/",
		"javascript://localhost/%0aalert(1)", "https://app.example.com/{token}", "https://app.example.com/?t={token}",
		"https://app.example.com/{token}#{token}", "https://app.example.com/#reset", "https://app.example.com/#",
		"https://app.example.com/#{token}{token}", "https://app.example.com/#{token}&e={email}",
		"https://app.example.com/re set", "https://app.example.com/\n", "https://app.example.com/\"><b>",
		`https://app.example.com\@evil.example/`, "https://äpp.example.com/", "https://{token}.example.com/",
	} {
		if got, err := profile.ParsePage(bad); err == nil {
			t.Errorf("%q is taken as %q", bad, got)
		}
	}
}
