// Package returnurl decides where a person may be sent back to after a page of the server (OT-08).
//
// A URL of a request is compared with a list by what it was parsed into: scheme, host, port and path. Comparing texts,
// or beginnings of texts, lets lookalikes pass (RFC 9700 section 4.1.3). What passes is written anew from its parts, so
// that no browser can read it in another way.
package returnurl

import (
	"net/netip"
	"net/url"
	"strings"
)

// maxLength is the longest URL that is looked at, in bytes.
const maxLength = 2048

// place is what is compared.
type place struct{ scheme, host, port, path string }

// List is the return URLs that are allowed. The zero List allows none. It is safe for concurrent use.
type List struct {
	listed   map[place]bool
	loopback bool
}

// New makes the list of these URLs, in the form of Parse. With loopback it also allows every URL of this machine.
func New(listed []string, loopback bool) List {
	l := List{listed: map[place]bool{}, loopback: loopback}
	for _, text := range listed {
		if _, at, ok := parse(text); ok {
			l.listed[at] = true
		}
	}
	return l
}

// Parse reads a URL for the list: absolute, http or https, without user, query and fragment, its path without dot
// segments, empty segments and encoded slashes. It returns the URL written anew.
func Parse(text string) (as string, ok bool) {
	u, at, ok := parse(text)
	if !ok || u.RawQuery != "" || u.ForceQuery {
		return "", false
	}
	return at.text(), true
}

// Allows tells whether a person may be sent to a URL, and returns it written anew. The query of an allowed URL is free.
func (l List) Allows(text string) (as string, ok bool) {
	u, at, ok := parse(text)
	if !ok || !l.listed[at] && !(l.loopback && isLoopback(u.Hostname())) {
		return "", false
	}
	as = at.text()
	if u.RawQuery != "" {
		as += "?" + u.RawQuery
	}
	return as, true
}

func parse(text string) (*url.URL, place, bool) {
	if len(text) > maxLength || strings.ContainsFunc(text, unsafe) {
		return nil, place{}, false
	}
	u, err := url.Parse(text)
	if err != nil || u.Opaque != "" || u.User != nil || strings.Contains(text, "#") || u.Hostname() == "" ||
		strings.HasSuffix(u.Host, ":") || strings.HasSuffix(u.Hostname(), ".") ||
		strings.ContainsFunc(u.Hostname(), noHost) {
		return nil, place{}, false
	}
	standard := map[string]string{"http": "80", "https": "443"}[u.Scheme]
	at := place{u.Scheme, strings.ToLower(u.Hostname()), u.Port(), u.EscapedPath()}
	if at.port == "" {
		at.port = standard
	}
	if at.path == "" {
		at.path = "/"
	}
	return u, at, standard != "" && plainPath(at.path)
}

// unsafe tells whether browsers and net/url may read a character in two ways, or it may not stand in a URL (RFC 3986
// appendix A).
func unsafe(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune("\"<>\\^`{|}", r) }

// noHost tells whether a character stands in no name and no address of a host.
func noHost(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune(".-_:", r)
}

// plainPath tells whether a path means what it says: a server or browser that resolves dot segments, or decodes a
// slash, would end at another one.
func plainPath(path string) bool {
	lower := strings.ToLower(path)
	for _, hidden := range []string{"%2f", "%5c", "%2e", "%00", "//"} {
		if strings.Contains(lower, hidden) {
			return false
		}
	}
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "." || segment == ".." {
			return false
		}
	}
	return true
}

func (p place) text() string {
	host := p.host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if p.port != map[string]string{"http": "80", "https": "443"}[p.scheme] {
		host += ":" + p.port
	}
	return p.scheme + "://" + host + p.path
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && ip.IsLoopback()
}
