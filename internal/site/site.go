// Package site says where callers reach the server. Every URL, path and cookie that the server gives out is made by a
// [Site], so that scheme, host and path prefix are decided once, by a setting.
package site

import (
	"net/netip"
	"net/url"
	"strings"
)

// Site is the place of a server: its scheme, host and path prefix. The zero value is a server at the root of no host.
type Site struct {
	scheme, host string // as in https and example.com:8443
	prefix       string // "" or a path without a slash at its end, as in /accounts
}

// Parse reads a public URL. What is no URL gives the zero Site; the settings refuse it before.
func Parse(publicURL string) Site {
	u, err := url.Parse(publicURL)
	if err != nil {
		return Site{}
	}
	return Site{scheme: u.Scheme, host: u.Host, prefix: strings.TrimSuffix(u.Path, "/")}
}

// Path returns the path at which browsers reach a path of the server, which begins with a slash.
func (s Site) Path(path string) string { return s.prefix + path }

// URL returns the URL at which callers reach a path of the server, which begins with a slash or is "".
func (s Site) URL(path string) string { return s.scheme + "://" + s.Name() + path }

// Name returns what people read as the name of the server: its host and prefix.
func (s Site) Name() string { return s.host + s.prefix }

// Origin returns the origin of the pages of the server, as in https://example.com. Below a prefix other programs may
// share it.
func (s Site) Origin() string { return s.scheme + "://" + s.host }

// Shared tells whether the server has a path prefix, and so shares its origin with whatever else the host serves.
func (s Site) Shared() bool { return s.prefix != "" }

// Strip takes the prefix off a path, which then is one of the server. It tells whether the path begins with it, as
// whole segments.
func (s Site) Strip(path string) (stripped string, ok bool) {
	rest, ok := strings.CutPrefix(path, s.prefix)
	switch {
	case s.prefix == "" || !ok || rest != "" && rest[0] != '/':
		return path, false
	case rest == "":
		return "/", true
	}
	return rest, true
}

// Host returns the host, with its port if the URL has one.
func (s Site) Host() string { return s.host }

// HTTPS tells whether callers use TLS.
func (s Site) HTTPS() bool { return s.scheme == "https" }

// Cookie is where browsers keep a cookie of the server.
type Cookie struct {
	Name, Path string
	Secure     bool
}

// Cookie returns the cookie with this name. Under https its name begins with `__Host-`, so that no other host of the
// site can set it, or below a prefix with `__Secure-`, because `__Host-` demands the path / (RFC 6265bis, section
// 4.1.3). Over http on this machine it has neither the beginning nor Secure, because browsers would refuse it. Over
// http on another host there is none, and the name is "".
func (s Site) Cookie(name string) Cookie {
	switch {
	case s.HTTPS() && s.prefix == "":
		return Cookie{Name: "__Host-" + name, Path: "/", Secure: true}
	case s.HTTPS():
		return Cookie{Name: "__Secure-" + name, Path: s.prefix + "/", Secure: true}
	case s.scheme == "http" && s.loopback():
		return Cookie{Name: name, Path: s.prefix + "/"}
	}
	return Cookie{}
}

func (s Site) loopback() bool {
	name := (&url.URL{Host: s.host}).Hostname()
	ip, err := netip.ParseAddr(name)
	return name == "localhost" || err == nil && ip.IsLoopback()
}
