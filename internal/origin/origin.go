// Package origin decides which web pages of other origins may call the server. Policy.Allows decides it for both CORS
// (what a page may read) and the check of forged requests (what a page may make a browser send), so that they cannot
// differ.
package origin

import (
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// Parse reads an origin as people write it, and returns it as browsers send it (RFC 6454 section 6.2): scheme, host and
// non-default port, in lower case. ok is false for everything else: `null`, patterns such as `*`, a path, a host that
// is not ASCII.
func Parse(text string) (origin string, ok bool) {
	u, err := url.Parse(strings.ToLower(text))
	if err != nil || u.Scheme == "" || u.Hostname() == "" || u.Scheme+"://"+u.Host != strings.ToLower(text) {
		return "", false
	}
	for _, c := range u.Host {
		if c <= ' ' || c > '~' || strings.ContainsRune(`*%,"<>\^{|}`+"`", c) {
			return "", false
		}
	}
	if standard := map[string]string{"http": "80", "https": "443"}[u.Scheme]; standard != "" && u.Port() == standard {
		u.Host = strings.TrimSuffix(u.Host, ":"+standard)
	}
	return u.Scheme + "://" + u.Host, !strings.HasSuffix(u.Host, ":")
}

// Policy is the list of trusted origins. It is safe for concurrent use.
type Policy struct {
	own      string
	listed   map[string]bool
	loopback bool
	check    *http.CrossOriginProtection
}

// New makes the policy of a server whose pages have this origin. It trusts the listed origins, in the form of Parse,
// and with loopback every origin of this machine.
func New(own string, listed []string, loopback bool) *Policy {
	p := &Policy{listed: map[string]bool{}, loopback: loopback, check: http.NewCrossOriginProtection()}
	p.own, _ = Parse(own)
	for _, origin := range listed {
		p.listed[origin] = true
	}
	return p
}

// Allows tells whether pages of another origin are trusted. It takes the value of a header Origin. `null` is never
// trusted: every sandboxed frame and local file sends it (HT-06).
func (p *Policy) Allows(origin string) bool {
	return p.listed[origin] || p.loopback && isLoopback(origin)
}

func isLoopback(origin string) bool {
	if as, ok := Parse(origin); !ok || as != origin {
		return false
	}
	u, err := url.Parse(origin)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" {
		return false
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return u.Hostname() == "localhost" || err == nil && ip.IsLoopback()
}

// Foreign tells whether a page of an untrusted origin made a browser send the request (HT-03). It checks
// Sec-Fetch-Site, otherwise Origin, for every method. Programs that are not browsers send neither.
func (p *Policy) Foreign(r *http.Request) bool {
	// The standard library allows every GET, but some dialects change state by GET (HT-04), so the check sees a POST.
	if p.check.Check(&http.Request{Method: http.MethodPost, Header: r.Header, Host: r.Host}) == nil {
		return false
	}
	origin := sent(r)
	return origin == "" || origin != p.own && !p.Allows(origin)
}

// sent returns the header Origin, "" if it is absent or sent twice.
func sent(r *http.Request) string {
	if values := r.Header.Values("Origin"); len(values) == 1 {
		return values[0]
	}
	return ""
}
