// Package site says where callers reach the server. Every URL, path and cookie that the server gives out is made by a
// [Site], so that scheme, host and path prefix are decided once, by a setting.
package site

// Site is the place of a server: its scheme, host and path prefix. The zero value is a server at the root.
type Site struct {
	base   string // scheme and host, as in https://example.com
	prefix string // "" or a path without a slash at its end, as in /accounts
}

// Parse reads a public URL without a slash at its end. It trusts that the URL is absolute, which the settings check.
func Parse(publicURL string) Site {
	return Site{base: publicURL}
}

// Path returns the path at which browsers reach a path of the server, which begins with a slash.
func (s Site) Path(path string) string { return s.prefix + path }

// URL returns the URL at which callers reach a path of the server, which begins with a slash or is "".
func (s Site) URL(path string) string { return s.base + s.prefix + path }
