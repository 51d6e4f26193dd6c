package profile

import (
	"errors"
	"net/netip"
	"net/url"
	"strings"
)

// TokenGap is the place of the token in a page.
const TokenGap = "{token}"

// MailKinds are the kinds of mail whose page and button a dialect or the operator may choose.
var MailKinds = []string{"verifyEmail", "resetPassword", "signIn", "changeEmail"}

// ParsePage reads the page that a mail links to, and returns it with the gap for the token. The token always stands in
// the fragment: a browser sends it to no server, so that fetching the link of a mail cannot redeem the token (OT-35). A
// page without a fragment gets #token={token}. A page of another machine needs https.
func ParsePage(text string) (string, error) {
	before, fragment, given := strings.Cut(text, "#")
	u, err := url.Parse(before)
	switch {
	case err != nil || u.Host == "" || u.Hostname() == "" || u.User != nil || u.Opaque != "" ||
		strings.HasSuffix(u.Host, ":") || strings.ContainsFunc(text, unsafe):
		return "", errors.New("it is no absolute URL")
	case u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())):
		return "", errors.New("it is neither https nor a page of this machine")
	case strings.ContainsAny(before, "{}"):
		return "", errors.New("a gap stands before the fragment, where the token would be sent to a server")
	case !given:
		return before + "#token=" + TokenGap, nil
	case strings.Count(fragment, TokenGap) != 1 || strings.Count(fragment, "{") != 1 ||
		strings.Count(fragment, "}") != 1:
		return "", errors.New("its fragment does not hold {token} once, and no other gap")
	}
	return text, nil
}

// unsafe tells whether a character may not stand in a URL as it is (RFC 3986 appendix A), braces apart.
func unsafe(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune("\"<>\\^`|", r) }

func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// Filled puts a token into a page.
func Filled(page, token string) string {
	// A space in a fragment is %20, never +.
	escaped := strings.ReplaceAll(url.QueryEscape(token), "+", "%20")
	return strings.Replace(page, TokenGap, escaped, 1)
}
