package site

import "testing"

func TestPG08_Site(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		publicURL, url, path, name string
		https                      bool
		cookie                     Cookie
	}{
		{
			"https://auth.example.com", "https://auth.example.com/docs", "/docs", "auth.example.com", true,
			Cookie{"__Host-c", "/", true},
		},
		{
			"https://example.com:8443/accounts", "https://example.com:8443/accounts/docs", "/accounts/docs",
			"example.com:8443/accounts", true,
			Cookie{"__Secure-c", "/accounts/", true},
		},
		{"http://[::1]:8080", "http://[::1]:8080/docs", "/docs", "[::1]:8080", false, Cookie{"c", "/", false}},
		{
			"http://localhost/accounts", "http://localhost/accounts/docs", "/accounts/docs", "localhost/accounts",
			false,
			Cookie{"c", "/accounts/", false},
		},
		{"http://example.com", "http://example.com/docs", "/docs", "example.com", false, Cookie{}},
	} {
		s := Parse(c.publicURL)
		if s.URL("/docs") != c.url || s.Path("/docs") != c.path || s.Name() != c.name || s.HTTPS() != c.https ||
			s.Cookie("c") != c.cookie {
			t.Errorf("%s: %s %s %s %t %+v", c.publicURL, s.URL("/docs"), s.Path("/docs"), s.Name(), s.HTTPS(),
				s.Cookie("c"))
		}
	}
	for path, want := range map[string]string{
		"/accounts": "/", "/accounts/": "/", "/accounts/docs": "/docs", "/accounts//docs": "//docs",
		"/accounts/accounts": "/accounts", "/accounts/../docs": "/../docs",
		"": "", "/": "", "/docs": "", "/Accounts/docs": "", "/accountsx": "", "/accounts.": "", "//accounts/docs": "",
		"accounts/docs": "", "/docs/accounts": "",
	} {
		below, root := Parse("https://example.com/accounts"), Parse("https://example.com")
		if got, ok := below.Strip(path); ok != (want != "") || ok && got != want || !ok && got != path {
			t.Errorf("%s: %s %t", path, got, ok)
		}
		if got, ok := root.Strip(path); ok || got != path {
			t.Errorf("%s at the root: %s %t", path, got, ok)
		}
	}
	if below := Parse("https://example.com:8443/accounts"); below.Origin() != "https://example.com:8443" ||
		!below.Shared() || Parse("https://example.com").Shared() {
		t.Errorf("%s %t", below.Origin(), below.Shared())
	}
	if got := Parse("%").Cookie("c"); got != (Cookie{}) {
		t.Errorf("no URL: %+v", got)
	}
}
